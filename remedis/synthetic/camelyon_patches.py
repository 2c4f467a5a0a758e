"""Made-up H&E patches in folders, with the names of slides of Camelyon16 and Camelyon17."""

import os
import pathlib

from PIL import Image

from remedis import files
from remedis.errors import UserError, check_at_least
from remedis.synthetic.drawing import generator
from remedis.synthetic.histology import CENTRES, draw_patch
from remedis.synthetic.notice import write_notice

NAME = "camelyon_patches"
_COHORT = 31
_MOST_SLIDES = 100


def write_camelyon_patches(
    directory: str | os.PathLike[str],
    slides: int = 12,
    patches_per_slide: int = 8,
    seed: int = 0,
    patch_size: int = 96,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/camelyon_patches`, completely or not at all.

    The folders are `train/normal`, `train/tumor`, `test/normal` and `test/tumor`. Training slides
    are those of Camelyon16, every second one with tumour in half of its patches; the test slides, a
    third as many, are those of hospital 4 of Camelyon17. A patch does not depend on their number.

    Args:
      directory: the folder to write into.
      slides: the number of training slides, 3 to 100.
      patches_per_slide: the number of patches per slide.
      seed: the same seed gives the same bytes.
      patch_size: width and height in pixels.
      overwrite: replace an existing folder.

    Returns:
      The path of the folder.

    Raises:
      UserError: a number is out of range, or the folder exists.
    """
    check_at_least("slides", slides, 3)
    check_at_least("patches_per_slide", patches_per_slide, 2)
    check_at_least("patch_size", patch_size, 32)
    check_at_least("seed", seed, 0)
    if slides > _MOST_SLIDES:
        raise UserError(f"slides is {slides}, expected {_MOST_SLIDES} or fewer.")
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        for slide in range(slides):
            kind = ("tumor", "normal")[slide % 2]
            name = f"{kind}_{1 + slide // 2:03d}"
            _write_slide(root / "train", name, slide, patches_per_slide, seed, patch_size)
        for slide in range(slides // 3):
            name = f"patient_{80 + slide // 2:03d}_node_{slide % 2}"
            number = _MOST_SLIDES + slide
            _write_slide(root / "test", name, number, patches_per_slide, seed, patch_size)
        write_notice(root, NAME, seed, f"{CENTRES[0].name}, {CENTRES[4].name}")
    return final


def _write_slide(
    split: pathlib.Path, name: str, number: int, patches: int, seed: int, size: int
) -> None:
    style = CENTRES[4 if name.startswith("patient") else 0]
    for patch in range(patches):
        tumour = bool(patch % 2) and not name.startswith("normal")
        folder = split / ("tumor" if tumour else "normal")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw_patch(tumour, style, generator(seed, _COHORT, number, patch), size)
        Image.fromarray(pixels).save(folder / f"{name}_x_{size * patch}_y_{size * number}.png")
