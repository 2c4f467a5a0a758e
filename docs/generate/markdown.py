"""Markdown of generated pages: tables, code and the prose of docstrings."""

import html
import re
import textwrap
from collections.abc import Iterable, Sequence


def code(text: object) -> str:
    """Returns text as a code span for a cell of a table or a line; empty for no text."""
    return f"`{text}`" if str(text) else ""


def breakable(name: str) -> str:
    """Returns a path or another long name as code that breaks after its separators."""
    return f"<code>{re.sub(r'(?<=[./_-])(?=.)', '<wbr>', html.escape(name))}</code>"


def cell(text: str) -> str:
    """Returns text for a cell of a table: one line, no bar that would end the cell."""
    return " ".join(text.split()).replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; every cell is Markdown."""
    lines = [header, ["---"] * len(header), *([cell(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fence(text: str, language: str = "text") -> str:
    """Returns text in a fence."""
    return f"```{language}\n{text.strip()}\n```\n"


def prose(text: str) -> str:
    """Returns the prose of a docstring as Markdown: an indented block becomes a fence.

    It begins with a capital letter, which it lacks behind a heading and a colon.
    A block that begins with a bar is a table and stays one. A block of commands, each of which
    begins with `python ` or `remedis `, is a fence of the shell's language.
    """
    parts = []
    text = text[:1].upper() + text[1:]
    for block in re.split(r"\n\s*\n(?=    )|\n\s*\n(?!    )", text.strip("\n")):
        if not block.startswith("    "):
            parts.append(block + "\n")
            continue
        inner = textwrap.dedent(block)
        if inner.startswith("|"):
            parts.append(inner + "\n")
        else:
            shell = inner.startswith(("python ", "remedis "))
            parts.append(fence(inner, "sh" if shell else "text"))
    return "\n".join(parts)
