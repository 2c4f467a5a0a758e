"""Figures as files for papers and as SVG within a page; equal figures give equal bytes."""

import io
import pathlib
import re

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from remedis import files
from remedis.reporting.ood_report.markup import Markup, tag

# What matplotlib records unasked: the time, itself and its address.
_SVG = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_PDF = dict.fromkeys(("Creator", "Producer", "CreationDate"))


def save(figure: Figure, directory: files.Path, name: str) -> None:
    """Writes `<name>.svg` and `<name>.pdf` into the directory, each whole or not at all."""
    _lay_out(figure)
    # The ids of an SVG are drawn at random unless they are salted; 42 is TrueType, text that stays
    # text in a PDF.
    with matplotlib.rc_context({"svg.hashsalt": name, "pdf.fonttype": 42}):
        for suffix, metadata in (("svg", _SVG), ("pdf", _PDF)):
            with files.whole_file(pathlib.Path(directory) / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, metadata=metadata)


def within_page(figure: Figure, name: str, alt: str, caption: str) -> Markup:
    """Returns a `<figure>` with the drawing as inline SVG that scales with the page.

    Args:
      figure: what is drawn.
      name: another one for each figure of the page.
      alt: says what is to be seen, for those who cannot see it.
      caption: above the drawing.
    """
    _lay_out(figure)
    written = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(written, format="svg", metadata=_SVG)
    drawing = written.getvalue()
    box = re.search(r'viewBox="[^"]*"', drawing)
    assert box is not None
    inside = drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.rindex("</svg>")]
    # Groups are numbered anew in every figure, and ids must be unique in a page; nothing refers to
    # theirs. HTML knows `href` without the XML namespace.
    inside = re.sub(r'<g id="[^"]*"', "<g", inside).replace("xlink:href", "href")
    opened = tag("svg", role="img", aria_label=alt).removesuffix("></svg>")
    svg = Markup(f"{opened} {box[0]}>{inside}</svg>")
    return tag("figure", tag("figcaption", caption), svg)


def _lay_out(figure: Figure) -> None:
    """Fixes the places of the panels: once for all formats, and alike for equal figures."""
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        # The solver of the layout leaves another last bit from run to run, and ids are made of it.
        axes.set_position(Bbox(np.round(axes.get_position().get_points(), 6)))
