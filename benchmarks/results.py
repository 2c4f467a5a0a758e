"""Sections of `docs/results.md`, each written by the benchmark whose numbers it holds."""

import pathlib
import re

from remedis import files

HEAD = """# Results on real images

Research software; nothing here is evidence of clinical use. Each part is written by the command it
names; the data are not part of this repository.
"""


def write(document: pathlib.Path, name: str, text: str) -> None:
    """Puts a section into a document, in the place of the one of that name or after all others.

    Args:
      document: Markdown; begun where it is not there.
      name: of the section, for its marks in the text.
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
