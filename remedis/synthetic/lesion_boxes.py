"""Made-up radiographs with lesions whose place is known, among distractors as bright as they are.

Every lung has round opacities of one size and brightness. A lesion is finely striped, a distractor
is smooth. Only the texture tells them apart, and the place is uniform in the lungs, so neither
brightness nor position gives the label away. Heat maps are judged on these images.
"""

import os
import pathlib

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

from remedis import files
from remedis.errors import check_at_least
from remedis.synthetic.anatomy import draw_anatomy, frontal
from remedis.synthetic.drawing import Floats, clouds, generator, soft_step
from remedis.synthetic.notice import write_notice

NAME = "lesions"
LESION = "Lung Lesion"
BOXES = "boxes.csv"
_COHORT = 23
_RADII = (0.075, 0.10)  # of opacities, as a share of the image's side
_MOST = 3  # opacities per image
_STRIPES = 0.04  # period of a lesion's stripes, as a share of the image's side


def write_lesion_boxes(
    directory: str | os.PathLike[str],
    patients: int = 200,
    seed: int = 0,
    image_size: int = 128,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/lesions`, completely or not at all.

    The folder has `manifest.csv` with the label `Lung Lesion`, `boxes.csv` with the box of every
    lesion (`path`, `label`, `x`, `y`, `width`, `height` in pixels of the image), and one image per
    patient, half of them with a lesion. A patient of a seed does not depend on their number.

    Args:
      directory: the folder to write into.
      patients: their number.
      seed: the same seed gives the same bytes.
      image_size: height and width in pixels.
      overwrite: replace an existing folder.

    Returns:
      The path of the folder `lesions`.

    Raises:
      UserError: there are fewer than two patients, images are smaller than 32 pixels, or the folder
        exists.
    """
    check_at_least("patients", patients, 2)
    check_at_least("image_size", image_size, 32)
    final = pathlib.Path(directory) / NAME
    rows, boxes = [], []
    with files.whole_directory(final, overwrite) as root:
        for patient in range(1, patients + 1):
            rng = generator(seed, _COHORT, patient)
            path, ill = f"p{patient:05d}.png", patient % 2
            pixels, box = draw_film(rng, bool(ill), image_size)
            Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(root / path)
            rows.append({"path": path, "patient_id": f"p{patient:05d}", LESION: ill})
            if box:
                left, top, width, height = box
                boxes.append(
                    {"path": path, "label": LESION, "x": left, "y": top}
                    | {"width": width, "height": height}
                )
        pd.DataFrame(rows).to_csv(root / "manifest.csv", index=False)
        pd.DataFrame(boxes).to_csv(root / BOXES, index=False)
        write_notice(root, "a folder with manifest.csv", seed, "lesions among distractors")
    return final


def draw_film(
    rng: np.random.Generator, ill: bool, size: int
) -> tuple[Floats, tuple[float, float, float, float] | None]:
    """Returns a film [size, size] in [0, 1] and the box of its lesion, if it is ill.

    The box is left, top, width and height in pixels. The number of opacities does not depend on
    `ill`: the first of them is the lesion.
    """
    sex, age = str(rng.choice(["F", "M"])), int(rng.integers(30, 80))
    anatomy = draw_anatomy(rng, sex, age)
    grid = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * 2 / size
    y, x = np.meshgrid(grid, grid, indexing="ij")
    chest = frontal(anatomy, x, y, anatomy.heart_ratio, rng.uniform(0, 0.06))
    attenuation = chest.tissue - chest.air + 0.02 * clouds(rng, (size, size), 5)
    film = np.clip(ndimage.gaussian_filter(attenuation, 0.004 * size), 0, 1) ** 1.2

    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    free = chest.air > 0.35
    box = None
    for number in range(int(rng.integers(2, _MOST + 1))):
        radius = rng.uniform(*_RADII) * size
        places = np.argwhere(free)
        if not len(places):
            break  # the rest of a small lung has no room
        top, left = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 2)
        right, down = columns - left, rows - top
        distance = np.hypot(right, down)
        angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        along = np.cos(angle) * right + np.sin(angle) * down
        stripes = np.sin(2 * np.pi * along / (_STRIPES * size) + phase)
        lesion = ill and number == 0
        film = film + soft_step(radius - distance, 3) * (0.22 + 0.15 * lesion * stripes)
        free &= distance > radius + _RADII[1] * size
        if lesion:
            box = (left - radius + 0.5, top - radius + 0.5, 2 * radius, 2 * radius)
    film = film + rng.normal(0, 0.015, film.shape)
    return np.clip(film, 0, 1).astype(np.float32), box
