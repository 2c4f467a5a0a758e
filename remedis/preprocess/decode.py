"""Decoding of JPEG and PNG images of 1 to 16 bits to three channels in [0, 1]."""

import struct
from collections.abc import Callable

import tensorflow as tf

from remedis import limits
from remedis.preprocess.registry import three_channels

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

# A PNG begins with the signature (8 bytes), length and name of the header chunk (8), width and
# height (4 each, the higher byte first), the bit depth and the colour type.
_SIZE_OFFSET, _DEPTH_OFFSET, _COLOUR_OFFSET = 16, 24, 25
# The marker cannot be in compressed data, where a byte of 0 follows FF. Encoders write 1 to some 20
# scans; the decoder goes over the whole image for each of them.
_SCAN, _MOST_SCANS = b"\xff\xda", 200
_TOO_MANY_SCANS = (
    f"The JPEG file has more scans than expected, {_MOST_SCANS}; save the image again."
)
_TOO_LARGE = (
    "The image has more pixels than the limit, which is set when this graph is made; height, width "
    "and the limit on their product:"
)


def stated_size(contents: bytes) -> tuple[int, int] | None:
    """Returns height and width of a JPEG or PNG file by its header; None if it is damaged."""
    if contents.startswith(PNG_SIGNATURE):
        header = contents[_SIZE_OFFSET:_DEPTH_OFFSET]
        if len(header) < _DEPTH_OFFSET - _SIZE_OFFSET:
            return None
        width, height = struct.unpack(">II", header)
        return height, width
    if not contents.startswith(JPEG_SIGNATURE):
        return None
    try:
        # The decoder's own reading of the header: another parser may find another size.
        height, width, _ = tf.io.extract_jpeg_shape(contents).numpy().tolist()
    except tf.errors.InvalidArgumentError:
        return None
    return height, width


def refusal(contents: bytes) -> str | None:
    """Returns the sentence about a JPEG or PNG file with too many pixels or scans.

    The file is not decoded. Returns None for an image within the limits, and for a damaged file.
    """
    is_jpeg = contents.startswith(JPEG_SIGNATURE)
    if is_jpeg and (scans := contents.count(_SCAN)) > _MOST_SCANS:
        return (
            f"The JPEG file has {scans:,} scans; expected at most {_MOST_SCANS}: save the image "
            "again."
        )
    size = stated_size(contents)
    return None if size is None else limits.refusal(*size)


def decode_image(contents: tf.Tensor) -> tf.Tensor:
    """Decodes one JPEG or PNG file, with the same result eagerly and inside `tf.data`.

    A JPEG may be grey, RGB or CMYK; a PNG may be grey, RGB or palette, of 1 to 16 bits. Grey is
    repeated into three channels; alpha is dropped, not blended. A 16-bit PNG keeps its low byte: a
    value v becomes v / 65535, so an image that uses only 12 of the 16 bits stays dark. EXIF
    orientation is not applied.

    Args:
      contents: scalar string, the bytes of the file.

    Returns:
      [H, W, 3] float32 in [0, 1].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are empty, truncated, damaged or of another format,
        or the image has more scans than encoders write, or more pixels than the limit
        (`remedis.limits`) had when the graph was made.
    """
    return three_channels(decode_stored(contents))


