"""Heat maps of a trained classifier, and their judgement by boxes."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from remedis import csv_text, files, limits, locks
from remedis.api import early_checks, image_data
from remedis.api.image_data import Images
from remedis.data import boxes as box_files
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.errors import UserError, check_at_least, counted, some
from remedis.evaluation import localisation
from remedis.evaluation.intervals import check_resamples
from remedis.evaluation.localisation import MAPS, TOLERANCE, Case, Localisation
from remedis.inference import exported as exported_classifier
from remedis.inference import heat_maps, weight_randomisation
from remedis.inference.explained_images import ExplainedImage, explained
from remedis.inference.exported import ExportedClassifier
from remedis.inference.heat_maps import HeatMap
from remedis.inference.weight_randomisation import Step
from remedis.options import label_text, spelled
from remedis.reporting import heat_map_page, overlay
from remedis.reporting.heat_map_page import Card
from remedis.zoo import save_classifier

PAGE, RECORD, TABLE, OVERLAYS = "heat_maps.html", "heat_maps.json", "heat_maps.csv", "overlays"
RANDOMISED = "randomised weights"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Explained:
    """Heat maps as files, and what is known of their worth.

    Attributes:
      folder: with `heat_maps.html`, `heat_maps.csv`, `heat_maps.json` and `overlays/`.
      table: one row per map: `path`, `label`, `overlay`, `logit`, `low` and `high` of the colours,
        `x` and `y` of the largest value; with boxes also `hit` and `iou`.
      localisation: the judgement per finding, and of all together as the last; empty without boxes.
      curve: of the sanity check, from the head down; empty without.
      record: the content of `heat_maps.json`.
      bad: `path` and `fault` of images that cannot be read.
    """

    folder: pathlib.Path
    table: pd.DataFrame
    localisation: tuple[Localisation, ...]
    curve: tuple[Step, ...]
    record: Mapping[str, Any]
    bad: pd.DataFrame

    @property
    def random_weights(self) -> bool:
        """Whether the weights of the classifier are random."""
        return bool(self.record["random_weights"])

    def __repr__(self) -> str:
        return f"<Explained: {counted(len(self.table), 'heat map')} in {self.folder}>"


def explain(
    model: files.Path,
    data: Images,
    out: files.Path,
    *,
    labels: Sequence[str] | None = None,
    method: str = "cam",
    endpoint: str | None = None,
    boxes: files.Path | None = None,
    tolerance: float = TOLERANCE,
    sanity_images: int = 16,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    batch_size: int = 16,
    max_bad_images: float | None = None,
    max_megapixels: float | None = None,
    seed: int = 0,
    resamples: int = 1000,
    overwrite: bool = False,
) -> Explained:
    """Draws where a classifier looks, as `remedis explain` does.

    Args:
      model: a run's directory, or an exported classifier's.
      data: a manifest; or folders, files and globs, one or several; or what the source takes.
      out: the folder to make.
      labels: to explain; all of the classifier's by default.
      method: `cam`, `grad_cam` or `grad_cam++`.
      endpoint: of the last two: `block1` to `block4` or `head`; the last block by default.
      boxes: a file of boxes around findings: ChestX-ray14's `BBox_List_2017.csv`, or a CSV file
        with `path`, `label`, `x`, `y`, `width` and `height`. Then only images with boxes are
        explained, and only for the findings of their boxes.
      tolerance: of the pointing game, as a share of the image's longer side.
      sanity_images: number of images of the sanity check with randomised weights; 0 for none. The
        maps of randomised weights are then not judged by the boxes either.
      source: layout of paths.
      options: of the source, for paths.
      batch_size: images per batch.
      max_bad_images: the largest share of unreadable images that is accepted; any by default.
      max_megapixels: larger images are unreadable; 40 by default.
      seed: of the randomised weights and the resamples.
      resamples: of the patients, for intervals.
      overwrite: replace an existing folder.

    Returns:
      The folder, the table of the maps and the judgements.

    Raises:
      UserError: model, data, labels or boxes are at fault, no image can be read, or the folder
        exists.
    """
    early_checks.check_model(model)
    image_data.check(data, source, options)
    files.refuse_existing(pathlib.Path(out), overwrite)
    check_at_least("batch_size", batch_size, 1)
    check_at_least("sanity_images", sanity_images, 0)
    check_resamples(resamples)
    if not 0 <= tolerance < 1:
        raise UserError(
            f"{spelled('tolerance', tolerance)}: expected a share of the image's longer side, from "
            f"0 to below 1, such as {TOLERANCE}."
        )
    listed = None if boxes is None else box_files.read(boxes)
    exported = exported_classifier.load(model)
    kind = heat_maps.choose(exported, method, endpoint)
    wanted = tuple(labels or exported.labels)
    exported.check_labels(wanted)
    with limits.megapixels(max_megapixels), locks.of_output(out):
        images = image_data.load(data, source, options)
        notes: list[str] = []
        if listed is not None and boxes is not None:
            images, listed, wanted, notes = _with_boxes(exported, images, listed, boxes, wanted)
        report = scan.bad_images_file(out)
        readable = scan.readable(images, report, limit=max_bad_images)
        if listed is not None and boxes is not None:
            listed = box_files.of_images(listed, readable.manifest, boxes)
        with files.whole_directory(out, overwrite) as folder:
            work = _Work(exported, kind, readable.manifest, wanted, listed, tolerance, batch_size)
            work.draw(folder)
            curve = work.sanity(sanity_images, seed)
            judged = work.judged(resamples, seed)
            table = pd.DataFrame(work.rows)
            if len(readable.bad):
                notes.append(f"{counted(len(readable.bad), 'image')} could not be read.")
            if judged and readable.manifest.table["patient_id"].isna().any():
                notes.append("Where no patient is known, an image counts as its own patient.")
            files.write_text(folder / TABLE, csv_text.from_frame(table))
            record = {
                "model": exported.description.name,
                "random_weights": exported.description.provenance.random,
                "method": kind.method,
                "endpoint": kind.endpoint,
                "labels": list(wanted),
                "images": len(readable.manifest),
                "unreadable": len(readable.bad),
                "tolerance": tolerance,
                "threshold": localisation.THRESHOLD,
                "resamples": resamples,
                "seed": seed,
                "localisation": [each.to_json() for each in judged],
                "sanity": [dataclasses.asdict(step) for step in curve],
            }
            files.write_json(folder / RECORD, record)
            page = heat_map_page.page(
                model=exported.description.name,
                kind=kind,
                cards=work.cards,
                pictures=len(work.rows),
                localisation=judged,
                curve=curve,
                notes=notes,
                random_weights=exported.description.provenance.random,
            )
            files.write_text(folder / PAGE, page)
    return Explained(pathlib.Path(out), table, tuple(judged), tuple(curve), record, readable.bad)


def _with_boxes(
    exported: ExportedClassifier,
    images: Manifest,
    boxes: pd.DataFrame,
    file: files.Path,
    labels: Sequence[str],
) -> tuple[Manifest, pd.DataFrame, tuple[str, ...], list[str]]:
    """Returns the images with boxes of some labels, these boxes, the labels, and notes."""
    known = boxes["label"].isin(labels)
    if not known.any():
        found = boxes["label"].drop_duplicates().tolist()
        raise UserError(
            f"{file} has boxes of {label_text(found)}, and none of the labels to explain, "
            f"{label_text(labels)}; name labels of both: the classifier has "
            f"{label_text(exported.labels)}."
        )
    notes = []
    if not known.all():
        others = boxes["label"][~known].drop_duplicates().tolist()
        notes.append(f"The file has boxes of other labels, too: {some(others)}.")
    of = box_files.of_images(boxes[known], images, file)
    if missing := int(known.sum()) - len(of):
        notes.append(f"{counted(missing, 'box is', 'boxes are')} of images that are not here.")
    mask = np.zeros(len(images), bool)
    mask[of["row"]] = True
    present = tuple(label for label in labels if label in set(of["label"]))
    return images.subset(mask), of.drop(columns="row"), present, notes


class _Work:
    """Maps of all images: drawn, collected and judged."""

    def __init__(
        self,
        exported: ExportedClassifier,
        kind: HeatMap,
        images: Manifest,
        labels: Sequence[str],
        boxes: pd.DataFrame | None,
        tolerance: float,
        batch_size: int,
    ) -> None:
        self._exported, self._kind, self._images = exported, kind, images
        self._labels, self._tolerance, self._batch_size = labels, tolerance, batch_size
        self._boxes = None if boxes is None else dict(list(boxes.groupby(["row", "label"])))
        self.rows: list[dict[str, Any]] = []
        self.cards: list[Card] = []
        self._cases: list[Case] = []
        self._scores: dict[str, list[tuple[float, float]]] = {MAPS: []}

    def draw(self, folder: pathlib.Path) -> None:
        """Writes the overlays; collects rows, cards and scores."""
        (folder / OVERLAYS).mkdir()
        compute = heat_maps.of_export(self._exported)
        for image in self._explained(self._images, compute, "Explaining"):
            for label in self._labels:
                if (case := self._case(image, label)) is not None or self._boxes is None:
                    self._draw(folder, image, label, case)

    def _explained(self, images: Manifest, compute: heat_maps.Compute, title: str | None) -> Any:
        return explained(
            self._exported, compute, self._kind, images, self._labels, self._batch_size, title
        )

    def _case(self, image: ExplainedImage, label: str) -> Case | None:
        if self._boxes is None or (image.row, label) not in self._boxes:
            return None
        height, width = image.pixels.shape[:2]
        patient, path = self._images.table[["patient_id", "path"]].iloc[image.row]
        if pd.isna(patient):  # several findings of one image are of one patient
            patient = f"image {path}"
        drawn = box_files.in_pixels(self._boxes[image.row, label], height, width)
        return Case(label, patient, height, width, drawn)

    def _draw(
        self, folder: pathlib.Path, image: ExplainedImage, label: str, case: Case | None
    ) -> None:
        placed = image.placed(label)
        low, high = overlay.limits(placed, self._kind.signed)
        path = str(self._images.table["path"].iloc[image.row])
        picture = overlay.overlay(
            image.pixels, placed, self._kind.signed, () if case is None else case.boxes
        )
        name = f"{len(self.rows):06d}-{_plain(path)}-{_plain(label)}.png"
        (folder / OVERLAYS / name).write_bytes(overlay.png(picture))
        y, x = np.unravel_index(np.nanargmax(placed), placed.shape)
        row = {
            "path": path,
            "label": label,
            "overlay": f"{OVERLAYS}/{name}",
            "logit": image.logits[label],
            "low": low,
            "high": high,
            "x": int(x),
            "y": int(y),
        }
        note = ""
        if case is not None:
            scores = self._scored(placed, case)
            self._cases.append(case)
            self._scores[MAPS].append(scores)
            row |= {"hit": scores[0], "iou": scores[1]}
            note = f"{'hit' if scores[0] > 0.5 else 'miss'}, IoU {scores[1]:.2f}"
        self.rows.append(row)
        if len(self.cards) < heat_map_page.MOST_CARDS:
            shrunk = overlay.png(picture, heat_map_page.LONGEST)
            self.cards.append(Card(path, label, image.logits[label], low, high, shrunk, note))

    def _scored(self, placed: np.ndarray, case: Case) -> tuple[float, float]:
        return (
            localisation.hit(placed, case, self._tolerance),
            localisation.iou(placed, case),
        )

    def sanity(self, count: int, seed: int) -> list[Step]:
        """Returns the curve of the sanity check; scores the boxes with random weights, too."""
        if not count:
            return []
        classifier, _, _ = save_classifier.load(self._exported.folder)
        compute = heat_maps.of_classifier(classifier)
        chosen = np.zeros(len(self._images), bool)
        places = np.linspace(0, len(self._images) - 1, min(count, len(self._images)))
        chosen[places.round().astype(int)] = True
        some_images = self._images.subset(chosen)

        def cells() -> list[Any]:
            return [
                image.cells[label]
                for image in self._explained(some_images, compute, None)
                for label in self._labels
            ]

        trained = cells()
        curve = [weight_randomisation.similarity(weight_randomisation.TRAINED, trained, trained)]
        for part in weight_randomisation.cascade(classifier, seed):
            curve.append(weight_randomisation.similarity(part, trained, cells()))
        if self._boxes is not None:
            self._scores[RANDOMISED] = [
                self._scored(image.placed(label), case)
                for image in self._explained(self._images, compute, "Randomised weights")
                for label in self._labels
                if (case := self._case(image, label)) is not None
            ]
        return curve

    def judged(self, resamples: int, seed: int) -> list[Localisation]:
        """Returns the judgement by boxes; empty without."""
        if not self._cases:
            return []
        scores = {
            name: (np.array([s[0] for s in of]), np.array([s[1] for s in of]))
            for name, of in self._scores.items()
        }
        return localisation.judged(
            self._cases, scores, tolerance=self._tolerance, resamples=resamples, seed=seed
        )


def _plain(name: str) -> str:
    """Returns the end of a name for a file: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[-60:]
