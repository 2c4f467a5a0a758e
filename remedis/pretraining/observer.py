"""The observer of a pretraining's logged steps: reports a collapse, or ends the run."""

import logging
from collections.abc import Mapping

from remedis.errors import UserError
from remedis.pretraining.collapse import CollapseDetector
from remedis.training.checkpoints import TrainingState
from remedis.training.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)


class CollapseObserver:
    """Reports each kind of problem once; ends the run at one from which training cannot recover."""

    def __init__(
        self, run: RunDirectory, detector: CollapseDetector, stop_on_collapse: bool
    ) -> None:
        """Begins without an observation.

        Args:
          run: the directory whose `metrics.jsonl` has the values before a resumption.
          detector: a new one.
          stop_on_collapse: whether to end the run; else a problem is only logged.
        """
        self._run, self._detector, self._stops = run, detector, stop_on_collapse
        self._begun = False
        self._reported: set[str] = set()

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Checks the values of a step.

        Raises:
          UserError: the network has collapsed or diverged, and the run is to end then.
        """
        if not self._begun:
            self._begun = True
            self._repeat_checks(step)
        finding = self._detector.check(step, values)
        if finding is None or finding.kind in self._reported:
            return
        self._reported.add(finding.kind)
        if not (finding.certain and self._stops):
            _LOG.info(finding.sentence)
            return
        checkpoint = TrainingState.latest(self._run.shared / "checkpoints")
        where = f"the last is {checkpoint}" if checkpoint else "none was written yet"
        raise UserError(
            f"{finding.sentence} Stopped (checkpoints: {where}); set config.stop_on_collapse=False "
            "to continue."
        )

    def _repeat_checks(self, step: int) -> None:
        """Repeats the checks of the logged steps before this one, which a resumed run has made."""
        for row in self._run.read_metrics():
            if "train/loss" in row and row["step"] < step:
                logged = {key.removeprefix("train/"): value for key, value in row.items()}
                self._detector.check(row["step"], logged)
