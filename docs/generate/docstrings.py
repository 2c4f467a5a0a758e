"""What docstrings say: the headings of a datasheet, and the arguments of a function."""

import inspect
import re
from collections.abc import Callable
from typing import Any

# A heading of a datasheet begins a line, such as `Get it: ` or `Layout:` before a block.
_HEADING = re.compile(r"^([A-Z][a-z]+(?: [a-z]+){0,2}):(?: |\n(?=    ))", re.MULTILINE)


def datasheet(docstring: str) -> tuple[str, dict[str, str]]:
    """Returns the first sentence of a datasheet, and the text below each of its headings."""
    summary, _, body = inspect.cleandoc(docstring).partition("\n")
    parts = _HEADING.split(body)
    return summary, {
        heading: text.strip("\n") for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def arguments(function: Callable[..., Any]) -> dict[str, str]:
    """Returns the meaning of each argument, from the section `Args` of a docstring."""
    section = re.search(
        r"^Args:\n(.*?)(?=^\S|\Z)", inspect.getdoc(function) or "", re.MULTILINE | re.DOTALL
    )
    if section is None:
        return {}
    lines = inspect.cleandoc("\n" + section[1])
    parts = re.split(r"^\*{0,2}(\w+): ", lines, flags=re.MULTILINE)
    meanings = zip(parts[1::2], parts[2::2], strict=True)
    return {name: " ".join(meaning.split()) for name, meaning in meanings}
