"""An MLflow folder (pyfunc) whose requests and answers have MedImageInsight's form.

A row of a request has the columns `image`, an encoded file in base64, and `text`. The answer has
`image_features`. The folder holds the SavedModel and `mlflow_scoring.py`; TensorFlow and MLflow
load it without this package.
"""

import base64
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis import extras
from remedis.conversion import agreement, mlflow_scoring
from remedis.conversion.formats import Run
from remedis.conversion.quiet import quiet
from remedis.conversion.source_model import SourceModel
from remedis.errors import UserError
from remedis.preprocess.decode import from_pixels
from remedis.zoo.export import CARD, DESCRIPTION

# The name of the module in the folder: it must not be that of another model's code.
MODULE = "remedis_mlflow_scoring"
LARGEST_DIFFERENCE = 1e-4  # of an answer from the source, as a share of the largest value
# A run's export may hold more files, such as those about its data; they stay where they are.
_FILES = ("saved_model.pb", "fingerprint.pb", "variables", "assets", DESCRIPTION, CARD)


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes the folder, and asks the model in it for the features of two images.

    Returns:
      The packages that a server needs, and the difference of the answer from the source, as a share
      of the largest value.

    Raises:
      UserError: the model has no recorded preprocessing, so that it takes no encoded images; or the
        answer differs.
    """
    if source.preprocess is None:
        raise UserError(
            f"{source.folder} has no recorded preprocessing, so that it takes no encoded images; "
            "expected a run's export, or a folder that remedis build makes."
        )
    mlflow = extras.load("mlflow", "mlflow")
    versions = {
        "mlflow-skinny": mlflow.__version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "tensorflow": tf.__version__,
    }
    requirements = [f"{name}=={version}" for name, version in versions.items()]
    with tempfile.TemporaryDirectory() as folder, quiet("mlflow"):
        model = pathlib.Path(folder, "model")
        _copy(source.folder, model)
        code = pathlib.Path(folder, f"{MODULE}.py")
        shutil.copyfile(str(mlflow_scoring.__file__), code)
        mlflow.pyfunc.save_model(
            path,
            loader_module=MODULE,
            data_path=str(model),
            code_paths=[str(code)],
            signature=_signature(mlflow),
            pip_requirements=requirements,
            input_example=_rows(np.full((1, 64, 64, 1), 128, np.uint8)),
        )
        difference = _request_difference(source, mlflow.pyfunc.load_model(str(path)))
    if not difference <= LARGEST_DIFFERENCE:
        raise UserError(
            f"{source.folder} is not exported: the answer to a request differs from the source by "
            f"{difference:.2g} of the largest value, expected at most {LARGEST_DIFFERENCE:g}; try "
            "the versions of constraints.txt."
        )
    return {"requirements": ", ".join(requirements), "request_difference": f"{difference:.1e}"}


def run(path: pathlib.Path) -> Run:
    """Returns the outputs of the SavedModel inside a written folder, as MLflow loads it."""
    with quiet("mlflow"):
        model = extras.load("mlflow", "mlflow").pyfunc.load_model(str(path)).get_raw_model()

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        found = model(tf.constant(images))
        if not isinstance(found, dict):
            found = {"map": found, "embedding": tf.reduce_mean(found, [1, 2])}
        return {name: value.numpy() for name, value in found.items()}

    return outputs


def _copy(folder: pathlib.Path, model: pathlib.Path) -> None:
    model.mkdir()
    for name in _FILES:
        if (folder / name).is_dir():
            shutil.copytree(folder / name, model / name)
        elif (folder / name).exists():
            shutil.copyfile(folder / name, model / name)


def _signature(mlflow: Any) -> Any:
    types = extras.load("mlflow.types.schema", "mlflow")
    columns = [types.ColSpec("string", "image"), types.ColSpec("string", "text", required=False)]
    params = [types.ParamSpec("get_scaling_factor", "boolean", False)]
    return mlflow.models.ModelSignature(
        inputs=types.Schema(columns), params=types.ParamSchema(params)
    )


def _rows(pixels: np.ndarray) -> pd.DataFrame:
    """Returns a request for images [N, H, W, 1 or 3] uint8."""
    files = [tf.io.encode_png(image).numpy() for image in pixels]
    return pd.DataFrame({"image": [base64.b64encode(file).decode() for file in files], "text": ""})


def _request_difference(source: SourceModel, loaded: Any) -> float:
    """Returns the difference between an answer and the source, as a share of its largest value."""
    assert source.preprocess is not None
    pixels = np.random.default_rng(0).integers(0, 256, (2, 96, 80, 3), np.uint8)
    answer = np.asarray(loaded.predict(_rows(pixels))["image_features"])
    prepared = [source.preprocess(from_pixels(tf.constant(image))) for image in pixels]
    expected = source.reference(np.stack(prepared))["embedding"]
    absolute, largest = agreement.difference(expected, answer)
    return absolute / largest if largest else absolute
