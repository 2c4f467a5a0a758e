"""Scaling, cropping, mirroring and rotation."""

import math

import tensorflow as tf

from remedis.preprocess.operations.bounds import check, check_probability, check_range
from remedis.preprocess.operations.chance import sometimes
from remedis.preprocess.registry import channelwise


@channelwise
def resize(image: tf.Tensor, size: int, method: str = "bicubic") -> tf.Tensor:
    """Resizes to `size` x `size` pixels with antialiasing; the aspect ratio is not kept."""
    check("size", size, 1)
    resized = tf.image.resize(image, [size, size], method, antialias=True)
    return tf.clip_by_value(resized, 0.0, 1.0)  # bicubic overshoots at edges


@channelwise
def central_crop(image: tf.Tensor, fraction: float = 0.875) -> tf.Tensor:
    """Keeps the central `fraction` of height and width."""
    check("fraction", fraction, 0, 1)
    return tf.image.central_crop(image, fraction)


@channelwise
def random_crop(image: tf.Tensor, size: int, *, seed: tf.Tensor) -> tf.Tensor:
    """Cuts out `size` x `size` pixels at a random place; the image must be at least that large."""
    check("size", size, 1)
    advice = "resize before it, or crop less"
    if any(side is not None and side < size for side in image.shape[:2]):
        raise ValueError(f"the image is only {image.shape[0]} x {image.shape[1]} pixels: {advice}")
    shape = tf.shape(image)
    message = f"random_crop({size}) of a smaller image: {advice}; got"
    fits = tf.debugging.Assert(tf.reduce_all(shape[:2] >= size), [message, shape[:2]])
    with tf.control_dependencies([fits]):
        return tf.image.stateless_random_crop(tf.identity(image), [size, size, shape[2]], seed)


@channelwise
def random_resized_crop(
    image: tf.Tensor,
    size: int,
    area: tuple[float, float] = (0.08, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
    *,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Cuts out a random rectangle and resizes it to `size` x `size` pixels (bicubic).

    Its share of the image's area is uniform in `area`, its ratio of width to height log-uniform in
    `aspect`. Sides longer than the image's are cut to these. The crop is that of SimCLR (Chen et
    al. 2020, arXiv 2002.05709, appendix A) without its retries.
    """
    check_range("area", area, 0, 1)
    check_range("aspect", aspect, 1e-3)
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    draws = tf.random.stateless_uniform([4], seed)
    share = area[0] + draws[0] * (area[1] - area[0])
    low, high = math.log(aspect[0]), math.log(aspect[1])
    ratio = tf.exp(low + draws[1] * (high - low))
    pixels = share * shape[0] * shape[1]
    sides = tf.stack([tf.sqrt(pixels / ratio), tf.sqrt(pixels * ratio)])
    sides = tf.clip_by_value(tf.round(sides), 1.0, shape)
    start = tf.floor(draws[2:] * (shape - sides + 1))
    start, sides = tf.cast(start, tf.int32), tf.cast(sides, tf.int32)
    cropped = tf.slice(image, [start[0], start[1], 0], [sides[0], sides[1], -1])
    return resize(cropped, size)


@channelwise
def flip_left_right(image: tf.Tensor, probability: float = 0.5, *, seed: tf.Tensor) -> tf.Tensor:
    """With a probability, mirrors the image. A mirrored chest has its heart on the wrong side."""
    check_probability(probability)
    return sometimes(lambda: tf.reverse(image, [1]), image, probability, seed)


@channelwise
def flip_up_down(image: tf.Tensor, probability: float = 0.5, *, seed: tf.Tensor) -> tf.Tensor:
    """With a probability, mirrors the image top to bottom."""
    check_probability(probability)
    return sometimes(lambda: tf.reverse(image, [0]), image, probability, seed)


@channelwise
def quarter_turns(image: tf.Tensor, *, seed: tf.Tensor) -> tf.Tensor:
    """Rotates by 0, 90, 180 or 270 degrees with equal probability, without interpolation.

    It suits images without a preferred orientation, such as patches of a slide. Height and width
    are exchanged in half of the cases.
    """
    turns = tf.random.stateless_uniform([], seed, 0, 4, tf.int32)
    turned = tf.switch_case(
        turns,
        [
            lambda: tf.identity(image),
            lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [0]),
            lambda: tf.reverse(image, [0, 1]),
            lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [1]),
        ],
    )
    height, width = image.shape[:2]
    return tf.ensure_shape(turned, image.shape if height == width else [None, None, image.shape[2]])


@channelwise
def rotate(image: tf.Tensor, degrees: float, *, seed: tf.Tensor) -> tf.Tensor:
    """Rotates about the centre by an angle uniform in [-degrees, degrees]; corners become black.

    Sampling is bilinear. Positive angles rotate counter-clockwise.
    """
    check("degrees", degrees, 0, 180)
    radians = degrees * math.pi / 180
    angle = tf.random.stateless_uniform([], seed, -radians, radians)
    return rotated(image, angle)


def rotated(image: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Returns the image rotated counter-clockwise by `angle` radians, bilinear, corners black."""
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    cos, sin = tf.cos(angle), tf.sin(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    # Maps output to input positions. Rows point downwards, which inverts the sign of the sine.
    transform = [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y, 0.0, 0.0]
    rotated_images = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=tf.stack(transform)[None],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(rotated_images[0], image.shape)
