"""The tables of docs/licences.md are those of `remedis.zoo.licences`."""

import importlib
import pathlib
import re

from remedis.zoo import licences

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "licences.md").read_text(encoding="utf-8")


def rows(section):
    part = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    cells = [
        [re.sub(r"[`<>]", "", cell.strip()) for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ]
    return cells[2:]


def terms(link):
    if link["status"] == licences.READ:
        return link["terms"]
    return f"{link['terms']}; not checked" if link["terms"] else "not checked"


def test_the_table_of_data_is_that_of_the_package():
    assert rows("Data") == [
        [source, link["name"], terms(link), link["where"]]
        for source, link in sorted(licences.PUBLISHED.items())
    ]


def test_the_table_of_weights_is_that_of_the_package():
    links = (licences.RELEASE, licences.BIT, licences.KERAS)
    assert [row[1:] for row in rows("Weights")[:3]] == [
        [terms(link), link["where"]] for link in links
    ]


def test_the_datasheets_of_the_sources_say_the_same():
    for source, link in licences.PUBLISHED.items():
        module = importlib.import_module(f"remedis.data.sources.{source}")
        (said,) = re.findall(r"^Terms: (.+)$", module.__doc__, re.MULTILINE)
        assert ("CC0" in said) == (link["terms"] == "CC0"), source
        if link["status"] == licences.NOT_CHECKED:
            assert re.search("read (it|them)", said.lower()), source


def test_the_states_are_those_of_a_link():
    assert [row[0] for row in rows("The chain of a model")] == [
        licences.READ,
        licences.STATED,
        licences.NOT_CHECKED,
    ]
