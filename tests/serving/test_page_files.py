"""The files of the server's page: what a reader of them can check without a browser."""

import itertools
import re

import pytest

from remedis.serving.page_files import page_files
from tests.docs.html_page import addresses_in_css
from tests.docs.test_colours import contrast

FILES = {file.path: file for file in page_files()}
TEXT = {path: file.content.decode() for path, file in FILES.items()}
INDEX, CSS = TEXT["/"], TEXT["/page/page.css"]
SCRIPTS = {path: text for path, text in TEXT.items() if path.endswith(".js")}
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))
    for block in re.findall(r":root \{(.*?)\n *\}", CSS, re.DOTALL)
)


def test_every_file_has_its_type():
    types = {path: file.content_type.partition(";")[0] for path, file in FILES.items()}
    assert types.pop("/") == "text/html"
    assert types.pop("/page/page.css") == "text/css"
    assert set(types.values()) == {"text/javascript"}
    assert "/page/page.js" in types


def test_addresses_are_those_of_the_page_itself():
    assert not re.findall(r"(?:https?:)?//[a-z]", INDEX + CSS)
    assert not addresses_in_css(CSS)
    [*loaded] = re.findall(r'(?:src|href)="([^"#][^"]*)"', INDEX)
    assert {f"/{address}" for address in loaded if not address.startswith("data:")} < set(FILES)
    for text in SCRIPTS.values():
        imported = re.findall(r'from "\./([^"]+)"', text)
        assert {f"/page/{name}" for name in imported} <= set(SCRIPTS)
        # The name of SVG is no address that is opened.
        others = set(re.findall(r"https?://[^\"'`]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not others


def test_nothing_needs_a_looser_policy():
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", INDEX)
    for text in SCRIPTS.values():
        # HTML is never made of text: a label or a file could bring its own.
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
        assert not re.search(r"localStorage|sessionStorage|document\.cookie", text)


def test_scripts_use_elements_that_exist():
    ids = set(re.findall(r'\bid="([\w-]+)"', INDEX))
    for text in SCRIPTS.values():
        named = set(re.findall(r'\bat\("([\w-]+)"\)', text))
        named |= set(re.findall(r'querySelector\("#([\w-]+)', text))
        assert named <= ids
    labels = re.findall(r'(?:for|aria-labelledby|aria-describedby)="([\w-]+)"', INDEX)
    assert set(labels) <= ids


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colours):
    assert len(colours) >= 9
    six = {k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in colours.items()}
    for text, paper in itertools.product(("ink", "quiet", "alarm"), ("paper", "raised")):
        assert contrast(six[text], six[paper]) >= 4.5, (text, paper)
    assert contrast(six["brand"], six["on-brand"]) >= 4.5
    # Parts of controls and the mark of the keyboard: WCAG 2.2, 1.4.11.
    for part in ("brand", "quiet", "against", "for"):
        assert contrast(six[part], six["paper"]) >= 3, part
