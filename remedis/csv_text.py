"""CSV for spreadsheet programs: cells that could be formulas are escaped.

A spreadsheet program runs a cell that begins with `=`, `+`, `-` or `@`, also in the middle of a
text after a semicolon where semicolons separate cells, as in a German Excel. A patient id, a label
or a file name may hold such a formula, for instance one that sends the table to a server. An
apostrophe in front makes it text (OWASP, "CSV Injection").

Reports are written this way: tables of results, `curves.csv`, `bad_images.csv`. A manifest is not:
the program reads it again, and an id or path with an apostrophe would be a different one.
`remedis doctor` warns of such ids and paths.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from remedis.visible_text import visible

if TYPE_CHECKING:
    import pandas as pd

# Fullwidth forms count in East Asian versions. Quotes and blanks before a sign may be dropped.
_FORMULA = re.compile(r"(?:^|(?<=;))(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])")
# Numbers, also with an interval or a percent sign, as the tables of results have them.
_NUMBERS = re.compile(r"[-+]?[\d.,]+(?:e[-+]?\d+)?(?: ?%)?(?: [\[(][-+\d., %]+[\])])?|-|[-+]?inf")


def cell(value: object) -> str:
    """Returns the text of a cell on one line, escaped (`visible`), never a formula; numbers stay.

    None and NaN are empty.
    """
    # `pd.NA` by its text: pandas takes seconds to load, and `remedis --help` has no table.
    is_na = not isinstance(value, str) and str(value) == "<NA>"
    if value is None or is_na or (isinstance(value, float) and value != value):
        return ""
    text = visible(str(value))
    return text if _NUMBERS.fullmatch(text) else _FORMULA.sub("'", text)


def is_formula(text: str) -> bool:
    """Returns whether a spreadsheet program may run a text as a formula."""
    return cell(text) != visible(text)


def table(rows: Iterable[Sequence[Any]]) -> str:
    """Returns rows as CSV, each on one line, with cells as `cell` has them."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def from_frame(frame: "pd.DataFrame") -> str:
    """Returns a data frame as CSV, without its index, with cells as `cell` has them."""
    return table([list(frame.columns), *frame.itertuples(index=False, name=None)])
