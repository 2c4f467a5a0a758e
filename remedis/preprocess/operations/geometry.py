"""Scaling, cropping, mirroring and rotation."""

import math

import tensorflow as tf

from remedis.preprocess.operations.bounds import check, check_probability, check_range, check_size
from remedis.preprocess.operations.chance import sometimes
from remedis.preprocess.registry import channelwise, crop


@channelwise
def resize(image: tf.Tensor, size: int, method: str = "bicubic") -> tf.Tensor:
    """Resizes to `size` x `size` pixels with antialiasing; the aspect ratio is not kept.

    Args:
      image: [H, W, C] float32 in [0, 1].
      size: height and width of the result in pixels, 1 to 7000.
      method: interpolation, a name that `tf.image.resize` knows: `bicubic`, `bilinear`, `nearest`,
          `area`, `lanczos3` and others.
    """
    check_size(size)
    # Bicubic overshoots at edges.
    return tf.clip_by_value(resampled(image, size, size, method), 0.0, 1.0)


def resampled(image: tf.Tensor, height: int, width: int, method: str) -> tf.Tensor:
    """Returns the result of `tf.image.resize` with antialiasing, in less time.

    Args:
      image: [H, W, C] float32.
      height: of the result in pixels.
      width: of the result in pixels.
      method: as for `resize`.
    """
    across = _rows(_rows(image, height, method), width, method)
    return tf.ensure_shape(across, [height, width, image.shape[-1]])


def _rows(image: tf.Tensor, count: int, method: str) -> tf.Tensor:
    """Returns `count` rows made from those of an image [H, W, C], transposed: [W, count, C]."""
    # As one column of W * C channels: TensorFlow computes channels together, pixels one by one.
    height, width, channels = tf.unstack(tf.shape(image))
    column = tf.reshape(image, [height, 1, width * channels])
    rows = tf.image.resize(column, [count, 1], method, antialias=True)
    return tf.transpose(tf.reshape(rows, [count, width, channels]), [1, 0, 2])


@crop
def central_crop(image: tf.Tensor, fraction: float = 0.875) -> tf.Tensor:
    """Keeps the central `fraction` of height and width.

    Args:
      image: [H, W, C] of any type.
      fraction: share of height and of width that is kept, above 0, to 1.
    """
    check("fraction", fraction, 0, 1)
    return tf.image.central_crop(image, fraction)


