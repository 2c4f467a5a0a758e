"""Markdown: names and sentences of others, escaped so that they have no markup.

GitHub Flavored Markdown 0.29 is the grammar: backslash escapes (6.1), code spans (6.3), raw HTML
(6.10), autolinks (6.9), tables (4.10).
"""

import re

from remedis.visible_text import visible

# An underscore within a word and a number sign within or after one are no markup.
_MARKUP = re.compile(
    r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])|(?<!\S)#|(?<=\w):(?=//)|(?<=www)\.|(?<=\w)@"
)
# Beginnings of a list, a rule, or the line below a heading.
_BLOCK = re.compile(r"(?:[-+=]|\d+(?=[.)](?:\s|$)))")


def text(value: object) -> str:
    """Returns a value as text within a line or a cell: no markup, no HTML, no link, one line."""
    escaped = _MARKUP.sub(r"\\\g<0>", visible(str(value)).strip())
    if begin := _BLOCK.match(escaped):
        at = begin.end() if begin[0][-1:].isdigit() else begin.end() - 1
        escaped = f"{escaped[:at]}\\{escaped[at:]}"
    return escaped


def code(value: object) -> str:
    """Returns a value as a code span within a line; a table would break at a bar in it."""
    shown = visible(str(value))
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{space}{shown}{space}{fence}"


def row(*cells: str) -> str:
    """Returns a row of a table; its cells are Markdown, without bars of their own."""
    return f"| {' | '.join(cells)} |"
