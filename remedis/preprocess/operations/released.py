"""Operations as in the code released with REMEDIS, where ours differ.

Each can be held against the file and lines that its docstring names (last commit of
google-research/medical-ai-research-foundations; Azizi et al. 2023, arXiv 2205.09723). They are for
repeating the released recipes. Ours next to them (`geometry`, `grey_levels`, `blur`) leave out what
looks like an accident: aliasing, a grid off centre, levels off by one, dark borders. Flips
and colour distortion are the same in both, and the conversion to grey within 0.0001.
"""

import tensorflow as tf

from remedis.preprocess.operations.blur import blurred
from remedis.preprocess.operations.bounds import check, check_probability, check_size
from remedis.preprocess.operations.chance import sometimes, split
from remedis.preprocess.registry import channelwise, three_channels

# Of crops (data_util.py:351-360). Crops must cover 0.1 of the image, which raises the least area
# from 0.08 to 0.1.
CROP_AREA, CROP_ASPECT, CROP_COVERED, CROP_ATTEMPTS = (0.08, 1.0), (3 / 4, 4 / 3), 0.1, 100
BLUR_SIGMA = (0.1, 2.0)  # pixels (data_util.py:469)

_LEVELS = 256


@channelwise
def released_random_crop(
    image: tf.Tensor, size: int, clip: bool = True, *, seed: tf.Tensor
) -> tf.Tensor:
    """Cuts out a random rectangle and resizes it to `size` x `size` pixels, as the release does.

    The law of the rectangle is that of `tf.image.sample_distorted_bounding_box`
    (data_util.py:287-361): the ratio of width to height is uniform in [3/4, 4/3], the height
    uniform between the heights that give shares of 0.08 and 1 of the image's area and fit into it.
    A rectangle with a share below 0.1 is drawn again; after 100 failures the crop is the whole
    image. Shares are smaller than those of `random_resized_crop`: 0.42 on average for a square
    image. The resize is `released_resize`.

    Args:
      image: [H, W, C] float32.
      size: height and width of the result in pixels, 1 to 7000.
      clip: whether the bicubic's overshoot is clipped here. The release clips after the next
        operation on colours, or at the end (data_util.py:151, 211 and 575); with False, the
        following operations get the overshoot too, and `clip()` must end them.
      seed: [2] int32.
    """
    check_size(size)
    begin, shape = crop_box(tf.shape(image), seed)
    resized = _legacy_bicubic(tf.slice(image, begin, shape), size)
    return tf.clip_by_value(resized, 0.0, 1.0) if clip else resized


