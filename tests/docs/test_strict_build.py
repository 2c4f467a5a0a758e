"""`make docs` ends with an error at a broken link, a broken anchor and a page outside the menu."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
FAULTS = {
    "[none](none.md)": "'none.md', but the target is not found",
    "[none](other.md#none)": "does not contain an anchor '#none'",
    "[none](#none)": "there is no such anchor on this page",
    "[none](/other.md)": "absolute link '/other.md'",
}


def options_of_make_docs() -> list[str]:
    """Returns the options with which `make docs` calls mkdocs."""
    command = re.search(r"/mkdocs build(.*)", (ROOT / "Makefile").read_text())
    return command[1].split()


def built(folder: pathlib.Path, page: str, nav: str) -> subprocess.CompletedProcess[str]:
    """Builds a site of two pages, with the settings of the real one but a faster theme."""
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(f"# Home\n\n{page}\n")
    (folder / "docs" / "other.md").write_text("# Other\n\n## Section\n")
    (folder / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\n"
        f"docs_dir: {folder / 'docs'}\n"
        f"theme: {{name: mkdocs, custom_dir: {ROOT / 'docs' / 'theme'}}}\n"
        "plugins: []\nhooks: []\nextra_css: []\n"
        f"nav: {nav}\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", *options_of_make_docs()],
        cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


def test_a_site_with_right_links_builds(tmp_path):
    build = built(tmp_path, "[section](other.md#section)", "[index.md, other.md]")
    assert build.returncode == 0, build.stderr


def test_every_fault_is_named_and_ends_the_build(tmp_path):
    build = built(tmp_path, "\n\n".join(FAULTS), "[index.md]")
    assert build.returncode == 1
    assert not [warning for warning in FAULTS.values() if warning not in build.stderr]
    assert 'not included in the "nav" configuration' in build.stderr
