"""Made-up whole slides in the layout of Camelyon16.

Directories, names and the table are those of the published set: Ehteshami Bejnordi et al., JAMA
318(22):2199-2210, 2017.
"""

import os
import pathlib

from remedis import files
from remedis.errors import UserError, check_at_least
from remedis.synthetic.histology import CENTRES
from remedis.synthetic.notice import write_notice
from remedis.synthetic.whole_slide import draw_slide, write_outlines, write_slide

NAME = "CAMELYON16"
_COHORT = 7
_KINDS = ("normal", "tumor", "test")
# The published set has normal_001 to 160 without 086; test_049 is missing, too.
_MOST_SLIDES = 48
# The published slides come from two hospitals.
_STYLES = (CENTRES[0], CENTRES[3])


def write_camelyon16(
    directory: str | os.PathLike[str],
    slides: int = 12,
    test_slides: int = 20,
    seed: int = 0,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/CAMELYON16`, completely or not at all.

    The folder has `training/normal`, `training/tumor` and `testing/images` with TIFFs of 576 x 480
    pixels, `lesion_annotations` beside them, and `testing/reference.csv`. Every second test slide
    has tumour. The second slide with tumour in training has no outlines, as some real slides. A
    slide does not depend on the number of slides.

    Args:
      directory: the folder to write into.
      slides: the number of normal slides in training and the number of those with tumour, 1 to 48.
      test_slides: the number of test slides, 1 to 48.
      seed: the same seed gives the same bytes.
      overwrite: replace an existing folder.

    Returns:
      The path of the `CAMELYON16` folder.

    Raises:
      UserError: a number is out of range, the folder exists, or tifffile is not installed.
    """
    for name, value in {"slides": slides, "test_slides": test_slides}.items():
        check_at_least(name, value, 1)
        if value > _MOST_SLIDES:
            raise UserError(f"{name} is {value}, expected {_MOST_SLIDES} or fewer.")
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        for number in range(1, slides + 1):
            _write_slide(root / "training", "normal", "normal", number, False, seed)
            outlined = number != 2
            _write_slide(root / "training", "tumor", "tumor", number, True, seed, outlined)
        reference = []
        for number in range(1, test_slides + 1):
            tumour = number % 2 == 1
            _write_slide(root / "testing", "images", "test", number, tumour, seed)
            reference.append(
                f"test_{number:03d},{'Tumor,IDC,Macro' if tumour else 'Normal,IDC,None'}"
            )
        text = "\n".join(reference) + "\n"
        (root / "testing" / "reference.csv").write_text(text, encoding="utf-8")
        write_notice(root, "Camelyon16", seed, ", ".join(style.name for style in _STYLES))
    return final


def _write_slide(
    part: pathlib.Path,
    folder: str,
    kind: str,
    number: int,
    tumour: bool,
    seed: int,
    outlined: bool = True,
) -> None:
    name = f"{kind}_{number:03d}"
    style = _STYLES[(number // 2) % len(_STYLES)]
    slide = draw_slide(tumour, style, seed, _COHORT, _KINDS.index(kind), number)
    write_slide(part / folder / f"{name}.tif", slide.pixels)
    if tumour and outlined:
        write_outlines(part / "lesion_annotations" / f"{name}.xml", slide.tumours, "_0")
