"""The image of a manifest's row, inside `tf.data`, wherever it lies."""

import functools
from collections.abc import Callable

import tensorflow as tf

from remedis.data import readers
from remedis.data.manifest import Manifest
from remedis.preprocess.decode import decode_stored


def image_loader(manifest: Manifest) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from the number of a row, a scalar integer, to its image.

    The image is [H, W, 3] float32 in [0, 1], or [H, W, 1] of a file that stores grey. Files are
    read and decoded by TensorFlow; items of containers and DICOM files by their reader, in Python.
    """
    paths = manifest.absolute_paths()
    kinds = [readers.locate(path).kind for path in paths]
    present = sorted(set(kinds))
    path_of = tf.constant(paths, tf.string)
    way_of = tf.constant([present.index(kind) for kind in kinds], tf.int32)

    def load(row: tf.Tensor) -> tf.Tensor:
        path = path_of[row]
        # Only what occurs is built, so that files alone need no Python.
        ways = [functools.partial(_WAYS[kind], path) for kind in present]
        return ways[0]() if len(ways) == 1 else tf.switch_case(way_of[row], ways)

    return load


def _file(path: tf.Tensor) -> tf.Tensor:
    return decode_stored(tf.io.read_file(path))


def _encoded(path: tf.Tensor) -> tf.Tensor:
    # Stateless in TensorFlow's sense: the same path gives the same bytes. Otherwise a process with
    # op determinism would read one image at a time.
    def read(name: bytes) -> bytes:
        return readers.locate(name.decode()).read_bytes()

    return decode_stored(tf.numpy_function(read, [path], tf.string, stateful=False))


def _pixels(path: tf.Tensor) -> tf.Tensor:
    def read(name: bytes) -> object:
        return readers.locate(name.decode()).read_pixels()

    image = tf.numpy_function(read, [path], tf.float32, stateful=False)
    return tf.ensure_shape(image, [None, None, None])


_WAYS = {readers.FILE: _file, readers.ENCODED: _encoded, readers.PIXELS: _pixels}
