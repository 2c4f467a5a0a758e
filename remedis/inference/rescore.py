"""Evaluation of exported classifiers on any manifest, and of a finished run's predictions."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import files
from remedis.data.fingerprints import Fingerprints
from remedis.data.label_policies import Meaning
from remedis.data.manifest import SPLITS, Manifest
from remedis.errors import UserError
from remedis.evaluation import choice_sentences, predictions_file, results_record
from remedis.evaluation.calibration import Calibration
from remedis.evaluation.evaluate import TOP_K, evaluate_table, top_k_of
from remedis.evaluation.intervals import RESAMPLES
from remedis.evaluation.nested_bootstrap import nested_intervals
from remedis.evaluation.thresholds import Thresholds
from remedis.inference import checked_images
from remedis.inference.drift import Before, drift
from remedis.inference.exported import ExportedClassifier
from remedis.options import spelled
from remedis.zoo import shared_names

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Scored:
    """The images of a manifest with a classifier's scores.

    Attributes:
      manifest: the images that could be read.
      table: of predictions, in the same order.
      warning: a sentence if the classifier has seen some of them, or may have; else empty.
      fingerprints: what recognises the images, in the same order.
      meaning: what labels other than 1 and 0 count as.
      label_notes: sentences about it, and about how it differs from that of the classifier's run.
      before: what the export holds of its run, for the drift.
      embeddings: [n, C] of the images that `before` compares; [0, 0] if there are none.
      logits: [n, all labels of the classifier] of the same images, before calibration.
    """

    manifest: Manifest
    table: pd.DataFrame
    warning: str
    fingerprints: Fingerprints
    meaning: Meaning = dataclasses.field(default_factory=Meaning)
    label_notes: tuple[str, ...] = ()
    before: Before = dataclasses.field(default_factory=Before)
    embeddings: npt.NDArray[np.float32] = dataclasses.field(
        default_factory=lambda: np.empty((0, 0), np.float32)
    )
    logits: npt.NDArray[np.float32] = dataclasses.field(
        default_factory=lambda: np.empty((0, 0), np.float32)
    )


def check_out(out: files.Path) -> None:
    """Raises a UserError if a directory already holds results."""
    if (pathlib.Path(out) / "results.json").exists():
        raise UserError(f"{spelled('out', out)} holds results already; name another directory.")


def score(
    exported: ExportedClassifier,
    manifest: Manifest,
    out: files.Path,
    *,
    source: str = "csv",
    policies: Mapping[str, str] | None = None,
    split: str | None = None,
    batch_size: int = 32,
    max_bad_images: float = 0.01,
) -> Scored:
    """Scores the readable images of a manifest; warns if the classifier has seen some of them.

    Args:
      exported: the classifier.
      manifest: its labels are some of the classifier's.
      out: directory for the scan and the list of bad images.
      source: name of the source of the data, which decides what is inherited.
      policies: of `uncertain`, `unmentioned` and `unlabelled` labels, as texts of a config. Those
        that are not named are inherited from the classifier's run, see `RunPolicies.for_source`.
      split: score only the images of this split.
      batch_size: images per batch.
      max_bad_images: largest share of unreadable images that is accepted.

    Raises:
      UserError: a label is not the classifier's, there are no images, or too many are bad.
    """
    checked = checked_images.check(
        exported,
        manifest,
        out,
        source=source,
        policies=policies,
        split=split,
        max_bad_images=max_bad_images,
    )
    before = Before.of_export(exported)
    table, embeddings, logits = exported.score_and_embed(
        checked.manifest, batch_size, before.rows(checked.manifest.table["patient_id"])
    )
    return Scored(
        checked.manifest,
        table,
        checked.warning,
        checked.fingerprints,
        checked.meaning,
        checked.label_notes,
        before,
        embeddings,
        logits,
    )


def evaluate(
    exported: ExportedClassifier,
    scored: Scored,
    out: files.Path,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    weighting: str = "images",
    top_k: Sequence[int] = TOP_K,
) -> dict[str, Any]:
    """Writes `predictions.parquet` and `results.json`; returns the content of the latter.

    Both files assign every image to the split `test`, whatever the manifest says, since none of
    them was used to select the classifier.
    """
    manifest, description = scored.manifest, exported.description
    table = scored.table.assign(split="test")
    notes, origins = choice_sentences.of_its_run(
        description.calibration, description.thresholds, manifest.labels
    )
    thresholds = exported.thresholds(manifest.labels)
    if thresholds is not None:
        thresholds = dataclasses.replace(thresholds, chosen_on=origins)
    evaluated = evaluate_table(
        table,
        manifest.labels,
        "test",
        task=_task(description.task, manifest.labels, exported.labels),
        thresholds=thresholds,
        seed=seed,
        resamples=resamples,
        weighting=weighting,
        top_k=top_k,
        label_notes=scored.label_notes,
        choice_notes=notes,
    )
    patients = manifest.table["patient_id"]
    compared = patients.iloc[scored.before.rows(patients)]
    results = {
        "title": f"{description.name} on {shared_names.of_absolute(manifest.source)}",
        "random_weights": description.provenance.random,
        "model": str(exported.folder),
        "checkpoint": description.provenance.to_json(),
        "task": description.task,
        "data": {
            "source": manifest.source,
            "counts": manifest.counts().to_dict(orient="index"),
            "policies": {label: dict(policy) for label, policy in manifest.policies.items()},
            "evaluation_policies": scored.meaning.to_json(),
            "warning": scored.warning,
        },
        "preprocess": {"evaluation": description.preprocess},
        "split": "test",
        "test": evaluated,
        "drift": drift(
            exported,
            scored.before,
            manifest.labels,
            evaluated,
            scored.embeddings,
            scored.logits,
            int(compared.isna().sum()),
        ),
    }
    _write(out, table, results)
    return results


def reevaluate(
    run: files.Path,
    out: files.Path,
    split: str,
    seed: int = 0,
    resamples: int = RESAMPLES,
    weighting: str | None = None,
    nested_resamples: int = 0,
    top_k: Sequence[int] | None = None,
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
      weighting: of the AUROC, `images` or `patients`; None keeps that of the run.
      nested_resamples: number of resamples of the nested bootstrap; 0 leaves it out.
      top_k: numbers k of the top-k accuracies of classes; None keeps those of the run.

    Raises:
      UserError: the directory holds no finished run, its predictions lack the split, or a nested
        bootstrap is asked for without the validation split that chose the thresholds.
    """
    folder = pathlib.Path(run)
    for name in ("results.json", "predictions.parquet"):
        if not os.path.lexists(folder / name):
            raise UserError(
                f"{folder} has no {name}: it is no finished run; name one, or data to score."
            )
    old = results_record.read(folder)
    table = predictions_file.read(folder)
    before = old[old.get("split", "test")]
    chosen, labels = before["thresholds"], list(before["labels"])
    evaluated = evaluate_table(
        table,
        labels,
        split,
        task=old["task"],
        thresholds=Thresholds.from_json(chosen) if chosen else None,
        seed=seed,
        resamples=resamples,
        weighting=weighting or before.get("weighting", "images"),
        top_k=top_k_of(before) if top_k is None else top_k,
        label_notes=_notes_of_run(old, split),
        choice_notes=_choice_notes(old, before, labels),
    )
    if nested_resamples:
        if split == "validation" or not chosen or "calibration" not in old:
            raise UserError(
                f"{spelled('nested_resamples')} chooses calibration and thresholds again on the "
                f"validation split of a run, and evaluates another split; {folder}, split {split}, "
                "has not what it needs: name the directory of a fine-tuning run and its test split."
            )
        evaluated["nested"] = nested_intervals(
            table,
            labels,
            evaluated,
            Calibration.from_json(old["calibration"]),
            split=split,
            seed=seed,
            resamples=nested_resamples,
        )
    warning = str(old.get("data", {}).get("warning", ""))
    if split != "test":
        warning = choice_sentences.chosen_on_this_data(old.get("calibration"), chosen, labels)
        _LOG.warning(warning)
        evaluated["warnings"].insert(0, warning)
    results = {
        **{key: value for key, value in old.items() if key not in (*SPLITS, "drift")},
        "title": f"{folder.name}, {split} split",
        "data": {**old.get("data", {}), "warning": warning},
        "split": split,
        split: evaluated,
    }
    _write(out, table[table["split"] == split], results)
    return results


