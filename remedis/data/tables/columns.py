"""Parsers of text columns: labels, splits, sex, age, micrometres per pixel, ids.

Each takes the forms that pandas, Excel and hospitals write if they can mean one thing only, and
logs what it reads in another form than a manifest's. Everything else is refused: 1 and 2 may mean
yes and no or the reverse, `development` is the training set in medicine and the validation set
elsewhere.
"""

import logging
import os
import pathlib
import re
import string
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from remedis.data import canonical_ids, resolutions
from remedis.data.tables import spreadsheet
from remedis.data.tables.missing import is_missing, is_missing_id
from remedis.data.tables.strings import STRING
from remedis.errors import quoted

_LOG = logging.getLogger(__name__)

OLDEST = 120.0  # years
YEARS_PER = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}

_PLAIN_LABELS = frozenset(f"{value}{end}" for value in (1, 0, -1) for end in ("", ".0")) | {""}
# A whole number with any number of zeros behind a point or a comma.
_WHOLE = re.compile(r"([+-]?[01])(?:[.,]0*)?")
_LABEL_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "positive", "pos", "present"), 1.0),
    **dict.fromkeys(("false", "f", "no", "n", "negative", "neg", "absent"), 0.0),
    "uncertain": -1.0,
}
# Nothing was entered, or negative beside `+` or `pos`.
_DASHES = ("-", "--", "\u2013", "\u2014")
_PLAIN_SPLITS = ("train", "validation", "test", "id_validation", "")
_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
    "id_validation": "id_validation",
}
_BETWEEN_WORDS = "_-" + string.whitespace
_SEXES = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}
_NO_SEX = ("o", "u", "other", "d", "divers", "diverse", "x")
_PLAIN_SEXES = frozenset(("f", "m", "female", "male", "", "o", "u", "other", "unknown"))
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+[A-Za-z]?")
# The ages above 89 in one group, as HIPAA's Safe Harbor has them (45 CFR 164.514(b)(2)(i)(C)).
_OLDEST_AGE = re.compile(r"(?P<from>[89]\d) ?\+|>= ?(?P<least>[89]\d)|> ?(?P<above>[89]\d)")
# A number that Excel or pandas wrote in powers of ten, and so without its last digits.
_SHORTENED = r"^\d(?:[.,]\d+)?[eE]\+\d+$"

LABELS_EXPECTED = (
    "1, 0, -1 for uncertain, or nothing for unknown (or True and False, yes and no, positive and "
    "negative)"
)
SPLITS_EXPECTED = "train, validation, test, or nothing"
SEXES_EXPECTED = "F, M, Female, Male, Unknown or nothing"
AGES_EXPECTED = f"an age from 0 to {OLDEST:.0f} years"
COMMA_EXPECTED = "a decimal comma, as in other rows; a point may mean thousands"
MPPS_EXPECTED = f"{resolutions.EXPECTED}, or nothing"


