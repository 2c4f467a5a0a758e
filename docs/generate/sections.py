"""Pages of JSON records: sections, each about one kind, with its fields as a table."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from docs.generate import json_kinds, markdown
from docs.generate.json_kinds import Undocumented


@dataclasses.dataclass(frozen=True)
class Section:
    """The section of a kind.

    Attributes:
      kind: a `TypedDict`, or one in `Annotated`; None for a section without fields.
      noun: of the kind, the text of links to the section.
      title: heading.
      where: what has such fields, as Markdown.
      text: before the table, as Markdown.
      after: behind the table, as Markdown.
      level: of the heading.
    """

    kind: Any
    noun: str
    title: str
    where: str = ""
    text: str = ""
    after: str = ""
    level: int = 2

    @property
    def anchor(self) -> str:
        """Name of the section in addresses."""
        return self.noun.replace(" ", "-").lower()


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of sections.

    Attributes:
      path: below `docs/`.
      title: heading.
      text: before the first section, as Markdown.
      roots: the kinds of whole files; each kind in them needs a section on some page.
      sections: in their order.
    """

    path: str
    title: str
    text: str
    roots: Sequence[Any]
    sections: Sequence[Section]


def render(pages: Sequence[Page]) -> dict[str, str]:
    """Returns the Markdown of pages by path.

    Raises:
      Undocumented: a kind has no section.
    """
    homes = {
        json_kinds.unwrapped(section.kind): (page.path, section)
        for page in pages
        for section in page.sections
        if section.kind is not None
    }
    return {page.path: _page(page, homes) for page in pages}


def _page(page: Page, homes: dict[type, tuple[str, Section]]) -> str:
    reached = [kind for root in page.roots for kind in json_kinds.kinds_in(root)]
    if homeless := [kind for kind in reached if kind not in homes]:
        raise Undocumented(
            f"The kind {homeless[0].__module__}.{homeless[0].__name__} has no section; add a "
            f"Section to the page {page.path} in docs/generate."
        )
    parts = [f"# {page.title}", page.text]
    for section in page.sections:
        parts += [
            f"{'#' * section.level} {section.title} {{ #{section.anchor} }}",
            section.where and f"*Where:* {section.where}",
            section.text,
            section.kind and _table(section.kind, page, homes),
            section.after,
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(kind: Any, page: Page, homes: dict[type, tuple[str, Section]]) -> str:
    """Returns the fields of a kind as a table in Markdown."""
    classes = {one.__name__: one for one in json_kinds.kinds_in(kind)}

    def link(name: str) -> str:
        path, target = homes[classes[name]]
        file = "" if path == page.path else path.rpartition("/")[2]
        return f"[{target.noun}]({file}#{target.anchor})"

    whole = json_kinds.schema(kind)
    # A kind that contains itself is a reference to its definition.
    schema = whole["$defs"][json_kinds.unwrapped(kind).__name__] if "$ref" in whole else whole
    rows = []
    for name, value in schema["properties"].items():
        optional = "" if name in schema.get("required", ()) else ", optional"
        below = f"<br><small>{json_kinds.type_text(value, link)}{optional}</small>"
        rows.append((f"`{name}`{below}", value["description"]))
    return markdown.table(("Field", "Meaning"), rows)
