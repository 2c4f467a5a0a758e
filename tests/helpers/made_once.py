"""A fixture that makes what is slow to make once for all workers of pytest."""

import fcntl
import os
import pathlib
from collections.abc import Callable

import pytest

Once = Callable[[str, Callable[[pathlib.Path], object]], pathlib.Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Returns `once(name, make)`, which returns the folder that `make(folder)` writes.

    All workers of pytest share one folder per name: no test may change it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def get(name: str, make: Callable[[pathlib.Path], object]) -> pathlib.Path:
        folder, done = base / name, base / f"{name}.done"
        with open(base / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                make(folder)
                done.touch()
        return folder

    return get