def decode_stored(
    contents: tf.Tensor, crop: Callable[[tf.Tensor], tf.Tensor] = tf.identity
) -> tf.Tensor:
    """Decodes one file as `decode_image` does, but gives one channel for a grey file.

    Args:
      contents: scalar string, the bytes of the file.
      crop: chooses a part of the pixels, [H, W, channels] uint8 or uint16, before they become
        floats, so that those it drops never do.

    Returns:
      [H, W, 3] or [H, W, 1] float32 in [0, 1].

    Raises:
      tf.errors.InvalidArgumentError: as `decode_image`.
    """
    head = tf.strings.substr(contents, 0, _COLOUR_OFFSET + 1)
    is_png = tf.strings.substr(head, 0, len(PNG_SIGNATURE)) == PNG_SIGNATURE
    is_jpeg = tf.strings.substr(head, 0, len(JPEG_SIGNATURE)) == JPEG_SIGNATURE
    # TensorFlow's kernel also accepts GIF and, by another name, BMP. No data set of radiographs or
    # patches has these formats: they are more likely a mistake.
    contents = _asserted(is_png | is_jpeg, ["Neither a JPEG nor a PNG file."], contents)
    # Padding gives a truncated file the size and depth 0, so that the decoder raises the error.
    padded = tf.strings.join([head, b"\0" * (_COLOUR_OFFSET + 1)])
    is_deep = is_png & (tf.strings.substr(padded, _DEPTH_OFFSET, 1) == b"\x10")
    shape, scans = tf.cond(
        is_png,
        lambda: (_png_shape(padded), 0),
        lambda: (tf.io.extract_jpeg_shape(contents), _scans(contents)),
    )
    contents = _asserted(scans <= _MOST_SCANS, [_TOO_MANY_SCANS], contents)
    is_grey = shape[2] == 1
    limit = limits.max_pixels()
    fits = tf.cast(shape[0], tf.int64) * tf.cast(shape[1], tf.int64) <= limit
    contents = _asserted(fits, [_TOO_LARGE, shape[:2], limit], contents)

    def decoded(channels: int) -> tf.Tensor:
        return tf.cond(
            is_deep,
            lambda: tf.cast(crop(_decode16(contents, channels)), tf.float32) / 65535.0,
            lambda: tf.cast(crop(_decode8(contents, channels)), tf.float32) / 255.0,
        )

    image = tf.cond(is_grey, lambda: decoded(1), lambda: decoded(3))
    return tf.ensure_shape(image, [None, None, None])


def _scans(contents: tf.Tensor) -> tf.Tensor:
    """Returns the number of scans of a JPEG file, counted up to one more than permitted."""
    # Unbounded, the parts of a hostile file would take ten times its size.
    most = _MOST_SCANS + 1
    return tf.size(tf.strings.split(contents[None], _SCAN, maxsplit=most).values) - 1


def _asserted(condition: tf.Tensor, data: list[object], contents: tf.Tensor) -> tf.Tensor:
    """Returns `contents`, which is not used unless the condition holds."""
    assertion = tf.debugging.Assert(condition, data)
    with tf.control_dependencies([] if assertion is None else [assertion]):  # eagerly it is None
        return tf.identity(contents)


def _png_shape(padded: tf.Tensor) -> tf.Tensor:
    """Returns height, width and channels, 1 or 3, of a PNG from its first bytes, [3] int32."""
    size = tf.strings.substr(padded, _SIZE_OFFSET, _DEPTH_OFFSET - _SIZE_OFFSET)
    width, height = tf.unstack(tf.io.decode_raw(size, tf.int32, little_endian=False), 2)
    colour = tf.strings.substr(padded, _COLOUR_OFFSET, 1)
    # Colour types: grey, or grey with alpha.
    is_grey = (colour == b"\x00") | (colour == b"\x04")
    return tf.stack([height, width, tf.where(is_grey, 1, 3)])


def _decode16(contents: tf.Tensor, channels: int) -> tf.Tensor:
    return tf.io.decode_png(contents, channels=channels, dtype=tf.uint16)


def _decode8(contents: tf.Tensor, channels: int) -> tf.Tensor:
    # `decode_jpeg` decodes PNG too. The accurate transform is the default of other libraries; the
    # fast one differs from it by several grey levels.
    return tf.io.decode_jpeg(contents, channels=channels, dct_method="INTEGER_ACCURATE")


def from_pixels(pixels: tf.Tensor) -> tf.Tensor:
    """Converts pixels that are decoded already to the result of `decode_image`.

    Args:
      pixels: [H, W, channels] uint8 or uint16; 1 channel (grey), 2 (grey, alpha), 3 (RGB) or 4
        (RGB, alpha). Alpha is dropped.

    Returns:
      [H, W, 3] float32 in [0, 1].
    """
    image = tf.cast(pixels, tf.float32) / float(pixels.dtype.max)
    grey = tf.shape(image)[-1] < 3
    colours = tf.cond(grey, lambda: tf.repeat(image[..., :1], 3, axis=-1), lambda: image[..., :3])
    return tf.ensure_shape(colours, [None, None, 3])
