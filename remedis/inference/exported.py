"""Exported classifiers, loaded with TensorFlow alone, and their scores."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from remedis import files
from remedis.data import canonical_ids
from remedis.data.fingerprints import Fingerprints
from remedis.data.manifest import Manifest
from remedis.errors import UserError, some, unknown_choice
from remedis.evaluation import predictions_file
from remedis.evaluation.calibration import Calibration
from remedis.evaluation.thresholds import Thresholds
from remedis.inference import predict
from remedis.options import label_text
from remedis.preprocess import Preprocess
from remedis.zoo import checkpoint, graphs, resolve
from remedis.zoo.export import DESCRIPTION, Description
from remedis.zoo.seen_images import FILE, SeenImages


@dataclasses.dataclass(frozen=True)
class _InGraph(Preprocess):
    """The preprocessing inside a SavedModel, in the place of a specification's operations.

    Attributes:
      prepare: the SavedModel's `preprocess`.
    """

    prepare: Callable[[tf.Tensor], tf.Tensor]

    def __call__(
        self,
        image: tf.Tensor,
        seed: tf.Tensor | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> tf.Tensor:
        """Returns the prepared image, or the image itself where a later stage prepares it.

        A SavedModel takes integer pixels. 16 bits hold every value of 8 and of 16 bits exactly.
        """
        if stop is not None:
            return image
        pixels = tf.cast(tf.round(image * 65535.0), tf.uint16)
        return self.prepare(pixels)[0]


class Outputs(NamedTuple):
    """Outputs of a classifier, each [rows, labels].

    Attributes:
      logits: before calibration.
      probabilities: after it.
      log_odds: of the probabilities, computed from logits: they do not saturate.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    log_odds: np.ndarray


