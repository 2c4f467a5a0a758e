"""Corruptions of an image in five strengths, to measure whether a model withstands them.

A corruption changes the image as it is stored, before the model's own preprocessing. Strength 0
changes nothing. Random parts are drawn from a seed that follows from the pixels: one image always
has the same corruption, in any order and batch, and the five strengths share their draws.

Strengths of `noise`, `blur`, `contrast` and `jpeg` are those of ImageNet-C (Hendrycks and
Dietterich, ICLR 2019, arXiv 1903.12261; blur is its extra corruption `gaussian_blur`). Its images
have sides of 224 pixels. The width of the blur and the grain of the noise are therefore shares of
the shorter side: they look alike on a thumbnail and on a radiograph of 3,000 pixels. Blocks of a
JPEG file have 8 pixels, whatever the image. The strengths of the others are ours.
"""

import dataclasses
import math
import zlib
from collections.abc import Callable

import tensorflow as tf

from remedis.errors import unknown_choice
from remedis.preprocess.operations.blur import blurred
from remedis.preprocess.operations.geometry import rotated
from remedis.preprocess.operations.pathology import restained
from remedis.preprocess.registry import three_channels

STRENGTHS = (1, 2, 3, 4, 5)
_SIDE = 224  # pixels of the images that the strengths of ImageNet-C are made for
_IMAGENET_C = "ImageNet-C"
_OURS = "ours"


@dataclasses.dataclass(frozen=True)
class Corruption:
    """A way to corrupt an image.

    Attributes:
      name: of the corruption.
      values: the parameter of strengths 1 to 5.
      parameter: what the values are, with their unit.
      source: of the values: ImageNet-C, or ours.
      change: returns an image after the corruption, from [H, W, 3] float32 in [0, 1], the parameter
        and a seed, [2] int32. Height and width may change.
    """

    name: str
    values: tuple[float, ...]
    parameter: str
    source: str
    change: Callable[[tf.Tensor, float, tf.Tensor], tf.Tensor]

    def value(self, strength: int) -> float | None:
        """Returns the parameter of a strength; None for 0, which changes nothing."""
        return self.values[strength - 1] if strength else None

    def __call__(self, image: tf.Tensor, strength: int) -> tf.Tensor:
        """Returns an image after the corruption, [H', W', 3] float32 in [0, 1].

        Args:
          image: [H, W, 3], or [H, W, 1] for a grey one, float32 in [0, 1].
          strength: 0 to 5; 0 returns the image itself.
        """
        value = self.value(strength)
        if value is None:
            return image
        full = three_channels(image)
        changed = self.change(full, float(value), content_seed(full, self.name))
        return tf.ensure_shape(tf.clip_by_value(changed, 0.0, 1.0), [None, None, 3])


def content_seed(image: tf.Tensor, name: str) -> tf.Tensor:
    """Returns the seed [2] int32 of a corruption of an image, which follows from both alone.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      name: of the corruption.
    """
    pixels = tf.cast(tf.round(image * 65535.0), tf.uint16)
    digest = tf.fingerprint(tf.reshape(pixels, [1, -1]))
    seed = tf.bitcast(tf.reshape(digest, [2, 4]), tf.int32)
    return tf.random.experimental.stateless_fold_in(seed, zlib.crc32(name.encode()) & 0x7FFFFFFF)


def is_grey(image: tf.Tensor) -> tf.Tensor:
    """Returns whether the three channels of an image are equal, however it is stored."""
    return tf.reduce_all(tf.equal(image, image[..., :1]))


def _shorter(image: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.reduce_min(tf.shape(image)[:2]), tf.float32)


def _sign(seed: tf.Tensor, shape: tuple[int, ...] = ()) -> tf.Tensor:
    """Returns -1 or 1, each with equal probability."""
    return tf.where(tf.random.stateless_uniform(shape, seed) < 0.5, -1.0, 1.0)


def _noise(image: tf.Tensor, deviation: float, seed: tf.Tensor) -> tf.Tensor:
    """Adds Gaussian noise; that of a grey image is grey."""
    sides = tf.shape(image)[:2]
    grain = tf.maximum(_shorter(image) / _SIDE, 1.0)
    grid = tf.cast(tf.math.ceil(tf.cast(sides, tf.float32) / grain), tf.int32)
    drawn = tf.random.stateless_normal(tf.concat([grid, [3]], 0), seed)
    drawn = tf.where(is_grey(image), drawn[..., :1], drawn)
    return image + deviation * tf.image.resize(drawn, sides, "nearest")


