"""An MLflow folder (pyfunc) whose requests and answers have MedImageInsight's form.

A row of a request has the columns `image`, an encoded file in base64, and `text`. The answer has
`image_features`. The folder holds the SavedModel and `mlflow_scoring.py`; TensorFlow and MLflow
load it without this package.
"""

import base64
import pathlib
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis import extras
from remedis.conversion import mlflow_scoring
from remedis.conversion.formats import Run
from remedis.conversion.source_model import SourceModel
from remedis.errors import UserError
from remedis.zoo.export import CARD, DESCRIPTION

# The name of the module in the folder: it must not be that of another model's code.
MODULE = "remedis_mlflow_scoring"
# A run's export may hold more files, such as those about its data; they stay where they are.
_FILES = ("saved_model.pb", "fingerprint.pb", "variables", "assets", DESCRIPTION, CARD)


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes the folder; returns the packages that a server needs.

    Raises:
      UserError: the model has no recorded preprocessing, so that it takes no encoded images.
    """
    if source.preprocess is None:
        raise UserError(
            f"{source.folder} has no recorded preprocessing, so that it takes no encoded images; "
            "expected a run's export, or a folder that remedis build makes."
        )
    mlflow = extras.load("mlflow", "mlflow")
    types = extras.load("mlflow.types.schema", "mlflow")
    columns = [types.ColSpec("string", "image"), types.ColSpec("string", "text", required=False)]
    params = [types.ParamSpec("get_scaling_factor", "boolean", False)]
    versions = {
        "mlflow-skinny": mlflow.__version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "tensorflow": tf.__version__,
    }
    requirements = [f"{name}=={version}" for name, version in versions.items()]
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder, "model")
        model.mkdir()
        for name in _FILES:
            if (source.folder / name).is_dir():
                shutil.copytree(source.folder / name, model / name)
            elif (source.folder / name).exists():
                shutil.copyfile(source.folder / name, model / name)
        code = pathlib.Path(folder, f"{MODULE}.py")
        shutil.copyfile(str(mlflow_scoring.__file__), code)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas, about MLflow's own code
            mlflow.pyfunc.save_model(
                path,
                loader_module=MODULE,
                data_path=str(model),
                code_paths=[str(code)],
                signature=mlflow.models.ModelSignature(
                    inputs=types.Schema(columns), params=types.ParamSchema(params)
                ),
                pip_requirements=requirements,
                input_example=_example(),
            )
    return {"requirements": requirements}


def _example() -> pd.DataFrame:
    """Returns a request of one grey image, which MLflow stores as an example."""
    image = tf.io.encode_png(np.full((64, 64, 1), 128, np.uint8)).numpy()
    return pd.DataFrame({"image": [base64.b64encode(image).decode()], "text": [""]})


def run(path: pathlib.Path) -> Run:
    """Returns the outputs of the SavedModel inside a written folder, as MLflow loads it."""
    model = extras.load("mlflow", "mlflow").pyfunc.load_model(str(path)).get_raw_model()

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        found = model(tf.constant(images))
        if not isinstance(found, dict):
            found = {"map": found, "embedding": tf.reduce_mean(found, [1, 2])}
        return {name: value.numpy() for name, value in found.items()}

    return outputs
