"""Image bytes to pixels: JPEG and PNG, 8 or 16 bits, always three channels in [0, 1]."""

import tensorflow as tf

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

# In a PNG the bit depth follows the signature (8), the header chunk's length and name (8), and
# width and height (8).
_DEPTH_OFFSET = 24


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
    head = tf.strings.substr(contents, 0, _DEPTH_OFFSET + 1)
    is_png = tf.strings.substr(head, 0, len(PNG_SIGNATURE)) == PNG_SIGNATURE
    is_jpeg = tf.strings.substr(head, 0, len(JPEG_SIGNATURE)) == JPEG_SIGNATURE
    # TensorFlow's kernel would also take GIF and, by another name, BMP: formats that no dataset of
    # radiographs or patches uses, and that are more likely a mistake.
    tf.debugging.Assert(is_png | is_jpeg, ["Neither a JPEG nor a PNG file."])
    # Padded, so that the depth of a file cut off before it reads as 0 and the decoder complains.
    padded = tf.strings.join([head, b"\0" * (_DEPTH_OFFSET + 1)])
    is_deep = is_png & (tf.strings.substr(padded, _DEPTH_OFFSET, 1) == b"\x10")
    image = tf.cond(is_deep, lambda: _decode16(contents), lambda: _decode8(contents))
    return tf.ensure_shape(image, [None, None, 3])


def _decode16(contents: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_png(contents, channels=3, dtype=tf.uint16), tf.float32) / 65535.0


def _decode8(contents: tf.Tensor) -> tf.Tensor:
    # `decode_jpeg` decodes PNG as well. The accurate transform is the one other libraries use by
    # default; the fast one differs from it by several grey levels.
    pixels = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
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
