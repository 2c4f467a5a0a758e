"""XML files of others, read without what an XML file may do beyond holding data."""

import pathlib
from typing import Any

from remedis import extras, limits
from remedis.errors import UserError
from remedis.regular_files import read_bytes


def root(path: pathlib.Path, kind: str, expected: str) -> Any:
    """Returns the root element of an XML file.

    Args:
      path: the file.
      kind: what the file should be, such as `annotation file`.
      expected: the end of the sentence about a file that is not XML.

    Raises:
      UserError: the file cannot be read, is not XML, or declares a document type, as attacks with
        entities do; or defusedxml is not installed.
    """
    xml = extras.load("defusedxml.ElementTree", "slides")
    try:
        contents = read_bytes(path, limits.MAX_TEXT_BYTES)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        return xml.fromstring(contents, forbid_dtd=True)
    except xml.DTDForbidden as error:
        raise UserError(f"{path} declares a document type, as no {kind} does.") from error
    except (xml.ParseError, LookupError, ValueError) as error:
        raise UserError(f"{path} is not XML ({error}); expected {expected}.") from error
