"""Predictions of other people's models, made into a directory like that of an evaluation.

The scores are read from a table of any program, the truth from the same table or from data of the
user. The directory has `predictions.parquet` and `results.json`, which the commands on finished
runs read. Nothing is corrected: scores that rank the wrong way round are reported as they are.
"""

import dataclasses
import logging
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import files
from remedis.data import image_matching, label_policies
from remedis.data.label_policies import FOUND, Meaning
from remedis.data.manifest import REQUIRED, Manifest
from remedis.data.tables import columns as table_columns
from remedis.data.tables import spreadsheet
from remedis.errors import UserError, counted, quoted, some
from remedis.evaluation import predictions_file, results_record
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.imported import score_columns, score_file, score_scale
from remedis.evaluation.imported.imported_record import NOT_OURS
from remedis.evaluation.imported.score_columns import SCORE, ScoreColumns
from remedis.evaluation.imported.score_file import ScoreFile
from remedis.evaluation.intervals import RESAMPLES
from remedis.options import spelled
from remedis.zoo.provenance import Provenance

_LOG = logging.getLogger(__name__)
_OWN_TRUTH = "the file of scores"
_COPIED = ("study_id", "site", "sex", "age", "view")
_NO_PATIENTS = (
    "No patients are known: every image counts as a patient of its own, and intervals are too "
    "narrow if some have several images."
)


@dataclasses.dataclass(frozen=True, eq=False)
class ReadScores:
    """Scores by image.

    Attributes:
      file: they are from.
      columns: what its columns are.
      table: its rows that have a score, with `path` without repetition.
      scores: label -> [n] float64 in [0, 1], or outside of it with the scale `rank`.
      log_odds: label -> [n], of logits; empty for other scales.
      scale: of the file's numbers.
      without_score: number of rows that were left out.
    """

    file: ScoreFile
    columns: ScoreColumns
    table: pd.DataFrame
    scores: Mapping[str, npt.NDArray[np.float64]]
    log_odds: Mapping[str, npt.NDArray[np.float64]]
    scale: str
    without_score: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple(self.scores)

    @property
    def paths(self) -> "pd.Series[str]":
        """The images as the file names them."""
        return self.table[self.columns.roles["path"]]

    def taken(self, rows: npt.NDArray[np.int64]) -> "ReadScores":
        """Returns the scores of some rows, by their place."""
        return dataclasses.replace(
            self,
            table=self.table.iloc[rows],
            scores={label: of[rows] for label, of in self.scores.items()},
            log_odds={label: of[rows] for label, of in self.log_odds.items()},
        )


def read_scores(
    file: files.Path,
    *,
    columns: str | None = None,
    where: str | None = None,
    scale: str = score_scale.PROBABILITY,
    labels: tuple[str, ...] | None = None,
    allow_missing: bool = False,
) -> ReadScores:
    """Reads the scores of a file.

    Args:
      file: a CSV or Parquet file with one row per image.
      columns: what its columns are, see `score_columns.find`.
      where: the rows to take, see `score_file.read`.
      scale: one of `score_scale.SCALES`.
      labels: of the data that have the truth; None if the file has it.
      allow_missing: leave out rows without a score.

    Raises:
      UserError: the file cannot be read, an image occurs twice, or a score is missing or outside
        the range of its scale.
    """
    score_scale.check(scale)
    read = score_file.read(file, where)
    found = score_columns.find(read.path, read.table, columns, labels)
    _refuse_repeated(read, found)
    table: pd.DataFrame = read.table
    raw = {
        label: score_scale.numbers(read.path, table[column])
        for label, column in found.scores.items()
    }
    empty = np.isnan(np.stack(list(raw.values()), axis=1))
    if not allow_missing:
        for i, column in enumerate(found.scores.values()):
            spreadsheet.refuse(
                read.path,
                table[column],
                empty[:, i],
                f"a score of every image; {spelled('allow_missing')} leaves out images without one",
            )
    kept = ~empty.any(axis=1)
    if not kept.any():
        raise UserError(f"{read.path} has no image with all scores; expected numbers.")
    table = table[pd.Series(kept, index=table.index)]
    scores = {
        label: score_scale.scaled(read.path, table[found.scores[label]], of[kept], scale)
        for label, of in raw.items()
    }
    logits = {label: of[kept] for label, of in raw.items()} if scale == score_scale.LOGIT else {}
    return ReadScores(read, found, table, scores, logits, scale, int((~kept).sum()))


