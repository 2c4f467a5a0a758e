"""The reader of pages sees what the tests of the site look for."""

from tests.docs.html_page import addresses_in_css, read_page

THEMED = """<!doctype html><html><head>
<link rel="stylesheet" href="a.css"><link rel="preconnect" href="https://fonts.example">
<link rel="next" href="b.html"><style>@import url("//host/c.css");</style>
<script src="https://host/d.js"></script></head>
<body data-md-color-scheme="default"><h1>Menu</h1><a id="top" href="b.html#x">b</a>
<article><h1>Title <code>x</code></h1><h3>Part</h3><img src="e.png" alt="A plot"/></article>
<div style="background: url(https://host/f.png)"><iframe src="g.html"></iframe></div></body></html>
"""


def test_a_page_of_the_theme_is_read(tmp_path):
    (tmp_path / "page.html").write_text(THEMED)
    page = read_page(tmp_path / "page.html")
    assert page.themed
    assert page.headings == [(1, "Title x"), (3, "Part")]  # without those of the menu
    assert page.links == ["b.html#x"]
    assert page.ids == {"top"}
    assert page.images == [{"src": "e.png", "alt": "A plot"}]
    assert page.loaded == ["a.css", "https://fonts.example", "https://host/d.js", "e.png", "g.html"]
    assert addresses_in_css(page.styles) == ["//host/c.css", "https://host/f.png"]


def test_all_headings_of_a_page_without_the_theme_count(tmp_path):
    (tmp_path / "report.html").write_text("<h1>Report</h1><article><h2>A</h2></article><h2>B</h2>")
    page = read_page(tmp_path / "report.html")
    assert not page.themed
    assert page.headings == [(1, "Report"), (2, "A"), (2, "B")]


def test_addresses_in_style_sheets_are_found_unless_they_are_data():
    css = "@font-face {src: url('https://h/a.woff')} b {c: url(data:image/png;base64,AA)}"
    assert addresses_in_css(css + " @import 'https://h/d.css';") == [
        "https://h/a.woff",
        "https://h/d.css",
    ]
