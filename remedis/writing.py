"""Sentences for errors of TensorFlow when it writes files."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from remedis import files
from remedis.errors import UserError


@contextlib.contextmanager
def written(what: files.Path, meanwhile: str = "") -> Iterator[None]:
    """Turns the errors of a full disk or of missing rights into a UserError.

    Args:
      what: the file or folder that is written.
      meanwhile: end of the sentence: what exists in its place.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        # The first line of TensorFlow's message ends with the message of the system.
        reason = str(error).splitlines()[0].rpartition("; ")[2].partition(" [Op:")[0]
        raise UserError(
            f"{what} cannot be written ({reason}){meanwhile}: make room or correct the rights, and "
            "start again."
        ) from error
