"""The words for "no value" that people, pandas, R, Excel and hospitals write into tables.

Only a whole value counts, without spaces around it, in any letter case: `NA` is missing, `NA12` is
not. Two sets: `is_missing` for labels, ages, sexes and other values, and `is_missing_id` for ids of
patients, studies and slides. The second also has the words of de-identified data (`ANON`), the
error values of Excel, and values without a letter or digit: none of them names one patient, and
taken as an id it would join strangers. A lone `0` or `x` is an id: data sets number from 0.

Sources: `pandas.read_csv`, `na_values`; Excel's list of error values; R's `NA`; SQL's `NULL`; the
Attribute Confidentiality Profiles of DICOM PS3.15, Annex E, whose tools write words such as
ANONYMOUS and REMOVED.
"""

import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from remedis.data.tables.strings import STRING
from remedis.errors import quoted, some

_VALUES = frozenset(
    (
        *("", "nan", "-nan", "+nan", "nat", "na", "n/a", "n.a.", "n.a", "<na>", "null", "none"),
        *("nil", "unknown", "unk", "not available", "not known", "missing", "undefined"),
        *("#n/a", "#na", "#n/a n/a", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
        *("-", "--", "---", "\u2013", "\u2014", "?", "??", "???", "."),
    )
)
_IDS = _VALUES | frozenset(
    (
        *("#value!", "#ref!", "#name?", "#num!", "#null!", "#div/0!", "#spill!", "#calc!"),
        *("anon", "anonym", "anonyme", "anonymous", "anonymized", "anonymised", "anonymisiert"),
        *("anonymous patient", "anonymized patient", "anonymised patient", "anon patient"),
        *("no id", "noid", "no name", "noname", "unknown patient", "unbekannt", "inconnu"),
        *("deidentified", "de-identified", "deidentified patient", "de-identified patient"),
        *("removed", "redacted", "not recorded", "no patient", "no patient id", "-1", "-1.0"),
    )
)
# Three or more x stand for removed text; the rest has neither letters nor digits.
_FILLED = "^(?:x{3,}|[\\x00-/:-@\\[-`{-\\x7f\u2010-\u2027]*)$"
_FILLED_PATTERN = re.compile(_FILLED)


def is_missing(text: str) -> bool:
    """Returns whether a value of a table means "unknown", such as nothing, `NA`, `null` or `?`."""
    return text.strip().lower() in _VALUES


def is_missing_id(text: str) -> bool:
    """Returns whether an id names no patient, study or slide, such as nothing, `nan` or `ANON`."""
    text = text.strip().lower()
    return text in _IDS or bool(_FILLED_PATTERN.match(text))


def known_values(values: pd.Series) -> pd.Series:
    """Returns a column of strings in which the values of `is_missing` are missing."""
    return values.mask(_among(values, _VALUES)).astype(STRING)


def known_ids(values: pd.Series) -> pd.Series:
    """Returns a column of strings in which the values of `is_missing_id` are missing."""
    return values.mask(without_id(values)).astype(STRING)


def without_id(values: pd.Series) -> pd.Series:
    """Returns for each string whether `is_missing_id`, [rows] bool; true for missing ones."""
    return _among(values, _IDS, _FILLED)


def remark(values: pd.Series) -> str:
    """Returns which words of a column of ids count as none, as a part of a sentence; "" if none.

    Args:
      values: ids as they are written.
    """
    texts = values[without_id(values)].dropna().str.strip().unique()
    if not (words := sorted({text for text in texts if text})):
        return ""
    verb = "count" if len(words) > 1 else "counts"
    return f"{some([quoted(word) for word in words])} {verb} as none"


def _among(values: pd.Series, words: frozenset[str], pattern: str = "") -> pd.Series:
    """Returns for each string whether it is one of some words, or matches a pattern of RE2."""
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(pa.array(values.astype(STRING).array)))
    found = pc.is_in(texts, value_set=pa.array(sorted(words)))
    if pattern:
        found = pc.or_kleene(found, pc.match_substring_regex(texts, pattern))
    found = pc.fill_null(pc.or_(found, pc.is_null(texts)), True)
    return pd.Series(found.to_numpy(zero_copy_only=False), values.index, dtype=bool)
