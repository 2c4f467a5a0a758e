"""Boxes around findings, the reference that heat maps are judged by."""

import os
import pathlib

import numpy as np
import pandas as pd

from remedis import files
from remedis.data.manifest import Manifest
from remedis.data.sources import (
    chestxray14,
    rsna_pneumonia,
    siim_pneumothorax,
    table_checks,
    vindr_cxr,
)
from remedis.data.tables import spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, counted, some

COORDINATES = ("x", "y", "width", "height")
# Size of the images that boxes were drawn on, in pixels.
DRAWN_ON = ("image_width", "image_height")
_PIXELS = "pixels, 0 or more"


def read(path: files.Path) -> pd.DataFrame:
    """Returns the boxes that a file lists.

    The file is ChestX-ray14's `BBox_List_2017.csv`, RSNA's `stage_2_train_labels.csv` or SIIM's
    table of outlines as published, in pixels of 1024 x 1024 images; a table of VinDr-CXR, in pixels
    of its DICOM images, and wrong for images of another size; or a CSV file with the columns
    `path`, `label`, `x`, `y` (of the upper left corner), `width`, `height`, and optionally
    `image_width` and `image_height`: the size of the image that the boxes were drawn on, where the
    images at hand may be smaller.

    Args:
      path: the file.

    Returns:
      One row per box: `path` and `label` as listed, `x`, `y`, `width`, `height`, `image_width` and
      `image_height` as float64; the last two are NaN where not given.

    Raises:
      UserError: the file is missing or not as described.
    """
    file = pathlib.Path(path)
    if chestxray14.lists_boxes(file):
        boxes = chestxray14.read_boxes(file).rename(columns={"name": "path"})
        return boxes.assign(**dict.fromkeys(DRAWN_ON, float(chestxray14.SIDE)))
    for source in (rsna_pneumonia, siim_pneumothorax):
        if source.lists_boxes(file):
            return source.read_boxes(file).assign(**dict.fromkeys(DRAWN_ON, float(source.SIDE)))
    if vindr_cxr.lists_boxes(file):
        boxes = vindr_cxr.read_boxes(file).rename(columns={"name": "path"})
        return boxes.assign(**dict.fromkeys(DRAWN_ON, np.nan))
    raw = spreadsheet.read_table(
        file,
        ("path", "label", *COORDINATES),
        advice="List one box per row, or name ChestX-ray14's BBox_List_2017.csv.",
    )
    boxes = raw[["path", "label"]].astype(STRING)
    for name in ("path", "label"):
        spreadsheet.refuse(file, raw[name], raw[name] == "", f"a {name}")
    for name in COORDINATES:
        boxes[name] = spreadsheet.parsed(file, raw[name], table_checks.pixels, _PIXELS).astype(
            float
        )
        if name in ("width", "height"):
            spreadsheet.refuse(file, raw[name], boxes[name] == 0, f"a {name} above 0")
    for name in DRAWN_ON:
        boxes[name] = np.nan
        if name in raw:
            boxes[name] = spreadsheet.parsed(file, raw[name], _side, "pixels, or nothing")
    boxes[list(DRAWN_ON)] = boxes[list(DRAWN_ON)].astype(float)
    return boxes.reset_index(drop=True)


def _side(text: str) -> float:
    if not text:
        return float("nan")
    if (side := table_checks.pixels(text)) == 0:
        raise ValueError
    return side


def of_images(boxes: pd.DataFrame, images: Manifest, file: files.Path) -> pd.DataFrame:
    """Returns the boxes of some images, with the number of the image in a column `row`.

    A box names an image by its path as in the manifest, by a path relative to the box file, or,
    where no other image has it, by its file name.

    Args:
      boxes: of `read`.
      images: the images.
      file: of the boxes.

    Raises:
      UserError: no box is of any of the images.
    """
    paths = images.table["path"].tolist()
    rows = {path: row for row, path in enumerate(paths)}
    absolute = {os.path.abspath(p): row for row, p in enumerate(images.absolute_paths())}
    names = pd.Series([os.path.basename(path) for path in paths])
    unique = ~names.duplicated(keep=False)
    by_name = {names[row]: row for row in np.flatnonzero(unique).tolist()}
    folder = os.path.dirname(os.path.abspath(file))

    def row_of(path: str) -> int:
        for known, key in (
            (rows, path),
            (absolute, os.path.normpath(os.path.join(folder, path))),
            (by_name, os.path.basename(path)),
        ):
            if key in known:
                return known[key]
        return -1

    found = np.array([row_of(path) for path in boxes["path"]], dtype=np.int64)
    if not (found >= 0).any():
        raise UserError(
            f"{file} has {counted(len(boxes), 'box', 'boxes')}, none of them of the "
            f"{counted(len(images), 'image')} of {images.source}: it names "
            f"{some(boxes['path'].drop_duplicates().tolist(), limit=2)}, and the images are "
            f"{some(paths, limit=2)}; expected the same paths or file names."
        )
    return boxes.assign(row=found)[found >= 0].reset_index(drop=True)


def in_pixels(boxes: pd.DataFrame, height: int, width: int) -> np.ndarray:
    """Returns boxes in pixels of an image: [boxes, 4] float64, left, top, right, bottom.

    Boxes that were drawn on an image of another size are scaled with it.

    Args:
      boxes: of one image.
      height: of the image in pixels.
      width: of the image in pixels.
    """
    x, y, across, down = (boxes[name].to_numpy(float) for name in COORDINATES)
    drawn = [boxes[name].to_numpy(float) for name in DRAWN_ON]
    by_x, by_y = (
        np.where(np.isnan(side), 1.0, now / side)
        for side, now in zip(drawn, (width, height), strict=True)
    )
    return np.stack([x * by_x, y * by_y, (x + across) * by_x, (y + down) * by_y], axis=1)
