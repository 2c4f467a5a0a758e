"""The documentation site: complete, readable offline, without a broken link."""

import itertools
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import pytest

from tests.docs.html_page import addresses_in_css

pytestmark = pytest.mark.guarantee  # the build takes longer than a quick test

# Hosts that a page may link to. Nothing is loaded from them, and no test asks them.
HOSTS = {
    "arxiv.org",
    "camelyon17.grand-challenge.org",
    "doi.org",
    "github.com",
    "keepachangelog.com",
    "nihcc.app.box.com",
    "physionet.org",
    "semver.org",
    "squidfunk.github.io",
    "stanfordmlgroup.github.io",
    "wilds.stanford.edu",
}
ADDRESS = re.compile(r"https?://|//")


def test_the_strict_build_warns_of_nothing(site):
    assert not [line for line in site.printed.splitlines() if not line.startswith("INFO")]


def test_every_page_is_in_the_search_index(site):
    index = (site.folder / "search" / "search_index.json").read_text(encoding="utf-8")
    pages = {path for path, page in site.pages.items() if page.themed}
    assert not {path for path in pages if f'"location":"{path}' not in index}


def test_the_script_of_the_search_index_has_the_same_content(site):
    search = site.folder / "search"
    index = (search / "search_index.json").read_text(encoding="utf-8")
    script = (search / "search_index.js").read_text(encoding="utf-8")
    assert script == f"var __index = {index};\n"


def test_no_page_loads_anything_from_another_host(site):
    loaded = {
        f"{path}: {address}"
        for path, page in site.pages.items()
        for address in page.loaded + addresses_in_css(page.styles)
        if ADDRESS.match(address)
    }
    assert not loaded


def test_no_style_sheet_or_picture_loads_anything_from_another_host(site):
    loaded = set()
    for path in [*site.folder.rglob("*.css"), *site.folder.rglob("*.svg")]:
        text = path.read_text(encoding="utf-8")
        addresses = addresses_in_css(text) + re.findall(r"""href=["']([^"']+)""", text)
        loaded |= {f"{path.name}: {address}" for address in addresses if ADDRESS.match(address)}
    assert not loaded


def test_no_diagram_makes_the_theme_load_its_drawing_library(site):
    """The theme's script loads Mermaid from another host if a page has such a diagram."""
    pages = [site.folder / path for path in site.pages]
    assert not [page.name for page in pages if 'class="mermaid"' in page.read_text()]


def test_every_internal_link_leads_to_a_file_and_an_anchor(site):
    broken = set()
    for path, page in site.pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            place = (site.folder / path).parent / urllib.parse.unquote(parts.path)
            target = str(place.resolve().relative_to(site.folder)) if parts.path else path
            if not (site.folder / target).is_file():
                broken.add(f"{path}: {link}")
            elif parts.fragment and target in site.pages:
                anchor = urllib.parse.unquote(parts.fragment)
                # The theme's own names of switches, such as `__drawer`, are ids too.
                if anchor not in site.pages[target].ids:
                    broken.add(f"{path}: {link}")
    assert not broken


def test_external_links_are_encrypted_and_lead_to_known_hosts(site):
    unknown = set()
    for path, page in site.pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            internal = not parts.scheme and not parts.netloc
            if not internal and (parts.scheme != "https" or parts.hostname not in HOSTS):
                unknown.add(f"{path}: {link}")
    assert not unknown


def test_every_page_has_one_title_and_its_headings_go_down_by_one_level(site):
    wrong = {}
    for path, page in site.pages.items():
        levels = [level for level, _ in page.headings]
        steps = [after - before for before, after in itertools.pairwise(levels)]
        if levels[:1] != [1] or levels.count(1) != 1 or max(steps, default=0) > 1:
            wrong[path] = page.headings
    assert not wrong


def test_every_image_has_a_text_in_its_place(site):
    # The logo stands beside the name of the site, in a link that has the name as its title.
    without = {
        f"{path}: {image.get('src', '')[:80]}"
        for path, page in site.pages.items()
        for image in page.images
        if len(image.get("alt", "").split()) < 2 and not image["src"].endswith("assets/logo.svg")
    }
    assert not without


def test_no_page_names_a_folder_of_the_machine_that_built_it(site):
    places = {str(pathlib.Path(__file__).parents[2]), str(site.folder)}
    found = set()
    for path in site.folder.rglob("*"):
        if path.suffix in {".html", ".json", ".js", ".xml", ".svg", ".css"}:
            text = path.read_text(encoding="utf-8")
            found |= {f"{path.name}: {place}" for place in places if place in text}
    assert not found


def test_no_page_is_a_placeholder(site):
    stub = "This page is being written."
    assert not [p for p in site.pages if stub in (site.folder / p).read_text(encoding="utf-8")]


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the site with")
def test_the_search_works_from_the_file_system(site, tmp_path):
    shown = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"{(site.folder / 'index.html').as_uri()}?q=semantic+versioning",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    found = re.findall(r'<a href="([^"]+)" class="md-search-result__link"', shown)
    assert any("/changelog.html" in link for link in found), found
