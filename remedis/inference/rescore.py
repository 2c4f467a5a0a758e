"""Evaluates exported classifiers on any manifest, and finished runs anew."""

import dataclasses
import pathlib
from typing import Any

import pandas as pd

from remedis import files
from remedis.data import labels
from remedis.data.manifest import SPLITS, Manifest
from remedis.errors import UserError
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.intervals import RESAMPLES
from remedis.evaluation.thresholds import Thresholds
from remedis.inference.embed import readable_images
from remedis.inference.exported import ExportedClassifier, seen_by


@dataclasses.dataclass(frozen=True)
class Scored:
    """A manifest's images and what a classifier made of them.

    Attributes:
      manifest: the images that could be read.
      table: of predictions, row by row.
      warning: that the classifier has seen some of them, or that it is not known; empty if not.
      hashes: SHA-256 of the images' files, row by row.
    """

    manifest: Manifest
    table: pd.DataFrame
    warning: str
    hashes: tuple[str, ...]


def check_out(out: files.Path) -> None:
    """Raises a UserError if a directory holds results already."""
    if (pathlib.Path(out) / "results.json").exists():
        raise UserError(f"--out={out} holds results already; name another directory.")


def scored(
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
    """Scores the readable images of a manifest; says so if the classifier has seen some of them.

    Args:
      exported: the classifier.
      manifest: its labels are some of the classifier's.
      out: directory for what is found of the images.
      uncertain: as config.uncertain.
      unmentioned: as config.unmentioned.
      split: score the images of this split alone.
      batch_size: images at a time.
      max_bad_images: share of unreadable images to go on with.

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
        print(f"Warning: {warning}", flush=True)
    table = exported.score(manifest, batch_size)
    return Scored(manifest, table, warning, tuple(scanned["sha256"]))


def evaluate(
    exported: ExportedClassifier,
    found: Scored,
    out: files.Path,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Writes `predictions.parquet` and `results.json` of scores; returns what the latter holds.

    All images are the `test` split in both, whatever the manifest calls them: nothing of the
    classifier was chosen on them.
    """
    manifest, description = found.manifest, exported.description
    table = found.table.assign(split="test")
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
            "warning": found.warning,
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


def again(
    run: files.Path, out: files.Path, split: str, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Evaluates a split of a finished run's predictions anew, e.g. with more resamples.

    Results are kept under the split's name, which is their `split`. Of one the model was chosen on
    they say so.

    Args:
      run: the run's directory, or one that `evaluate` or this wrote.
      out: directory to write to.
      split: of the run's predictions.
      seed: of the resamples.
      resamples: how many.

    Raises:
      UserError: the directory holds no finished run, or its predictions no such split.
    """
    folder = pathlib.Path(run)
    for name in ("results.json", "predictions.parquet"):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder} has no {name}: it is no finished run. Name one, or data to score."
            )
    old = files.read_json(folder / "results.json")
    table = pd.read_parquet(folder / "predictions.parquet")
    before = old[old.get("split", "test")]
    chosen = before["thresholds"]
    found = evaluate_table(
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
            f"thresholds, calibration and the checkpoint were chosen on the {split} split: on it "
            "the model looks better than it is."
        )
        print(f"Warning: {warning}", flush=True)
    results = {
        **{key: value for key, value in old.items() if key not in SPLITS},
        "title": f"{folder.name}, {split} split",
        "data": {**old.get("data", {}), "warning": warning},
        "split": split,
        split: found,
    }
    _write(out, table[table["split"] == split], results)
    return results


def _task(task: str, labels: tuple[str, ...], all_labels: tuple[str, ...]) -> str:
    """Returns the task of some of a classifier's labels: of some classes, each is its own."""
    return task if set(labels) == set(all_labels) else "multi_label"


def _write(out: files.Path, table: pd.DataFrame, results: dict[str, Any]) -> None:
    folder = pathlib.Path(out)
    with files.whole_file(folder / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    files.write_json(folder / "results.json", results)
