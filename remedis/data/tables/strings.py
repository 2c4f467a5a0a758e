"""One string type for the columns of all tables."""

import pandas as pd

# `pd.NA` stands for what is unknown.
STRING = pd.StringDtype("pyarrow")


def blank_as_missing(values: pd.Series) -> pd.Series:
    """Returns a column of strings in which empty ones are missing."""
    return values.mask(values == "").astype(STRING)
