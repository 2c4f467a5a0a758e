"""A page of pictures in rows, such as a query and the images like it.

The page is self-contained HTML without scripts, also well-formed as XML.
"""

import dataclasses
from collections.abc import Sequence

from remedis.reporting import page_template
from remedis.reporting.figures import RED
from remedis.reporting.notes import RESEARCH_USE


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image with what is known about it.

    Attributes:
      name: path of the image; what readers who cannot see it are told.
      url: data URL of its picture; empty if it cannot be shown.
      heading: the first line below it, such as a similarity.
      lines: further lines, such as patient and labels.
      marked: whether it stands out, as the query does among its neighbours.
    """

    name: str
    url: str
    heading: str
    lines: Sequence[str]
    marked: bool = False


@dataclasses.dataclass(frozen=True)
class PictureRow:
    """A section of the page.

    Attributes:
      heading: its title.
      sentences: above the pictures.
      pictures: in their order.
    """

    heading: str
    sentences: Sequence[str]
    pictures: Sequence[Picture]


def page(
    title: str,
    what: str,
    answer: Sequence[str],
    warnings: Sequence[str],
    rows: Sequence[PictureRow],
) -> str:
    """Returns the page.

    Args:
      title: of the page.
      what: a sentence on what is shown.
      answer: sentences in a box at the top.
      warnings: in red.
      rows: the sections.
    """
    rendered = (
        page_template.environment()
        .get_template("gallery.html.jinja")
        .render(
            red=RED,
            research_use=RESEARCH_USE,
            title=title,
            what=what,
            answer=answer,
            warnings=warnings,
            rows=rows,
        )
    )
    return page_template.unbroken(rendered)
