"""Evaluation of exported classifiers on any manifest, and of a finished run's predictions."""

import dataclasses
import logging
import pathlib
from typing import Any

import pandas as pd

from remedis import files
from remedis.data import labels
from remedis.data.manifest import SPLITS, Manifest
from remedis.errors import UserError
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.evaluation_result import CHOSEN_ON_THIS_DATA
from remedis.evaluation.intervals import RESAMPLES
from remedis.evaluation.thresholds import Thresholds
from remedis.inference.embed import readable_images
from remedis.inference.exported import ExportedClassifier, seen_by

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Scored:
    """The images of a manifest with a classifier's scores.

    Attributes:
      manifest: the images that could be read.
      table: of predictions, in the same order.
      warning: a sentence if the classifier has seen some of them, or may have; else empty.
      hashes: SHA-256 of the image files, in the same order.
    """

    manifest: Manifest
    table: pd.DataFrame
    warning: str
    hashes: tuple[str, ...]


def check_out(out: files.Path) -> None:
    """Raises a UserError if a directory already holds results."""
    if (pathlib.Path(out) / "results.json").exists():
        raise UserError(f"--out={out} holds results already; name another directory.")


def score(
    exported: ExportedClassifier,
    manifest: Manifest,
    out: files.Path,
    *,
    uncertain: str = "ignore",
    unmentioned: str = "ignore",
    split: str | None = None,
    batch_size: int = 32,
    max_bad_images: float = 0.01,
) -> Scored:
    """Scores the readable images of a manifest; warns if the classifier has seen some of them.

    Args:
      exported: the classifier.
      manifest: its labels are some of the classifier's.
      out: directory for the scan and the list of bad images.
      uncertain: as config.uncertain.
      unmentioned: as config.unmentioned.
      split: score only the images of this split.
      batch_size: images per batch.
      max_bad_images: largest share of unreadable images that is accepted.

    Raises:
      UserError: a label is not the classifier's, there are no images, or too many are bad.
    """
    exported.check_labels(manifest.labels)
    manifest = labels.apply_policies(
        manifest,
        uncertain=labels.policies(uncertain, manifest.labels),
        unmentioned=labels.policies(unmentioned, manifest.labels),
    )
    if split is not None:
        manifest = manifest.select(split)
    manifest, scanned = readable_images(manifest, out, max_bad_images)
    warning = seen_by(exported, manifest, scanned)
    if warning:
        _LOG.warning(warning)
    table = exported.score(manifest, batch_size)
    return Scored(manifest, table, warning, tuple(scanned["sha256"]))


def evaluate(
    exported: ExportedClassifier,
    scored: Scored,
    out: files.Path,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Writes `predictions.parquet` and `results.json`; returns the content of the latter.

    Both files assign every image to the split `test`, whatever the manifest says, since none of
    them was used to select the classifier.
    """
    manifest, description = scored.manifest, exported.description
    table = scored.table.assign(split="test")
    results = {
        "title": f"{description.name} on {manifest.source}",
        "random_weights": description.provenance.random,
        "model": str(exported.folder),
        "checkpoint": description.provenance.to_json(),
        "task": description.task,
        "data": {
            "source": manifest.source,
            "counts": manifest.counts().to_dict(orient="index"),
            "policies": {label: dict(policy) for label, policy in manifest.policies.items()},
            "warning": scored.warning,
        },
        "preprocess": {"evaluation": description.preprocess},
        "split": "test",
        "test": evaluate_table(
            table,
            manifest.labels,
            "test",
            task=_task(description.task, manifest.labels, exported.labels),
            thresholds=exported.thresholds(manifest.labels),
            seed=seed,
            resamples=resamples,
        ),
    }
    _write(out, table, results)
    return results


def reevaluate(
    run: files.Path, out: files.Path, split: str, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Evaluates a split of a finished run's predictions, e.g. with more resamples.

    `results.json` has the results under the split's name, and that name under `split`. The
    function warns if the split was used for model selection.

    Args:
      run: the run's directory, or one that `evaluate` or this function wrote.
      out: directory to write to.
      split: of the run's predictions.
      seed: of the resamples.
      resamples: their number.

    Raises:
      UserError: the directory holds no finished run, or its predictions lack the split.
    """
    folder = pathlib.Path(run)
    for name in ("results.json", "predictions.parquet"):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder} has no {name}: it is no finished run; name one, or data to score."
            )
    old = files.read_json(folder / "results.json")
    table = pd.read_parquet(folder / "predictions.parquet")
    before = old[old.get("split", "test")]
    chosen = before["thresholds"]
    evaluated = evaluate_table(
        table,
        list(before["labels"]),
        split,
        task=old["task"],
        thresholds=Thresholds.from_json(chosen) if chosen else None,
        seed=seed,
        resamples=resamples,
    )
    warning = str(old.get("data", {}).get("warning", ""))
    if split != "test":
        warning = (
            f"thresholds, calibration and the checkpoint were selected on the {split} split: on it "
            "the model looks better than it is."
        )
        _LOG.warning(warning)
        evaluated["warnings"].insert(0, CHOSEN_ON_THIS_DATA)
    results = {
        **{key: value for key, value in old.items() if key not in SPLITS},
        "title": f"{folder.name}, {split} split",
        "data": {**old.get("data", {}), "warning": warning},
        "split": split,
        split: evaluated,
    }
    _write(out, table[table["split"] == split], results)
    return results


def _task(task: str, labels: tuple[str, ...], all_labels: tuple[str, ...]) -> str:
    """Returns the task of some of a classifier's labels: `multi_label` unless all are there."""
    return task if set(labels) == set(all_labels) else "multi_label"


def _write(out: files.Path, table: pd.DataFrame, results: dict[str, Any]) -> None:
    folder = pathlib.Path(out)
    with files.whole_file(folder / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    files.write_json(folder / "results.json", results)
