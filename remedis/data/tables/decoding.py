"""Bytes of a table to text: UTF-8, UTF-16 and Windows-1252, told apart by the bytes.

UTF-8 has a structure that text in another encoding practically never has. UTF-16 has a byte order
mark, or a NUL in every second byte. What is neither is read as Windows-1252 (in which Excel writes
CSV files in western Europe and America; latin-1 with more letters), unless it is plainly something
else.
"""

import pathlib
import re

from remedis.errors import UserError

_BOM16 = (b"\xff\xfe", b"\xfe\xff")
# Letters beyond ASCII stand in groups of one or two in western European words; Cyrillic, Greek or
# Japanese text read as Windows-1252 has longer groups. Text of DOS (cp850) has quotation marks and
# daggers within words, text of old Macs has capitals there.
_FOREIGN = re.compile(
    r"[^\x00-\x7f\u2010-\u203a\u20ac\u2122\xa0-\xbf]{4,}"
    r"|\w*[A-Za-z][\u201a\u0192\u201e\u2020\u2021\u02c6\u2030\u2039\u201c\u201d\u2022\u02dc\u203a]\w+"
    r"|\w*[A-Za-z][\u0160\u0152\u017d\u0178][a-z]\w*"
    # Letters in UTF-8, of a file that two programs wrote.
    r"|\w*\u00c3[\u0153\u0178\u201e\u00a1-\u00aa\u00ac-\u00b3\u00b5-\u00ba\u00bc-\u00bf]\w*"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_WORD = re.compile(r"[^\s,;|\"]*[^\x00-\x7f][^\s,;|\"]*")
# First bytes of files that are no text, with what they are.
_OTHERS = {
    b"PK\x03\x04": "a workbook of Excel or LibreOffice",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed by gzip but not named .gz",
}
_ADVICE = {
    "compressed by gzip but not named .gz": "add .gz to its name",
    "a Parquet file": "write it as a CSV file",
}


def decode(path: pathlib.Path, contents: bytes, encoding: str = "") -> tuple[str, str]:
    """Returns the text of a file, and a remark on how it was read, empty for UTF-8.

    Args:
      path: the file, for errors.
      contents: its bytes.
      encoding: of the text; found from the bytes if empty.

    Raises:
      UserError: the file is no text, or not in the encoding.
    """
    for start, kind in _OTHERS.items():
        if contents.startswith(start):
            advice = _ADVICE.get(kind, "save it as CSV (UTF-8)")
            raise UserError(f"{path} is {kind}, not a CSV file; {advice}.")
    if encoding:
        return _decoded(path, contents, encoding).removeprefix("\ufeff"), ""
    if found := _utf16(contents):
        text = _decoded(path, contents, found).removeprefix("\ufeff")
        _refuse_nul(path, text.encode())
        return text, "as UTF-16"
    _refuse_nul(path, contents)
    try:
        return contents.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        return _windows(path, contents, error)


def _decoded(path: pathlib.Path, contents: bytes, encoding: str) -> str:
    try:
        return contents.decode(encoding)
    except (UnicodeError, ValueError) as error:
        place = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise UserError(
            f"{path} is not text in {encoding.upper()}{place}; name the encoding that it has, or "
            "save it as a UTF-8 CSV file."
        ) from error


def _utf16(contents: bytes) -> str:
    """Returns the name of UTF-16's variant that the bytes have, empty for other text."""
    if contents.startswith(_BOM16):
        return "utf-16"
    head = contents[:200]
    # Names of columns are mostly ASCII, whose upper byte is NUL.
    for name, offset in (("utf-16-le", 1), ("utf-16-be", 0)):
        upper, lower = head[offset::2], head[1 - offset :: 2]
        if len(upper) > 1 and b"\0" not in lower and upper.count(0) > 0.7 * len(upper):
            return name
    return ""


def _refuse_nul(path: pathlib.Path, contents: bytes) -> None:
    """Raises an error that names the row of the first NUL byte, if there is any.

    Text has no NUL byte, a path may not have one, and readers of CSV files treat it differently.
    """
    if (place := contents.find(b"\0")) >= 0:
        row = contents.count(b"\n", 0, place) + 1
        raise UserError(
            f"{path}, row {row}: a NUL byte, which no text has; the file is damaged or not text in "
            "UTF-8, save or download it again."
        )


def _windows(path: pathlib.Path, contents: bytes, cause: UnicodeDecodeError) -> tuple[str, str]:
    """Returns what `decode` does for text that is not UTF-8."""
    refusal = f"{path} is not text in UTF-8 (byte {cause.start})"
    try:
        text = contents.decode("cp1252")
    except UnicodeDecodeError:
        text = "\0"
    if _CONTROL.search(text) or contents.startswith(b"\xef\xbb\xbf"):
        raise UserError(
            f"{refusal}; name its encoding, such as cp850, or save it as a UTF-8 CSV file."
        ) from cause
    if odd := _FOREIGN.search(text):
        row = text.count("\n", 0, odd.start()) + 1
        raise UserError(
            f"{refusal} nor in Windows-1252, in which row {row} has {odd[0][:20]!r}; name its "
            "encoding, such as cp850, cp1251 or shift_jis, or save it as a UTF-8 CSV file."
        ) from cause
    example = _WORD.search(text)
    shown = f" (such as {example[0][:30]!r})" if example else ""
    return text, f"as Windows-1252{shown}"
