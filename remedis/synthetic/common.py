"""What the three written data sets share: checks of the arguments, and the notice in each."""

import pathlib

from remedis.errors import UserError

_NOTICE = """This folder holds made-up images.

Every image was drawn by a program (remedis.synthetic); no patient, slide or hospital exists.
The layout on disk is that of {layout}, so that the code which reads the real set can be tried.
Numbers measured on these images say whether a program runs and learns, and nothing about medicine:
no result on them means anything clinically, and none may be reported as a result on {layout}.

Seed: {seed}
Drawn in the style of: {style}
"""


def check_at_least(name: str, value: int, least: int) -> None:
    """Raises `UserError` unless the argument called `name` is at least `least`."""
    if value < least:
        raise UserError(f"{name} is {value}, expected {least} or more.")


def write_notice(directory: pathlib.Path, layout: str, seed: int, style: str) -> None:
    """Writes REHEARSAL.txt, which says that the images in `directory` are made up."""
    text = _NOTICE.format(layout=layout, seed=seed, style=style)
    (directory / "REHEARSAL.txt").write_text(text, encoding="utf-8")
