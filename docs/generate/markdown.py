"""Markdown of generated pages: tables, code and the prose of docstrings."""

import html
import re
import textwrap
from collections.abc import Iterable, Sequence

# Parts of comments and helps that are code: examples in quotes, keys, placeholders, options.
_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")
_NAMES = re.compile(r"\bconfig(?:\.\w+)+|\{\w+\}|(?<!\S)--[a-z][\w-]*(?:=[\w.]+)?")


def with_code(text: str) -> str:
    """Returns text of a comment or a help with examples, keys and options as code spans."""
    parts = re.split(r"(`[^`]+`)", _QUOTED.sub(r"`\1`", text))
    parts[::2] = [_NAMES.sub(r"`\g<0>`", part) for part in parts[::2]]
    return "".join(parts)


# References in docstrings, which a page links to.
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
_DOI = re.compile(r"DOI (10\.\d+/[\w.-]*\w)")
_ADDRESS = re.compile(r"(?<![\w/.@-])(?:[\w-]+\.)+(?:io|com|org|edu)(?:/[\w./-]*\w)?(?![\w/])")


def with_links(text: str) -> str:
    """Returns prose with links: arXiv numbers, DOIs and addresses without their scheme."""
    parts = re.split(r"(`[^`]+`)", text)
    for i in range(0, len(parts), 2):
        part = _ADDRESS.sub(r"[\g<0>](https://\g<0>)", parts[i])
        part = _ARXIV.sub(r"[\g<0>](https://arxiv.org/abs/\1)", part)
        parts[i] = _DOI.sub(r"[\g<0>](https://doi.org/\1)", part)
    return "".join(parts)


def sentence(text: str) -> str:
    """Returns text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def breakable(name: str) -> str:
    """Returns a path or another long name as code that breaks after its separators."""
    return f"<code>{re.sub(r'(?<=[./_-])(?=.)', '<wbr>', html.escape(name))}</code>"


def cell(text: str) -> str:
    """Returns text for a cell of a table: one line, no bar that would end the cell."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]  # code may have bars
    return "".join(parts)


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
    for block in re.split(r"\n\s*\n", sentence(text.strip("\n"))):
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
