"""Made-up radiographs in the layout of a set of MedMNIST.

Names, arrays and types are those of the published files: Yang et al., 2023, Scientific Data 10:41.
"""

import os
import pathlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remedis import files
from remedis.errors import check_at_least, unknown_choice
from remedis.synthetic.chest import HOSPITAL_A
from remedis.synthetic.cohort import patients
from remedis.synthetic.notice import write_notice

NAME = "medmnist"
SET = "pneumoniamnist"
SIZES = (28, 64, 128, 224)
_COHORT = 32
_ILL = "Consolidation"


def write_medmnist(
    directory: str | os.PathLike[str],
    images: int = 120,
    seed: int = 0,
    size: int = 28,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/medmnist` with `pneumoniamnist.npz`, completely or not at all.

    The file has radiographs in grey, `train_images`, `val_images`, `test_images` [images, size,
    size] uint8, and `train_labels`, ... [images, 1] uint8, 1 where there is a consolidation.

    Args:
      directory: the folder to write into.
      images: their number in train; val and test have half as many.
      seed: the same seed gives the same bytes.
      size: width and height in pixels, 28, 64, 128 or 224; it is in the name of the file if not 28.
      overwrite: replace an existing folder.

    Returns:
      The path of the folder `medmnist`.

    Raises:
      UserError: there are fewer than four images, the size is another, or the folder exists.
    """
    check_at_least("images", images, 4)
    check_at_least("seed", seed, 0)
    if size not in SIZES:
        raise unknown_choice("size of MedMNIST", size, map(str, SIZES))
    final = pathlib.Path(directory) / NAME
    counts = {"train": images, "val": images // 2, "test": images // 2}
    arrays: dict[str, NDArray[np.uint8]] = {}
    for number, (split, count) in enumerate(counts.items()):
        pixels, labels = _draw(count, seed, _COHORT + 10 * number, size)
        arrays |= {f"{split}_images": pixels, f"{split}_labels": labels}
    with files.whole_directory(final, overwrite) as root:
        suffix = "" if size == SIZES[0] else f"_{size}"
        np.savez_compressed(root / f"{SET}{suffix}.npz", **arrays)  # type: ignore[arg-type]
        write_notice(root, "MedMNIST", seed, HOSPITAL_A.name)
    return final


def _draw(
    count: int, seed: int, cohort: int, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns images [count, size, size] and labels [count, 1] of one split."""
    pixels, labels = [], []
    for patient in patients(seed, cohort, count, HOSPITAL_A, most_studies=1):
        study = patient.studies[0]
        # Drawn larger: the anatomy of a radiograph needs more pixels than the smallest images have.
        side = max(size, 64)
        film = Image.fromarray(patient.draw(study, 0, "PA", HOSPITAL_A, (side, side)))
        pixels.append(np.asarray(film.resize((size, size), Image.Resampling.BICUBIC)))
        labels.append([_ILL in study.findings])
    return np.stack(pixels), np.array(labels, np.uint8)
