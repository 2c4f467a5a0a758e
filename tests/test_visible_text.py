import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remedis.visible_text import VisibleStream, unfiltered, visible

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\nerror: b\rc\td", r"a\nerror: b\rc\td"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("scan\u202egpj.exe\u2066", r"scan\u202egpj.exe\u2066"),
        ("\udce9t\ud800\ufeff\uffff\u2028", r"\udce9t\ud800\ufeff\uffff\u2028"),
        ("Żółć, 肺, \U0001fac1, עברית, नमस्ते\u200dका, C:\\x1b", None),
    ],
)
def test_what_acts_is_written_as_python_does_and_all_else_stays(text, shown):
    assert visible(text) == (text if shown is None else shown)


def test_the_program_s_own_lines_and_tabs_stay():
    assert visible("a\n\tb\r\x0b", lines=True) == "a\n\tb" + r"\r\x0b"


@given(ANY)
def test_every_text_becomes_printable_utf_8_of_one_line(text):
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in shown)
    assert shown.encode().decode() == shown
    assert visible(shown) == shown


def test_a_stream_makes_visible_and_hands_on_all_else():
    below = io.StringIO()
    stream = VisibleStream(below)
    print("a\x1b[1m\nb", file=stream)
    stream.writelines(["\x07", "c\n"])
    assert below.getvalue() == "a\\x1b[1m\nb\n\\x07c\n"
    assert unfiltered(stream) is below
    assert unfiltered(below) is below
    assert not stream.isatty()