@dataclasses.dataclass(frozen=True)
class ExportedClassifier:
    """An exported classifier, loaded with TensorFlow alone.

    Attributes:
      folder: of the export.
      description: its `remedis.json`.
      model: the loaded object.
      run: directory of the run that exported it, if the folder is still inside.
      seen: the images that trained, selected or calibrated it; None if not recorded.
    """

    folder: pathlib.Path
    description: Description
    model: Any
    run: pathlib.Path | None
    seen: SeenImages | None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the outputs, as the SavedModel gives them."""
        return tuple(name.decode() for name in self.model.label_names().numpy())

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing of the SavedModel, from images [H, W, C] float32 in [0, 1]."""
        return _InGraph(str(self.description.preprocess), (), self.model.preprocess)

    def thresholds(self, labels: tuple[str, ...]) -> Thresholds | None:
        """Returns the thresholds of some of the labels, if the classifier has any."""
        chosen = self.description.thresholds
        return Thresholds.from_json(chosen).for_labels(labels) if chosen else None

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Raises a UserError for a label that the classifier does not score."""
        for label in labels:
            if label not in self.labels:
                raise unknown_choice(f"label of {self.folder}", label, self.labels)

    def score(self, manifest: Manifest, batch_size: int) -> pd.DataFrame:
        """Returns the table of predictions; labels are some of the classifier's, in any order."""
        return predict.table(manifest, *self.outputs(manifest, manifest.labels, batch_size))

    def outputs(self, manifest: Manifest, labels: tuple[str, ...], batch_size: int) -> Outputs:
        """Returns what the classifier gives for every image; the manifest's labels do not count.

        Args:
          manifest: the images, at least one.
          labels: some of the classifier's, in any order.
          batch_size: images per batch.

        Raises:
          UserError: a label is not the classifier's, or an image cannot be read.
        """
        return self._outputs(manifest, labels, batch_size, np.empty(0, np.intp))[0]

    def score_and_embed(
        self, manifest: Manifest, batch_size: int, rows: npt.NDArray[np.intp]
    ) -> tuple[pd.DataFrame, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Returns the table of predictions, and embeddings and logits of some of the images.

        Args:
          manifest: the images; labels are some of the classifier's, in any order.
          batch_size: images per batch.
          rows: [n], ascending numbers of the images whose embeddings are kept.

        Returns:
          The table; embeddings [n, C]; and logits [n, all labels of the classifier].
        """
        outputs, embeddings, logits = self._outputs(manifest, manifest.labels, batch_size, rows)
        return predict.table(manifest, *outputs), embeddings, logits

    def _outputs(
        self,
        manifest: Manifest,
        labels: tuple[str, ...],
        batch_size: int,
        rows: npt.NDArray[np.intp],
    ) -> tuple[Outputs, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        self.check_labels(labels)
        columns = [self.labels.index(label) for label in labels]
        signature = self.model.signatures["serving_default"]
        done, kept = 0, []

        def outputs(images: tf.Tensor) -> tf.Tensor:
            nonlocal done
            scores = signature(images=images)
            # Batches come in the order of the rows. Embeddings of all images might not fit.
            here = rows[(rows >= done) & (rows < done + len(images))] - done
            if len(here):
                kept.append(scores["embedding"].numpy()[here])
            done += len(images)
            return tf.stack([scores["logits"], scores["probabilities"]], axis=1)

        scores = predict.predict(outputs, manifest, self.preprocess, batch_size, "Scoring")
        # Classes need the logits of all labels, also of those that are left out.
        log_odds = self.calibration().log_odds(scores[:, 0])
        return (
            Outputs(scores[:, 0, columns], scores[:, 1, columns], log_odds[:, columns]),
            np.concatenate(kept) if kept else np.empty((0, 0), np.float32),
            scores[rows, 0],
        )

    def calibration(self) -> Calibration:
        """Returns the map from logits to probabilities that is inside the SavedModel."""
        fitted = self.description.calibration or {}
        count = len(self.labels)
        return Calibration(
            method=fitted.get("method", "none"),
            scale=tuple(fitted.get("scale", (1.0,) * count)),
            offset=tuple(fitted.get("offset", (0.0,) * count)),
            fitted_on=fitted.get("fitted_on", {}),
            left_out=tuple(fitted.get("left_out") or ()),
            task=self.description.task,
        )


def load(run_or_folder: files.Path) -> ExportedClassifier:
    """Returns the classifier of an exported folder, or of a run's `export`.

    Raises:
      UserError: there is none, or its graph is not that of the classifier it describes.
    """
    folder = resolve.export_folder(run_or_folder)
    description = checkpoint.describe(folder)
    if description is None or description.kind != "classifier":
        raise UserError(
            f"{folder} holds no classifier; expected a run, or a folder as a run exports it."
        )
    model = graphs.load(folder)
    _check_graph(folder, description, model)
    parent = folder.resolve().parent
    run = parent if resolve.is_run(parent) else None
    return ExportedClassifier(folder, description, model, run, SeenImages.read(folder))


def _check_graph(folder: pathlib.Path, description: Description, model: Any) -> None:
    """Raises a UserError if a loaded object is not the classifier that its folder describes."""
    lacking = [name for name in ("label_names", "preprocess") if not hasattr(model, name)]
    if "serving_default" not in getattr(model, "signatures", ()):
        lacking.append("serving_default")
    if lacking:
        raise UserError(
            f"{folder} has the {DESCRIPTION} of a classifier, but its graph has no {lacking[0]}: "
            "the files are of different folders; copy the whole folder again."
        )
    found = tuple(name.decode() for name in model.label_names().numpy())
    if found != description.labels:
        raise UserError(
            f"{folder} has a graph of the labels {label_text(found)}, but its {DESCRIPTION} is of "
            f"{label_text(description.labels)}: the files are of different folders; copy the whole "
            "folder again."
        )


def seen_by(exported: ExportedClassifier, manifest: Manifest, images: Fingerprints) -> str:
    """Returns a sentence if a classifier has seen some of the images or patients, or may have.

    Images are compared with those that the export records, see `SeenImages.compared`. Patients are
    compared with those of the run's validation split too, if the export is still inside its run;
    the ids of two hospitals may coincide.

    Args:
      exported: the classifier.
      manifest: the images.
      images: their fingerprints, in the same order.
    """
    overlaps: list[str] = []
    unknown = ""
    if exported.seen is None:
        unknown = (
            f"{exported.folder} has no {FILE}: it is not known whether some of these images "
            "trained, selected or calibrated the model."
        )
    else:
        found = exported.seen.compared(images, "scored")
        overlaps += found.refusals
        unknown = " ".join(found.warnings)
    if exported.run and os.path.lexists(exported.run / predictions_file.FILE):
        table = predictions_file.read(exported.run, columns=("patient_id", "split"))
        selected = table.loc[table["split"] == "validation", "patient_id"]
        patients = set(canonical_ids.column(selected).dropna())
        ids = set(manifest.table["patient_id"].dropna())
        if count := len(patients & ids):
            overlaps.append(f"{count:,} of {len(ids):,} patient ids")
        if similar := canonical_ids.alike(ids - patients, patients):
            listed = some([f"{a} ~ {b}" for a, b in similar])
            overlaps.append(f"{len(similar):,} patient ids in another spelling ({listed})")
    if not overlaps:
        return unknown
    known = (
        f"{' and '.join(overlaps)} are among those that trained, selected or calibrated the model: "
        "on them it looks better than it is."
    )
    return f"{known} {unknown}".strip()
