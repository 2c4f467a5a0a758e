"""Sections of `docs/results.md`; each benchmark writes the section with its own numbers."""

import pathlib
import re
from collections.abc import Mapping

from remedis import files

HEAD = """# Results on real images

Research software; nothing here is evidence of clinical use. Each section names the command that
writes it; the data are not part of this repository.
"""


def write(document: pathlib.Path, name: str, text: str) -> None:
    """Replaces the section of a name, or appends it if the document has none of that name.

    Args:
      document: Markdown file; created if it does not exist.
      name: of the section, for the comments that enclose it in the document.
      text: Markdown, beginning with a heading.
    """
    before = document.read_text(encoding="utf-8") if document.is_file() else HEAD
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    section = f"{begin}\n{text.strip()}\n\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(before):
        after = pattern.sub(lambda _: section, before)
    else:
        after = f"{before.rstrip()}\n\n{section}"
    files.write_text(document, after)


def number(estimate: Mapping[str, float | None], sign: str = "") -> str:
    """Returns an estimate with its interval, to three decimals.

    Args:
      estimate: `value`, `low` and `high`; None where the number is not estimable.
      sign: `+` writes the sign of positive numbers too, as for differences.
    """
    if estimate["value"] is None:
        return "not estimable"
    value, low, high = (f"{estimate[end]:{sign}.3f}" for end in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
