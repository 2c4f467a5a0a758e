"""One thread for many small products, where several wait for each other.

The threads of a product that takes less than a millisecond spend their time waiting for the last of
them: ten times as long as they work, where something else runs on the machine.
"""

import contextlib
import functools
from collections.abc import Iterator

from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keeps the linear algebra of NumPy and SciPy to one thread; also a decorator."""
    with _controller().limit(limits=1):
        yield


@functools.cache
def _controller() -> ThreadpoolController:
    # To find the libraries takes some ten milliseconds; a study asks hundreds of times.
    return ThreadpoolController()
