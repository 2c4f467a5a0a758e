"""Image bytes to pixels: JPEG and PNG, 8 or 16 bits, always three channels in [0, 1]."""

import tensorflow as tf

from remedis.preprocess.registry import three_channels

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

# In a PNG the bit depth follows the signature (8), the header chunk's length and name (8), and
# width and height (8); the byte after it tells grey from colour.
_DEPTH_OFFSET, _COLOUR_OFFSET = 24, 25


def decode_image(contents: tf.Tensor) -> tf.Tensor:
    """Decodes one JPEG or PNG file; the same eagerly and inside `tf.data`.

    JPEG may be grey, RGB or CMYK; PNG grey, RGB or palette, of 1 to 16 bits. Grey is repeated into
    three channels and alpha is dropped, not blended. Sixteen-bit PNGs keep their low byte: a value
    v becomes v / 65535, so an image that uses only 12 of the 16 bits is dark and stays so. EXIF
    orientation is not applied.

    Args:
      contents: scalar string, the bytes of the file.

    Returns:
      [H, W, 3] float32 in [0, 1].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are empty, truncated, damaged, or of another format.
    """
    return three_channels(decode_stored(contents))


def decode_stored(contents: tf.Tensor) -> tf.Tensor:
    """Decodes like `decode_image`, but a file that stores grey gives one channel.

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
    # TensorFlow's kernel would also take GIF and, by another name, BMP: formats that no dataset of
    # radiographs or patches uses, and that are more likely a mistake.
    known = tf.debugging.Assert(is_png | is_jpeg, ["Neither a JPEG nor a PNG file."])
    with tf.control_dependencies([] if known is None else [known]):  # None: eagerly
        contents = tf.identity(contents)
    # Padded, so that the depth of a file cut off before it reads as 0 and the decoder complains.
    padded = tf.strings.join([head, b"\0" * (_COLOUR_OFFSET + 1)])
    is_deep = is_png & (tf.strings.substr(padded, _DEPTH_OFFSET, 1) == b"\x10")
    colour = tf.strings.substr(padded, _COLOUR_OFFSET, 1)
    is_grey = tf.cond(
        is_png,
        # Grey, or grey with alpha.
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
    # `decode_jpeg` decodes PNG as well. The accurate transform is the one other libraries use by
    # default; the fast one differs from it by several grey levels.
    pixels = tf.io.decode_jpeg(contents, channels=channels, dct_method="INTEGER_ACCURATE")
    return tf.cast(pixels, tf.float32) / 255.0


def from_pixels(pixels: tf.Tensor) -> tf.Tensor:
    """Returns what `decode_image` would, for an image that is decoded already.

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
