"""Text of the site can be read: contrast of its colours after WCAG 2.2, criterion 1.4.3 (AA)."""

import itertools
import pathlib
import re

import pytest

STYLE = pathlib.Path(__file__).parents[2] / "docs" / "assets" / "site.css"
SCHEMES = {
    name: dict(re.findall(r"--md-([\w-]+): (#[0-9a-f]{6});", block))
    for name, block in re.findall(
        r'\[data-md-color-scheme="(\w+)"\]\S* \{(.*?)\n\}', STYLE.read_text(), re.DOTALL
    )
}
PAGE = ("default-bg-color", "code-bg-color")
# Colours of text, and the backgrounds on which they stand.
TEXT = {
    ("default-fg-color", "default-fg-color--light", "typeset-a-color", "accent-fg-color"): PAGE,
    (
        "code-fg-color",
        "code-hl-number-color",
        "code-hl-special-color",
        "code-hl-function-color",
        "code-hl-constant-color",
        "code-hl-keyword-color",
        "code-hl-string-color",
    ): PAGE,
    ("primary-bg-color", "primary-bg-color--light"): ("primary-fg-color",),
    ("footer-fg-color", "footer-fg-color--light", "footer-fg-color--lighter"): (
        "footer-bg-color",
        "footer-bg-color--dark",
    ),
}
PAIRS = [
    (scheme, text, background)
    for scheme in SCHEMES
    for texts, backgrounds in TEXT.items()
    for text, background in itertools.product(texts, backgrounds)
]


def luminance(colour: str) -> float:
    """Returns the relative luminance of `#rrggbb`, in [0, 1] (WCAG 2.2, "relative luminance")."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """Returns the contrast of two colours, in [1, 21] (WCAG 2.2, "contrast ratio")."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_known_colours():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_the_style_sheet_has_both_schemes():
    assert set(SCHEMES) == {"default", "slate"}


@pytest.mark.parametrize(("scheme", "text", "background"), PAIRS)
def test_text_has_enough_contrast(scheme, text, background):
    colours = SCHEMES[scheme]
    assert contrast(colours[text], colours[background]) >= 4.5
