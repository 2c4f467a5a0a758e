"""Decoding of JPEG and PNG images of 1 to 16 bits to three channels in [0, 1]."""

import tensorflow as tf

from remedis.preprocess.registry import three_channels

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

# The bit depth of a PNG follows the signature (8 bytes), length and name of the header chunk (8),
# and width and height (8). The next byte is the colour type.
_DEPTH_OFFSET, _COLOUR_OFFSET = 24, 25


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
      tf.errors.InvalidArgumentError: the bytes are empty, truncated, damaged or of another format.
    """
    return three_channels(decode_stored(contents))


def decode_stored(contents: tf.Tensor) -> tf.Tensor:
    """Decodes one file as `decode_image` does, but gives one channel for a grey file.

    Args:
      contents: scalar string, the bytes of the file.

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
    assertion = tf.debugging.Assert(is_png | is_jpeg, ["Neither a JPEG nor a PNG file."])
    with tf.control_dependencies([] if assertion is None else [assertion]):  # eagerly it is None
        contents = tf.identity(contents)
    # Padding gives a truncated file the depth 0, so that the decoder raises the error.
    padded = tf.strings.join([head, b"\0" * (_COLOUR_OFFSET + 1)])
    is_deep = is_png & (tf.strings.substr(padded, _DEPTH_OFFSET, 1) == b"\x10")
    colour = tf.strings.substr(padded, _COLOUR_OFFSET, 1)
    is_grey = tf.cond(
        is_png,
        # Colour types: grey, or grey with alpha.
        lambda: (colour == b"\x00") | (colour == b"\x04"),
        lambda: tf.image.extract_jpeg_shape(contents)[2] == 1,
    )

    def decoded(channels: int) -> tf.Tensor:
        return tf.cond(
            is_deep, lambda: _decode16(contents, channels), lambda: _decode8(contents, channels)
        )

    image = tf.cond(is_grey, lambda: decoded(1), lambda: decoded(3))
    return tf.ensure_shape(image, [None, None, None])


def _decode16(contents: tf.Tensor, channels: int) -> tf.Tensor:
    pixels = tf.io.decode_png(contents, channels=channels, dtype=tf.uint16)
    return tf.cast(pixels, tf.float32) / 65535.0


def _decode8(contents: tf.Tensor, channels: int) -> tf.Tensor:
    # `decode_jpeg` decodes PNG too. The accurate transform is the default of other libraries; the
    # fast one differs from it by several grey levels.
    pixels = tf.io.decode_jpeg(contents, channels=channels, dct_method="INTEGER_ACCURATE")
    return tf.cast(pixels, tf.float32) / 255.0


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