def crop_box(shape: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where the rectangle of `released_random_crop` begins, and its shape.

    Args:
      shape: [3] int32, of the image.
      seed: [2] int32.

    Returns:
      [3] int32 each, as `tf.slice` takes them.
    """
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),  # top, left, bottom, right of what to cover
        seed,
        min_object_covered=CROP_COVERED,
        aspect_ratio_range=CROP_ASPECT,
        area_range=CROP_AREA,
        max_attempts=CROP_ATTEMPTS,
    )
    return begin, size


@channelwise
def released_central_crop(image: tf.Tensor, size: int, fraction: float = 0.875) -> tf.Tensor:
    """Cuts out the central square and resizes it to `size` x `size` pixels, as the release does.

    The side of the square is `fraction` of the image's shorter side, rounded half to even
    (data_util.py:215-284): the aspect ratio is kept, and the long side loses more. An odd remainder
    goes to the top and left. The resize is `released_resize`. The release's training code uses its
    fraction without defining it; 0.875 is that of its notebook.

    Args:
      image: [H, W, C] float32 in [0, 1].
      size: height and width of the result in pixels, 1 to 7000.
      fraction: side of the square as a share of the image's shorter side, 0 to 1.
    """
    check_size(size)
    check("fraction", fraction, 0, 1)
    sides = tf.shape(image)[:2]
    shorter = tf.cast(tf.reduce_min(sides), tf.float32)
    side = tf.maximum(tf.cast(tf.round(fraction * shorter), tf.int32), 1)
    top, left = tf.unstack((sides - side + 1) // 2)
    return released_resize(tf.slice(image, [top, left, 0], [side, side, -1]), size)


@channelwise
def released_resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes to `size` x `size` pixels by TensorFlow 1's bicubic, as both crops of the release do.

    Shrinking does not average: each pixel comes from 4 x 4 pixels of the image (aliasing). The grid
    starts at the centre of the first pixel (`half_pixel_centers=False`) and is not centred. What is
    shrunk by a factor s thus moves to the right and down, by (1 - 1/s) / 2 pixels of the result;
    what is enlarged s-fold moves to the left and up, by (1 - 1/s) / 2 pixels of the image. The
    cubic has a = -0.75, where TensorFlow 2's and Pillow's have -0.5.

    Args:
      image: [H, W, C] float32 in [0, 1].
      size: height and width of the result in pixels, 1 to 7000.
    """
    check_size(size)
    return tf.clip_by_value(_legacy_bicubic(image, size), 0.0, 1.0)


def _legacy_bicubic(image: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the image resized to `size` x `size` pixels, with the bicubic's overshoot."""
    resized = tf.raw_ops.ResizeBicubic(
        images=image[None], size=[size, size], align_corners=False, half_pixel_centers=False
    )[0]
    return tf.ensure_shape(resized, [size, size, image.shape[-1]])


@channelwise
def clip(image: tf.Tensor) -> tf.Tensor:
    """Clips to [0, 1], after operations that did not.

    Args:
      image: [H, W, C] float32.
    """
    return tf.clip_by_value(image, 0.0, 1.0)


@channelwise
def released_histogram_equalisation(
    image: tf.Tensor, probability: float = 0.5, *, seed: tf.Tensor
) -> tf.Tensor:
    """With a probability, spreads the grey levels as the release does (data_util.py:25-47).

    A level becomes 255 (pixels up to it - pixels of the darkest level) / (pixels - 1), rounded to
    8 bits. The brightest level thus falls with the share of the darkest one: a film that is half
    black has no level above 128, where `histogram_equalisation` reaches 255. The release counts
    levels in bins of 255/256 and looks them up by their whole part. Its grey weights add up to
    0.9999, so that level k of an 8-bit grey image gets the value of level k - 1, and an image of
    one level becomes black.

    Args:
      image: [H, W, C] float32 in [0, 1].
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check_probability(probability)
    return sometimes(lambda: _equalised(image), image, probability, seed)


def _equalised(image: tf.Tensor) -> tf.Tensor:
    # TensorFlow's weights of red, green and blue are 0.2989, 0.5870 and 0.1140.
    levels = tf.image.rgb_to_grayscale(three_channels(image)) * 255.0
    counts = tf.histogram_fixed_width(levels, [0.0, 255.0], _LEVELS)
    up_to = tf.cumsum(counts)
    darkest = up_to[tf.argmax(up_to > 0)]
    others = tf.cast(tf.maximum(tf.size(levels) - 1, 1), tf.float32)
    curve = tf.round(tf.cast(up_to - darkest, tf.float32) * 255.0 / others)
    # The release casts to 8 bits. TensorFlow's cast on CPU makes negative values 0 as well. A graph
    # turns a division by a constant into a product; written as one, eager results are the same.
    curve = tf.clip_by_value(curve, 0.0, 255.0) * (1 / 255)
    equalised = tf.gather(curve, tf.cast(levels, tf.int32))
    return tf.ensure_shape(tf.repeat(equalised, tf.shape(image)[-1], axis=-1), image.shape)


@channelwise
def released_gaussian_blur(
    image: tf.Tensor, probability: float = 0.5, *, seed: tf.Tensor
) -> tf.Tensor:
    """With a probability, blurs with zeros beyond the border, as the release does.

    The radius is half of a tenth of the height, both rounded down, and sigma is uniform in
    [0.1, 2.0] pixels (data_util.py:364-402, 454-474 and 497-525). The zeros darken the border;
    `gaussian_blur` does not. In the release, all images of a batch have the same sigma per view;
    here, as everywhere in this package, each image has its own, with the same law.

    Args:
      image: [H, W, C] float32 in [0, 1].
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check_probability(probability)
    decision, draw = split(seed, 2)

    def change() -> tf.Tensor:
        sigma = tf.random.stateless_uniform([], draw, *BLUR_SIGMA)
        return blurred(image, sigma, zeros_outside=True)

    return sometimes(change, image, probability, decision)
