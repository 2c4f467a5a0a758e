"""Scores and heat maps of DICOM images as DICOM objects of the same studies."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from remedis import csv_text, files, limits, locks
from remedis.api import early_checks, image_data, labelled_data
from remedis.data import readers
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.data.readers import Unreadable, dicom_header, dicom_origin
from remedis.data.readers.dicom_origin import Origin
from remedis.errors import UserError, counted, first_line
from remedis.evaluation.thresholds import KINDS
from remedis.inference import exported as exported_classifier
from remedis.inference import heat_maps as maps
from remedis.inference import predictions
from remedis.inference.explained_images import explained
from remedis.inference.exported import ExportedClassifier
from remedis.inference.heat_maps import HeatMap
from remedis.inference.predictions import DECISION, Predictions
from remedis.reporting import overlay
from remedis.reporting.dicom import (
    heat_map_capture,
    research_marks,
    score_provenance,
    structured_report,
)
from remedis.reporting.dicom.heat_map_capture import Capture
from remedis.reporting.dicom.research_marks import ReportedModel
from remedis.reporting.dicom.structured_report import Score, ScoredImage
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE

SOURCE = "dicom"
TABLE, RECORD, REPORT = "reports.csv", "reports.json", "report.dcm"
_NOT_DICOM = "This is not a DICOM file by its name."
_SEVERAL_PATIENTS = (
    "The images of this study name several patients: id and date of birth, or name and date of "
    "birth, differ."
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reported:
    """DICOM objects as files.

    Attributes:
      folder: with `reports.csv`, `reports.json` and one folder per study, which has `report.dcm`
        and the heat maps.
      table: one row per image and label: `path`, `label`, `probability`, `decision/KIND` where
        there are thresholds, `report`, and `heat_map` with its range `low` to `high` of logits.
      studies: number of structured reports.
      record: what made them, as `Predictions.record`, and the method of the heat maps.
      bad: `path` and `fault` of images that are in no report.
    """

    folder: pathlib.Path
    table: pd.DataFrame
    studies: int
    record: Mapping[str, Any]
    bad: pd.DataFrame

    @property
    def random_weights(self) -> bool:
        """Whether the weights of the classifier are random."""
        return bool(self.record["random_weights"])

    def __repr__(self) -> str:
        return f"<Reported: {counted(self.studies, 'structured report')} in {self.folder}>"


def report(
    model: files.Path,
    data: files.Path | Sequence[files.Path],
    out: files.Path,
    *,
    labels: Sequence[str] | None = None,
    heat_maps: bool = True,
    method: str = "cam",
    endpoint: str | None = None,
    batch_size: int = 16,
    max_megapixels: float | None = None,
    overwrite: bool = False,
) -> Reported:
    """Writes a classifier's scores of DICOM images as DICOM, as `remedis report` does.

    Per study, one Structured Report (TID 1500) has the probabilities, and one series of Secondary
    Captures the heat maps. Patient and study are those of the images.

    Args:
      model: a run's directory, or an exported classifier's.
      data: DICOM files, folders and globs, one or several.
      out: the folder to make.
      labels: to report; all of the classifier's by default.
      heat_maps: whether heat maps are made.
      method: of heat maps: `cam`, `grad_cam` or `grad_cam++`.
      endpoint: of the last two, as for `explain`.
      batch_size: images per batch.
      max_megapixels: larger images are unreadable; 40 by default.
      overwrite: replace an existing folder.

    Returns:
      The folder and the table of what is in it.

    Raises:
      UserError: model, data or labels are at fault, no image can be reported, highdicom is not
        installed, or the folder exists.
    """
    labelled_data.check_labels(labels)
    early_checks.check_model(model)
    image_data.check(data, SOURCE, None)
    files.refuse_existing(pathlib.Path(out), overwrite)
    research_marks.highdicom("highdicom.sr")  # before any work
    exported = exported_classifier.load(model)
    kind = maps.choose(exported, method, endpoint) if heat_maps else None
    chosen = tuple(labels or exported.labels)
    exported.check_labels(chosen)
    with limits.megapixels(max_megapixels), locks.of_output(out):
        listed = scan.bad_images_file(out)
        images, origins, refused = _with_origin(image_data.load(data, SOURCE, None))
        readable = scan.readable(images, listed)
        bad = pd.concat([refused, readable.bad], ignore_index=True)
        if len(bad):
            files.write_text(listed, csv_text.from_frame(bad))
        scored = predictions.of_readable(exported, readable, chosen, batch_size)
        with files.whole_directory(out, overwrite) as folder:
            writer = _StudyWriter(exported, scored, readable.manifest, origins, folder)
            writer.write_reports()
            if kind is not None:
                writer.write_heat_maps(kind, batch_size)
            table = pd.DataFrame(writer.rows)
            files.write_text(folder / TABLE, csv_text.from_frame(table))
            made = {} if kind is None else {"method": kind.method, "endpoint": kind.endpoint}
            record = {**scored.record, "heat_maps": made or None}
            files.write_json(folder / RECORD, record)
    return Reported(pathlib.Path(out), table, len(writer.studies), record, bad)


def _with_origin(images: Manifest) -> tuple[Manifest, dict[str, Origin], pd.DataFrame]:
    """Returns images of known origin, their origins by file, and `path` and `fault` of others."""
    origins: dict[str, Origin] = {}
    faults: dict[str, str] = {}
    places = [readers.locate(path) for path in images.absolute_paths()]
    for file in dict.fromkeys(place.file for place in places):
        try:
            origins[file] = dicom_origin.read(file)
        except Unreadable as error:
            faults[file] = str(error)
    patients: dict[str, set[Any]] = {}
    for origin in origins.values():
        patients.setdefault(origin.study, set()).add(str(origin.patient))
    for file, origin in origins.items():
        if len(patients[origin.study]) > 1:
            faults[file] = _SEVERAL_PATIENTS
    paths = images.table["path"].tolist()
    rows = [
        {"path": path, "fault": faults[place.file]}
        for path, place in zip(paths, places, strict=True)
        if place.file in faults
    ]
    if len(rows) == len(paths):
        raise UserError(
            f"None of the {counted(len(rows), 'image')} can be reported: {rows[0]['path']} "
            f"({rows[0]['fault'].rstrip('.')}); name DICOM images with the header of their archive."
        )
    refused = pd.DataFrame(rows, columns=["path", "fault"])
    return images.without(refused["path"].tolist()), origins, refused


class _StudyWriter:
    """Writes the objects of all studies, and collects the rows of the table about them.

    Attributes:
      studies: identifier of a study -> its folder.
      rows: of the table, one per image and label, in the order of the images.
    """

    def __init__(
        self,
        exported: ExportedClassifier,
        scored: Predictions,
        images: Manifest,
        origins: Mapping[str, Origin],
        folder: pathlib.Path,
    ) -> None:
        self._exported, self._scored, self._images = exported, scored, images
        self._folder = folder
        self._places = [readers.locate(path) for path in images.absolute_paths()]
        self._origins = [origins[place.file] for place in self._places]
        self._model = ReportedModel(
            scored.record["model"], scored.record["model_sha256"], scored.random
        )
        studies = dict.fromkeys(origin.study for origin in self._origins)
        # Identifiers of a study are long, and may be those of a patient's examination.
        self.studies = {study: f"study_{i:04d}" for i, study in enumerate(studies, 1)}
        description = exported.description
        self._provenance = {
            label: score_provenance.sentences(
                label,
                exported.labels.index(label),
                description.calibration,
                description.thresholds,
                description.performance,
            )
            for label in scored.labels
        }
        self.rows: list[dict[str, Any]] = []
        self._row_of: dict[tuple[int, str], dict[str, Any]] = {}

    def write_reports(self) -> None:
        """Writes one Structured Report per study; collects the rows of the table."""
        of_study: dict[str, list[ScoredImage]] = {study: [] for study in self.studies}
        first: dict[str, str] = {}
        for row, origin in enumerate(self._origins):
            scores = list(self._scores(row))
            of_study[origin.study].append(ScoredImage(origin, self._frame(row), scores))
            first.setdefault(origin.study, self._scored.table["path"].iloc[row])
        for study, images in of_study.items():
            path = self._folder / self.studies[study] / REPORT
            path.parent.mkdir()
            _save(path, first[study], structured_report.build, images, self._model)

    def _scores(self, row: int) -> Iterator[Score]:
        of_image = self._scored.table.iloc[row]
        for label in self._scored.labels:
            decisions = {kind: of_image.get(f"{DECISION}{kind}/{label}") for kind in KINDS}
            reaches = {kind: bool(it) for kind, it in decisions.items() if not pd.isna(it)}
            probability = float(of_image[f"score/{label}"])
            yield Score(label, probability, reaches, self._provenance[label])
            line = {
                "path": of_image["path"],
                "label": label,
                "probability": probability,
                **{f"{DECISION}{kind}": int(reached) for kind, reached in reaches.items()},
                "report": f"{self.studies[self._origins[row].study]}/{REPORT}",
            }
            self.rows.append(line)
            self._row_of[row, label] = line

    def _frame(self, row: int) -> int | None:
        item = self._places[row].item
        return int(item) if item else None

    def write_heat_maps(self, kind: HeatMap, batch_size: int) -> None:
        """Writes one Secondary Capture per image and label, in one series per study."""
        compute = maps.of_export(self._exported)
        series = {study: research_marks.highdicom().UID() for study in self.studies}
        counts = dict.fromkeys(self.studies, 0)
        labels = self._scored.labels
        for image in explained(
            self._exported, compute, kind, self._images, labels, batch_size, "Explaining"
        ):
            origin = self._origins[image.row]
            for label in labels:
                counts[origin.study] += 1
                number, row = counts[origin.study], self._row_of[image.row, label]
                placed = image.placed(label)
                row["low"], row["high"] = overlay.limits(placed, kind.signed)
                row["heat_map"] = f"{self.studies[origin.study]}/heat_map_{number:04d}.dcm"
                capture = Capture(
                    origin,
                    self._frame(image.row),
                    overlay.overlay(image.pixels, placed, kind.signed),
                    self._caption(row, kind),
                    f"Heat map by {kind.method} at {kind.endpoint} over the source image. "
                    + " ".join(self._provenance[label]),
                )
                _save(
                    self._folder / row["heat_map"],
                    row["path"],
                    heat_map_capture.build,
                    capture,
                    self._model,
                    series[origin.study],
                    number,
                )

    def _caption(self, row: Mapping[str, Any], kind: HeatMap) -> tuple[str, ...]:
        against = f", blue against it (to {row['low']:.3g})" if kind.signed else ""
        return (
            RESEARCH_USE,
            *([f"{RANDOM_WEIGHTS}."] if self._model.random_weights else []),
            f"{row['label']}: probability {row['probability']:.3f}, by {self._model.name}.",
            f"Orange speaks for the label (to {row['high']:.3g}){against}: where the model looks, "
            "not what the finding is.",
        )


def _save(path: pathlib.Path, source: str, build: Callable[..., Any], *arguments: Any) -> None:
    """Writes what `build` returns for the arguments, a `pydicom.Dataset`.

    Libraries that work on headers are silent, and what they say of a header is in no error.

    Args:
      path: to write.
      source: path of an image that the object is made from, as the user knows it.
      build: of the object.
      *arguments: of `build`.

    Raises:
      UserError: the header of the image does not fit the standard.
    """

    def save() -> None:
        build(*arguments).save_as(path, enforce_file_format=True)

    try:
        dicom_header.quietly(save, "its header does not fit the standard")
    except Unreadable as error:
        raise UserError(
            f"No DICOM object of {source} can be made ({first_line(error)}); leave its study out."
        ) from None
