"""Ids of patients, studies and slides in one spelling, and ids that differ only in spelling.

Two levels, since a wrong merge is as harmful as a missed one:

- `canonical`: texts that no reader can tell apart are one id. They differ in their Unicode form
  (NFC or NFD; full-width or half-width characters), in invisible characters, in white space, in
  surrounding quotes, or in Excel's wrapping `="007"`. Every manifest holds canonical ids.
- `spelling`: ids that differ in leading zeros, in a trailing `.0` (a whole number that was read as
  a decimal one), in letter case or in Unicode's compatibility forms may be one person or two. Only
  the hospital knows, so the leak gate refuses them.

Unicode forms: Unicode Standard Annex 15; invisible characters: `Default_Ignorable_Code_Point` of
Unicode 15, and control characters.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

import pandas as pd

from remedis.data.tables import missing
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, some

# The columns of a manifest that hold ids.
COLUMNS = ("patient_id", "study_id", "slide_id")

# Most ids have none of the characters that `canonical` changes: quotes, `=` in front, and what is
# not ASCII.
_PLAIN = r"[!#-&(-<>-_a-~][!#-&(-_a-~]*(?: [!#-&(-_a-~]+)*"
# Control characters other than white space, and default-ignorable code points.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_QUOTES = (
    "\"'`\u00ab\u00b4\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u2032\u2033"
)
_AROUND = _QUOTES + "".join(filter(str.isspace, map(chr, range(0x3001))))
# Unicode's forms take quadratic time for many accents on one letter.
MAX_CHARACTERS = 1000
_SPACES = re.compile(r"\s+")
_WHOLE_NUMBER = re.compile(r"(\d+)[.,]0*")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def canonical(text: str) -> str:
    """Returns the one spelling of ids that look the same; empty if nothing visible is left.

    The result does not change when it is passed in again.
    """
    before = None
    # Repeated, since removing a character may bring together what composes or surrounds.
    while text != before:
        before = text
        if not text.isascii():
            text = unicodedata.normalize("NFC", "".join(map(_width, text)))
        text = _INVISIBLE.sub("", text)
        text = text.strip(_AROUND)
        while text.startswith('="'):  # Excel keeps the zeros of ="007"
            text = text[2:].lstrip(_AROUND)
        text = _SPACES.sub(" ", text)
    return text


def spelling(text: str) -> str:
    """Returns what is left of a canonical id without zeros in front, `.0` or `,0`, and letter case.

    Zeros in front of every number in the id are left out: `P007` and `p7` have the same spelling,
    `P001` and `P0010` have not. Two ids of the same spelling may be of one patient.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if number := _WHOLE_NUMBER.fullmatch(text):
        text = number[1]
    return _LEADING_ZEROS.sub("", text)


def column(values: pd.Series) -> pd.Series:
    """Returns a column of ids in canonical form; those that name nobody are missing.

    These are blank ones and the words of `missing.is_missing_id`, such as `nan` and `ANON`.

    Raises:
      UserError: an id has more than `MAX_CHARACTERS`.
    """
    texts = values.astype(STRING)
    if (longest := texts.str.len().max()) is not pd.NA and longest > MAX_CHARACTERS:
        raise UserError(
            f"The column {values.name!r} has an id of {longest:,} characters; expected at most "
            f"{MAX_CHARACTERS:,}."
        )
    odd = ~texts.str.fullmatch(_PLAIN).fillna(True).to_numpy(dtype=bool)
    if odd.any():
        spelt = {text: canonical(text) for text in texts[odd].unique()}
        texts = texts.mask(odd, texts[odd].map(spelt)).astype(STRING)
    return missing.known_ids(texts)


def alike(ids: Iterable[str], others: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Returns pairs of different ids with the same `spelling`, sorted.

    Args:
      ids: canonical ids.
      others: canonical ids that the first are compared with; None to compare `ids` with each other.
        Then every id is paired with the first of its spelling, so that three ways to write an id
        give two pairs.
    """
    if others is None:
        groups = _by_spelling(ids)
        return sorted((group[0], other) for group in groups.values() for other in group[1:])
    first, second = _by_spelling(ids), _by_spelling(others)
    return sorted(
        (a, b)
        for spelt, group in first.items()
        for a in group
        for b in second.get(spelt, ())
        if a != b
    )


def refuse_alike(ids: Iterable[str], left_out: Iterable[str], column: str, advice: str) -> None:
    """Raises a UserError if some ids differ from ids left out in their `spelling` only.

    Args:
      ids: canonical ids of the images that are used.
      left_out: canonical ids of the images that are not.
      column: the column of the ids, for the message.
      advice: the end of the message.
    """
    if sentence := about_alike(ids, left_out, column):
        raise UserError(f"{sentence}; {advice}.")


def about_alike(ids: Iterable[str], left_out: Iterable[str], column: str) -> str:
    """Returns a sentence without its end about ids as of `refuse_alike`; empty if there are none.

    Args:
      ids: canonical ids of the images that are used.
      left_out: canonical ids of the images that are not.
      column: the column of the ids, for the message.
    """
    if not (found := alike(ids, left_out)):
        return ""
    listed = some([f"{a} ~ {b}" for a, b in found])
    return (
        f"{len(found):,} pairs of {column} of images that are used and of images that are left "
        f"out differ only in leading zeros, '.0' or letter case: {listed}"
    )


def _by_spelling(ids: Iterable[str]) -> Mapping[str, list[str]]:
    """Returns the distinct ids by spelling, sorted."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(ids)):
        groups.setdefault(spelling(name), []).append(name)
    return groups


def _width(character: str) -> str:
    """Returns the usual form of a full-width or half-width character, others unchanged."""
    form = unicodedata.decomposition(character)
    if form.startswith(("<wide>", "<narrow>")):
        return unicodedata.normalize("NFKC", character)
    return character