def import_predictions(
    scores: ReadScores,
    out: files.Path,
    *,
    truth: Manifest | None = None,
    name: str | None = None,
    meaning: Meaning | None = None,
    allow_missing: bool = False,
    weighting: str = "images",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Writes `predictions.parquet` and `results.json`; returns the content of the latter.

    Args:
      scores: by image.
      out: the directory.
      truth: data with the labels of the scores; None if the file of scores has them.
      name: of the model; that of the file if None.
      meaning: of labels other than 1 and 0; they are ignored if None.
      allow_missing: accept images of the data without a score.
      weighting: of the AUROC, `images` or `patients`.
      seed: of the resamples.
      resamples: their number.

    Raises:
      UserError: labels are not labels, or images of the data have no score.
    """
    meaning = meaning or Meaning()
    own = truth is None
    manifest = _own_truth(scores) if truth is None else _with_labels(truth, scores.labels)
    manifest = meaning.apply(manifest)
    label_policies.refuse_uncertain(manifest, "uncertain")
    matched_by, without_score, without_truth = "", scores.without_score, 0
    if not own:
        matching = image_matching.match(list(manifest.table["path"]), list(scores.paths))
        _check_matching(matching, manifest, scores, allow_missing)
        matched_by = matching.by
        without_score = int((~matching.found).sum())
        without_truth = len(scores.table) - int(matching.found.sum())
        manifest = manifest.subset(matching.found)
        scores = scores.taken(matching.rows[matching.found])
    name = name or scores.file.path.name.partition(".")[0]
    if without_truth:
        _LOG.info(f"{counted(without_truth, 'image')} of the file are not in the data; left out.")
    table = _table(manifest, scores)
    evaluated = evaluate_table(
        table,
        list(scores.labels),
        "test",
        weighting=weighting,
        seed=seed,
        resamples=resamples,
        label_notes=label_policies.notes(manifest, meaning),
        choice_notes=("Predictions of others: no thresholds and no calibration are known.",),
    )
    on_data = "" if own else f" on {pathlib.Path(manifest.source).name}"
    warnings = _warnings(evaluated, manifest, without_score)
    for warning in warnings:
        _LOG.warning(warning)
    evaluated["warnings"] += warnings
    results = {
        "title": f"{name} (predictions of others){on_data}",
        "random_weights": False,
        "checkpoint": Provenance(
            NOT_OURS,
            f"{name}: predictions of others; nothing is known of the weights and of what they were "
            "trained on",
            scores.file.path.name,
            scores.file.sha256,
        ).to_json(),
        "task": "multi_label",
        "imported": {
            "provenance": NOT_OURS,
            "name": name,
            "file": scores.file.path.name,
            "sha256": scores.file.sha256,
            "where": dict(scores.file.where),
            "columns": scores.columns.to_json(),
            "guessed": list(scores.columns.guessed),
            "scale": scores.scale,
            "truth": _OWN_TRUTH if own else manifest.source,
            "matched_by": matched_by,
            "images": len(table),
            "without_score": without_score,
            "without_truth": without_truth,
        },
        "data": {
            "source": manifest.source,
            "counts": manifest.with_columns({"split": "test"}).counts().to_dict(orient="index"),
            "policies": {label: dict(policy) for label, policy in manifest.policies.items()},
            "evaluation_policies": meaning.to_json(),
            "warning": "",
        },
        "split": "test",
        "test": evaluated,
    }
    folder = pathlib.Path(out)
    with files.whole_file(folder / predictions_file.FILE) as temporary:
        table.to_parquet(temporary, index=False)
    files.write_json(folder / results_record.FILE, results)
    return results


def _refuse_repeated(read: ScoreFile, found: ScoreColumns) -> None:
    """Raises a UserError for an image of two rows; names the column that tells them apart."""
    path = found.roles["path"]
    images = read.table[path]
    spreadsheet.refuse(read.path, images, images == "", "the name of an image")
    repeated = images.duplicated()
    if not repeated.any():
        return
    times = counted(int(images[repeated].nunique()), "image occurs", "images occur")
    first = int(np.argmax(repeated.to_numpy(dtype=bool)))
    place = f"{read.path}, row {images.index[first]}: {quoted(images.iloc[first])} is there already"
    used = {*found.roles.values(), *found.scores.values(), *found.truth.values()}
    for column in read.table:
        values = read.table[column]
        distinct = sorted(values.unique())
        if column in used or len(distinct) > 50:
            continue
        if not read.table.duplicated([path, column]).any():
            raise UserError(
                f"{place} ({times} twice or more), and the column {quoted(column)} tells its rows "
                f"apart, with the values {some([quoted(text) for text in distinct])}, such as of "
                f"several models: take one with {spelled('where', f'{column}={distinct[0]}')}."
            )
    raise UserError(f"{place} ({times} twice or more); expected one row per image.")


def _own_truth(scores: ReadScores) -> Manifest:
    """Returns the images of a file that has the truth, with its patients and groups."""
    path, roles, table = scores.file.path, scores.columns.roles, scores.table
    found: dict[str, Any] = dict.fromkeys(REQUIRED, "")
    found |= {role: table[column] for role, column in roles.items()}
    if "patient_id" in roles:
        found["patient_id"] = table_columns.ids(path, table[roles["patient_id"]])
    for role, parse in {"sex": table_columns.sexes, "age": table_columns.ages}.items():
        if role in roles:
            found[role] = parse(path, table[roles[role]])
    for label, column in scores.columns.truth.items():
        found[label] = table_columns.labels(path, table[column])
    return Manifest(
        pd.DataFrame(found, index=table.index), scores.labels, path.parent, source=str(path)
    )


def _with_labels(manifest: Manifest, labels: tuple[str, ...]) -> Manifest:
    others = [label for label in manifest.labels if label not in labels]
    table = manifest.table.drop(columns=others)
    return dataclasses.replace(manifest, table=table, labels=labels)


def _check_matching(
    matching: image_matching.Matching, manifest: Manifest, scores: ReadScores, allow_missing: bool
) -> None:
    """Raises a UserError if images of the data have no score."""
    found = matching.found
    missing = manifest.table["path"][~found]
    if not len(missing) or (allow_missing and found.any()):
        return
    shared = ""
    if matching.ambiguous:
        shared = f" ({matching.ambiguous:,} of them share their name with another)"
    advice = f"{spelled('allow_missing')} leaves out images without a score"
    if not found.any():
        advice = f"its first image is {quoted(scores.paths.iloc[0])}; name the column of images"
    raise UserError(
        f"{scores.file.path} has no score of {len(missing):,} of {len(manifest):,} images of "
        f"{manifest.source}, such as {quoted(missing.iloc[0])}{shared}; expected one row per image "
        f"of the data, or its split ({spelled('split')}): {advice}."
    )


def _table(manifest: Manifest, scores: ReadScores) -> pd.DataFrame:
    """Returns the table of predictions, with the columns of `remedis.inference.predict.table`."""
    table = manifest.table
    found: dict[str, Any] = {"path": table["path"], "patient_id": table["patient_id"]}
    found |= {name: table[name] for name in _COPIED if name in table}
    found["split"] = "test"
    if "sha256" in scores.columns.roles:
        found["sha256"] = scores.table[scores.columns.roles["sha256"]].to_numpy(dtype=object)
    targets = manifest.targets()
    for i, label in enumerate(scores.labels):
        found[f"label/{label}"] = targets[:, i]
        found[f"{SCORE}{label}"] = scores.scores[label]
        if label in scores.log_odds:
            found[f"log_odds/{label}"] = scores.log_odds[label]
        found[f"found/{label}"] = table[FOUND + label]
    return pd.DataFrame(found)


def _warnings(evaluated: Mapping[str, Any], manifest: Manifest, without_score: int) -> list[str]:
    """Returns sentences for whoever quotes the numbers."""
    warnings = []
    for label, area in evaluated["labels"].items():
        if area["value"] is not None and area["high"] < 0.5:
            warnings.append(
                f"The AUROC of {label} is below 0.5, and so is its interval: the labels may be "
                "swapped, or the scores those of the other class. The scores are taken as they are."
            )
    patients = manifest.table["patient_id"]
    if patients.isna().all():
        warnings.append(_NO_PATIENTS)
    elif patients.isna().any():
        warnings.append(
            f"{counted(int(patients.isna().sum()), 'image has', 'images have')} no patient and "
            "count as patients of their own."
        )
    if without_score:
        warnings.append(
            f"{counted(without_score, 'image has', 'images have')} no score and "
            f"{'is' if without_score == 1 else 'are'} left out: if they are the hard ones, the "
            "numbers are too good."
        )
    return warnings
