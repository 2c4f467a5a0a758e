"""Made-up images in a folder with a `manifest.csv`, as a user of the source `csv` lays them out."""

import os
import pathlib
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from remedis import files
from remedis.errors import check_at_least
from remedis.synthetic.drawing import Floats
from remedis.synthetic.notice import write_notice

Row = Mapping[str, object]  # columns of `manifest.csv` besides `path` and `patient_id`
# (patient, from 1) -> the rows of its images, with their pixels [H, W, 3] or [H, W] in [0, 1].
DrawPatient = Callable[[int], Iterable[tuple[Row, Floats]]]


def write_table(
    final: pathlib.Path,
    draw: DrawPatient,
    *,
    patients: int,
    image_size: int,
    seed: int,
    style: str,
    overwrite: bool,
) -> pathlib.Path:
    """Writes `manifest.csv` and the images of patients, completely or not at all.

    Args:
      final: the folder.
      draw: a patient's images.
      patients: their number.
      image_size: of the images in pixels; checked only.
      seed: of the images, for the notice.
      style: of the clinic, for the notice.
      overwrite: replace an existing folder.

    Returns:
      `final`.

    Raises:
      UserError: there are no patients, images are smaller than 32 pixels, or the folder exists.
    """
    check_at_least("patients", patients, 1)
    check_at_least("image_size", image_size, 32)
    with files.whole_directory(final, overwrite) as root:
        rows = []
        for patient in range(1, patients + 1):
            person = f"p{patient:05d}"
            (root / person).mkdir()
            for number, (row, pixels) in enumerate(draw(patient), start=1):
                path = f"{person}/{number}.jpg"
                Image.fromarray(_bytes(pixels)).save(root / path, quality=92)
                rows.append({"path": path, "patient_id": person, **row})
        pd.DataFrame(rows).to_csv(root / "manifest.csv", index=False)
        write_notice(root, "a folder with manifest.csv", seed, style)
    return final


def folder(directory: str | os.PathLike[str], name: str) -> pathlib.Path:
    """Returns the folder of a data set in a directory."""
    return pathlib.Path(directory) / name


def _bytes(pixels: Floats) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * np.clip(pixels, 0, 1)), np.uint8)
