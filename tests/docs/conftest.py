"""The built documentation site, once for all tests of it."""

import fcntl
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.docs.html_page import Page, read_page

ROOT = pathlib.Path(__file__).parents[2]


class Site(NamedTuple):
    """Folder of the site, its pages by path, and what the build printed."""

    folder: pathlib.Path
    pages: dict[str, Page]
    printed: str


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Site:
    """Returns the site after a strict build.

    Processes that test together share one build.
    """
    temporary = tmp_path_factory.getbasetemp()
    shared = temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary
    folder, log = shared / "documentation" / "site", shared / "documentation" / "printed.txt"
    folder.parent.mkdir(exist_ok=True)
    with (shared / "documentation.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        if not log.exists():
            log.write_text(_build(folder), encoding="utf-8")
    # The server's page for addresses that do not exist: nothing links to it.
    paths = [path for path in sorted(folder.rglob("*.html")) if path.name != "404.html"]
    pages = {str(path.relative_to(folder)): read_page(path) for path in paths}
    return Site(folder, pages, log.read_text(encoding="utf-8"))


def _build(folder: pathlib.Path) -> str:
    """Builds the site, and returns what the build printed."""
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "REMEDIS_DOCS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # A strict build ends after all pages are written, and says so: test_site.py reads it.
    return build.stdout
