"""A classifier's outputs on a manifest's images, clean and under corruptions, cell by cell.

`DIRECTORY/clean.npz` holds the outputs on the clean images, and `DIRECTORY/NAME-STRENGTH.npz` those
of one corruption in one strength. Each file is written whole, so that a killed sweep goes on with
the cells it lacks. `settings.json` says which model and images they are of.
"""

import dataclasses
import hashlib
import logging
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf
from typing_extensions import TypedDict

import remedis
from remedis import files, json_records
from remedis.data import image_pixels
from remedis.data.manifest import Manifest
from remedis.errors import UserError, first_line
from remedis.evaluation.corrupted_scores import cosines
from remedis.inference import predict
from remedis.inference.checked_images import CheckedImages
from remedis.inference.exported import ExportedClassifier
from remedis.json_records import Line
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.options import spelled_argument
from remedis.preprocess import Preprocess
from remedis.preprocess.corruptions import Corruption, is_grey
from remedis.zoo import tensors

SETTINGS, CLEAN = "settings.json", "clean"
_LOOKED_AT = 32  # images that tell whether a data set has colours
_LOG = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]


class SweepRecord(TypedDict):
    """`settings.json` of a sweep's cells.

    Attributes:
      model: SHA-256 of the model's graph and variables.
      images: SHA-256 of the hashes of the images, in their order.
      version: of this package, which decodes and corrupts them.
    """

    model: Line
    images: Line
    version: Line


@dataclasses.dataclass(frozen=True)
class _Corrupted(Preprocess):
    """A corruption before the preprocessing of a classifier."""

    inner: Preprocess
    corruption: Corruption
    strength: int

    def __call__(
        self,
        image: tf.Tensor,
        seed: tf.Tensor | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> tf.Tensor:
        """Returns the prepared image, or the image itself where a later stage prepares it."""
        if stop is not None:
            return image
        return self.inner(self.corruption(image, self.strength))


@dataclasses.dataclass(frozen=True)
class CellOutputs:
    """What a classifier gives for the images of one cell.

    Attributes:
      logits: [n, all labels of the classifier], before calibration.
      probabilities: [n, all labels], after it.
      cosines: [n], of the embeddings with those of the clean images; 1 for these.
    """

    logits: Floats
    probabilities: Floats
    cosines: npt.NDArray[np.float64]


class CorruptionSweep:
    """The cells of a classifier on some images, computed once and kept.

    Attributes:
      exported: the classifier.
      manifest: the images.
      directory: of the cells.
    """

    def __init__(
        self,
        exported: ExportedClassifier,
        checked: CheckedImages,
        directory: files.Path,
        batch_size: int,
    ) -> None:
        """Opens or makes the directory.

        Raises:
          UserError: it holds the cells of another model, of other images or of another version.
        """
        self.exported, self.manifest = exported, checked.manifest
        self.directory = pathlib.Path(directory)
        self._batch_size = batch_size
        self._embeddings: Floats | None = None
        hashes = "\n".join(checked.scanned["sha256"].astype(str))
        settings: SweepRecord = {
            "model": tensors.model_sha256(exported.folder),
            "images": hashlib.sha256(hashes.encode()).hexdigest(),
            "version": remedis.__version__,
        }
        file = self.directory / SETTINGS
        if os.path.lexists(file):
            found = json_records.read(file, SweepRecord, f"remove {self.directory}")
            names = {"model": "another model", "images": "other images", "version": "version"}
            for key, what in names.items():
                if found[key] != settings[key]:  # type: ignore[literal-required]
                    what = f"{what} {found['version']}" if key == "version" else what
                    out = spelled_argument("out", self.directory.parent)
                    raise UserError(f"{out} holds cells of {what}; name another directory.")
        else:
            self.directory.mkdir(parents=True, exist_ok=True)
            files.write_json(file, settings)

    def clean(self) -> tuple[CellOutputs, Floats]:
        """Returns the outputs on the clean images, and their embeddings [n, C]."""
        arrays = self._stored(CLEAN, ("logits", "probabilities", "embedding"))
        if arrays is None:
            logits, probabilities, embeddings = self._computed(None, 0)
            arrays = {"logits": logits, "probabilities": probabilities, "embedding": embeddings}
            self._write(CLEAN, arrays)
        self._embeddings = arrays["embedding"]
        outputs = CellOutputs(
            arrays["logits"], arrays["probabilities"], np.ones(len(arrays["logits"]))
        )
        return outputs, arrays["embedding"]

    def cell(self, corruption: Corruption, strength: int) -> CellOutputs:
        """Returns the outputs on the images after a corruption in a strength from 0 to 5."""
        name = f"{corruption.name}-{strength}"
        arrays = self._stored(name, ("logits", "probabilities", "cosines"))
        if arrays is None:
            clean = self._embeddings if self._embeddings is not None else self.clean()[1]
            logits, probabilities, embeddings = self._computed(corruption, strength)
            of_images = cosines(clean, embeddings)
            arrays = {"logits": logits, "probabilities": probabilities, "cosines": of_images}
            self._write(name, arrays)
        return CellOutputs(**arrays)  # type: ignore[arg-type]

    def table(self, outputs: CellOutputs) -> pd.DataFrame:
        """Returns the table of predictions of a cell, all in the split `test`."""
        columns = [self.exported.labels.index(label) for label in self.manifest.labels]
        # Classes need the logits of all labels, also of those that are left out.
        log_odds = self.exported.calibration().log_odds(outputs.logits)
        made = predict.table(
            self.manifest,
            outputs.logits[:, columns],
            outputs.probabilities[:, columns],
            log_odds[:, columns],
        )
        return made.assign(split="test")

    def _computed(
        self, corruption: Corruption | None, strength: int
    ) -> tuple[Floats, Floats, Floats]:
        signature = self.exported.model.signatures["serving_default"]

        def outputs(images: tf.Tensor) -> tf.Tensor:
            scores = signature(images=images)
            parts = [scores[name] for name in ("logits", "probabilities", "embedding")]
            return tf.concat(parts, axis=1)

        preprocess = self.exported.preprocess
        title = "Scoring clean images"
        if corruption is not None:
            preprocess = _Corrupted(preprocess.specification, (), preprocess, corruption, strength)
            title = f"Scoring {corruption.name}, strength {strength}"
        found = predict.predict(outputs, self.manifest, preprocess, self._batch_size, title)
        count = len(self.exported.labels)
        return found[:, :count], found[:, count : 2 * count], found[:, 2 * count :]

    def _stored(self, name: str, keys: tuple[str, ...]) -> dict[str, np.ndarray] | None:
        """Returns the arrays of a cell; None if there is none, or if its file is damaged."""
        file = self.directory / f"{name}.npz"
        if not os.path.lexists(file):
            return None
        try:
            with NpzFile(file) as content:
                arrays = {key: content[key] for key in keys}
        except (DamagedNpz, OSError, KeyError) as error:
            _LOG.warning(f"{file} is damaged ({first_line(error)}) and is computed again.")
            return None
        if any(len(array) != len(self.manifest) for array in arrays.values()):
            _LOG.warning(f"{file} is of other images and is computed again.")
            return None
        return arrays

    def _write(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        with files.whole_file(self.directory / f"{name}.npz") as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]


def has_colours(manifest: Manifest) -> bool:
    """Returns whether any of the first images has a colour."""
    paths = manifest.absolute_paths()[:_LOOKED_AT]
    return any(not is_grey(tf.constant(image_pixels.read(path))) for path in paths)
