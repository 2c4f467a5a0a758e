"""Made-up H&E patches in the layout of Camelyon17-WILDS, version 1.0.

Columns, names and numbering are those of the published set: Koh et al., 2021,
https://arxiv.org/abs/2012.07421.
"""

import os
import pathlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
from PIL import Image

from remedis import files
from remedis.errors import UserError, check_at_least
from remedis.synthetic.drawing import generator
from remedis.synthetic.histology import CENTRES, draw_patch
from remedis.synthetic.notice import write_notice

NAME = "camelyon17_v1.0"
PATCH_SIZE = 96
# The published set has 50 slides, 10 per centre. Patients 0 to 19 are of centre 0, and so on, but
# only every other patient has slides. The skipped patients allow as many slides again.
_PUBLISHED_SLIDES = 10
_MOST_SLIDES = 20
_PATIENTS_PER_CENTRE = 20
_COHORT = 4
# Share of patches whose `split` is 1: in-distribution validation.
_VALIDATION_SHARE = 0.1


def write_wilds_camelyon17(
    directory: str | os.PathLike[str],
    slides_per_centre: int = 4,
    patches_per_slide: int = 30,
    seed: int = 0,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/camelyon17_v1.0`, completely or not at all.

    The folder has `metadata.csv` and RGBA patches of 96x96 pixels from five centres; half of the
    patches per slide have tumour. As in the published set, `split` is 0 or 1 and drawn per patch:
    the official split takes centre 1 for validation and centre 2 for test. A patch does not depend
    on the numbers of slides and patches.

    Args:
      directory: the folder to write into.
      slides_per_centre: 1 to 20; the published set has 10. Each slide is of another patient, except
        that the ninth and the tenth slide share one.
      patches_per_slide: the number of patches per slide.
      seed: the same seed gives the same bytes.
      overwrite: replace an existing folder.

    Returns:
      The path of the `camelyon17_v1.0` folder.

    Raises:
      UserError: a number is out of range, or the folder exists.
    """
    check_at_least("patches_per_slide", patches_per_slide, 1)
    if not 1 <= slides_per_centre <= _MOST_SLIDES:
        raise UserError(
            f"slides_per_centre is {slides_per_centre}, expected 1 to {_MOST_SLIDES}, "
            "as many as the numbers of patients allow."
        )
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        rows = [
            row
            for centre in range(len(CENTRES))
            for slide in range(slides_per_centre)
            for row in _write_slide(root, centre, slide, patches_per_slide, seed)
        ]
        pd.DataFrame(rows).to_csv(root / "metadata.csv")
        write_notice(root, NAME, seed, ", ".join(style.name for style in CENTRES))
    return final


def _write_slide(
    root: pathlib.Path, centre: int, slide: int, patches: int, seed: int
) -> Iterator[dict[str, str | int]]:
    """Draws the patches of one slide of a centre and yields their rows of the table."""
    block, position = divmod(slide, _PUBLISHED_SLIDES)
    number = _PUBLISHED_SLIDES * (len(CENTRES) * block + centre) + position
    rng = generator(seed, _COHORT, number)
    # The tenth slide is a second lymph node of the patient of the ninth.
    is_second = slide == _PUBLISHED_SLIDES - 1
    patient_of_centre = 2 * (position - is_second) + block
    patient = f"{_PATIENTS_PER_CENTRE * centre + patient_of_centre:03d}"
    node = 4 if is_second else int(rng.integers(0, 4))
    left, top = (32 * int(value) for value in rng.integers(50, 500, 2))
    folder = root / "patches" / f"patient_{patient}_node_{node}"
    folder.mkdir(parents=True)
    for patch in range(patches):
        patch_rng = generator(seed, _COHORT, number, patch)
        tumour = patch % 2
        x = left + PATCH_SIZE * (patch % 16)
        y = top + PATCH_SIZE * (patch // 16)
        pixels = draw_patch(bool(tumour), CENTRES[centre], patch_rng, PATCH_SIZE)
        opaque = np.full((PATCH_SIZE, PATCH_SIZE, 1), 255, np.uint8)
        image = Image.fromarray(np.concatenate([pixels, opaque], axis=-1))
        image.save(folder / f"patch_patient_{patient}_node_{node}_x_{x}_y_{y}.png")
        yield {
            "patient": patient,
            "node": node,
            "x_coord": x,
            "y_coord": y,
            "tumor": tumour,
            "slide": number,
            "center": centre,
            "split": int(patch_rng.random() < _VALIDATION_SHARE),
        }
