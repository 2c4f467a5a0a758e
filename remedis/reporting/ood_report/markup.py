"""HTML from plain values: whatever is not marked as HTML is escaped."""

import html
from collections.abc import Iterable, Sequence


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: str) -> Markup:
    """Returns an element.

    Args:
      name: of the element, one that has an end tag.
      *content: its parts; escaped unless they are `Markup`.
      **attributes: by name; a trailing underscore is dropped (`class_`), others become dashes.
    """
    opened = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{opened}>{join(content)}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Markup:
    """Returns the parts one after the other; escaped unless they are `Markup`."""
    return Markup(between.join(p if isinstance(p, Markup) else html.escape(p) for p in parts))


def items(texts: Iterable[str]) -> Markup:
    """Returns a list with one item a text."""
    return tag("ul", *(tag("li", text) for text in texts))


def table(
    caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "words"
) -> Markup:
    """Returns a table that scrolls in itself where the screen is too narrow for it.

    Args:
      caption: says what the table shows; read out before it.
      header: names of the columns.
      rows: the cells; the first one names the row.
      kind: `words`; `estimates`, which keep to one line; or `numbers`, aligned to the right.
    """
    head = tag("tr", *(tag("th", name, scope="col") for name in header))
    body = [
        tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in cells))
        for first, *cells in rows
    ]
    # A region that scrolls has to be reachable by keyboard, and named (WCAG 2.1, 2.1.1 and 4.1.2).
    return tag(
        "div",
        tag(
            "table",
            tag("caption", tag("span", caption)),
            tag("thead", head),
            tag("tbody", *body),
            class_=kind,
        ),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )
