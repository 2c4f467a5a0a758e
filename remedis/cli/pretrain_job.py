"""Pretrains a backbone on unlabelled images as a config says.

remedis pretrain --config=pretrain_cxr:rehearsal --workdir=runs/pretrain

The docstrings of the configs pretrain_* have commands to copy.

With config.distribution=multi_worker, start it in every worker, TF_CONFIG set. A lost worker has to
be started again, by the program or person that started it; the others wait for it, and all resume
from the last checkpoint.
"""

from collections.abc import Sequence

from absl import flags
from rich.console import Group, RenderableType

from remedis.cli import jobs, output


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("workdir", None, "Directory of the run.", required=True, flag_values=values)


def _run(values: flags.FlagValues) -> None:
    # Imported late, so that a wrong flag is reported at once.
    from remedis.pretraining.pretrain import pretrain
    from remedis.reporting import pretraining_report

    def report(workdir: str) -> RenderableType:
        return Group(*map(output.line, pretraining_report.report(workdir)))

    jobs.train(pretrain, report, values.config, values.workdir)


JOB = jobs.Job(__doc__, _define, _run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns its exit status."""
    return jobs.main(JOB, arguments)
