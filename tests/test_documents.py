"""Documents for developers agree with the repository: versions, and the files that they name."""

import pathlib
import re

import pytest

import remedis

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = (
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
)
PATHS = re.compile(r"`((?:remedis|tests|configs|benchmarks|docs|finetune|saved_models)/[\w./]+)`")
MODULES = re.compile(r"`(remedis(?:\.[a-z_0-9]+)+)")


def test_changelog_and_citation_have_the_version_of_the_package():
    changelog = re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert changelog is not None
    assert citation is not None
    assert changelog[1] == citation[1] == remedis.__version__


def test_the_readme_is_one_screen_and_its_links_lead_to_files_of_the_repository():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 80
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert {"docs/quickstart.md", "docs/results.md"} <= set(links)
    assert not [link for link in links if not (ROOT / link).is_file()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_exists(document):
    paths = {path for path in PATHS.findall((ROOT / document).read_text()) if "NAME" not in path}
    assert not {path for path in paths if not (ROOT / path).exists()}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_module_that_a_document_names_exists(document):
    for name in set(MODULES.findall((ROOT / document).read_text())) - {"remedis.json"}:
        path = ROOT / name.replace(".", "/")
        # The last part may be a name in the module.
        assert (
            path.exists()
            or path.with_suffix(".py").exists()
            or path.parent.with_suffix(".py").exists()
            or name.removeprefix("remedis.") in remedis.__all__
        ), name
