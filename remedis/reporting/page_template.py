"""The templates of all HTML pages: self-contained, without scripts, well-formed as XML."""

import functools
import pathlib
import re

import jinja2

from remedis.visible_text import visible

_HERE = pathlib.Path(__file__).parent


@functools.cache
def environment() -> jinja2.Environment:
    """Returns the templates.

    They escape every value, make it visible (`visible_text`), and refuse a value that is missing.
    """
    return jinja2.Environment(
        # By folder: a loader by package imports it, and that of studies loads TensorFlow.
        loader=jinja2.FileSystemLoader(
            [_HERE / "templates", _HERE / "label_budget_report" / "templates"]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )


def _visible(value: object) -> object:
    """Returns a value of a page without characters that XML does not allow; markup as it is."""
    return visible(value, lines=True) if type(value) is str else value


def unbroken(page: str) -> str:
    """Returns the page with no line break between a number and its percent sign."""
    return re.sub(r"(\d) %", "\\1\N{NO-BREAK SPACE}%", page)
