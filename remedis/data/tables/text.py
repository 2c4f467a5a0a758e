"""Text in tables and in sentences."""

from collections.abc import Sequence

import pandas as pd

# One type of strings for all tables, with `pd.NA` for what is unknown.
STRING = pd.StringDtype("pyarrow")


def strings(values: pd.Series) -> pd.Series:
    """Returns a column of strings with missing values where nothing is written."""
    return values.mask(values == "").astype(STRING)


def some(names: Sequence[object], total: int | None = None, limit: int = 5) -> str:
    """Returns the first few of many names as text: `a, b, c and 7 more`.

    Args:
      names: the names, or the first of them.
      total: how many there are; as many as `names` if not given.
      limit: how many to write out.
    """
    listed = [str(name) for name in names[:limit]]
    more = (len(names) if total is None else total) - len(listed)
    return ", ".join(listed) + (f" and {more:,} more" if more > 0 else "")
