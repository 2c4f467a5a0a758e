"""The notice in every made-up data set: results on its images have no clinical meaning."""

import pathlib

_NOTICE = """This folder holds made-up images.

Every image was drawn by a program (remedis.synthetic); no patient, slide or hospital exists.
The layout on disk is that of {layout}, so that the code which reads the real set can be tried.
Numbers measured on these images say whether a program runs and learns, and nothing about medicine:
no result on them means anything clinically, and none may be reported as a result on {layout}.

Seed: {seed}
Drawn in the style of: {style}
"""


def write_notice(directory: pathlib.Path, layout: str, seed: int, style: str) -> None:
    """Writes REHEARSAL.txt, which says that the images in `directory` are made up.

    Args:
      directory: the directory of the data set.
      layout: the published data set whose layout it has.
      seed: the seed of the images.
      style: the hospitals or centres whose style the images have.
    """
    text = _NOTICE.format(layout=layout, seed=seed, style=style)
    (directory / "REHEARSAL.txt").write_text(text, encoding="utf-8")
