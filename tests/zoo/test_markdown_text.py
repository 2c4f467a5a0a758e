import html.parser

import markdown_it
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remedis.visible_text import visible
from remedis.zoo import markdown_text

PARSER = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKUP = "<script>|`*_[]()!#\\~&;:/-+=.1 ajwhtp\n@"
ANY = st.one_of(st.text(max_size=15), st.text(MARKUP, max_size=15))


class Seen(html.parser.HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<!-- hidden",
        "[x](javascript:alert)",
        "![x](http://a)",
        "<http://a.b>",
        "a | b | c",
        "# heading",
        "1. x",
        "---",
        "===",
        "`code`",
        "**bold** _it_",
        "&lt;b&gt;",
        "a\n\n# b",
        "chest_xray14",
        "a\\",
        "\\`x`",
    ],
)
def test_text_and_code_are_shown_as_they_are(text):
    for written, inside in ((markdown_text.text, []), (markdown_text.code, ["code"])):
        seen = Seen(PARSER.render(f"- {written(text)}"))
        assert seen.tags == ["ul", "li", *inside]
        assert seen.text.strip() == visible(text)


def test_the_name_of_a_data_set_stays_readable():
    assert markdown_text.text("chest_xray14: 1,200 images (2.5 %).") == (
        "chest_xray14: 1,200 images (2.5 %)."
    )
    assert markdown_text.text("http://a.b, www.c.d, e@f") == r"http\://a.b, www\.c.d, e\@f"


@given(ANY)
def test_any_text_has_no_markup_in_a_line_a_heading_and_a_cell(value):
    shown = " ".join(visible(value).split())
    assume(shown)
    cell = markdown_text.text(value)
    for begin, tags in (("- ", ["ul", "li"]), ("# ", ["h1"]), ("> ", ["blockquote", "p"])):
        seen = Seen(PARSER.render(f"{begin}{cell}"))
        assert seen.tags == tags
        assert " ".join(seen.text.split()) == shown
    table = "\n".join([markdown_text.row("a", "b"), "|---|---|", markdown_text.row(cell, "b")])
    seen = Seen(PARSER.render(table))
    assert seen.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]


@given(ANY)
def test_any_text_is_one_code_span(value):
    seen = Seen(PARSER.render(f"- read from {markdown_text.code(value)}, SHA-256 `a`"))
    assert seen.tags == ["ul", "li", "code", "code"]
    assert " ".join(visible(value).split()) in " ".join(seen.text.split())
