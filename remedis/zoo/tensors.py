"""Variables of a TensorFlow checkpoint or SavedModel by name, without building a graph."""

import hashlib
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from remedis import compat, files
from remedis.errors import UserError

# Errors of TensorFlow for a damaged checkpoint. An IndexError means a file that is too short.
_UNREADABLE = (tf.errors.OpError, ValueError, RuntimeError, IndexError)


class NamedTensors(Mapping[str, np.ndarray]):
    """The variables of a TensorFlow 2 checkpoint by name, each read from disk on access.

    TensorFlow 2 stores values under their path in the object graph (`_blocks/0/...`). The object
    graph also holds the names of the variables (`block1/unit01/...`), which do not depend on the
    arrangement of the objects.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        try:
            self._reader = tf.train.load_checkpoint(prefix)
            shapes = self._reader.get_variable_to_shape_map()
            self._keys = compat.variable_keys(self._reader)
        except _UNREADABLE as error:
            raise UserError(
                f"{prefix} is not a TensorFlow 2 checkpoint: {first_line(error)}"
            ) from error
        self.shapes = {name: tuple(shapes[key]) for name, key in self._keys.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._reader.get_tensor(self._keys[name])
        except _UNREADABLE as error:
            raise UserError(
                f"{self._prefix}: {name} cannot be read ({first_line(error)}); copy the folder "
                "again."
            ) from error

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


def first_line(error: Exception) -> str:
    """Returns the first line of an error of TensorFlow. Its further lines are a trace."""
    return str(error).strip().splitlines()[0]
