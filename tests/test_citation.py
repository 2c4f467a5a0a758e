"""CITATION.cff has the keys and types of the Citation File Format 1.2.0.

Source: schema-guide.md of github.com/citation-file-format/citation-file-format, version 1.2.0.
"""

import datetime
import pathlib
import re
from typing import Any

import yaml

FILE = pathlib.Path(__file__).parents[1] / "CITATION.cff"
CITATION: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
# Those of the guide that the file may have, with their types.
KEYS: dict[str, type] = {
    "cff-version": str,
    "message": str,
    "title": str,
    "authors": list,
    "type": str,
    "version": str,
    "license": str,
    "abstract": str,
    "keywords": list,
    "references": list,
    "date-released": datetime.date,
    "repository-code": str,
    "url": str,
    "doi": str,
    "identifiers": list,
    "contact": list,
}
REQUIRED = {"authors", "cff-version", "message", "title"}
REFERENCE_KEYS: dict[str, type] = {
    "authors": list,
    "title": str,
    "type": str,
    "notes": str,
    "journal": str,
    "volume": int,
    "issue": int,
    "start": int,
    "end": int,
    "year": int,
    "doi": str,
    "url": str,
}
PERSON = {"family-names", "given-names", "name-particle", "name-suffix", "orcid", "affiliation"}
ENTITY = {"name", "website", "orcid"}


def check_authors(authors):
    assert authors
    for author in authors:
        assert author.keys() <= (ENTITY if "name" in author else PERSON), author
        assert all(isinstance(value, str) and value for value in author.values()), author


def test_the_file_has_the_required_keys_and_no_unknown_ones():
    assert CITATION.keys() >= REQUIRED
    assert CITATION.keys() <= KEYS.keys()
    for key, value in CITATION.items():
        assert isinstance(value, KEYS[key]), key
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] in ("software", "dataset")
    assert CITATION["license"] == "Apache-2.0"
    assert all(isinstance(word, str) for word in CITATION["keywords"])
    check_authors(CITATION["authors"])


def test_every_reference_has_authors_a_title_and_a_type():
    assert CITATION["references"]
    for reference in CITATION["references"]:
        assert reference.keys() >= {"authors", "title", "type"}, reference
        assert reference.keys() <= REFERENCE_KEYS.keys(), reference
        for key, value in reference.items():
            assert type(value) is REFERENCE_KEYS[key], (reference["title"], key)
        assert reference["type"] == "article"
        if "doi" in reference:
            assert re.fullmatch(r"10\.\d{4,9}/\S+", reference["doi"])
        assert reference.get("url", "https://").startswith("https://")
        check_authors(reference["authors"])
