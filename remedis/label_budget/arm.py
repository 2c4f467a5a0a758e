"""Arms of a study: the interface of all modes, and scores before adaptation."""

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
class InDistributionScores:
    """Scores of an arm's in-distribution model on both test sets.

    Attributes:
      id_test: [ID test images, L] float32.
      zero_shot: [OOD test images, L] float32.
      provenance: of the checkpoint that the arm started from.
      seconds: that the model took to train and score.
    """

    id_test: Scores
    zero_shot: Scores
    provenance: Provenance
    seconds: float

    def write(self, path: files.Path) -> None:
        """Writes a file, whole or not at all."""
        with files.whole_file(path) as temporary:
            np.savez(
                temporary,
                inside=np.asarray(self.id_test, np.float32),
                zero_shot=np.asarray(self.zero_shot, np.float32),
                provenance=json.dumps(self.provenance.to_json()),
                seconds=self.seconds,
            )

    @classmethod
    def read(cls, path: files.Path) -> "InDistributionScores":
        """Returns the scores that `write` wrote."""
        with np.load(pathlib.Path(path), allow_pickle=False) as content:
            return cls(
                content["inside"],
                content["zero_shot"],
                Provenance.from_json(json.loads(str(content["provenance"]))),
                float(content["seconds"]),
            )


def scores_file(run: StudyDirectory, name: str, mode: str) -> pathlib.Path:
    """Returns the file of an arm's `InDistributionScores`."""
    return run / "id" / (f"{name}/{SCORES}" if mode == "finetune" else f"{name}-{mode}.npz")


def pin_weights(run: StudyDirectory, name: str, digest: str) -> None:
    """Records the weights that an arm starts from, or checks that they are still the same.

    Raises:
      UserError: finished cells of the arm started from other weights.
    """
    file = run / "weights" / f"{name}.txt"
    begun = any(scores_file(run, name, mode).is_file() for mode in MODES)
    if begun and file.is_file():
        if file.read_text(encoding="utf-8") != digest:
            raise UserError(
                f"The checkpoint of the arm {name!r} has other weights than the finished cells "
                "started from; bring the old ones back, or start the study in a new directory."
            )
        return
    files.write_text(file, digest)


class Arm(Protocol):
    """An arm in one mode, ready to be adapted.

    Attributes:
      in_distribution: scores before any adaptation.
    """

    in_distribution: InDistributionScores

    def adapt(self, draw: Draw, seed: int, cell: str) -> Scores:
        """Returns the scores of the OOD test images after adaptation to a draw.

        Args:
          draw: the images.
          seed: of the cell.
          cell: name of the cell, for files that exist while it is computed.
        """
