"""The page of the server: files of this package, with their types."""

import dataclasses
from importlib import resources

FOLDER = "page"
INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


@dataclasses.dataclass(frozen=True)
class PageFile:
    """One file of the page.

    Attributes:
      path: its address.
      content_type: of the answer.
      content: of the file.
    """

    path: str
    content_type: str
    content: bytes


def page_files() -> list[PageFile]:
    """Returns all files of the page; nothing else of the folder can be asked for."""
    found = []
    for file in (resources.files("remedis.serving") / FOLDER).iterdir():
        ending = file.name[file.name.rfind(".") :]
        if ending in _TYPES:
            path = "/" if file.name == INDEX else f"/{FOLDER}/{file.name}"
            found.append(PageFile(path, _TYPES[ending], file.read_bytes()))
    return sorted(found, key=lambda file: file.path)
