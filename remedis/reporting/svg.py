"""Figures as SVG and PDF files, and as inline SVG; equal figures give equal bytes."""

import io
import pathlib
import re

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from remedis import files
from remedis.reporting import fonts
from remedis.reporting.page_content import Drawing

# Metadata that matplotlib would record: the time, its version and its address.
_SVG = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_PDF = dict.fromkeys(("Creator", "Producer", "CreationDate"))


def save(figure: Figure, directory: files.Path, name: str) -> None:
    """Writes `<name>.svg` and `<name>.pdf` into the directory, each completely or not at all."""
    fonts.use_fonts(figure)
    _lay_out(figure)
    # Without a salt the ids of an SVG are random. Type 42 is TrueType: text stays text in a PDF.
    with matplotlib.rc_context({"svg.hashsalt": name, "pdf.fonttype": 42}):
        for suffix, metadata in (("svg", _SVG), ("pdf", _PDF)):
            target = pathlib.Path(directory) / f"{name}.{suffix}"
            with files.whole_file(target) as temporary, fonts.no_glyph_warnings():
                figure.savefig(temporary, metadata=metadata)


def standalone(figure: Figure, name: str) -> str:
    """Returns the figure as the text of an SVG file, whose letters are paths: it needs no font.

    Args:
      figure: the figure.
      name: seed of the ids within the file.
    """
    fonts.use_fonts(figure, quiet=True)
    _lay_out(figure)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}), fonts.no_glyph_warnings():
        figure.savefig(buffer, format="svg", metadata=_SVG)
    return buffer.getvalue()


def inline_svg(figure: Figure, name: str, alt: str, caption: str) -> Drawing:
    """Returns the figure as inline SVG, which scales with the page.

    Args:
      figure: the figure.
      name: unique among the figures of the page.
      alt: what the figure shows, for readers who cannot see it.
      caption: text above the figure.
    """
    fonts.use_fonts(figure, quiet=True)
    _lay_out(figure)
    buffer = io.StringIO()
    salted = matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"})
    with salted, fonts.no_glyph_warnings():
        figure.savefig(buffer, format="svg", metadata=_SVG)
    svg = buffer.getvalue()
    view_box = re.search(r'viewBox="([^"]*)"', svg)
    assert view_box is not None
    content = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    # Matplotlib numbers the groups of every figure from 1, but ids must be unique in a page.
    # Nothing refers to the ids of groups. HTML knows `href` without the XML namespace.
    content = re.sub(r'<g id="[^"]*"', "<g", content).replace("xlink:href", "href")
    # Matplotlib has escaped the texts of the figure.
    return Drawing(Markup(content), view_box[1], alt, caption)


def _lay_out(figure: Figure) -> None:
    """Fixes the positions of the panels, the same in all formats and for equal figures."""
    if figure.get_layout_engine() is None:
        return
    with fonts.no_glyph_warnings():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        # The layout solver's last bits differ between runs, and the ids are hashes of positions.
        axes.set_position(Bbox(np.round(axes.get_position().get_points(), 6)))
