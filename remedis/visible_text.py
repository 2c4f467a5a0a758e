r"""Escapes for control characters and other invisible ones, such as `\x1b[2J` in a file's name.

Names of files, labels, patients and weights are untrusted. A terminal executes escape sequences in
them, XML does not allow most control characters, UTF-8 has no lone surrogates (by which Python
represents bytes of a file name that are not UTF-8), and a bidirectional override shows `gpj.exe` as
`exe.jpg`. Each output of the program escapes such characters: the streams and the log
(`remedis.cli.console`), tables (`remedis.reporting.report_text`), bars (`remedis.progress`),
figures (`remedis.reporting.fonts`), pages (`remedis.reporting.page_template`), and tables for
spreadsheets and Markdown (`remedis.csv_text`, `remedis.zoo.markdown_text`).
"""

import re
from typing import Any, TextIO

# Control characters (C0, DEL, C1); Unicode's line ends; the embeddings, overrides and isolates of
# "Trojan Source" (Boucher and Anderson, arXiv 2111.00169); lone surrogates; the byte order mark,
# which is invisible; and two code points that are no characters, which XML 1.0 does not allow.
_CLASS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff"
_ACTING = re.compile(f"[{_CLASS}]")
_ACTING_IN_LINES = re.compile(rf"(?![\n\t])[{_CLASS}]")


def visible(text: str, lines: bool = False) -> str:
    r"""Returns a text with control characters and the like escaped as in Python: `\x1b`, `\u202e`.

    Args:
      text: any text. A backslash in it stays, so that escaping twice changes nothing.
      lines: whether line breaks and tabs are the program's own, and stay.
    """
    return (_ACTING_IN_LINES if lines else _ACTING).sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


class VisibleStream:
    """A text stream that applies `visible` to what is written to it.

    All other attributes are those of the stream. `rich.Console(file=...)` takes the stream itself,
    since rich writes colours as escape sequences: see `unfiltered`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text of one or more lines."""
        self._stream.write(visible(text, lines=True))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Writes the texts one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def unfiltered(stream: TextIO) -> TextIO:
    """Returns the stream below a `VisibleStream`; any other stream as it is."""
    return stream._stream if isinstance(stream, VisibleStream) else stream
