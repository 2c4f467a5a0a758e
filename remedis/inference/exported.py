"""Scores of exported classifiers, computed by the SavedModel itself."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pandas as pd
import tensorflow as tf

from remedis import files
from remedis.data.manifest import Manifest
from remedis.errors import UserError, unknown_choice
from remedis.evaluation.thresholds import Thresholds
from remedis.inference import predict
from remedis.preprocess import Preprocess
from remedis.zoo import checkpoint
from remedis.zoo.export import Description
from remedis.zoo.seen_images import FILE, SeenImages
from remedis.zoo.tensors import first_line


@dataclasses.dataclass(frozen=True)
class _InGraph(Preprocess):
    """The preprocessing inside a SavedModel, in place of a specification's operations.

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
        """Returns the prepared image; nothing before the end of the operations, of which it has 0.

        A SavedModel takes whole pixels. Of 8 and 16 bits, 16 hold every value exactly.
        """
        if stop is not None:
            return image
        pixels = tf.cast(tf.round(image * 65535.0), tf.uint16)
        return self.prepare(pixels)[0]


@dataclasses.dataclass(frozen=True)
class ExportedClassifier:
    """An exported classifier, loaded with TensorFlow alone.

    Attributes:
      folder: where it lies.
      description: what it says of itself.
      model: the loaded object.
      run: directory of the run that exported it, if it still lies there.
      seen: the images it was trained, chosen or calibrated on; None if it does not say.
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

    def thresholds(self, labels: tuple[str, ...]) -> Thresholds | None:
        """Returns the thresholds of some of the labels, if the classifier has any."""
        chosen = self.description.thresholds
        return Thresholds.from_json(chosen).for_labels(labels) if chosen else None

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Raises a UserError for a label the classifier does not score."""
        for label in labels:
            if label not in self.labels:
                raise unknown_choice(f"label of {self.folder}", label, self.labels)

    def score(self, manifest: Manifest, batch_size: int) -> pd.DataFrame:
        """Returns the table of predictions; labels are some of the classifier's, in any order."""
        self.check_labels(manifest.labels)
        columns = [self.labels.index(label) for label in manifest.labels]
        signature = self.model.signatures["serving_default"]

        def outputs(images: tf.Tensor) -> tf.Tensor:
            found = signature(images=images)
            return tf.stack([found["logits"], found["probabilities"]], axis=1)

        prepare = _InGraph(str(self.description.preprocess), (), self.model.preprocess)
        found = predict.predict(outputs, manifest, prepare, batch_size, "Scoring")
        return predict.table(manifest, found[:, 0, columns], found[:, 1, columns])


def load(run_or_folder: files.Path) -> ExportedClassifier:
    """Returns the classifier of an exported folder, or of a run's `export`.

    Raises:
      UserError: there is none.
    """
    folder = export_of(run_or_folder)
    description = checkpoint.describe(folder)
    if description is None or description.kind != "classifier":
        raise UserError(
            f"{folder} holds no classifier; expected a run, or a folder as a run exports it."
        )
    model = _loaded(folder)
    parent = folder.resolve().parent
    run = parent if _is_run(parent) else None
    return ExportedClassifier(folder, description, model, run, SeenImages.read(folder))


def export_of(run_or_folder: files.Path) -> pathlib.Path:
    """Returns the exported folder of a run, or the folder itself.

    Raises:
      UserError: the run has none yet.
    """
    path = pathlib.Path(run_or_folder)
    if not _is_run(path):
        return path
    if not (path / "export").is_dir():
        raise UserError(f"{path} is a run that has no export yet; let it finish first.")
    return path / "export"


def seen_by(exported: ExportedClassifier, manifest: Manifest, scanned: pd.DataFrame) -> str:
    """Returns a sentence if a classifier has seen some of the images or patients, or may have.

    Images are compared by content with those the classifier itself knows of, wherever it lies.
    Patients can be compared only while it lies in its run, with those of the validation split,
    whose ids a run keeps; and ids of two hospitals may coincide.

    Args:
      exported: the classifier.
      manifest: the images.
      scanned: what a scan found of them, row by row.
    """
    parts, unknown = [], ""
    if exported.seen is None:
        unknown = (
            f"{exported.folder} has no {FILE}: whether the model was trained, chosen or calibrated "
            "on some of these images is not known."
        )
    elif count := exported.seen.count(scanned["sha256"].dropna()):
        parts.append(f"{count:,} of {len(manifest):,} images")
    if exported.run and (file := exported.run / "predictions.parquet").is_file():
        table = pd.read_parquet(file, columns=["patient_id", "split"])
        patients = set(table.loc[table["split"] == "validation", "patient_id"].dropna())
        own = manifest.table["patient_id"].dropna().unique()
        if count := len(patients.intersection(own)):
            parts.append(f"{count:,} of {len(own):,} patient ids")
    if not parts:
        return unknown
    known = (
        f"{' and '.join(parts)} are among those the model was trained, chosen or calibrated on: on "
        "them it looks better than it is."
    )
    return f"{known} {unknown}".strip()


def _is_run(path: pathlib.Path) -> bool:
    return (path / "config.json").is_file()


def _loaded(folder: pathlib.Path) -> Any:
    try:
        return tf.saved_model.load(os.fspath(folder))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{folder} cannot be loaded ({first_line(error)}); copy the folder again."
        ) from error
