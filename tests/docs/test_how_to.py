"""The how-to pages: their parts, and the messages that they explain, which the code must have."""

import ast
import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
# That on Keras lists messages of other programs, too.
WITH_MESSAGES = [p for p in HOW_TO if p.stem != "keras"] + [ROOT / "docs" / "quickstart.md"]
PARTS = ("What you need", "What may go wrong", "Next")
SHORTEST = 7  # characters of a piece of a message that tells something
# What a page quotes with an example's values: names, paths, settings, numbers; or leaves out.
VALUE = re.compile(r"\.\.\.|'[^']+'|\S*[/=:]\w\S*|\b[\w-]+\.\w+\b|\b\d[\d,.]*%?")


@functools.cache
def texts() -> list[str]:
    """Returns the constant parts of all strings of the package, longest first."""
    nodes = (
        node
        for path in (ROOT / "remedis").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
    )
    strings = {node.value for node in nodes if isinstance(node, ast.Constant)}
    pieces = {text.strip() for text in strings if isinstance(text, str)}
    return sorted((text for text in pieces if len(text) >= SHORTEST), key=len, reverse=True)


def unexplained(message: str) -> int:
    """Returns the number of characters of a message that the constant texts do not cover."""
    rest = message
    for piece in texts():
        if piece in rest:
            rest = rest.replace(piece, "")
        elif rest in piece:
            return 0
        else:  # the page may quote the beginning or the end of a text
            for size in range(min(len(piece), len(rest)), SHORTEST, -1):
                if rest.endswith(piece[:size]):
                    rest = rest[:-size]
                    break
                if rest.startswith(piece[-size:]):
                    rest = rest[size:]
                    break
    return len(rest)


def messages(page: pathlib.Path) -> list[str]:
    """Returns the messages in the table under "What may go wrong" of a page."""
    section = page.read_text().partition("## What may go wrong")[2].partition("\n## ")[0]
    table = section.partition("| message |")[2].partition("\n\n")[0]
    cells = [line.removeprefix("| ").partition(" | ")[0] for line in table.splitlines()]
    ours = [cell.strip("`") for cell in cells if cell.startswith("`")]
    return [message for message in ours if not message.startswith("ERROR: ")]  # of pip


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_a_how_to_has_its_parts_in_order(page):
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert [heading for heading in headings if heading in PARTS] == list(PARTS)
    assert headings[0] == PARTS[0]
    assert headings[-1] == PARTS[-1]


@pytest.mark.parametrize("page", WITH_MESSAGES, ids=lambda page: page.stem)
def test_the_code_has_the_messages_of_a_page(page):
    assert messages(page)
    for message in messages(page):
        parts = [part.strip() for part in VALUE.split(message) if len(part.strip()) > SHORTEST + 1]
        assert parts, message
        for part in parts:
            # A word may be filled in, such as "positive".
            assert unexplained(part) <= 0.4 * len(part), part
