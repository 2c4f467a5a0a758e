"""Weights and images for other implementations, the same on every machine.

NumPy guarantees the stream of `RandomState` for all versions, not that of `Generator`.
"""

import zlib

import numpy as np

from remedis.models.architectures import Architecture


def weights(architecture: Architecture, final_norm: bool = True) -> dict[str, np.ndarray]:
    """Returns arrays by BiT name (without `resnet/`), with no trivial values that hide mistakes."""
    arrays = {}
    for name, shape in architecture.shapes(final_norm).items():
        state = np.random.RandomState(zlib.crc32(name.encode()))
        values = state.standard_normal(shape)
        if name.endswith("gamma"):
            values = 1 + 0.2 * values
        elif name.endswith("beta"):
            values = 0.2 * values
        else:
            # A mean and a scale for weight standardisation to remove.
            values = 0.3 + 0.05 * values
        arrays[name] = values.astype(np.float32)
    return arrays


def head(architecture: Architecture, classes: int = 7) -> dict[str, np.ndarray]:
    """Returns the head's arrays. No test depends on their values."""
    return {
        "head/conv2d/kernel": np.zeros((1, 1, architecture.map_channels, classes), np.float32),
        "head/conv2d/bias": np.zeros((classes,), np.float32),
    }


def save_npz(path: object, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays under BiT's names, with `resnet/`."""
    np.savez(path, **{f"resnet/{name}": array for name, array in arrays.items()})


def images() -> np.ndarray:
    """Returns [2, 70, 97, 3] float32 in [0, 1]. No side is a multiple of 32, and one is odd."""
    return np.random.RandomState(0).uniform(size=(2, 70, 97, 3)).astype(np.float32)
