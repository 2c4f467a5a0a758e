"""Silence of other code while an export is written and checked."""

import contextlib
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(logger: str, level: int = logging.WARNING) -> Iterator[None]:
    """Keeps back warnings of Python, and messages below a level of one logger.

    Args:
      logger: its name.
      level: of the messages that are still shown.
    """
    found = logging.getLogger(logger)
    before = found.level
    found.setLevel(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        found.setLevel(before)
