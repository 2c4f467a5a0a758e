"""Limit of one thread for linear algebra on small arrays.

The threads of a matrix product that takes less than a millisecond wait for the slowest of them:
where another process is running on the machine, they wait ten times as long as they compute.
"""

import contextlib
import functools
from collections.abc import Iterator

from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limits the linear algebra of NumPy and SciPy to one thread; also works as a decorator."""
    with _controller().limit(limits=1):
        yield


@functools.cache
def _controller() -> ThreadpoolController:
    # Finding the libraries takes about ten milliseconds; a study calls this hundreds of times.
    return ThreadpoolController()
