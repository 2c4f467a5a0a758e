"""A trained classifier under corruptions of its images."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from remedis import csv_text, files, json_records, limits, locks
from remedis.api import early_checks, labelled_data, trained_classifiers
from remedis.data import image_pixels
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.evaluation.corrupted_scores import METRICS, CellRecord, RobustnessRecord, Sweep
from remedis.evaluation.intervals import EstimateRecord, check_resamples
from remedis.evaluation.strangers import mean_cosine_of_strangers
from remedis.inference import checked_images, corruption_sweep
from remedis.inference import exported as exported_classifier
from remedis.inference.checked_images import CheckedImages
from remedis.inference.corruption_sweep import CLEAN, CorruptionSweep
from remedis.inference.exported import ExportedClassifier
from remedis.options import spelled
from remedis.preprocess import corruptions as registry
from remedis.preprocess.corruptions import CORRUPTIONS, STRENGTHS, Corruption
from remedis.progress import progress
from remedis.reporting import corruption_sheet, figures, robustness_answer, robustness_page
from remedis.zoo import shared_names

RECORD, PAGE, TABLE, SHEET = (
    "robustness.json",
    "robustness.html",
    "robustness.csv",
    "corruptions.png",
)
CELLS = "cells"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Robustness:
    """A classifier on clean and on corrupted images.

    Attributes:
      folder: with `robustness.html`, `robustness.csv`, `robustness.json`, `corruptions.png` and
        `cells/`.
      record: the content of `robustness.json`.
    """

    folder: pathlib.Path
    record: RobustnessRecord

    @property
    def answers(self) -> list[str]:
        """What the sweep shows, in words."""
        return robustness_answer.answers(self.record)

    def table(self) -> pd.DataFrame:
        """Returns one row per corruption, strength, metric and label.

        The row of the mean over the labels has the label `mean`; the metric `cosine` has that row
        alone. `change` is corrupted minus clean, with the ends `change_low` and `change_high`.
        """
        return pd.DataFrame([row for cell in self.record["cells"] for row in _rows(cell)])

    def __repr__(self) -> str:
        return f"<Robustness: {self.record['title']}, {len(self.record['cells']) - 1} cells>"


def _rows(cell: CellRecord) -> Iterator[dict[str, Any]]:
    """Yields the rows of a cell in the table."""
    place = {
        "corruption": cell["corruption"],
        "strength": cell["strength"],
        "parameter": cell["value"],
    }
    for metric in METRICS:
        of = cell["metrics"][metric]
        for label, measured in [*of["labels"].items(), ("mean", of["mean"])]:
            change = measured["change"]
            row = {**place, "metric": metric, "label": label, **_numbers(measured["estimate"])}
            if change is not None:
                row |= {
                    "change": change["difference"],
                    "change_low": change["low"],
                    "change_high": change["high"],
                    "p": change["p"],
                }
            yield row
    yield {**place, "metric": "cosine", "label": "mean", **_numbers(cell["cosine"])}


def _numbers(estimate: EstimateRecord) -> dict[str, Any]:
    return {
        "value": estimate["value"],
        "low": estimate["low"],
        "high": estimate["high"],
        "patients": estimate["patients"],
        "positives": estimate["positives"],
    }


def robustness(
    model: files.Path,
    data: Manifest | files.Path,
    out: files.Path,
    *,
    corruptions: Sequence[str] | None = None,
    strengths: Sequence[int] = STRENGTHS,
    labels: Sequence[str] | None = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    uncertain: str | None = None,
    unmentioned: str | None = None,
    unlabelled: str | None = None,
    split: str | None = None,
    batch_size: int = 32,
    max_bad_images: float = 0.01,
    max_megapixels: float | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Robustness:
    """Measures a classifier under corruptions of its images, as `remedis robustness` does.

    Every corruption in every strength is scored once and kept in `out`. A killed sweep goes on, and
    a second call with more corruptions computes these alone.

    Args:
      model: a run's directory, or an exported classifier's.
      data: labelled images: a manifest, a table or the directory of the source.
      out: the directory to write to.
      corruptions: names, see `remedis.preprocess.corruptions`; all by default, without `stain` if
        the images are grey.
      strengths: from 1 to 5; 0 repeats the clean images.
      labels: label columns of a path, some of the classifier's; all of its labels by default.
      source: layout of a path, see `load_manifest`.
      options: of the source, for a path.
      uncertain: what labels of -1 count as: `ignore`, `zeros` or `ones`; as in the model's run by
        default, like the next two.
      unmentioned: the same for empty labels of images that have another label.
      unlabelled: the same for images without any label.
      split: the images of this split alone; all by default.
      batch_size: images per batch.
      max_bad_images: the largest share of unreadable images that is accepted, in [0, 1].
      max_megapixels: larger images are unreadable; 40 by default.
      seed: of the resamples.
      resamples: number of draws of patients behind the intervals of the calibration error.

    Returns:
      The record, its table and what it shows in words.

    Raises:
      UserError: model, data, labels, corruptions or strengths are at fault, too many images cannot
        be read, or `out` holds the cells of another model or of other images.
    """
    if isinstance(corruptions, str):
        raise UserError(
            f"corruptions is {corruptions!r}; expected a list, such as "
            f"corruptions=[{corruptions!r}]."
        )
    named = None if corruptions is None else [registry.get(name) for name in corruptions]
    chosen = check_strengths(strengths)
    check_resamples(resamples)
    labelled_data.check_labels(labels)
    labelled_data.check_alone(data, labels, source, options)
    early_checks.check_model(model)
    if not isinstance(data, Manifest):
        early_checks.check_data(data, source, None, options or (), needs_labels=False)
    names = ("uncertain", "unmentioned", "unlabelled")
    policies = zip(names, (uncertain, unmentioned, unlabelled), strict=True)
    folder = pathlib.Path(out)
    with limits.megapixels(max_megapixels), locks.of_output(out):
        exported = exported_classifier.load(model)
        manifest = (
            data
            if isinstance(data, Manifest)
            else trained_classifiers.read(exported, data, labels, source, options)
        )
        checked = checked_images.check(
            exported,
            manifest,
            folder / CELLS,
            source=manifest.layout or "csv",
            policies={name: policy for name, policy in policies if policy is not None},
            split=split,
            max_bad_images=max_bad_images,
        )
        swept = CorruptionSweep(exported, checked, folder / CELLS, batch_size)
        notes = [*checked.label_notes, *([checked.warning] if checked.warning else [])]
        if named is None:
            named, note = _usual(checked.manifest)
            notes += note
        record = _record(swept, checked, exported, named, chosen, notes, seed, resamples)
        files.write_json(folder / RECORD, record)
        found = Robustness(folder, record)
        files.write_text(folder / TABLE, csv_text.from_frame(found.table()))
        sheet = _sheet(checked.manifest, named, folder / SHEET)
        files.write_text(folder / PAGE, robustness_page.page(record, sheet.read_bytes()))
    return found


def check_strengths(strengths: Sequence[int]) -> tuple[int, ...]:
    """Returns strengths in ascending order, each once.

    Raises:
      UserError: there are none, or one is not a whole number from 0 to 5.
    """
    found = list(strengths)
    if not found or not all(type(each) is int and 0 <= each <= max(STRENGTHS) for each in found):
        raise UserError(
            f"{spelled('strengths')} is {found}; expected whole numbers from 0 (clean) to "
            f"{max(STRENGTHS)}."
        )
    return tuple(sorted(set(found)))


def _usual(manifest: Manifest) -> tuple[list[Corruption], list[str]]:
    """Returns all corruptions that can change the images, and a sentence on what is left out."""
    every = list(CORRUPTIONS.values())
    if corruption_sweep.has_colours(manifest):
        return every, []
    return (
        [each for each in every if each.name != "stain"],
        ["The first images are grey: the corruption 'stain' is left out."],
    )


def _record(
    swept: CorruptionSweep,
    checked: CheckedImages,
    exported: ExportedClassifier,
    corruptions: Sequence[Corruption],
    strengths: Sequence[int],
    notes: Sequence[str],
    seed: int,
    resamples: int,
) -> RobustnessRecord:
    """Returns the record of a sweep; computes the cells that are not there yet."""
    labels, description = checked.manifest.labels, exported.description
    task = description.task if set(labels) == set(exported.labels) else "multi_label"
    clean, embeddings = swept.clean()
    measured = Sweep(swept.table(clean), labels, task, seed, resamples)
    cells: list[CellRecord] = [
        {
            "corruption": CLEAN,
            "strength": 0,
            "value": None,
            "metrics": measured.metrics(),
            "cosine": measured.cosine(clean.cosines),
        }
    ]
    wanted = [(each, strength) for each in corruptions for strength in strengths]
    outputs = [(each, strength, swept.cell(each, strength)) for each, strength in wanted]
    with progress("Comparing", len(outputs)) as report:
        for done, (each, strength, of_cell) in enumerate(outputs, 1):
            cells.append(
                {
                    "corruption": each.name,
                    "strength": strength,
                    "value": each.value(strength),
                    "metrics": measured.metrics(swept.table(of_cell)),
                    "cosine": measured.cosine(of_cell.cosines),
                }
            )
            report(done, "cells")
    data = shared_names.of_absolute(checked.manifest.source)
    strangers = mean_cosine_of_strangers(embeddings, checked.manifest.table["patient_id"])
    return {
        "title": f"Robustness of {description.name} on {data}",
        "model": description.name,
        "random_weights": description.provenance.random,
        "checkpoint": json_records.plain(description.provenance.to_json()),
        "task": task,
        "labels": list(labels),
        "data": data,
        "images": len(checked.manifest),
        "preprocess": str(description.preprocess),
        "notes": list(notes),
        "seed": seed,
        "resamples": resamples,
        "strangers": strangers.to_json(),  # type: ignore[typeddict-item]
        "cells": cells,
    }


def _sheet(manifest: Manifest, corruptions: Sequence[Corruption], out: files.Path) -> pathlib.Path:
    """Writes the contact sheet of the first image; returns its path."""
    path = manifest.absolute_paths()[0]
    title = f"Corruptions of {pathlib.Path(path).name}"
    sheet = corruption_sheet.corruption_sheet(image_pixels.read(path), corruptions, title)
    return figures.write(sheet, out, dpi=110)
