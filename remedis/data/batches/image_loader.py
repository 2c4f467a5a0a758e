"""Images of a manifest inside `tf.data`, from files and containers alike."""

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.data import readers
from remedis.data.manifest import Manifest
from remedis.preprocess.decode import decode_stored

_Crop = Callable[[tf.Tensor], tf.Tensor]


def image_loader(manifest: Manifest, crop: _Crop = tf.identity) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from the number of a row, a scalar integer, to its image.

    The image is [H, W, 3] float32 in [0, 1], or [H, W, 1] if the file stores grey. TensorFlow reads
    and decodes JPEG and PNG files; items of containers and DICOM files are read in Python.

    Args:
      manifest: the images.
      crop: chooses a part of the pixels [H, W, channels], of any type.
    """
    paths = manifest.absolute_paths()
    kinds = [readers.locate(path).kind for path in paths]
    present = sorted(set(kinds))
    path_of_row = tf.constant(paths, tf.string)
    branch_of_row = tf.constant([present.index(kind) for kind in kinds], tf.int32)

    def load(row: tf.Tensor) -> tf.Tensor:
        path = path_of_row[row]
        # One branch per kind that occurs: a manifest of JPEG and PNG files only needs no Python.
        branches = [functools.partial(_LOADERS[kind], path, crop) for kind in present]
        if len(branches) == 1:
            return branches[0]()
        return tf.switch_case(branch_of_row[row], branches)

    return load


def _file(path: tf.Tensor, crop: _Crop) -> tf.Tensor:
    return decode_stored(tf.io.read_file(path), crop)


def _encoded(path: tf.Tensor, crop: _Crop) -> tf.Tensor:
    # Stateless in TensorFlow's sense: the same path gives the same bytes. With a stateful function
    # and op determinism, TensorFlow reads one image at a time.
    def read(name: bytes) -> bytes:
        return _located(name).read_bytes()

    return decode_stored(tf.numpy_function(read, [path], tf.string, stateful=False), crop)


def _pixels(path: tf.Tensor, crop: _Crop) -> tf.Tensor:
    def read(name: bytes) -> object:
        return _located(name).read_pixels()

    image = tf.numpy_function(read, [path], tf.float32, stateful=False)
    return crop(tf.ensure_shape(image, [None, None, None]))


def _located(name: npt.ArrayLike) -> readers.Location:
    # Within `tf.data` TensorFlow passes bytes; eagerly, an array of them.
    return readers.locate(bytes(np.asarray(name, object).item()).decode())


_LOADERS = {readers.FILE: _file, readers.ENCODED: _encoded, readers.PIXELS: _pixels}
