"""Parsers of text columns: labels, sex, age, micrometres per pixel."""

import pathlib

import numpy as np
import pandas as pd

from remedis.data.tables import spreadsheet
from remedis.data.tables.strings import STRING

_LABELS = {f"{value}{end}": float(value) for value in (1, 0, -1) for end in ("", ".0")}
OLDEST = 120.0  # years
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
_NO_SEX = ("", "o", "u", "other", "unknown")
YEARS_PER = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def labels(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns labels as float32: 1, 0, -1 for uncertain, NaN for an empty value.

    Raises:
      UserError: a value is something else; `.0` after the number is allowed.
    """
    known = _LABELS | {"": float("nan")}
    expected = "1, 0, -1 for uncertain, or nothing for unknown"
    return spreadsheet.parsed(path, values, known.__getitem__, expected).astype("float32")


def sexes(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns F, M or missing, from F, M, Female, Male, Unknown, Other, U, O or an empty value.

    Upper and lower case have the same meaning.

    Raises:
      UserError: a value is something else.
    """

    def parse(value: str) -> str | None:
        return None if value.lower() in _NO_SEX else _SEXES[value.lower()]

    known = spreadsheet.parsed(path, values, parse, "F, M, Female, Male, Unknown or nothing")
    return known.astype(STRING)


def ages(path: pathlib.Path, values: pd.Series, implausible: str = "refuse") -> pd.Series:
    """Returns ages in years as float64, NaN for an empty value.

    Args:
      path: the file of the values, for errors.
      values: numbers of years, or ages with a unit as in DICOM: `058Y`, `011M`, `006W`, `013D`.
      implausible: `refuse` an age outside 0 to 120 years, or count it as `unknown`.

    Raises:
      UserError: a value is not an age.
    """

    def parse(value: str) -> float:
        if not value:
            return float("nan")
        unit = YEARS_PER.get(value[-1].upper())
        years = float(value) if unit is None else float(value[:-1]) * unit
        if 0 <= years <= OLDEST:
            return years
        if implausible == "unknown" and np.isfinite(years):
            return float("nan")
        raise ValueError

    expected = f"an age from 0 to {OLDEST:.0f} years"
    return spreadsheet.parsed(path, values, parse, expected).astype("float64")


def flags(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns 1 or 0 as float64, NaN for an empty value.

    Raises:
      UserError: a value is something else; `.0` after the number is allowed.
    """
    known = {"": float("nan"), "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
    parsed = spreadsheet.parsed(path, values, known.__getitem__, "1, 0 or nothing")
    return parsed.astype("float64")


def mpps(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns micrometres per pixel as float64, NaN for an empty value.

    Raises:
      UserError: a value is not a number above 0.
    """

    def parse(value: str) -> float:
        if not value:
            return float("nan")
        if 0 < (size := float(value)) < float("inf"):
            return size
        raise ValueError

    expected = "micrometres per pixel, a number above 0, or nothing"
    return spreadsheet.parsed(path, values, parse, expected).astype("float64")
