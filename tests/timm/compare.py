"""Loads exports in BiT's layout with timm's own reader, and compares what both compute.

    python tests/timm/compare.py FOLDER

It needs torch, timm and NumPy, and not this package. Prints the largest difference of every output,
as a share of its largest value, for timm in float64 and in float32, and fails above 1e-4.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import pathlib
import sys
import types

import numpy as np

LIMIT = 1e-4


class _AnyClass(type):
    def __getattr__(cls, name: str) -> str:
        return name


class _AnyModule(types.ModuleType):
    __path__ = ()

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _AnyClass(name, (), {})


class _NoTorchvision(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for torchvision, which timm imports for its data sets and augmentations alone."""

    def find_spec(self, name, path=None, target=None):
        mine = name.partition(".")[0] == "torchvision"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if mine else None

    def create_module(self, spec):
        return _AnyModule(spec.name)

    def exec_module(self, module):
        pass


if importlib.util.find_spec("torchvision") is None:
    sys.meta_path.append(_NoTorchvision())

import timm  # noqa: E402
import torch  # noqa: E402


def compared(folder: pathlib.Path, name: str) -> float:
    """Prints the differences of one export; returns the largest."""
    expected = np.load(folder / f"{name}.outputs")
    classes = len(expected["labels"])
    model = timm.create_model(str(expected["timm_model"]), pretrained=False, num_classes=classes)
    model.load_pretrained(str(folder / f"{name}.npz"))
    model.eval()
    black, white = expected["black_and_white"]
    largest = 0.0
    for dtype in (torch.float64, torch.float32):
        model.to(dtype)
        images = torch.from_numpy(expected["images"]).permute(0, 3, 1, 2).to(dtype)
        with torch.no_grad():
            unpooled = model.stages(model.stem(images * (white - black) + black))
            found = {"map": unpooled.permute(0, 2, 3, 1)}
            if classes:
                found["pooled"] = model.norm(unpooled).mean((2, 3))
                found["logits"] = model(images * (white - black) + black)
        for output, values in found.items():
            other = expected[f"output_{output}"]
            difference = np.abs(values.numpy() - other).max() / np.abs(other).max()
            print(f"{name}, {output}, timm in {str(dtype)[6:]}: {difference:.1e}")
            largest = max(largest, float(difference))
    return largest


def main(folder: pathlib.Path) -> None:
    largest = max(compared(folder, name) for name in ("backbone", "classifier"))
    if not largest <= LIMIT:
        sys.exit(f"error: {largest:.1e} is above {LIMIT:.0e}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