def _blur(image: tf.Tensor, sigma: float, seed: tf.Tensor) -> tf.Tensor:
    """Blurs with a Gaussian, cut off at three times its width."""
    width = sigma * _shorter(image) / _SIDE
    return blurred(image, width, radius=tf.cast(tf.math.ceil(3 * width), tf.int32))


def _contrast(image: tf.Tensor, factor: float, seed: tf.Tensor) -> tf.Tensor:
    """Scales differences from the mean of each channel."""
    mean = tf.reduce_mean(image, [0, 1], keepdims=True)
    return (image - mean) * factor + mean


def _gamma(image: tf.Tensor, gamma: float, seed: tf.Tensor) -> tf.Tensor:
    """Raises values to a power, or to one divided by it: half of the images become darker."""
    return tf.pow(image, tf.pow(gamma, _sign(seed)))


def _jpeg(image: tf.Tensor, quality: float, seed: tf.Tensor) -> tf.Tensor:
    """Encodes as JPEG and decodes."""
    return tf.image.adjust_jpeg_quality(image, int(quality))


def _rotation(image: tf.Tensor, degrees: float, seed: tf.Tensor) -> tf.Tensor:
    """Rotates to the left or to the right.

    The image is mirrored into its corners: black ones would be a second corruption.
    """
    return rotated(image, _sign(seed) * degrees * math.pi / 180, fill_mode="REFLECT")


def _crop(image: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Cuts out a rectangle with a share of both sides, at a random place."""
    sides = tf.shape(image)[:2]
    kept = tf.maximum(tf.cast(tf.round(tf.cast(sides, tf.float32) * share), tf.int32), 1)
    room = tf.cast(sides - kept + 1, tf.float32)
    start = tf.cast(tf.floor(tf.random.stateless_uniform([2], seed) * room), tf.int32)
    return tf.slice(image, tf.concat([start, [0]], 0), tf.concat([kept, [3]], 0))


def _stain(image: tf.Tensor, change: float, seed: tf.Tensor) -> tf.Tensor:
    """Changes the amounts of stains of an H&E section; a grey image has none and stays.

    Each amount is multiplied by 1 + change or 1 - change, and a quarter of the change is added or
    subtracted, in optical density. The signs are drawn per stain.
    """
    signs = _sign(seed, (2, 3))
    stained = restained(image, 1.0 + change * signs[0], change / 4 * signs[1])
    return tf.where(is_grey(image), image, stained)


CORRUPTIONS = {
    each.name: each
    for each in (
        Corruption(
            "noise",
            (0.08, 0.12, 0.18, 0.26, 0.38),
            "standard deviation of Gaussian noise, as a share of the range from black to white",
            _IMAGENET_C,
            _noise,
        ),
        Corruption(
            "blur",
            (1, 2, 3, 4, 6),
            "standard deviation of a Gaussian in pixels, if the shorter side has 224",
            _IMAGENET_C,
            _blur,
        ),
        Corruption(
            "contrast",
            (0.4, 0.3, 0.2, 0.1, 0.05),
            "factor of the differences from the mean",
            _IMAGENET_C,
            _contrast,
        ),
        Corruption(
            "gamma",
            (1.2, 1.5, 2, 2.5, 3),
            "exponent, or one divided by it",
            _OURS,
            _gamma,
        ),
        Corruption("jpeg", (25, 18, 15, 10, 7), "quality of the file", _IMAGENET_C, _jpeg),
        Corruption(
            "rotation", (5, 10, 15, 20, 30), "degrees to the left or right", _OURS, _rotation
        ),
        Corruption("crop", (0.95, 0.9, 0.85, 0.8, 0.7), "share of both sides kept", _OURS, _crop),
        Corruption(
            "stain",
            (0.1, 0.2, 0.3, 0.4, 0.6),
            "relative change of each stain's amount; colour images only",
            _OURS,
            _stain,
        ),
    )
}


def get(name: str) -> Corruption:
    """Returns the corruption with a name.

    Raises:
      UserError: there is none.
    """
    if name not in CORRUPTIONS:
        raise unknown_choice("corruption", name, CORRUPTIONS)
    return CORRUPTIONS[name]
