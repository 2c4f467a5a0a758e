"""The version stands in one place; the documents of a release agree with it."""

import pathlib
import re

import remedis

ROOT = pathlib.Path(__file__).parents[1]


def test_changelog_and_citation_have_the_version_of_the_package():
    changelog = re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert changelog is not None
    assert citation is not None
    assert changelog[1] == citation[1] == remedis.__version__
