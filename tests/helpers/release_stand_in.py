"""A SavedModel like those of the original release, written without this package's networks.

Children `_root` and `_blocks`, variables with BiT's names and no final norm, one signature
`serving_default` with the input `input_1`, and a plain call without a `training` argument.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

IMAGES = tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")


def standardized(kernel):
    # In float64: the tests compare the wiring, not two ways of rounding, whose difference 50 layers
    # of kernels far from zero would amplify to 2e-4.
    wide = tf.cast(kernel, tf.float64)
    mean, variance = tf.nn.moments(wide, [0, 1, 2], keepdims=True)
    return tf.cast((wide - mean) / tf.sqrt(variance + 1e-10), tf.float32)


def convolved(x, kernel, stride=1):
    pad = kernel.shape[0] // 2
    x = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
    return tf.nn.conv2d(x, standardized(kernel), stride, "VALID")


class NormConv(tf.Module):
    """Group norm, ReLU and convolution."""

    def __init__(self, arrays: Mapping[str, np.ndarray], prefix: str) -> None:
        super().__init__()
        self.gamma, self.beta, self.kernel = (
            tf.Variable(arrays[f"{prefix}/{name}"], name=f"{prefix}/{name}")
            for name in ("group_norm/gamma", "group_norm/beta", "standardized_conv2d/kernel")
        )

    def norm(self, x):
        n, h, w, c = (tf.shape(x)[axis] for axis in range(4))
        grouped = tf.reshape(x, [n, h, w, 32, c // 32])
        mean, variance = tf.nn.moments(grouped, [1, 2, 4], keepdims=True)
        x = tf.reshape((grouped - mean) / tf.sqrt(variance + 1e-5), [n, h, w, self.gamma.shape[0]])
        return tf.nn.relu(x * self.gamma + self.beta)


class Unit(tf.Module):
    """A bottleneck of stages a, b, c, and the projection of a block's first unit."""

    def __init__(self, arrays: Mapping[str, np.ndarray], prefix: str, stride: int) -> None:
        super().__init__()
        self.stages = [NormConv(arrays, f"{prefix}/{stage}") for stage in "abc"]
        name = f"{prefix}/a/proj/standardized_conv2d/kernel"
        self.proj = tf.Variable(arrays[name], name=name) if name in arrays else None
        self.stride = stride

    def __call__(self, x):
        a, b, c = self.stages
        y = a.norm(x)
        shortcut = x if self.proj is None else convolved(y, self.proj, self.stride)
        y = convolved(y, a.kernel)
        y = convolved(b.norm(y), b.kernel, self.stride)
        return shortcut + convolved(c.norm(y), c.kernel)


class Root(tf.Module):
    """The first convolution and the pool behind it."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        name = "root_block/standardized_conv2d/kernel"
        self.kernel = tf.Variable(arrays[name], name=name)

    def __call__(self, x):
        x = tf.pad(convolved(x, self.kernel, 2), [[0, 0], [1, 1], [1, 1], [0, 0]])
        return tf.nn.max_pool2d(x, 3, 2, "VALID")


class Release(tf.Module):
    """The backbone. With `maps_range` its graph maps [0, 1] to [-1, 1] itself."""

    def __init__(self, arrays: Mapping[str, np.ndarray], maps_range: bool) -> None:
        super().__init__()
        prefixes = sorted({"/".join(name.split("/")[:2]) for name in arrays if name[:5] == "block"})
        self._root = Root(arrays)
        self._blocks = [
            Unit(arrays, p, 2 if p.endswith("unit01") and p[:6] != "block1" else 1)
            for p in prefixes
        ]
        self._maps_range = maps_range

    @tf.function(input_signature=[IMAGES])
    def __call__(self, inputs):
        x = self._root(2 * inputs - 1 if self._maps_range else inputs)
        for unit in self._blocks:
            x = unit(x)
        return x


def write(folder: object, arrays: Mapping[str, np.ndarray], maps_range: bool) -> None:
    """Writes a folder like the one that a user downloads."""
    module = Release(arrays, maps_range)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__})
