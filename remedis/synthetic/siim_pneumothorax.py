"""Made-up radiographs in the layout of SIIM-ACR's pneumothorax challenge of 2019.

Files and columns are those of Kaggle's second stage: Filice et al., 2020, Journal of Digital
Imaging 33:490-496.
"""

import os
import pathlib

import numpy as np
import pandas as pd

from remedis import files
from remedis.data import run_lengths
from remedis.errors import check_at_least
from remedis.synthetic.dicom_film import write_film
from remedis.synthetic.drawing import generator
from remedis.synthetic.lesion_boxes import draw_film
from remedis.synthetic.notice import write_notice

NAME = "siim"
_COHORT = 34
_SIDE = 1024  # pixels that published outlines are in
_UID = "1.2.276.0.7230010.3.1"
# Every fourth image with a finding has two outlines.
_SEVERAL = 4


def write_siim_pneumothorax(
    directory: str | os.PathLike[str],
    images: int = 60,
    seed: int = 0,
    image_size: int = 128,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/siim`, completely or not at all.

    The folder has `stage_2_train.csv` and DICOM files in `dicom-images-train`. Every third image
    has a finding, a round opacity in place of a pneumothorax, whose outline is in pixels of
    1024x1024, as the published ones. An image of a seed does not depend on their number.

    Args:
      directory: the folder to write into.
      images: their number.
      seed: the same seed gives the same bytes.
      image_size: height and width of the images in pixels (1024 in the published set).
      overwrite: replace an existing folder.

    Returns:
      The path of the folder.

    Raises:
      UserError: there are fewer than three images, the images are smaller than 32 pixels, pydicom
        is not installed, or the folder exists.
    """
    check_at_least("images", images, 3)
    check_at_least("image_size", image_size, 32)
    check_at_least("seed", seed, 0)
    final = pathlib.Path(directory) / NAME
    rows = []
    with files.whole_directory(final, overwrite) as root:
        for number in range(images):
            film, box = draw_film(generator(seed, _COHORT, number), number % 3 == 0, image_size)
            study, series, image = (f"{_UID}.{level}.{seed}.{1000 + number}" for level in (2, 3, 4))
            write_film(
                root / "dicom-images-train" / study / series / f"{image}.dcm",
                np.rint(255 * film).astype(np.uint8),
                number,
                PatientSex="FM"[number % 2],
                PatientAge=str(25 + number % 60),
                ViewPosition=("PA", "AP")[number % 2],
            )
            several = box is not None and number // 3 % _SEVERAL == 0
            for outline in _outlines(box, _SIDE / image_size, several):
                rows.append({"ImageId": image, "EncodedPixels": outline})
        pd.DataFrame(rows).to_csv(root / "stage_2_train.csv", index=False)
        write_notice(root, "SIIM-ACR pneumothorax", seed, "opacities among distractors")
    return final


def _outlines(
    box: tuple[float, float, float, float] | None, scale: float, several: bool
) -> list[str]:
    """Returns the run lengths of a disc, or of its halves; -1 where there is none."""
    if box is None:
        return ["-1"]
    left, top, width, height = (scale * value for value in box)
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    across, down = (x - left) / width - 0.5, (y - top) / height - 0.5
    disc = across**2 + down**2 < 0.25
    parts = [disc & (down < 0), disc & (down >= 0)] if several else [disc]
    return [run_lengths.encode(part) for part in parts]
