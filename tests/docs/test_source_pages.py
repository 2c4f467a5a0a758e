"""Pages on data sources: every source, every option, and commands that the parser takes."""

import re
import shlex

import pytest

from docs.generate import docstrings, experiment_configs, source_pages
from remedis import cli, options
from remedis.data import sources

SHEET = """Slides: drawn by a program.

Layout:
    drawn/
        slide.tif

Input: tiles,
of 96 pixels.
Labels: `tumor`.
Metadata: slide.
Splits: none.
Get it: draw it.
Citation and terms: yours.

Check it:
    remedis doctor /data/drawn --source=drawn
"""


@pytest.fixture(scope="module")
def pages():
    return source_pages.pages()


def test_every_source_has_a_page_and_a_row_of_the_index(pages):
    assert set(pages) == {"data/index.md", *(f"data/{name}.md" for name in sources.NAMES)}
    for name in sources.NAMES:
        assert f"({name}.md)" in pages["data/index.md"]


@pytest.mark.parametrize("name", sources.NAMES)
def test_a_page_has_all_of_its_datasheet_and_every_option(pages, name):
    page = pages[f"data/{name}.md"]
    for title in ("How to", "Layout on disk", "Check it", "Labels", "Splits", "Options"):
        assert re.search(rf"^## {title}", page, re.MULTILINE), title
    _, sheet = source_pages.sheet(name)
    for heading, text in sheet.items():
        if heading not in ("Terms", "Citation") or name not in source_pages.OWN:
            # On the page it begins with a capital letter, and has links.
            assert text.split("\n")[-1].strip()[1:] in re.sub(
                r"\[([^]]*)\]\(https[^)]*\)", r"\1", page
            )
    for option in sources.options_of(name):
        assert re.search(rf"^\| `{option}` \| \S+.* \| .+ \| \S.* \|$", page, re.MULTILINE)


@pytest.mark.parametrize("name", sources.NAMES)
def test_the_command_that_checks_a_source_has_options_that_exist(name):
    _, sheet = source_pages.sheet(name)
    program, *words = shlex.split(sheet["Check it"])
    parsed = cli.parser().parse_args(words)
    assert (program, parsed.command, parsed.source) == ("remedis", "doctor", name)
    sources._check_options(name, options.literals(parsed.option, "--option"))


def test_configs_and_rehearsals_of_a_source(pages):
    experiments = source_pages.experiments_by_source()
    assert experiments["chexpert"] == ["chexpert", "ood_cxr", "suite_remedis"]
    assert experiments["camelyon17"] == ["ood_path:camelyon16-17", "suite_remedis"]
    for page in pages.values():
        for command, config in re.findall(r"^remedis (\S+) --config=(\S+)", page, re.MULTILINE):
            assert experiment_configs.kind(experiment_configs.load(config)) == command
            assert config.endswith("rehearsal")


def test_headings_of_a_datasheet():
    summary, found = docstrings.datasheet(SHEET)
    assert summary == "Slides: drawn by a program."
    assert found["Layout"] == "    drawn/\n        slide.tif"
    assert found["Input"] == "tiles,\nof 96 pixels."
    assert found["Citation and terms"] == "yours."


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (SHEET.replace("Splits: none.\n", ""), "lacks the heading 'Splits'; write it there"),
        (SHEET.replace("Splits: none.", "Splits: none.\nOdours: none."), "'Odours', which"),
    ],
)
def test_a_missing_or_unknown_heading_is_an_error(sheet, message):
    with pytest.raises(ValueError, match=rf"docstring of drawn\.py .*{message}"):
        source_pages.checked_sheet(sheet, "drawn.py")


def test_an_option_without_a_meaning_is_an_error(monkeypatch):
    def load(data_dir, labels=None, stain: str = "none"):
        """Draws.

        Args:
          labels: all.
        """

    monkeypatch.setitem(sources._SOURCES, "drawn", load)
    with pytest.raises(ValueError, match=r"option 'stain' of .* under 'Args:'"):
        source_pages._options("drawn")


def test_a_source_without_a_row_of_the_index_is_an_error(monkeypatch):
    monkeypatch.setattr(sources, "NAMES", (*sources.NAMES, "drawn"))
    with pytest.raises(ValueError, match=r"'drawn' is not in .*source_pages\.py: CHOICE"):
        source_pages.index()
