"""What both modes make of an arm before any label of the other hospital is seen."""

import dataclasses
import json
import pathlib
from typing import Protocol

import numpy as np

from remedis import files
from remedis.errors import UserError
from remedis.label_budget.budgets import Draw
from remedis.label_budget.cell_store import Scores
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import MODES
from remedis.zoo.provenance import Provenance

SCORES = "scores.npz"  # in the run directory of an in-distribution model


@dataclasses.dataclass(frozen=True)
class Home:
    """How an arm's in-distribution model scores both test sets.

    Attributes:
      inside: [ID test images, L] float32.
      zero_shot: [OOD test images, L] float32.
      provenance: of the checkpoint the arm started from.
      seconds: that it took to make.
    """

    inside: Scores
    zero_shot: Scores
    provenance: Provenance
    seconds: float

    def write(self, path: files.Path) -> None:
        """Writes a file, whole or not at all."""
        with files.whole_file(path) as temporary:
            np.savez(
                temporary,
                inside=np.asarray(self.inside, np.float32),
                zero_shot=np.asarray(self.zero_shot, np.float32),
                provenance=json.dumps(self.provenance.to_json()),
                seconds=self.seconds,
            )

    @classmethod
    def read(cls, path: files.Path) -> "Home":
        """Returns what `write` wrote."""
        with np.load(pathlib.Path(path), allow_pickle=False) as content:
            return cls(
                content["inside"],
                content["zero_shot"],
                Provenance.from_json(json.loads(str(content["provenance"]))),
                float(content["seconds"]),
            )


def path(run: StudyDirectory, name: str, mode: str) -> pathlib.Path:
    """Returns where an arm's `Home` is kept."""
    return run / "id" / (f"{name}/{SCORES}" if mode == "finetune" else f"{name}-{mode}.npz")


def pin_weights(run: StudyDirectory, name: str, digest: str) -> None:
    """Writes down which weights an arm starts from, or checks that they are still the same.

    Raises:
      UserError: something was made with other weights under the arm's name.
    """
    file = run / "weights" / f"{name}.txt"
    begun = any(path(run, name, mode).is_file() for mode in MODES)
    if begun and file.is_file():
        if file.read_text(encoding="utf-8") != digest:
            raise UserError(
                f"The checkpoint of the arm {name!r} has other weights than the finished cells "
                "started from; bring the old ones back, or start the study in a new directory."
            )
        return
    files.write_text(file, digest)


class Arm(Protocol):
    """An arm in one mode, ready to be adapted."""

    home: Home

    def adapted(self, draw: Draw, seed: int, name: str) -> Scores:
        """Returns the scores of the OOD test images after adapting to a draw.

        Args:
          draw: the images.
          seed: of the cell.
          name: of the cell, for what it leaves while it is at work.
        """
