"""Arms of a study: the interface of all modes, and scores before and after adaptation."""

import dataclasses
import glob
import json
import os
import pathlib
from typing import Any, Protocol

import numpy as np

from remedis import files, json_records
from remedis.errors import UserError
from remedis.evaluation.l2sp import Score
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.ranking import log_odds
from remedis.evaluation.selection import Selection
from remedis.finetuning.tuning_grid import Choice
from remedis.label_budget.budgets import Draw
from remedis.label_budget.cell_store import Scores
from remedis.label_budget.data import StudyData
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import MODES, StudySettings
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.regular_files import NotRegular, read_bytes
from remedis.zoo.provenance import Provenance, ProvenanceRecord

_MOST_DIGEST = 1_000  # bytes
TuningKind: Any = json_records.Object | None
SCORES = "scores.npz"  # in the run directory of an in-distribution model


@dataclasses.dataclass(frozen=True)
class InDistributionScores:
    """Scores of an arm's in-distribution model on both test sets.

    Attributes:
      id_test: [ID test images, L] float32.
      zero_shot: [OOD test images, L] float32.
      provenance: of the checkpoint that the arm started from.
      seconds: that the model took to train and score.
      pool: [OOD pool images, L] float32; None in studies of version 0.1.
      tuning: the choice of its settings on ID validation, as plain values for `summary.json`; None
        in studies of version 0.1.
    """

    id_test: Scores
    zero_shot: Scores
    provenance: Provenance
    seconds: float
    pool: Scores | None = None
    tuning: dict[str, Any] | None = None

    def write(self, path: files.Path) -> None:
        """Writes a file, whole or not at all."""
        optional: dict[str, Any] = {}
        if self.pool is not None:
            optional["pool"] = np.asarray(self.pool, np.float32)
        with files.whole_file(path) as temporary:
            np.savez(
                temporary,
                inside=np.asarray(self.id_test, np.float32),
                zero_shot=np.asarray(self.zero_shot, np.float32),
                provenance=json.dumps(self.provenance.to_json()),
                seconds=self.seconds,
                tuning=json.dumps(self.tuning),
                **optional,
            )

    @classmethod
    def read(cls, path: files.Path) -> "InDistributionScores":
        """Returns the scores that `write` wrote.

        Raises:
          UserError: the file is damaged.
        """
        again = f"remove {_removed(path)}, so that the model is trained and scored again"
        try:
            with NpzFile(path) as content:
                tuning = content.text("tuning") if "tuning" in content else "null"
                start = json_records.parse(
                    content.text("provenance"), ProvenanceRecord, f"provenance in {path}", again
                )
                scores = "f", (None, None)
                return cls(
                    content.expect("inside", *scores),
                    content.expect("zero_shot", *scores),
                    Provenance.from_json(start),
                    float(content.expect("seconds", "fi", ())),
                    content.expect("pool", *scores) if "pool" in content else None,
                    json_records.parse(tuning, TuningKind, f"tuning in {path}", again),
                )
        except (OSError, DamagedNpz) as error:
            raise UserError(f"{path} is damaged ({error}); {again}.") from error


@dataclasses.dataclass(frozen=True)
class Adapted:
    """The result of an adaptation.

    Attributes:
      scores: [OOD test images, L] float32, of the chosen candidate.
      choice: of the settings on the validation patients of the draw; its first candidate is the
        in-distribution model as it is.
    """

    scores: Scores
    choice: Choice


def _removed(path: files.Path) -> pathlib.Path:
    """Returns what to remove with a damaged file of scores: the model, if one lies beside it."""
    file = pathlib.Path(path)
    return file.parent if file.name == SCORES else file


def selection(settings: StudySettings, data: StudyData, draw: Draw) -> Score:
    """Returns the metric of the study on the validation patients of a draw, which chooses.

    The mean AUROC is that of the labels that are estimable there (`Selection`).
    """
    held = data.judged_pool.subset(draw.validation)
    ids = held.table["patient_id"]
    selects = Selection.of(held.targets(), held.labels, ids, settings.metric.top)
    return lambda targets, logits: selects.score(targets, log_odds(logits, settings.task))


def model_folder(run: StudyDirectory, name: str, training: int = 0) -> pathlib.Path:
    """Returns the folder of an arm's fine-tuned in-distribution model.

    Args:
      run: the study's directory.
      name: of the arm.
      training: number of the in-distribution training, from 0.
    """
    return run.models / _of_training("id", training) / name


def scores_file(run: StudyDirectory, name: str, mode: str, training: int = 0) -> pathlib.Path:
    """Returns the file of an arm's `InDistributionScores` on the test sets of a study."""
    return _scores_file(run.path, name, mode, training)


def _scores_file(root: pathlib.Path, name: str, mode: str, training: int) -> pathlib.Path:
    folder = root / _of_training("id", training) / name
    return folder / SCORES if mode == "finetune" else folder.with_name(f"{name}-{mode}.npz")


# Ends of the paths of finished scores, after the name of the arm.
_FINISHED = [f"/{SCORES}" if mode == "finetune" else f"-{mode}.npz" for mode in MODES]


def _of_training(folder: str, training: int) -> str:
    return f"{folder}-{training}" if training else folder


def _pinned(file: pathlib.Path) -> str:
    """Returns the digest in a file of `weights/`; a UserError if it is no regular file."""
    try:
        return read_bytes(file, _MOST_DIGEST).decode(errors="replace")
    except (NotRegular, IsADirectoryError) as error:
        raise UserError(
            f"{file} is damaged ({error.strerror}); remove it if the arm still starts from the "
            "weights of its finished cells."
        ) from error


def pin_weights(
    run: StudyDirectory, name: str, digest: str, training: int = 0, drawn: bool = False
) -> None:
    """Records the weights that an arm starts from, or checks that they are still the same.

    Args:
      run: the study's directory.
      name: of the arm.
      digest: of the weights.
      training: number of the in-distribution training.
      drawn: whether the weights are drawn at random, so that each training has its own. All
        trainings of other weights start from the same ones.

    Raises:
      UserError: finished cells of the arm started from other weights.
    """
    own = training if drawn else 0
    file = run.models / _of_training("weights", own) / f"{name}.txt"
    trained = glob.escape(name)
    folders = [_of_training("id", training)] if drawn else ["id", "id-*"]
    patterns = [f"{folder}/{trained}{end}" for folder in folders for end in _FINISHED]
    begun = any(next(run.models.glob(pattern), None) for pattern in patterns)
    if begun and os.path.lexists(file):
        if _pinned(file) != digest:
            raise UserError(
                f"The checkpoint of the arm {name!r} has other weights than the finished cells "
                "started from; bring the old ones back, or start the study in a new directory."
            )
        return
    files.write_text(file, digest)


class Arm(Protocol):
    """An arm in one mode, ready to be adapted."""

    def in_distribution(self, training: int) -> InDistributionScores:
        """Returns the scores of the model of an in-distribution training, before adaptation."""

    def adapt(self, draw: Draw, cell: Cell) -> Adapted:
        """Returns the scores of the OOD test images after adaptation to a draw.

        Args:
          draw: the images.
          cell: its seed decides where the adaptation starts and its order; its name is that of
            files that exist while it is computed.
        """
