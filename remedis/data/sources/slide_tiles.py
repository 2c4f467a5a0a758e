"""Slides of a directory, their outlines and their tiles: what the sources of slides share."""

import collections
import dataclasses
import logging
import math
import os
import pathlib
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from remedis.data.readers import slide
from remedis.data.slides import annotations, base_resolutions, tiling
from remedis.data.slides.base_resolutions import Given
from remedis.data.sources import file_tree
from remedis.data.units import uniform
from remedis.errors import UserError, check_at_least, counted, some
from remedis.progress import progress

_LOG = logging.getLogger(__name__)

OUTLINES = ("annotations", "lesion_annotations")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")  # suffixes of downloads that are still packed


@dataclasses.dataclass(frozen=True)
class Tiling:
    """The tiles wanted; the first five as in `remedis.data.slides.tiling.tile`.

    Attributes:
      mpp: micrometres per pixel.
      size: width and height in pixels.
      stride: distance between neighbouring tiles in the same pixels; `size` if None.
      tissue: the smallest share of tissue in a tile, 0 to 1.
      centre: width of the central square that decides the label, as a share of the tile's width.
      given: micrometres per pixel of the finest levels that the user gives.
      most: the largest number of tiles per slide that are positive, negative, and unknown, each
        drawn by a hash of the tile's place; None for all.

    Raises:
      UserError: `most` is below 1.
    """

    mpp: float
    size: int
    stride: int | None = None
    tissue: float = 0.5
    centre: float = 1 / 3
    given: Given = dataclasses.field(default_factory=Given)
    most: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None:
            check_at_least("tiles_per_slide", self.most, 1)


def find(root: pathlib.Path, skipped: Collection[str] = ()) -> pd.DataFrame:
    """Returns `file`, relative to the directory, and `slide_id` of every slide, sorted.

    Args:
      root: the directory.
      skipped: names of directories to skip, beside those of outlines.

    Raises:
      UserError: there is no such directory, it has no slides, two slides have the same name, or a
        name is not UTF-8.
    """
    if not root.is_dir():
        raise UserError(f"There is no directory {root}; expected whole slides there.")
    files_below = list(file_tree.walk(root, skipped=(*skipped, *OUTLINES)))
    paths = sorted(path for path in files_below if slide.NAMES.search(os.path.basename(path)))
    if not paths:
        archives = sorted(path for path in files_below if path.lower().endswith(ARCHIVES))
        raise UserError(
            f"{root} does not hold whole slides: no file in it or below ends in "
            f"{', '.join(slide.SUFFIXES)}; "
            + (f"unpack {some(archives)}." if archives else "expected them there.")
        )
    file_tree.refuse_undecodable(root, paths)
    found = pd.DataFrame({"file": paths, "slide_id": [pathlib.Path(path).stem for path in paths]})
    refuse_same_name(root, found)
    return found


def refuse_same_name(root: pathlib.Path, slides: pd.DataFrame) -> None:
    """Raises a UserError that names the slides with the same `slide_id`, if there are any."""
    repeated = slides.loc[slides["slide_id"].duplicated(keep=False), "file"].tolist()
    if repeated:
        raise UserError(
            f"{root} has slides of the same name, which cannot be distinguished: "
            f"{some(repeated)}; rename or remove one."
        )


def find_outlines(root: pathlib.Path, lower_case: bool = False) -> dict[str, pathlib.Path]:
    """Returns the files of outlines by the names of their slides.

    They are the `.xml` files of directories named `annotations` or `lesion_annotations`.

    Args:
      root: the directory of the slides.
      lower_case: return the names in lower case.

    Raises:
      UserError: a slide has two files.
    """
    by_name: dict[str, list[str]] = collections.defaultdict(list)
    for path in file_tree.walk(root):
        directory, name = os.path.split(path)
        if os.path.basename(directory) in OUTLINES and name.lower().endswith(".xml"):
            stem = name[: -len(".xml")]
            by_name[stem.lower() if lower_case else stem].append(path)
    for name, paths in by_name.items():
        if len(paths) > 1:
            raise UserError(
                f"{root} has several files of outlines for the slide {name}: {some(paths)}; "
                "remove all but one."
            )
    return {name: root / paths[0] for name, paths in by_name.items()}


