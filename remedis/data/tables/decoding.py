"""Bytes of a table to text: UTF-8, UTF-16 and Windows-1252, told apart by the bytes.

UTF-8 has a structure that text in another encoding practically never has. UTF-16 has a byte order
mark, or a NUL in every second byte. What is neither is read as Windows-1252 (in which Excel writes
CSV files in western Europe and America; latin-1 with more letters), unless it is plainly something
else.
"""

import codecs
import pathlib
import re

from remedis import limits
from remedis.data.tables import table_bounds
from remedis.errors import UserError

_BOM16 = (b"\xff\xfe", b"\xfe\xff")
# Letters beyond ASCII stand in groups of one or two in western European words; Cyrillic, Greek or
# Japanese text read as Windows-1252 has longer groups. Text of DOS (cp850) has quotation marks and
# daggers within words, text of old Macs has capitals there.
# No pattern begins with a repetition, whose search is quadratic in a word of a million letters.
_FOREIGN = re.compile(
    r"[^\x00-\x7f\u2010-\u203a\u20ac\u2122\xa0-\xbf]{4,}"
    r"|[A-Za-z][\u201a\u0192\u201e\u2020\u2021\u02c6\u2030\u2039\u201c\u201d\u2022\u02dc\u203a]\w"
    r"|[A-Za-z][\u0160\u0152\u017d\u0178][a-z]"
    # Letters in UTF-8, of a file that two programs wrote.
    r"|\u00c3[\u0153\u0178\u201e\u00a1-\u00aa\u00ac-\u00b3\u00b5-\u00ba\u00bc-\u00bf]"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_PIECE = 1 << 20  # bytes that are decoded at a time: text of Python may take 4 bytes per letter
_OVERLAP = 64  # bytes that two pieces share in searches
# Bytes without a meaning in Windows-1252.
_NOT_WINDOWS = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
_GZIP = "compressed by gzip but not named .gz"
# First bytes of files that are no text, with what they are.
_OTHERS = {
    b"PK\x03\x04": "a workbook of Excel or LibreOffice",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": _GZIP,
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ\0": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard",
}
_ADVICE = {
    _GZIP: "add .gz to its name",
    "a Parquet file": "write it as a CSV file",
    **dict.fromkeys(
        (f"compressed by {method}" for method in ("bzip2", "xz", "Zstandard")),
        "decompress it, or compress it by gzip",
    ),
}


def decode(path: pathlib.Path, contents: bytes, encoding: str = "") -> tuple[bytes, str]:
    """Returns the text of a file in UTF-8, and a remark on how it was read, empty for UTF-8.

    Args:
      path: the file, for errors.
      contents: its bytes.
      encoding: of the text; found from the bytes if empty.

    Returns:
      Bytes without a byte order mark and without NUL.

    Raises:
      UserError: the file is no text, not in the encoding, or too large in UTF-8.
    """
    for start, kind in _OTHERS.items():
        if contents.startswith(start):
            if kind == _GZIP and path.suffix == ".gz":
                raise UserError(
                    f"{path} is compressed twice by gzip; unpack it once and try again."
                )
            advice = _ADVICE.get(kind, "save it as CSV (UTF-8)")
            raise UserError(f"{path} is {kind}, not a CSV file; {advice}.")
    if encoding or (found := _utf16(contents)):
        text = _in_utf8(path, contents, encoding or found).removeprefix(codecs.BOM_UTF8)
        _refuse_nul(path, text)
        return text, "" if encoding else "as UTF-16"
    _refuse_nul(path, contents)
    if (wrong := _first_not_utf8(contents)) is not None:
        return _windows(path, contents, wrong)
    return contents.removeprefix(codecs.BOM_UTF8), ""


def _first_not_utf8(contents: bytes) -> int | None:
    """Returns the place of the first byte that is not UTF-8, None if all are."""
    start = 0
    while start < len(contents):
        stop = start + _PIECE
        # A letter has 4 bytes at most; all but its first are 10xxxxxx in bits.
        for _ in range(3):
            if stop < len(contents) and contents[stop] & 0xC0 == 0x80:
                stop -= 1
        try:
            contents[start:stop].decode()
        except UnicodeDecodeError as error:
            return start + error.start
        start = stop
    return None


def _in_utf8(path: pathlib.Path, contents: bytes, encoding: str) -> bytes:
    """Returns text of another encoding in UTF-8.

    Raises:
      UserError: the text is not in the encoding, or too large.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    text = bytearray()
    stop = 0
    try:
        for start in range(0, len(contents) + 1, _PIECE):
            stop = min(start + _PIECE, len(contents))
            text += decoder.decode(contents[start:stop], start + _PIECE > len(contents)).encode()
            if len(text) > limits.MAX_TABLE_BYTES:
                raise table_bounds.too_large(path)
    except UserError:
        raise
    except ValueError as error:
        place = ""
        if isinstance(error, UnicodeDecodeError):
            # The decoder may have kept bytes of the piece before.
            place = f" (byte {stop - len(error.object) + error.start})"
        raise UserError(
            f"{path} is not text in {encoding.upper()}{place}; name the encoding that it has, or "
            "save it as a UTF-8 CSV file."
        ) from error
    return bytes(text)


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


def _windows(path: pathlib.Path, contents: bytes, wrong: int) -> tuple[bytes, str]:
    """Returns what `decode` does for text that is not UTF-8, first at the byte `wrong`."""
    refusal = f"{path} is not text in UTF-8 (byte {wrong})"
    if (
        _CONTROL.search(contents)
        or contents.startswith(codecs.BOM_UTF8)
        or any(byte in contents for byte in _NOT_WINDOWS)
    ):
        raise UserError(
            f"{refusal}; name its encoding, such as cp850, or save it as a UTF-8 CSV file."
        )
    for start in range(0, len(contents), _PIECE):
        first = max(0, start - _OVERLAP)
        piece = contents[first : start + _PIECE].decode("cp1252")
        if odd := _FOREIGN.search(piece):
            row = contents.count(b"\n", 0, first + odd.start()) + 1
            word = _around(piece, odd.start(), r"\w", 20) or odd[0][:20]
            raise UserError(
                f"{refusal} nor in Windows-1252, in which row {row} has {word!r}; name its "
                "encoding, such as cp850, cp1251 or shift_jis, or save it as a UTF-8 CSV file."
            )
    shown = ""
    if example := _NOT_ASCII.search(contents):
        first = max(0, example.start() - _OVERLAP)
        piece = contents[first : example.start() + _OVERLAP].decode("cp1252")
        word = _around(piece, example.start() - first, r"[^\s,;|\"]", 30)
        shown = f" (such as {word!r})"
    return _in_utf8(path, contents, "cp1252"), f"as Windows-1252{shown}"


def _around(text: str, place: int, kind: str, longest: int) -> str:
    """Returns the word around a place: characters of a kind, as a regular expression has it."""
    before = re.search(f"{kind}*\\Z", text[max(0, place - longest) : place])
    after = re.match(f"{kind}*", text[place : place + longest])
    assert before is not None
    assert after is not None
    return (before[0] + after[0])[:longest]