@channelwise
def random_crop(image: tf.Tensor, size: int, *, seed: tf.Tensor) -> tf.Tensor:
    """Cuts out `size` x `size` pixels at a random place; the image must be at least that large.

    Args:
      image: [H, W, C] float32 in [0, 1].
      size: height and width of the result in pixels, 1 to 7000.
      seed: [2] int32.
    """
    check_size(size)
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

    The law of the rectangle is that of torchvision's `RandomResizedCrop`, an "Inception crop"
    (Szegedy et al. 2015, arXiv 1409.4842, section 6): the share of the image's area is uniform in
    `area`, the ratio of width to height log-uniform in `aspect`, the place uniform. A rectangle
    that does not fit into the image is drawn again. After 10 failures, the crop is the largest
    central rectangle with a ratio in `aspect`. With the default arguments, the mean share
    of a square image is 0.478.

    Args:
      image: [H, W, C] float32 in [0, 1].
      size: height and width of the result in pixels, 1 to 7000.
      area: smallest and largest share of the image's area, each 0 to 1.
      aspect: smallest and largest ratio of width to height, each 0.001 to 1000.
      seed: [2] int32.
    """
    check_range("area", area, 0, 1)
    check_range("aspect", aspect, 1e-3, 1e3)
    attempts = tf.random.stateless_uniform([CROP_ATTEMPTS, 4], seed)
    top, left, height, width = tf.unstack(
        crop_rectangles(attempts, tf.shape(image)[:2], area, aspect)
    )
    return resize(tf.slice(image, [top, left, 0], [height, width, -1]), size)


CROP_ATTEMPTS = 10  # of torchvision


def crop_rectangles(
    attempts: tf.Tensor,
    sides: tf.Tensor,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> tf.Tensor:
    """Returns the rectangles of `random_resized_crop`.

    Args:
      attempts: [..., A, 4] float32 in [0, 1): A attempts per rectangle. Each has the uniform draws
        for area, ratio, top and left.
      sides: [2] int32, height and width of the image in pixels.
      area: range of the share of the image's area.
      aspect: range of the ratio of width to height.

    Returns:
      [..., 4] int32: top, left, height and width in pixels, of the first attempt that fits.
    """
    sides = tf.cast(sides, tf.float32)
    pixels = (area[0] + attempts[..., 0] * (area[1] - area[0])) * sides[0] * sides[1]
    low, high = math.log(aspect[0]), math.log(aspect[1])
    ratio = tf.exp(low + attempts[..., 1] * (high - low))
    shapes = tf.round(tf.stack([tf.sqrt(pixels / ratio), tf.sqrt(pixels * ratio)], -1))
    fits = tf.reduce_all((shapes > 0) & (shapes <= sides), -1)
    starts = tf.floor(attempts[..., 2:] * (sides - shapes + 1))
    first = tf.argmax(fits, -1, tf.int32)
    drawn = tf.gather(tf.concat([starts, shapes], -1), first, axis=-2, batch_dims=len(first.shape))
    # The image itself, cut to the nearest ratio in `aspect`. A side of 0 pixels cannot be cut out.
    cut = tf.round(tf.stack([sides[1] / aspect[0], sides[0] * aspect[1]]))
    whole = tf.maximum(tf.minimum(sides, cut), 1.0)
    central = tf.concat([tf.floor((sides - whole) / 2), whole], -1)
    return tf.cast(tf.where(tf.reduce_any(fits, -1)[..., None], drawn, central), tf.int32)


@channelwise
def flip_left_right(image: tf.Tensor, probability: float = 0.5, *, seed: tf.Tensor) -> tf.Tensor:
    """With a probability, mirrors the image. A mirrored chest has its heart on the wrong side.

    Args:
      image: [H, W, C] float32 in [0, 1].
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check_probability(probability)
    return sometimes(lambda: tf.reverse(image, [1]), image, probability, seed)


@channelwise
def flip_up_down(image: tf.Tensor, probability: float = 0.5, *, seed: tf.Tensor) -> tf.Tensor:
    """With a probability, mirrors the image top to bottom.

    Args:
      image: [H, W, C] float32 in [0, 1].
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check_probability(probability)
    return sometimes(lambda: tf.reverse(image, [0]), image, probability, seed)


@channelwise
def quarter_turns(image: tf.Tensor, *, seed: tf.Tensor) -> tf.Tensor:
    """Rotates by 0, 90, 180 or 270 degrees with equal probability, without interpolation.

    It suits images without a preferred orientation, such as patches of a slide. Height and width
    are exchanged in half of the cases.

    Args:
      image: [H, W, C] float32 in [0, 1].
      seed: [2] int32.
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

    Args:
      image: [H, W, C] float32 in [0, 1].
      degrees: largest angle, 0 to 180.
      seed: [2] int32.
    """
    check("degrees", degrees, 0, 180)
    radians = degrees * math.pi / 180
    angle = tf.random.stateless_uniform([], seed, -radians, radians)
    return rotated(image, angle)


def rotated(image: tf.Tensor, angle: tf.Tensor, fill_mode: str = "CONSTANT") -> tf.Tensor:
    """Returns the image rotated counter-clockwise by `angle` radians, bilinear.

    Args:
      image: [H, W, C] float32 in [0, 1].
      angle: in radians, scalar.
      fill_mode: what fills the corners: `CONSTANT` is black, `REFLECT` mirrors the image at its
        border.
    """
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
        fill_mode=fill_mode,
    )
    return tf.ensure_shape(rotated_images[0], image.shape)
