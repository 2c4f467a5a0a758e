"""Figures with scripts that matplotlib's own font lacks."""

import logging
from pathlib import Path

import matplotlib
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from remedis.reporting import figures, fonts
from remedis.reporting.svg import inline_svg

KNOT = "\u7d50\u7bc0"  # Japanese for nodule


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Hides the fonts of the machine, but not matplotlib's, and what was said before."""
    shipped = str(Path(matplotlib.get_data_path()).resolve())
    fonts_of_all = font_manager.fontManager.ttflist
    own = [one for one in fonts_of_all if str(Path(one.fname).resolve()).startswith(shipped)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "_said", set())
    fonts._families.cache_clear()
    yield
    fonts._families.cache_clear()


@pytest.fixture
def installed(tmp_path):
    """Installs a font whose only letters are two Japanese ones."""
    install(tmp_path, "Knots")


def install(folder, name):
    pen = TTGlyphPen(None)
    for move, point in (("moveTo", (0, 0)), ("lineTo", (900, 0)), ("lineTo", (450, 800))):
        getattr(pen, move)(point)
    pen.closePath()
    glyph = pen.glyph()
    names = [".notdef", "a", "b"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(KNOT[0]): "a", ord(KNOT[1]): "b"})
    builder.setupGlyf(dict.fromkeys(names, glyph))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(folder / f"{name}.ttf")
    font_manager.fontManager.addfont(folder / f"{name}.ttf")


def figure_with(text):
    figure, (axes,) = figures.panels(1, 1, (3, 2), title=f"{text} x", random_weights=False)
    axes.set_title(text)
    axes.set_yticks([0, 1], [text, "other"])
    return figure


@pytest.mark.usefixtures("installed")
def test_an_installed_font_is_used(tmp_path, caplog, recwarn):
    figure = figure_with(KNOT)
    figures.write(figure, tmp_path / "figure.png")
    assert "Knots" in figure.axes[0].title.get_fontfamily()
    assert "Knots" in figure.axes[0].get_yticklabels()[0].get_fontfamily()
    assert not caplog.messages
    assert not [one for one in recwarn if "Glyph" in str(one.message)]


def test_without_a_font_one_line_says_what_to_install(tmp_path, caplog, recwarn):
    with caplog.at_level(logging.WARNING):
        for name in ("a.png", "b.png"):
            figures.write(figure_with(KNOT), tmp_path / name)
    (message,) = caplog.messages
    assert message.startswith("No installed font has the characters of figures in CJK (such as ")
    assert "install Noto Sans CJK" in message
    assert not [one for one in recwarn if "Glyph" in str(one.message)]


def test_a_font_of_boxes_is_none(tmp_path, caplog):
    install(tmp_path, "Last Resort High-Efficiency")
    fonts.use_fonts(figure_with(KNOT))
    assert caplog.messages[0].startswith("No installed font has the characters of figures in CJK")


def test_a_page_leaves_the_fonts_to_the_browser(caplog):
    drawing = inline_svg(figure_with(KNOT), "name", "alt", "caption")
    assert KNOT in drawing.content
    assert not caplog.messages


def test_latin_greek_and_cyrillic_keep_their_font():
    figure = figure_with("Pneumothorax \u03b1 \u0416")
    before = figure.axes[0].title.get_fontfamily()
    fonts.use_fonts(figure)
    assert figure.axes[0].title.get_fontfamily() == before


def test_monospaced_texts_stay_monospaced():
    figure = Figure()
    text = figure.text(0, 0, f"resize {KNOT}", family="monospace")
    fonts.use_fonts(figure, quiet=True)
    assert text.get_fontfamily()[0] == "monospace"


def test_wide_letters_wrap_at_their_width():
    assert fonts.wide(f"a{KNOT}") == 5
    assert fonts.wrapped(KNOT * 4, 6) == [KNOT + KNOT[0], KNOT[1] + KNOT, KNOT]
    assert fonts.wrapped("one two three", 7) == ["one two", "three"]
    assert fonts.wrapped("", 7) == []