def labels(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns labels as float32: 1, 0, -1 for uncertain, NaN for unknown.

    Args:
      path: the file of the values, for errors.
      values: numbers, with zeros behind a point or comma or without; True and False, yes and no,
        positive and negative, present and absent, or their short forms; uncertain; for unknown a
        word of `missing`, but no dash, which may mean negative.

    Raises:
      UserError: a value is something else.
    """
    return spreadsheet.parsed(
        path, values, label, LABELS_EXPECTED, _PLAIN_LABELS.__contains__
    ).astype("float32")


def label(text: str) -> float:
    """Returns one label; see `labels`.

    Raises:
      KeyError: the text is no label.
    """
    if number := _WHOLE.fullmatch(text):
        return float(number[1]) + 0.0  # no negative zero
    if is_missing(text) and text not in _DASHES:
        return float("nan")
    return _LABEL_WORDS[text.lower()]


def splits(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns train, validation, test, id_validation or, for unknown, an empty text.

    Args:
      path: the file of the values, for errors.
      values: these names, training, val, valid, testing, `test set` and the like, in any letter
        case; for unknown a word of `missing`.

    Raises:
      UserError: a value is something else.
    """
    if values.isin(_PLAIN_SPLITS).all():
        return values
    return spreadsheet.parsed(
        path, values, split, SPLITS_EXPECTED, _PLAIN_SPLITS.__contains__
    ).astype(STRING)


def split(text: str) -> str:
    """Returns the name of one split; see `splits`.

    Raises:
      KeyError: the text is no split.
    """
    if is_missing(text):
        return ""
    word = text.lower()
    for noun in ("set", "split"):
        before = word.removesuffix(noun)
        # A word of its own: `test set` and `test_set`, but not `testset`.
        if before != word and before != (first := before.rstrip(_BETWEEN_WORDS)):
            word = first
            break
    return _SPLIT_WORDS[word]


def sexes(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns F, M or missing, from F, M, Female, Male, Woman, Man, or another or no sex.

    Another sex is Other, O, Diverse, Divers, D or X; U is unknown. Both are missing.
    Upper and lower case have the same meaning; so have the words of `missing` and an empty value.

    Raises:
      UserError: a value is something else.
    """
    known = spreadsheet.parsed(
        path, values, sex, SEXES_EXPECTED, lambda text: text.lower() in _PLAIN_SEXES
    )
    return known.astype(STRING)


def sex(text: str) -> str | None:
    """Returns F, M or None for unknown; see `sexes`.

    Raises:
      KeyError: the text is no sex.
    """
    return None if text.lower() in _NO_SEX or is_missing(text) else _SEXES[text.lower()]


def ages(path: pathlib.Path, values: pd.Series, implausible: str = "refuse") -> pd.Series:
    """Returns ages in years as float64, NaN for unknown.

    Args:
      path: the file of the values, for errors.
      values: numbers of years, or ages with a unit as in DICOM: `058Y`, `011M`, `006W`, `013D`;
        with a decimal point or comma; for unknown a word of `missing`. `90+`, `>89` and `>=90`, as
        de-identified data have them, are 90.
      implausible: `refuse` an age outside 0 to 120 years, or count it as `unknown`.

    Raises:
      UserError: a value is not an age, or points and commas are mixed.
    """

    def parse(text: str) -> float:
        return age(text, implausible)

    return _numbers(path, values, parse, AGES_EXPECTED)


def age(text: str, implausible: str = "refuse") -> float:
    """Returns one age in years; see `ages`.

    Raises:
      ValueError: the text is no age.
    """
    if is_missing(text):
        return float("nan")
    if oldest := _OLDEST_AGE.fullmatch(text):
        first = oldest["from"] or oldest["least"]
        return float(first) if first else float(oldest["above"]) + 1
    unit = YEARS_PER.get(text[-1].upper())
    years = _number(text) if unit is None else _number(text[:-1]) * unit
    if 0 <= years <= OLDEST:
        return years
    if implausible == "unknown" and np.isfinite(years):
        return float("nan")
    raise ValueError(text)


def flags(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns 1 or 0 as float64, NaN for unknown, from the forms of `labels` but -1.

    Raises:
      UserError: a value is something else.
    """

    def parse(text: str) -> float:
        if (value := label(text)) == -1:
            raise ValueError(text)
        return value

    parsed = spreadsheet.parsed(path, values, parse, "1, 0 or nothing", _PLAIN_LABELS.__contains__)
    return parsed.astype("float64")


def mpps(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns micrometres per pixel as float64, NaN for unknown.

    Raises:
      UserError: a value is not plausible (`remedis.data.resolutions`), or points and commas are
        mixed.
    """
    return _numbers(path, values, mpp, MPPS_EXPECTED)


def mpp(text: str) -> float:
    """Returns one number of micrometres per pixel; see `mpps`.

    Raises:
      ValueError: the text is none.
    """
    if is_missing(text):
        return float("nan")
    if resolutions.is_plausible(size := _number(text)):
        return size
    raise ValueError(text)


def ids(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns ids as strings; those that a program wrote as decimal numbers without `.0` or `,0`.

    pandas writes 7 as 7.0, or 7,0, if the column has an empty value. That is undone only if all ids
    of the column are such numbers.

    Raises:
      UserError: an id is a number in powers of ten, such as 1.23457E+11, whose last digits are
        lost, so that different ids may have become one; or it is too long for an id.
    """
    texts = pa.array(values.array)
    most = canonical_ids.MAX_CHARACTERS
    spreadsheet.refuse(
        path,
        values,
        pc.fill_null(pc.greater(pc.utf8_length(texts), most), False),
        f"an id of at most {most:,} characters",
    )
    # Substrings first: they are searched several times faster than regular expressions.
    if _any(pc.match_substring(texts, "e+", ignore_case=True)):
        spreadsheet.refuse(
            path,
            values,
            pc.fill_null(pc.match_substring_regex(texts, _SHORTENED), False),
            "the whole id; a spreadsheet has replaced its last digits, so set the type of the "
            "column to text before saving",
        )
    if not _any(pc.ends_with(texts, ".0")) and not _any(pc.ends_with(texts, ",0")):
        return values
    written = pc.fill_null(pc.match_substring_regex(texts, r"^\d+[.,]0$"), False)
    decimal = written.to_numpy(zero_copy_only=False)
    if not decimal.any() or not all(map(is_missing_id, values[~decimal].unique())):
        return values
    example = values[decimal].iloc[0]
    _LOG.info(
        f"{path}, column {values.name!r}: read {example!r} as {example[:-2]}, and so all "
        f"{decimal.sum():,} ids that are numbers."
    )
    return values.mask(decimal, values.str.slice(stop=-2)).astype(STRING)


def _any(mask: pa.BooleanArray | pa.ChunkedArray) -> bool:
    return bool(pc.any(mask).as_py())


def paths(path: pathlib.Path, values: pd.Series, root: pathlib.Path, prefix: str = "") -> pd.Series:
    r"""Returns paths of images as strings with `/` between their parts, without a prefix.

    Args:
      path: the file of the values, for errors.
      values: paths; those with a backslash are Windows' unless a file has just that name.
      root: the directory that relative paths start from.
      prefix: the beginning of paths to leave out, such as `D:\Export`; in any letter case, with
        either slash.
    """
    backslashes = values.str.contains("\\", regex=False).fillna(False).to_numpy(dtype=bool)
    # Unlike Path.exists, this takes names that are too long for any file.
    if backslashes.any() and not os.path.exists(root / values[backslashes].iloc[0]):
        plain = values.str.replace("\\", "/", regex=False).str.replace("^(?:\\./)+", "", regex=True)
        first = values[backslashes].iloc[0]
        _LOG.info(
            f"{path}, column {values.name!r}: read {quoted(first)} as "
            f"{quoted(plain[backslashes].iloc[0])}, "
            f"and so all {backslashes.sum():,} paths with backslashes."
        )
        values = values.mask(backslashes, plain).astype(STRING)
    if beginning := prefix.replace("\\", "/").rstrip("/"):
        beginning = beginning.lower() + "/"
        has = values.str.replace("\\", "/", regex=False).str.lower().str.startswith(beginning)
        values = values.mask(has.fillna(False), values.str.slice(len(beginning))).astype(STRING)
    return values


def _number(text: str) -> float:
    """Returns a number with a decimal point, or a decimal comma and no point."""
    # In ages and pixel sizes a comma before three digits is decimal too: 1,234 years or micrometres
    # per pixel cannot be a thousand.
    return float(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)


def _numbers(
    path: pathlib.Path, values: pd.Series, parse: Callable[[str], float], expected: str
) -> pd.Series:
    """Returns a column of numbers as float64; refuses points beside decimal commas."""

    def is_plain(text: str) -> bool:
        is_number = not any(mark in text for mark in ",<>+")
        return is_number and not (text and is_missing(text))

    spreadsheet.refuse(path, values, beside_commas(values), COMMA_EXPECTED)
    return spreadsheet.parsed(path, values, parse, expected, is_plain).astype("float64")


def beside_commas(values: pd.Series) -> pd.Series:
    """Returns which numbers have a point though others of the column have a comma, [rows] bool.

    The point may then mean thousands.
    """
    if not _any(pc.match_substring(pa.array(values.array), ",")):
        return pd.Series(False, index=values.index)
    points = {text: "." in text and not is_missing(text) for text in values.unique()}
    return values.map(points).astype(bool)
