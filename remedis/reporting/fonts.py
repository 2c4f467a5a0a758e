"""Fonts of figures: matplotlib's own, and installed ones for scripts that it lacks.

Matplotlib's font, DejaVu Sans, has Latin, Greek, Cyrillic, Arabic and Hebrew letters, but no
Chinese, Japanese, Korean, Indic or Thai ones. A text falls back on the next font of its list
for a character that the fonts before it lack.
"""

import contextlib
import functools
import logging
import unicodedata
import warnings
from collections.abc import Iterable, Iterator

from matplotlib import font_manager, ft2font
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, Formatter, FuncFormatter

from remedis.visible_text import visible

_LOG = logging.getLogger(__name__)
_OWN = "DejaVu Sans"
# Tried first, since they have all the characters of their script.
_PREFERRED = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans JP", "Noto Sans SC"),
    *("Source Han Sans", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic", "NanumGothic", "Droid Sans Fallback"),
    *("Microsoft YaHei", "Yu Gothic", "Meiryo", "MS Gothic", "Malgun Gothic", "SimHei", "SimSun"),
    *("PingFang SC", "Hiragino Sans", "Hiragino Sans GB", "Apple SD Gothic Neo", "Heiti TC"),
    *("Arial Unicode MS", "Noto Sans", "Noto Sans Devanagari", "Nirmala UI", "Noto Sans Thai"),
    *("Leelawadee UI", "Lohit Devanagari"),
)
# Fonts that draw a box for every character; matplotlib 3.11 ships the second.
_BOXES = ("LastResort", "Last Resort", ".LastResort", "Adobe Blank", "Adobe NotDef")
_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH")
_said: set[str] = set()


def use_fonts(figure: Figure, quiet: bool = False) -> None:
    """Makes the texts of a figure visible, and gives them fonts; says which script has none.

    A dollar sign in a name begins no formula of matplotlib's, and a control character or a lone
    surrogate neither stops the drawing nor makes an SVG that is no XML.

    Args:
      figure: the figure, complete.
      quiet: whether nothing is said: a browser that shows the text has fonts of its own.
    """
    _make_visible(figure)
    texts: list[Text] = figure.findobj(Text)
    # Ticks that are made while drawing take the font of their axis.
    axes = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    texts += [label for axis in axes for label in axis.get_ticklabels()]
    characters = {
        character
        for text in texts
        for character in text.get_text()
        if ord(character) > 127 and not character.isspace()
    }
    missing = characters - _characters(font_manager.findfont(_OWN))
    if not missing:
        return
    families, without = _families(frozenset(missing))
    for text in texts:
        own = text.get_fontfamily()
        if not set(own) & set(families):
            text.set_fontfamily([*(_OWN if one == "sans-serif" else one for one in own), *families])
    for axis in axes:
        _set_family(axis, [_OWN, *families])
    if without and not quiet:
        _say(without)


@contextlib.contextmanager
def no_glyph_warnings() -> Iterator[None]:
    """Hides matplotlib's own warnings on missing characters and weights of fonts.

    It has one for each character; `use_fonts` says it once.
    """
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            yield
    finally:
        log.setLevel(level)


def wide(text: str) -> int:
    """Returns the number of columns of a text, in which a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def wrapped(text: str, width: int) -> list[str]:
    """Returns the lines of a text of at most `width` columns, see `wide`.

    Lines break at spaces, and within a word that is too long alone, as Chinese text is.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and wide(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        line = ""
        for character in word:
            if line and wide(line + character) > width:
                lines.append(line)
                line = ""
            line += character
    return [*lines, line] if line else lines


def font_file(text: str) -> str:
    """Returns the font file for a text that Pillow draws: matplotlib's own where it suffices."""
    own = font_manager.findfont(_OWN)
    missing = frozenset(text) - _characters(own)
    families = _families(missing)[0] if missing else ()
    return font_manager.findfont(families[0]) if families else own


@functools.cache
def _characters(path: str) -> frozenset[str]:
    """Returns the characters of a font file; none if it cannot be read."""
    try:
        return frozenset(map(chr, ft2font.FT2Font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@functools.lru_cache(maxsize=64)
def _families(missing: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """Returns installed fonts that have the characters, and those that no font has."""
    installed = {
        entry.name: entry.fname
        for entry in font_manager.fontManager.ttflist
        if not entry.name.startswith(_BOXES)
    }
    names = [name for name in _PREFERRED if name in installed]
    names += sorted(name for name in installed if name not in names)
    chosen, left = [], set(missing)
    for name in names:
        if not left:
            break
        if found := left & _characters(installed[name]):
            chosen.append(name)
            left -= found
    return tuple(chosen), "".join(sorted(left))


class _VisibleNames(Formatter):
    """Names at the ticks of an axis, which a formatter sets again whenever the figure is drawn."""

    def __init__(self, names: Formatter) -> None:
        self._names = names

    def __call__(self, x: float, pos: int | None = None) -> str:
        return visible(self._names(x, pos), lines=True).replace("$", r"\$")


def _make_visible(figure: Figure) -> None:
    axes = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    ticks = {label for axis in axes for label in (*axis.get_ticklabels(), axis.get_offset_text())}
    for text in figure.findobj(Text):
        if text not in ticks:
            text.set_text(visible(text.get_text(), lines=True))
            text.set_parse_math(False)
    for axis in axes:
        formatter = axis.get_major_formatter()
        # Numbers at ticks may be formulas of matplotlib's own, such as powers of ten.
        if isinstance(formatter, FuncFormatter | FixedFormatter):
            axis.set_major_formatter(_VisibleNames(formatter))


def _set_family(axis: Axis, families: list[str]) -> None:
    axis.set_tick_params(labelfontfamily=families)


def _say(characters: Iterable[str]) -> None:
    """Logs the scripts of characters without a font, each script once."""
    scripts: dict[str, str] = {}
    for character in characters:
        word = unicodedata.name(character, "UNNAMED").partition(" ")[0].split("-")[0]
        scripts.setdefault("CJK" if word in _CJK else word.capitalize(), character)
    new = {name: example for name, example in scripts.items() if name not in _said}
    if not new:
        return
    _said.update(new)
    listed = ", ".join(f"{name} (such as {example})" for name, example in new.items())
    fonts = " or ".join(
        "Noto Sans CJK (Debian: fonts-noto-cjk)" if name == "CJK" else f"Noto Sans {name}"
        for name in new
    )
    _LOG.warning(
        f"No installed font has the characters of figures in {listed}: they are drawn as boxes; "
        f"install {fonts}. Pages in HTML show them with the fonts of the browser."
    )
