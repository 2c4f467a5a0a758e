"""The manifest of images that paths name: files, folders, DICOM files and tiles of whole slides.

Labels are not read. Patients, studies and slides are known where headers or names tell them. A file
that cannot be read stays in the manifest: the scan of the images gives the reason.
"""

import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from remedis.data import image_list, readers
from remedis.data.manifest import Manifest
from remedis.data.readers import Unreadable, dicom_image, slide
from remedis.data.sources import dicom_files, image_paths, slide_tiles, whole_slides
from remedis.data.sources.image_paths import Found
from remedis.errors import counted, some

_LOG = logging.getLogger(__name__)

_LISTED = 20  # names of files that are no images
_FIRST_TILE = "#0,0,224,0.5"


def load(
    paths: Sequence[pathlib.Path], source: str = "csv", options: Mapping[str, Any] | None = None
) -> Manifest:
    """Returns the images in order of their paths, relative to the common directory.

    Args:
      paths: of folders and files.
      source: `slides` takes every file as a whole slide, and `dicom` DICOM files alone; another
        takes images, DICOM files and, by their names, whole slides.
      options: of the source.

    Raises:
      UserError: a path does not exist, there is no image, a name is not UTF-8, or a slide does not
        state its resolution.
    """
    chosen = dict(options or {})
    as_slides = source == "slides"
    found = image_paths.find(
        paths, as_slides, (*whole_slides.SKIPPED, *slide_tiles.OUTLINES) if as_slides else ()
    )
    dicom = [name for name in found.images if dicom_image.NAMES.search(pathlib.Path(name).name)]
    encoded = sorted(set(found.images).difference(dicom))
    if source == "dicom":
        found = Found(found.root, dicom, (), [*encoded, *found.slides, *found.others])
        encoded = []
    if not found.images and not found.slides:
        raise image_paths.no_images(found, dicom_only=source == "dicom")
    if found.others:
        is_table = any(name.lower().endswith(".csv") for name in found.others)
        alone = " A table is read if it is the only path." if is_table and len(paths) > 1 else ""
        _LOG.warning(
            f"{found.root}: skipped {counted(len(found.others), 'file')} without the name of an "
            f"image: {some(found.others, limit=_LISTED)}.{alone}"
        )
    tables = [pd.DataFrame({"path": encoded})]
    if dicom:
        unreadable = "skip" if chosen.get("skip_unreadable") else "keep"
        tables.append(dicom_files.frames(found.root, dicom, unreadable))
        tables[-1] = tables[-1].assign(site=chosen.get("site"))
    if found.slides:
        tables.append(_tiles(found, chosen if as_slides else {}))
    table = pd.concat([t for t in tables if len(t)], ignore_index=True)
    # By file alone: frame 10 and tiles further right come after those before them.
    table = table.sort_values("path", kind="stable", ignore_index=True, key=_files)
    only_dicom = len(dicom) == len(found.images) and not found.slides
    name = "dicom" if only_dicom else str(found.root)
    return image_list.of_table(table, found.root, name)


def _files(paths: pd.Series) -> pd.Series:
    return paths.map(lambda path: readers.locate(path).file)


def has_unreadable_slide(directory: pathlib.Path) -> bool:
    """Returns whether a slide of a directory cannot be opened."""
    slides = slide_tiles.find(directory, skipped=whole_slides.SKIPPED)["file"]
    return not all(_opens(directory / name) for name in slides)


def _opens(path: pathlib.Path) -> bool:
    try:
        with slide.opened(str(path)):
            return True
    except Unreadable:
        return False


def _tiles(found: Found, options: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the tiles of the slides; one that is not readable stands for an unreadable slide."""
    readable = [name for name in found.slides if _opens(found.root / name)]
    unreadable = sorted(set(found.slides).difference(readable))
    tiles = pd.DataFrame({"path": [name + _FIRST_TILE for name in unreadable]})
    if not readable:
        return tiles
    chosen = {**options, "allow_missing_patient_ids": True}
    cut = whole_slides.load(whole_slides.Chosen(found.root, readable), **chosen)
    return pd.concat([cut.table, tiles], ignore_index=True)
