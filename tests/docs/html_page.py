"""What the tests of the site read from a page: links, images, headings, resources."""

import dataclasses
import html.parser
import pathlib
import re

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
LOADED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch"}


@dataclasses.dataclass
class Page:
    """Parts of one HTML page.

    A page that a generator wrote as HTML, such as a report, has no part of the theme.
    """

    themed: bool = True
    links: list[str] = dataclasses.field(default_factory=list)  # href of every <a>
    ids: set[str] = dataclasses.field(default_factory=set)
    images: list[dict[str, str]] = dataclasses.field(default_factory=list)  # attributes
    headings: list[tuple[int, str]] = dataclasses.field(default_factory=list)  # of the content
    loaded: list[str] = dataclasses.field(default_factory=list)  # fetched without a click
    styles: str = ""  # text of <style> and of style attributes


class _Reader(html.parser.HTMLParser):
    def __init__(self, themed: bool) -> None:
        super().__init__()
        self.page = Page(themed)
        self.heading: list[str] | None = None
        self.in_style = False
        self.in_content = not themed

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        page = self.page
        if "id" in values:
            page.ids.add(values["id"])
        if tag == "a" and "href" in values:
            page.links.append(values["href"])
        if tag == "img":
            page.images.append(values)
        if LOADED.get(tag) in values:
            page.loaded.append(values[LOADED[tag]])
        if tag == "link" and LOADED_LINKS & set(values.get("rel", "").split()):
            page.loaded.append(values["href"])
        page.styles += values.get("style", "")
        self.in_style |= tag == "style"
        self.in_content |= tag == "article"
        if tag in HEADINGS and self.in_content:
            self.heading = []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        if tag in HEADINGS and self.heading is not None:
            self.page.headings.append((int(tag[1]), "".join(self.heading).strip()))
            self.heading = None
        self.in_style &= tag != "style"
        self.in_content &= tag != "article" or not self.page.themed

    def handle_data(self, data):
        if self.in_style:
            self.page.styles += data
        if self.heading is not None:
            self.heading.append(data)


def read_page(path: pathlib.Path) -> Page:
    """Returns the parts of an HTML file."""
    text = path.read_text(encoding="utf-8")
    reader = _Reader(themed="data-md-color-scheme" in text)
    reader.feed(text)
    return reader.page


def addresses_in_css(text: str) -> list[str]:
    """Returns what a style sheet loads: the addresses of `url()` and of `@import`."""
    found = re.findall(r"""(?:url\(\s*|@import\s+(?!url))["']?([^"')\s;]+)""", text)
    return [address for address in found if not address.startswith("data:")]
