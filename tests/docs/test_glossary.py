"""The glossary: in order, short, of words that are in use, and linked to where it exists."""

import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## (.+)\n\n(.+)$", GLOSSARY, re.MULTILINE))
# Two entries for two meanings of one word.
USED_AS = {"Study of a patient": "study_id", "Study of label budgets": "label-budget study"}


@functools.cache
def elsewhere() -> str:
    """Returns all text of package, configs and documents but the glossary, in lower case."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    files += [file for folder in ("remedis", "configs") for file in (ROOT / folder).rglob("*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files if file.name != "glossary.md"]
    return " ".join(" ".join(texts).lower().split())


def anchor(term: str) -> str:
    return re.sub(r"\W+", "-", term.lower())


def test_entries_are_sorted_and_each_has_one_to_three_sentences():
    assert list(ENTRIES) == sorted(ENTRIES, key=str.lower)
    assert len(ENTRIES) == GLOSSARY.count("\n## ")
    own = {term: re.sub(r" See [^.]*\]\([^)]*\)\.$", "", text) for term, text in ENTRIES.items()}
    assert not {t for t, text in own.items() if not 1 <= len(re.findall(r"\.(\s|$)", text)) <= 3}


@pytest.mark.parametrize("term", ENTRIES)
def test_a_term_is_used_outside_the_glossary(term):
    assert re.search(rf"\b{re.escape(USED_AS.get(term, term).lower())}", elsewhere())


def test_links_to_terms_lead_to_entries():
    anchors = {anchor(term) for term in ENTRIES}
    linked = set(re.findall(r"\]\(#([^)]+)\)", GLOSSARY))
    for file in (ROOT / "docs").rglob("*.md"):
        linked |= set(re.findall(r"glossary\.md#([\w-]+)", file.read_text(encoding="utf-8")))
    assert linked <= anchors
