"""Sections of `docs/results.md`; each benchmark writes the section with its own numbers.

    python benchmarks/results.py --out=docs/results.md --drop=selfsup

drops a section, for example because its runs are those of earlier code.
"""

import argparse
import pathlib
import re
from collections.abc import Mapping

from remedis import files

HEAD = """# Measured results

Research software; nothing here is evidence of clinical use. Each section names the command that
writes it; the data are not part of this repository.
"""


def deliver(document: pathlib.Path | None, name: str, text: str) -> None:
    """Writes a section into a document, as `write` does, or prints it if there is none."""
    if document is None:
        print(text)
    else:
        write(document, name, text)


def write(document: pathlib.Path, name: str, text: str) -> None:
    """Replaces the section of a name, or appends it if the document has none of that name.

    Args:
      document: Markdown file; created if it does not exist.
      name: of the section, for the comments that enclose it in the document.
      text: Markdown, beginning with a heading.
    """
    before = document.read_text(encoding="utf-8") if document.is_file() else HEAD
    section = f"{_begin(name)}\n{text.strip()}\n\n{_end(name)}"
    pattern = _pattern(name)
    if pattern.search(before):
        after = pattern.sub(lambda _: section, before)
    else:
        after = f"{before.rstrip()}\n\n{section}"
    files.write_text(document, after)


def drop(document: pathlib.Path, name: str) -> None:
    """Removes the section of a name.

    Raises:
      SystemExit: the document has no such section.
    """
    text, count = _pattern(name).subn("", document.read_text(encoding="utf-8"))
    if not count:
        raise SystemExit(f"{document} has no section {name}.")
    files.write_text(document, re.sub("\n{3,}", "\n\n", f"{text.rstrip()}\n"))


def _begin(name: str) -> str:
    return f"<!-- {name} -->\n"


def _end(name: str) -> str:
    return f"<!-- end of {name} -->\n"


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(f"{re.escape(_begin(name))}.*?{re.escape(_end(name))}", re.DOTALL)


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


def main() -> None:
    """Drops a section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=pathlib.Path, help="the document")
    parser.add_argument("--drop", required=True, metavar="NAME", help="name of a section")
    parsed = parser.parse_args()
    drop(parsed.out, parsed.drop)


if __name__ == "__main__":
    main()
