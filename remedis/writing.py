"""What TensorFlow cannot write, said as a sentence."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from remedis import files
from remedis.errors import UserError


@contextlib.contextmanager
def written(what: files.Path, meanwhile: str = "") -> Iterator[None]:
    """Turns the errors of a full disk or of missing rights into a UserError.

    Args:
      what: is being written.
      meanwhile: what there is in its place.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow says last, in its first line, what the system said.
        reason = str(error).splitlines()[0].rpartition("; ")[2].partition(" [Op:")[0]
        raise UserError(
            f"{what} cannot be written ({reason}){meanwhile}: make room or mend the rights, and "
            "start again."
        ) from error
