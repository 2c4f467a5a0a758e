"""Predictions of a classifier for images without labels, and their table as Parquet or CSV."""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

import remedis
from remedis import csv_text, files
from remedis.data.checks import scan
from remedis.data.checks.scan import Readable
from remedis.data.manifest import Manifest
from remedis.errors import UserError, counted
from remedis.evaluation import thresholds
from remedis.inference.exported import ExportedClassifier, Outputs
from remedis.inference.predict import IDS, SUBGROUPS, score_columns
from remedis.models.tasks import MULTI_CLASS
from remedis.options import spelled
from remedis.zoo import tensors

SUFFIXES = (".parquet", ".csv")
RECORD = b"remedis"  # key in the metadata of a Parquet file
DECISION = "decision/"
CLASS = "predicted_class"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """Images and what a classifier says of them.

    Attributes:
      table: one row per image: `path`, ids and subgroups where known, `sha256`; per label
        `score/LABEL` (the calibrated probability), `logit/LABEL` (before calibration),
        `log_odds/LABEL`, and `decision/KIND/LABEL` (1 or 0, missing without a threshold), where
        the classifier has thresholds; `predicted_class` if classes are exclusive.
      labels: of the columns, in their order.
      bad: `path` and `fault` of the images that cannot be read.
      record: what made the table: name of the model, SHA-256 of its graph and variables,
        provenance, task, preprocessing, calibration and thresholds.
    """

    table: pd.DataFrame
    labels: tuple[str, ...]
    bad: pd.DataFrame
    record: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"<Predictions: {counted(len(self.table), 'image')}, "
            f"{counted(len(self.labels), 'label')}; model: {self.record['model']}>"
        )

    @property
    def random(self) -> bool:
        """Whether the weights are random."""
        return bool(self.record["random_weights"])


def predict(
    exported: ExportedClassifier,
    manifest: Manifest,
    report: files.Path,
    *,
    labels: tuple[str, ...] | None = None,
    batch_size: int = 32,
    max_bad_images: float | None = None,
) -> Predictions:
    """Returns the predictions for a manifest's images; its labels, if any, are not read.

    Args:
      exported: the classifier.
      manifest: the images.
      report: CSV file that lists unreadable images, written if there are any.
      labels: some of the classifier's; all of them if None.
      batch_size: images per batch.
      max_bad_images: largest share of unreadable images that is accepted; None for any below all.

    Raises:
      UserError: a label is not the classifier's, there are no readable images, or too many cannot
        be read.
    """
    chosen = exported.labels if labels is None else labels
    exported.check_labels(chosen)
    readable = scan.readable(manifest, report, limit=max_bad_images)
    return of_readable(exported, readable, chosen, batch_size)


def of_readable(
    exported: ExportedClassifier, readable: Readable, chosen: tuple[str, ...], batch_size: int
) -> Predictions:
    """Returns the predictions for images that were scanned; `chosen` labels are the classifier's.

    The other arguments are those of `predict`.
    """
    outputs = exported.outputs(readable.manifest, chosen, batch_size)
    known = [*IDS, *("slide_id", *SUBGROUPS)]
    images = readable.manifest.table
    table = images.reindex(columns=[name for name in known if name in images])
    columns: dict[str, Any] = {"sha256": readable.scanned["sha256"]}
    for i, label in enumerate(chosen):
        columns |= score_columns(label, *(of[:, i] for of in outputs))
    columns |= _decisions(exported, chosen, outputs)
    if exported.description.task == MULTI_CLASS and set(chosen) == set(exported.labels):
        columns[CLASS] = np.array(chosen)[outputs.logits.argmax(axis=1)]
    table = pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)
    return Predictions(table, chosen, readable.bad, _record(exported))


def _decisions(
    exported: ExportedClassifier, labels: tuple[str, ...], outputs: Outputs
) -> dict[str, Any]:
    """Returns 1 where a score reaches its threshold, 0 below; missing without a threshold."""
    chosen = exported.thresholds(labels)
    if chosen is None:
        return {}
    values, cuts = thresholds.compared(outputs.probabilities, outputs.log_odds, chosen)
    return {
        f"{DECISION}{kind}/{label}": pd.array(
            np.where(np.isnan(cut[i]), np.nan, values[:, i] >= cut[i]), dtype="Int8"
        )
        for kind, cut in cuts.items()
        for i, label in enumerate(labels)
    }


def _record(exported: ExportedClassifier) -> dict[str, Any]:
    description = exported.description
    return {
        "model": description.name,
        "model_sha256": tensors.model_sha256(exported.folder),
        "random_weights": description.provenance.random,
        "provenance": description.provenance.shared().to_json(),
        "labels": list(exported.labels),
        "task": description.task,
        "preprocess": description.preprocess,
        "calibration": description.calibration,
        "thresholds": description.thresholds,
        "remedis": remedis.__version__,
    }


def check_out(path: files.Path) -> None:
    """Raises a UserError for a suffix that is not that of a table, or a directory."""
    if pathlib.Path(path).suffix not in SUFFIXES:
        raise UserError(
            f"{spelled('out', path)}: expected a file that ends with {' or '.join(SUFFIXES)}."
        )
    if os.path.isdir(path):
        raise UserError(f"{spelled('out', path)} is a directory; name a file to write.")


def record_file(path: files.Path) -> pathlib.Path:
    """Returns the file of the record beside a CSV file: `scores.csv.json`."""
    return pathlib.Path(f"{path}.json")


def write(predictions: Predictions, path: files.Path) -> None:
    """Writes the table with its record: in a Parquet file's metadata, or beside a CSV file.

    Raises:
      UserError: the suffix is not that of a table.
    """
    check_out(path)
    if pathlib.Path(path).suffix == ".csv":
        # A killed command must not leave a table beside the record of an earlier one.
        record_file(path).unlink(missing_ok=True)
        files.write_text(path, csv_text.from_frame(predictions.table))
        files.write_json(record_file(path), predictions.record)
        return
    table = pa.Table.from_pandas(predictions.table, preserve_index=False)
    record = json.dumps(predictions.record, allow_nan=False).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), RECORD: record})
    with files.whole_file(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
