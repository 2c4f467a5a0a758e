"""Variables of a TensorFlow checkpoint or SavedModel by name, without building a graph."""

import errno
import glob
import hashlib
import math
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from remedis import compat, files, limits, regular_files
from remedis.errors import UserError, first_line

# Errors of TensorFlow for a damaged checkpoint. An IndexError means a file that is too short.
_UNREADABLE = (tf.errors.OpError, ValueError, RuntimeError, IndexError, OSError)


class NamedTensors(Mapping[str, np.ndarray]):
    """The variables of a TensorFlow 2 checkpoint by name, each read from disk on access.

    TensorFlow 2 stores values under their path in the object graph (`_blocks/0/...`). The object
    graph also holds the names of the variables (`block1/unit01/...`), which do not depend on the
    arrangement of the objects.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        try:
            self._reader = _reader(prefix)
            shapes = self._reader.get_variable_to_shape_map()
            self._keys = compat.variable_keys(self._reader)
        except _UNREADABLE as error:
            raise UserError(
                f"{prefix} is not a TensorFlow 2 checkpoint: {first_line(error)}"
            ) from error
        self.shapes = {name: tuple(shapes[key]) for name, key in self._keys.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            values = self._reader.get_tensor(self._keys[name])
        except _UNREADABLE as error:
            raise UserError(
                f"{self._prefix}: {name} cannot be read ({first_line(error)}); copy the folder "
                "again."
            ) from error
        if fault := not_finite(values):
            raise UserError(
                f"{self._prefix}: {name} {fault}; expected finite weights: copy the folder again, "
                "or take other weights."
            )
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def saved_model_variables(directory: files.Path) -> NamedTensors:
    """Returns the variables of a SavedModel folder.

    Raises:
      UserError: the folder is missing or is no SavedModel. The message says what it seems to be.
    """
    folder = pathlib.Path(directory)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; expected a SavedModel folder.")
    if not (folder / "saved_model.pb").is_file():
        kind = "a TF1 checkpoint" if any(folder.glob("*.meta")) else "not a SavedModel"
        raise UserError(
            f"{folder} is {kind}: it has no saved_model.pb; expected a folder with "
            "saved_model.pb and variables/."
        )
    prefix = folder / "variables" / "variables"
    if not prefix.with_suffix(".index").is_file():
        raise UserError(f"{folder} lacks variables/variables.index: copy the folder whole.")
    return NamedTensors(os.fspath(prefix))


def variables_sha256(directory: files.Path) -> str:
    """Returns the SHA-256 of the hashes of a SavedModel's variable shards, in order of names."""
    digest = hashlib.sha256()
    for shard in sorted(pathlib.Path(directory, "variables").glob("variables.data-*")):
        digest.update(bytes.fromhex(files.sha256(shard)))
    return digest.hexdigest()


def model_sha256(directory: files.Path) -> str:
    """Returns the SHA-256 of the hashes of a SavedModel's graph and variable shards.

    A frozen model has its weights in the graph. Two exports of one network differ in it.
    """
    digest = hashlib.sha256(bytes.fromhex(files.sha256(pathlib.Path(directory, "saved_model.pb"))))
    digest.update(bytes.fromhex(variables_sha256(directory)))
    return digest.hexdigest()


def _reader(prefix: str) -> "tf.train.CheckpointReader":
    """Opens a checkpoint whose tensors are no larger than its files.

    Raises:
      Exception: one of `_UNREADABLE`.
    """
    # TensorFlow waits forever for a pipe, and allocates what a tensor declares before it reads.
    index = f"{prefix}.index"
    if not os.path.lexists(index):
        raise FileNotFoundError(errno.ENOENT, "its index is missing", index)
    regular_files.check_regular(index, limits.MAX_INDEX_BYTES)
    shards = glob.glob(f"{glob.escape(prefix)}.data-*-of-*")
    if not shards:
        raise FileNotFoundError(errno.ENOENT, "its data file is missing", index)
    size = sum(regular_files.check_regular(shard).st_size for shard in shards)
    try:
        reader = tf.train.load_checkpoint(prefix)
    except MemoryError as error:  # of a block whose size is damaged
        raise ValueError("it declares more than fits into memory") from error
    types = reader.get_variable_to_dtype_map()
    declared = sum(
        math.prod(shape) * max(types[key].size, 1)
        for key, shape in reader.get_variable_to_shape_map().items()
    )
    if declared > size:
        raise ValueError(f"it declares {declared:,} bytes, and its files have {size:,}")
    return reader


def damage(prefix: files.Path, may_be_infinite: str = "") -> str | None:
    """Returns what is wrong with a checkpoint of TensorFlow, in words; None if it is undamaged.

    Every value is read, which compares its checksum, and has to be finite.

    Args:
      prefix: path of the checkpoint, without suffix.
      may_be_infinite: the name of a value that may be infinite.
    """
    try:
        reader = _reader(os.fspath(prefix))
        for key in reader.get_variable_to_shape_map():
            values = np.asarray(reader.get_tensor(key))
            infinite = may_be_infinite and key.startswith(may_be_infinite)
            if not infinite and (fault := not_finite(values)):
                return f"{key.partition('/.ATTRIBUTES')[0]} {fault}"
    except _UNREADABLE as error:
        return first_line(error)
    return None


def not_finite(values: np.ndarray) -> str | None:
    """Returns what is wrong with numbers that are not all finite, in words; None if they are."""
    if values.dtype.kind not in "fc" or np.isfinite(values).all():
        return None
    count = values.size - int(np.isfinite(values).sum())
    return f"has NaN or infinity in {count:,} of its {values.size:,} numbers"
