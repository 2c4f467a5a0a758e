"""The built documentation site, once for all tests of it."""

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
    """Returns the site after a strict build, which ends with an error at the first warning."""
    folder = tmp_path_factory.mktemp("documentation") / "site"
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "REMEDIS_DOCS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert build.returncode == 0, build.stdout
    # Nothing links to the server's page for addresses that do not exist. The example of a report is
    # what a run writes, and no page of the site.
    others = ("404.html", "example-report.html")
    paths = [path for path in sorted(folder.rglob("*.html")) if path.name not in others]
    pages = {str(path.relative_to(folder)): read_page(path) for path in paths}
    return Site(folder, pages, build.stdout)