def with_outlines(
    root: pathlib.Path, slides: pd.DataFrame, outlines: Mapping[str, pathlib.Path]
) -> pd.DataFrame:
    """Returns the slides with the column `outlines`, their file or None; warns of other files.

    Args:
      root: the directory of the slides.
      slides: with the column `slide_id`.
      outlines: from `find_outlines`, by `slide_id`.
    """
    ids = set(slides["slide_id"])
    lonely = [str(path.relative_to(root)) for name, path in outlines.items() if name not in ids]
    if lonely:
        _LOG.warning(f"No slide for {counted(len(lonely), 'file')} of outlines: {some(lonely)}.")
    found: list[Any] = [outlines.get(name) for name in slides["slide_id"]]
    return slides.assign(outlines=pd.Series(found, slides.index, dtype=object))


def cut(
    root: pathlib.Path, slides: pd.DataFrame, wanted: Tiling, table: pathlib.Path | None = None
) -> pd.DataFrame:
    """Returns the tiles of slides that show tissue, one row per tile.

    Args:
      root: the directory of the slides.
      slides: one row per slide: `file`, relative to the directory; `outlines`, the file of its
        outlines or None; `rest`, the label of the tiles that no outline makes positive, 0.0 or NaN
        for unknown; `slide_mpp`, if any are known, the micrometres per pixel of the finest level
        in the table of slides, or NaN; and further columns.
      wanted: the tiles.
      table: the file of the table of slides, for messages.

    Returns:
      `path`, `tumor` (1, 0 or NaN), `mpp` and the further columns of the slide.

    Raises:
      UserError: a slide or its outlines cannot be read, no slide has a tile, or as
        `base_resolutions.choose`.
    """
    known = slides["slide_mpp"] if "slide_mpp" in slides else pd.Series(math.nan, slides.index)
    names = slides["file"].tolist()
    bases = base_resolutions.choose(root, names, known.tolist(), wanted.given, table)

    def tiles_of(row: tuple[str, pathlib.Path | None, float, float | None]) -> pd.DataFrame:
        path, outlines, rest, base = row
        tiles = tiling.tile(
            root / path,
            wanted.mpp,
            wanted.size,
            wanted.stride,
            wanted.tissue,
            annotations.read(outlines) if outlines else None,
            wanted.centre,
            base,
        )
        tiles["tumor"] = tiles["tumor"].where(tiles["tumor"] == 1, rest).astype("float32")
        tiles = tiles.assign(file=path, path=path + "#" + tiles["item"])
        return tiles if wanted.most is None else _sample(tiles, wanted.most)

    tables, total = [], 0
    with (
        progress("Tiling", len(slides)) as report,
        ThreadPoolExecutor(os.cpu_count() or 1) as threads,
    ):
        rows = zip(names, slides["outlines"], slides["rest"], bases, strict=True)
        for done, tiles in enumerate(threads.map(tiles_of, rows), 1):
            tables.append(tiles)
            total += len(tiles)
            report(done, f"slides, {total:,} tiles")
    if empty := [p for p, tiles in zip(slides["file"], tables, strict=True) if not len(tiles)]:
        _LOG.warning(f"No tissue in {counted(len(empty), 'slide')}: {some(empty)}.")
    result = pd.concat(tables, ignore_index=True)
    if not total:
        raise UserError(
            f"The slides of {root} have no tile with a share of tissue of {wanted.tissue:g} or "
            "more; lower `tissue`, `size` or `mpp`."
        )
    result = result.merge(slides, on="file", how="left", validate="many_to_one")
    unused = ["file", "item", "x", "y", "tissue", "outlines", "rest", "slide_mpp"]
    return result.drop(columns=unused, errors="ignore").assign(mpp=wanted.mpp)


def _sample(tiles: pd.DataFrame, most: int) -> pd.DataFrame:
    """Returns at most `most` tiles per label, unknown included, in their order."""
    draws = pd.Series(uniform(tiles["path"], 0, "tiles of a slide"), tiles.index)
    # NaN, which equals nothing, gets a group of its own.
    rank = draws.groupby(tiles["tumor"].fillna(-1)).rank(method="first")
    return tiles[rank <= most]
