"""Choice of a recipe on validation: a grid of settings, its candidates, and the best of them."""

import dataclasses
import itertools
import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from remedis import files, json_records, options
from remedis.errors import counted
from remedis.finetuning.settings import FinetuneSettings
from remedis.json_records import Real
from remedis.progress import progress
from remedis.training import loop, optimizers, trained_layers
from remedis.training.run_directory import ADVICE, RunDirectory

_LOG = logging.getLogger(__name__)

LENGTHS = ("steps", "epochs", "examples")
# Keys of `OptimizationSettings` that a grid may hold, with the type or the texts of their values;
# the first text is the default.
KEYS: Mapping[str, type[int] | type[float] | tuple[str, ...]] = {
    "layers": trained_layers.NAMES,
    "decay_to": optimizers.DECAYS,
    "learning_rate": float,
    "weight_decay": float,
    "warmup_epochs": float,
    "steps": int,
    "epochs": float,
    "examples": int,
}
_WORDS = {
    "layers": "choice of layers",
    "decay_to": "end of the decay",
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "warmup_epochs": "warm-up",
}
_PLURALS = {"layers": "choices of layers", "decay_to": "ends of the decay"}
MAX_TRAININGS = 1000  # of one grid
UNCHANGED = "step 0"  # the model that training starts from
AS_CONFIGURED = "as configured"  # the only candidate of an empty grid
_RESULT = "candidate.json"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One point of a grid.

    Attributes:
      values: by key of `KEYS`.
    """

    values: Mapping[str, float | str]

    @property
    def name(self) -> str:
        """For reports, such as `learning_rate=0.003, steps=100`."""
        named = ", ".join(
            f"{key}={value if isinstance(value, str) else format(value, 'g')}"
            for key, value in self.values.items()
        )
        return named or AS_CONFIGURED

    def of(self, base: FinetuneSettings) -> FinetuneSettings:
        """Returns the settings with the values of this candidate in place of theirs."""
        changes: dict[str, Any] = dict(self.values)
        if any(key in changes for key in LENGTHS):  # at most one length may be set
            changes = dict.fromkeys(LENGTHS) | changes
        optimization = dataclasses.replace(base.optimization, **changes)
        return dataclasses.replace(base, optimization=optimization)


@dataclasses.dataclass(frozen=True)
class Grid:
    """Values to try, every one with every other.

    Attributes:
      text: as in the config; empty for the config's own settings alone.
      values: by key.
    """

    text: str
    values: Mapping[str, tuple[Any, ...]]

    @classmethod
    def parse(cls, text: str, what: str = "config.select") -> "Grid":
        """Returns the grid of a text such as `learning_rate=0.003,0.03; steps=100,300`.

        Raises:
          UserError: the text is not of that form, or names two kinds of length.
        """
        values = options.grid(text, what=what, kinds=KEYS)
        lengths = [key for key in values if key in LENGTHS]
        if len(lengths) > 1:
            raise options.UserError(
                f"{what} names {' and '.join(lengths)}, which are lengths both; name one of them."
            )
        grid = cls(text, values)
        if len(grid) > MAX_TRAININGS:
            raise options.UserError(
                f"{what} asks for {len(grid):,} trainings; expected at most {MAX_TRAININGS:,}."
            )
        return grid

    def candidates(self) -> tuple[Candidate, ...]:
        """Returns all combinations, in the order of the text."""
        return tuple(
            Candidate(dict(zip(self.values, point, strict=True)))
            for point in itertools.product(*self.values.values())
        )

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.values.values())

    def budget(self) -> str:
        """Returns the number of trainings in words, such as `3 learning rates = 3 trainings`."""
        factors = [
            counted(len(v), _WORDS.get(key, "length"), _PLURALS.get(key, ""))
            for key, v in self.values.items()
        ]
        trainings = counted(len(self), "training")
        return f"{' x '.join(factors)} = {trainings}" if factors else f"no grid: {trainings}"


class CandidateRecord(TypedDict):
    """The result of one candidate.

    Attributes:
      score: on validation, higher is better. None for a training that diverged.
    """

    score: Real | None


@dataclasses.dataclass(frozen=True)
class Choice:
    """The candidates of one choice, their scores, and the chosen one.

    Attributes:
      names: of the candidates, in the order in which ties are broken.
      scores: on validation, higher is better; None for a training that diverged, and for all if
        validation cannot rank them.
      chosen: index of the chosen candidate.
    """

    names: tuple[str, ...]
    scores: tuple[float | None, ...]
    chosen: int

    @classmethod
    def best(cls, names: Sequence[str], scores: Sequence[float | None]) -> "Choice":
        """Returns the choice of the highest score, of the first candidate among equal ones.

        The first candidate is chosen if no candidate has a score.
        """
        known = [-math.inf if score is None else score for score in scores]
        return cls(tuple(names), tuple(scores), known.index(max(known)))

    @property
    def ranked(self) -> bool:
        """Whether validation could rank the candidates."""
        return any(score is not None for score in self.scores)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Choice":
        """Returns the choice from the values of `to_json`."""
        return cls(tuple(values["names"]), tuple(values["scores"]), int(values["chosen"]))


class CandidateDirectory(RunDirectory):
    """Files of the training of one candidate; a finished one has a score and is not repeated."""

    def _has_begun(self) -> bool:
        return super()._has_begun() or (self / _RESULT).is_file()

    def finished(self) -> bool:
        """Returns whether the candidate has been trained, or has diverged."""
        return (self / _RESULT).is_file()

    def score(self) -> float | None:
        """Returns the score of a finished candidate; None if it diverged."""
        value = json_records.read(self / _RESULT, CandidateRecord, ADVICE)["score"]
        return None if value is None else float(value)


def train_candidates(
    directories: Sequence[CandidateDirectory], train: Callable[[int], float]
) -> list[float | None]:
    """Returns the scores of all candidates; trains those that no earlier process finished.

    Only the best candidate so far keeps its checkpoints, from which it can be restored; the first
    one among equals.

    Args:
      directories: one per candidate.
      train: trains a candidate, by its index, in its directory; returns its score.
    """
    scores: list[float | None] = []
    finished = sum(directory.finished() for directory in directories)
    with progress("Candidates", len(directories), finished, even=True) as report:
        for index, directory in enumerate(directories):
            if not directory.finished():
                files.write_json(directory / _RESULT, {"score": _trained(directory, index, train)})
                finished += 1
                report(finished, "trained")
            scores.append(directory.score())
            best = Choice.best([d.path.name for d in directories], scores).chosen
            for other, trained in enumerate(directories[: index + 1]):
                if other != best or scores[other] is None:
                    shutil.rmtree(trained / "checkpoints", ignore_errors=True)
    return scores


def _trained(
    directory: CandidateDirectory, index: int, train: Callable[[int], float]
) -> float | None:
    """Returns the score of a candidate after training; None if it diverged."""
    try:
        return train(index)
    except loop.Diverged as error:
        _LOG.warning(f"{directory.path.name} is out: {error}")
        return None
