"""Notebooks with their outputs, executed once per state of notebook and package.

The executed copies lie in `.cache/notebooks/`, which git ignores. Their names hold a hash of the
notebook, of the package, of its configs and of the versions of what it computes with. The build of
the site and the tests use the same copies, so that neither executes what the other did.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import metadata

import nbclient
import nbformat

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CACHE = ROOT / ".cache" / "notebooks"
SECONDS = 300  # per cell
_PACKAGES = ("tensorflow", "keras", "tf_keras", "numpy", "pandas", "scikit-learn", "matplotlib")


def executed(path: pathlib.Path, cache: pathlib.Path = CACHE) -> nbformat.NotebookNode:
    """Returns a notebook with its outputs; executes it unless the cache has this state of it.

    Args:
        path: the notebook, without outputs.
        cache: directory of the executed copies.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    target = cache / f"{path.stem}-{_state(path)}.ipynb"
    with _locked(cache / f".{path.stem}.lock"):
        if not target.is_file():
            notebook = nbformat.read(path, as_version=4)
            _execute(notebook)
            for old in cache.glob(f"{path.stem}-*.ipynb"):
                old.unlink()
            partial = target.with_suffix(".partial")
            nbformat.write(notebook, partial)
            partial.replace(target)
        return nbformat.read(target, as_version=4)


def cached(path: pathlib.Path, cache: pathlib.Path = CACHE) -> nbformat.NotebookNode | None:
    """Returns a notebook with its outputs, if the cache has this state of it; executes nothing."""
    target = cache / f"{path.stem}-{_state(path)}.ipynb"
    return nbformat.read(target, as_version=4) if target.is_file() else None


def _execute(notebook: nbformat.NotebookNode) -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = nbclient.NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources=resources
        )
        # What its libraries write to the terminal is no output of the notebook.
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        client.execute(env=environment | {"TMPDIR": folder}, **silent)


def _state(path: pathlib.Path) -> str:
    """Returns a hash of all that the outputs of a notebook depend on."""
    digest = hashlib.sha256(platform.python_version().encode())
    for package in _PACKAGES:
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    sources = [*(ROOT / "remedis").rglob("*.py"), *(ROOT / "configs").glob("*.py")]
    for file in [path, pathlib.Path(__file__), *sorted(sources)]:
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _locked(file: pathlib.Path) -> Iterator[None]:
    """Lets one process at a time into the block."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
