"""Tables, drawings and receipts as plain values, which the templates turn into HTML."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
      caption: what the table shows; screen readers read it first.
      header: names of the columns.
      rows: the cells, as many per row as the header has names; the first cell names the row.
      kind: class of the style sheet: `words`; `estimates`, which do not wrap; or `numbers`, aligned
        to the right.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: Literal["words", "estimates", "numbers"] = "words"


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure as inline SVG.

    Attributes:
      content: the elements within `<svg>`.
      view_box: the attribute `viewBox`, in points.
      alt: what the figure shows, for readers who cannot see it.
      caption: text above the figure.
    """

    content: Markup
    view_box: str
    alt: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Receipt:
    """The result of a leak check: whether it passed, and one line per finding."""

    passed: bool
    lines: Sequence[str]


@dataclasses.dataclass(frozen=True)
class DataSet:
    """The counts of a data set by split, notes on its labels, and its leak receipt, if any."""

    heading: str
    table: Table
    notes: Sequence[str]
    receipt: Receipt | None


@dataclasses.dataclass(frozen=True)
class Arm:
    """The provenance of an arm's weights, and a note if they are random."""

    heading: str
    random_weights_note: str
    provenance: dict[str, str]
