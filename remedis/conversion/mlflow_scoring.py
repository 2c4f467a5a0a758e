"""The scoring code inside an MLflow folder: rows of images and texts to features.

`remedis export --to=mlflow` copies this file into the folder. It needs TensorFlow and MLflow alone:
nothing here may import this package.
"""

import base64
import binascii
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# A folder on the server. Without it, a request cannot name files; no request can name addresses.
IMAGE_FOLDER = "REMEDIS_IMAGE_FOLDER"
BATCH = 16  # images that are computed at once
_ENCODED = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_EXPECTED = "expected the bytes of a PNG or JPEG file in base64"


def _load_pyfunc(path: str) -> "Scorer":
    """Returns the model of an MLflow folder; MLflow calls it with the path of the data."""
    return Scorer(path)


class Scorer:
    """A SavedModel of this package behind the form of requests that MedImageInsight has."""

    def __init__(self, folder: str) -> None:
        self._model = tf.saved_model.load(folder)
        labels = getattr(self._model, "label_names", None)
        self.labels = [] if labels is None else [name.decode() for name in labels().numpy()]

    def get_raw_model(self) -> Any:
        """Returns the SavedModel; MLflow has a method of this name."""
        return self._model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Returns the features of images, and of a classifier its probabilities.

        Args:
          model_input: a table with the column `image`, one PNG or JPEG file in base64 per row, and
            possibly the column `text`, empty: there is no text encoder in the model.
          params: `get_scaling_factor` is accepted, and without effect as long as there are no
            features of texts.

        Returns:
          `image_features`, a list of C numbers per image. Of a classifier also `labels`, the names,
          and `probabilities`, a list with one number per label for every image.

        Raises:
          MlflowException: a row has a text, no image, or a damaged one; its number is named.
        """
        del params
        columns = list(model_input)
        if "image" not in columns:
            raise _fault(f"The request has the columns {columns}; expected image, and perhaps text")
        if "text" in columns:
            for row, text in enumerate(model_input["text"]):
                if isinstance(text, str) and text.strip():
                    raise _fault(
                        f"Row {row} has a text, but this model has no text encoder; expected an "
                        "empty text"
                    )
        files = [_contents(value, row) for row, value in enumerate(model_input["image"])]
        found: dict[str, list[Any]] = {"image_features": []}
        if self.labels:
            found["probabilities"] = []
        for start in range(0, len(files), BATCH):
            outputs = self._outputs(files[start : start + BATCH], start)
            found["image_features"] += outputs["embedding"].numpy().tolist()
            if self.labels:
                found["probabilities"] += outputs["probabilities"].numpy().tolist()
        return found | ({"labels": self.labels} if self.labels else {})

    def _outputs(self, files: Sequence[bytes], start: int) -> dict[str, tf.Tensor]:
        try:
            return dict(self._model.serve_bytes(tf.constant(files, tf.string)))
        except tf.errors.InvalidArgumentError as error:
            for row, file in enumerate(files):
                try:
                    self._model.serve_bytes(tf.constant([file]))
                except tf.errors.InvalidArgumentError as own:
                    raise _fault(f"The image of row {start + row} is damaged or too large") from own
            raise _fault("The images of a request must have one size for this model") from error


def _contents(value: Any, row: int) -> bytes:
    """Returns the bytes of the image file that a cell holds or, where allowed, names."""
    if not isinstance(value, str) or not value.strip():
        raise _fault(f"Row {row} has no image; {_EXPECTED}")
    if value.lstrip().startswith(("http:", "https:", "ftp:", "file:", "s3:", "gs:", "data:")):
        raise _fault(f"The image of row {row} is an address, which is never opened; {_EXPECTED}")
    try:
        contents = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        contents = b""
    if not contents.startswith(_ENCODED):
        contents = _allowed_file(value, row)
    if not contents.startswith(_ENCODED):
        raise _fault(f"The image of row {row} is neither a PNG nor a JPEG file; {_EXPECTED}")
    return contents


def _allowed_file(name: str, row: int) -> bytes:
    """Returns the bytes of a file below the folder that the server allows; none for other text."""
    allowed = os.environ.get(IMAGE_FOLDER)
    if "/" not in name and "\\" not in name and "." not in name:
        return b""
    if not allowed:
        raise _fault(
            f"The image of row {row} is not base64 and looks like the path of a file, which this "
            f"server does not open; {_EXPECTED}, or a server started with {IMAGE_FOLDER}=FOLDER"
        )
    folder = pathlib.Path(allowed).resolve()
    try:
        path = (folder / name).resolve()
        if folder not in path.parents or not path.is_file():
            raise FileNotFoundError
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _fault(f"The image of row {row} names no file in {IMAGE_FOLDER}") from error


def _fault(sentence: str) -> Exception:
    """Returns the error that MLflow's server answers with status 400."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    return MlflowException(f"{sentence}.", error_code=INVALID_PARAMETER_VALUE)