def _notes_of_run(results: Mapping[str, Any], split: str) -> list[str]:
    """Returns what the labels of a run's predictions count as, for a split of its results."""
    if split in results and "label_notes" in results[split]:
        return list(results[split]["label_notes"])
    # Version 0.1 had one policy for training and evaluation.
    names_of: dict[str, list[str]] = {}
    for name, policies in results.get("data", {}).get("policies", {}).items():
        if not set(policies.values()) <= {"ignore", "keep"}:
            text = ", ".join(f"{kind} ones as '{policy}'" for kind, policy in policies.items())
            names_of.setdefault(text, []).append(name)
    if not names_of:
        return []
    texts = "; ".join(f"{text} ({', '.join(names)})" for text, names in names_of.items())
    return [f"Labels count as in training, {texts}: the run is older than policies for evaluation."]


def _choice_notes(
    results: Mapping[str, Any], before: Mapping[str, Any], labels: Sequence[str]
) -> list[str]:
    """Returns the sentences on calibration and thresholds of a run's results of any version."""
    if "choice_notes" in before:
        return list(before["choice_notes"])
    if "calibration" not in results:
        return [choice_sentences.thresholds_sentence(before["thresholds"], labels)]
    return choice_sentences.choice_notes(results["calibration"], before["thresholds"], labels)


def _task(task: str, labels: tuple[str, ...], all_labels: tuple[str, ...]) -> str:
    """Returns the task of some of a classifier's labels: `multi_label` unless all are there."""
    return task if set(labels) == set(all_labels) else "multi_label"


def _write(out: files.Path, table: pd.DataFrame, results: dict[str, Any]) -> None:
    folder = pathlib.Path(out)
    with files.whole_file(folder / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    files.write_json(folder / "results.json", results)
