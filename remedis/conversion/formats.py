"""The formats of `remedis export`: known without TensorFlow, written and run by one module each.

A module `remedis.conversion.<module>` has two functions:

- `write(source, path) -> dict`: writes a `SourceModel` to `path`, an empty file or folder, and
  returns facts for the record, such as the opset;
- `run(path) -> function`: loads what `write` has written, with the engine of the format, and
  returns a function from images [N, H, W, 3] float32 in [0, 1] to outputs by name.
"""

import dataclasses
import importlib
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from remedis import extras, files
from remedis.conversion.model_parts import CALIBRATION, LABELS, PARTS, THRESHOLDS
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled

if TYPE_CHECKING:
    import numpy as np

    from remedis.conversion.source_model import SourceModel

RECORD = "export.json"

Run = Callable[["np.ndarray"], dict[str, "np.ndarray"]]


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of exports.

    Attributes:
      name: as `--to` takes it.
      summary: the format in one phrase.
      module: of `remedis.conversion`, with `write` and `run`.
      suffix: of the file; empty for a folder.
      travels: those of `model_parts.PARTS` that a program finds inside the export. The others are
        in its record only.
      extra: of `pyproject.toml`; empty if TensorFlow suffices.
      needs: modules of the extra.
      tolerance: the largest difference between an output of the export and of its source, as a
        share of the source's largest value of that output.
    """

    name: str
    summary: str
    module: str
    suffix: str
    travels: tuple[str, ...]
    extra: str = ""
    needs: tuple[str, ...] = ()
    tolerance: float = 1e-4

    def check_out(self, out: files.Path) -> None:
        """Raises a UserError for an output whose name does not fit the format."""
        name = pathlib.Path(out).name
        if self.suffix and (not name.endswith(self.suffix) or name == self.suffix):
            raise UserError(
                f"{spelled('out', os.fspath(out))}: expected a name that ends with {self.suffix} "
                f"for the format {self.name}."
            )

    def versions(self) -> dict[str, str]:
        """Returns the versions of the packages of the extra.

        Raises:
          UserError: one of them is not installed.
        """
        modules = {name: extras.load(name, self.extra) for name in self.needs}
        return {name: str(getattr(module, "__version__", "")) for name, module in modules.items()}

    def record_path(self, out: files.Path) -> pathlib.Path:
        """Returns the path of an export's record: in the folder, or beside the file."""
        out = pathlib.Path(out)
        return out.with_name(f"{out.name}.{RECORD}") if self.suffix else out / RECORD

    def write(self, source: "SourceModel", path: pathlib.Path) -> Mapping[str, Any]:
        """Writes a model to `path`; returns facts for the record."""
        facts: Mapping[str, Any] = self._code().write(source, path)
        return facts

    def run(self, path: pathlib.Path) -> Run:
        """Returns the outputs of a written model as a function of images."""
        run: Run = self._code().run(path)
        return run

    def _code(self) -> Any:
        return importlib.import_module(f"remedis.conversion.{self.module}")


FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            "frozen",
            "a SavedModel for inference alone, with constants in place of variables",
            "frozen_format",
            suffix="",
            travels=PARTS,
        ),
        Format(
            "onnx",
            "a file for ONNX Runtime and many other programs",
            "onnx_format",
            suffix=".onnx",
            travels=(CALIBRATION, THRESHOLDS, LABELS),
            extra="onnx",
            needs=("onnx", "onnxruntime", "tf2onnx"),
        ),
        Format(
            "openvino",
            "a folder for OpenVINO, the engine for Intel's processors",
            "openvino_format",
            suffix="",
            travels=(CALIBRATION, THRESHOLDS, LABELS),
            extra="openvino",
            needs=("openvino",),
        ),
        Format(
            "litert",
            "a file for LiteRT (TensorFlow Lite) on phones and small devices",
            "litert_format",
            suffix=".tflite",
            travels=(CALIBRATION,),
        ),
        Format(
            "npz",
            "weights in BiT's layout, for timm and bit:FILE.npz",
            "bit_npz_format",
            suffix=".npz",
            travels=PARTS,
        ),
        Format(
            "keras",
            "a Keras 3 model that trains in fit",
            "keras_format",
            suffix=".keras",
            travels=PARTS,
        ),
        Format(
            "mlflow",
            "an MLflow folder (pyfunc) that takes encoded images, with MedImageInsight's requests",
            "mlflow_format",
            suffix="",
            travels=PARTS,
            extra="mlflow",
            needs=("mlflow",),
        ),
    )
}


def get(name: str) -> Format:
    """Returns the format of a name.

    Raises:
      UserError: there is no such format.
    """
    if name not in FORMATS:
        raise unknown_choice("format", name, FORMATS)
    return FORMATS[name]
