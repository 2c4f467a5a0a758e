"""Your own whole slides, or Camelyon's, cut into tiles.

Input: slides (`remedis.data.readers.slide` lists the formats) in a directory and those below it,
but for directories named `masks`; links to directories are followed. Each slide is cut into tiles
of `size` pixels at `mpp` micrometres a pixel, of which those that show tissue become rows
(`remedis.data.slides.tiling` has the rules). Tiles are read from the slides when they are used;
nothing is written.
Labels: `tumor`, from ASAP's outlines in `annotations/NAME.xml` (or `lesion_annotations/`, as
Camelyon17 has them): 1 where the middle of the tile shows tumour, else 0. A slide without such a
file is unknown, unless you say `unannotated="negative"`: right for Camelyon's normal slides, which
have none, and wrong for its many slides that have tumour but no outlines.
Metadata: slide and, from `slides.csv` (`slide`: the file's name, with or without suffix,
`patient_id`, and where you know `site`), patient and site. Without that file, names like
`patient_017_node_2.tif` give the patient, and the node as study. `mpp` is that of the tiles.
Splits: the column `split` of `slides.csv` if there is one; else to be assigned, by patient or
slide.
Citation: for CAMELYON, Litjens et al., GigaScience 7(6):giy065, 2018; else yours.
Terms: CC0 (CAMELYON); else yours.
"""

import logging
import os
import pathlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from remedis import files
from remedis.data.labels import choose_labels
from remedis.data.manifest import ID_VALIDATION, SPLITS, Manifest
from remedis.data.readers import slide
from remedis.data.slides import annotations, tiling
from remedis.data.sources import file_tree
from remedis.data.tables import spreadsheet
from remedis.errors import UserError, some, unknown_choice
from remedis.progress import progress

_LOG = logging.getLogger(__name__)

LABELS = ("tumor",)
TABLE = "slides.csv"
UNANNOTATED = ("ignore", "negative")
_OUTLINES = ("annotations", "lesion_annotations")
_CAMELYON17 = re.compile(r"patient_(\d+)_node_(\d+)")


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    mpp: float = 0.5,
    size: int = 224,
    stride: int | None = None,
    tissue: float = 0.5,
    centre: float = 1 / 3,
    override_mpp: float | None = None,
    unannotated: str = "ignore",
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of the tiles of a directory of slides.

    Args:
      data_dir: the directory with the slides.
      labels: `tumor`, the only one.
      mpp: micrometres a pixel of the tiles.
      size: width and height of the tiles, in pixels.
      stride: from one tile to the next, in the same pixels; `size` if not given.
      tissue: the least share of tissue in a tile, 0 to 1.
      centre: width of the square in the middle that decides the label, as a share of the tile's.
      override_mpp: micrometres a pixel of the slides' finest level, instead of what they say.
      unannotated: what slides without outlines are: `ignore` for unknown, or `negative`.
      allow_missing_patient_ids: accept slides whose patient is not known. Split by `slide_id` then;
        leaks by patient cannot be found.

    Raises:
      UserError: there are no slides, one cannot be tiled or has a name that is not UTF-8, a file is
        not as described above, or a patient, label or choice is unknown.
    """
    chosen = choose_labels(labels, LABELS)
    if unannotated not in UNANNOTATED:
        raise unknown_choice("choice for slides without annotations", unannotated, UNANNOTATED)
    root = pathlib.Path(data_dir)
    if not root.is_dir():
        raise UserError(f"There is no directory {root}; expected whole slides there.")
    slides = _find(root)
    if not len(slides):
        raise UserError(
            f"{root} does not hold whole slides: no file of {', '.join(slide.SUFFIXES)} in it, nor "
            "below."
        )
    slides = _described(root, slides)
    _check_patients(root, slides, allow_missing_patient_ids)

    def cut(path: str) -> pd.DataFrame:
        outlines = _outlines(root, path)
        tiles = tiling.tile(
            root / path,
            mpp,
            size,
            stride,
            tissue,
            annotations.read(outlines) if outlines else None,
            centre,
            override_mpp,
        )
        if outlines is None and unannotated == "negative":
            tiles["tumor"] = tiles["tumor"].fillna(0.0)
        return tiles.assign(file=path, path=path + "#" + tiles["item"])

    parts = []
    with (
        progress("Tiling slides", len(slides)) as report,
        ThreadPoolExecutor(os.cpu_count() or 1) as threads,
    ):
        for done, part in enumerate(threads.map(cut, slides["file"]), 1):
            parts.append(part)
            report(done, f"{sum(map(len, parts)):,} tiles")
    if empty := [p for p, part in zip(slides["file"], parts, strict=True) if not len(part)]:
        _LOG.warning(f"No tissue in {len(empty):,} slides: {some(empty)}.")
    tiles = pd.concat(parts, ignore_index=True)
    if not len(tiles):
        raise UserError(
            f"The slides of {root} show no tile with a share of tissue of {tissue:g}; lower "
            "`tissue`, `size` or `mpp`."
        )
    table = tiles.merge(slides, on="file", how="left", validate="many_to_one").assign(mpp=mpp)
    return Manifest(
        table.drop(columns=["file", "item", "x", "y", "tissue"]), chosen, root, "slides"
    )


def _find(root: pathlib.Path) -> pd.DataFrame:
    """Returns `file`, relative to the directory, and `slide_id` of every slide, sorted."""
    every = file_tree.walk(root, skipped=("masks", *_OUTLINES))
    found = sorted(path for path in every if slide.NAMES.search(os.path.basename(path)))
    file_tree.refuse_undecodable(root, found)
    ids = [pathlib.Path(path).stem for path in found]
    if twice := [path for path, name in zip(found, ids, strict=True) if ids.count(name) > 1]:
        raise UserError(
            f"{root} has slides of one name, which cannot be told apart: {some(twice)}; "
            "rename or remove one."
        )
    return pd.DataFrame({"file": found, "slide_id": ids})


def _outlines(root: pathlib.Path, path: str) -> pathlib.Path | None:
    name = pathlib.Path(path).with_suffix(".xml").name
    candidates = [base / d / name for d in _OUTLINES for base in (root, (root / path).parent)]
    return next((file for file in candidates if file.is_file()), None)


def _described(root: pathlib.Path, slides: pd.DataFrame) -> pd.DataFrame:
    """Returns the slides with patient, study, site and split."""
    if (root / TABLE).is_file():
        return _from_table(root / TABLE, slides)
    matches = [_CAMELYON17.match(name) for name in slides["slide_id"]]
    return slides.assign(
        patient_id=[m[1] if m else "" for m in matches],
        study_id=[
            f"{m[1]}/{m[2]}" if m else name
            for m, name in zip(matches, slides["slide_id"], strict=True)
        ],
        site=None,
        split=None,
    )


def _from_table(path: pathlib.Path, slides: pd.DataFrame) -> pd.DataFrame:
    given = spreadsheet.read_table(path, ("slide", "patient_id"))
    given = given.assign(**{c: "" for c in ("study_id", "site", "split") if c not in given})
    # By name, with or without suffix, or by the path in the directory.
    known = {name: name for name in slides["slide_id"]}
    for file, name in zip(slides["file"], slides["slide_id"], strict=True):
        known |= {file: name, os.path.basename(file): name}
    ids = given["slide"].map(known)
    expected = "the name of a slide in this directory; add the slide, or remove the row"
    spreadsheet.refuse(path, given["slide"], ids.isna(), expected)
    spreadsheet.refuse(path, given["slide"], ids.duplicated(), "every slide once; remove the row")
    splits = (*SPLITS, ID_VALIDATION, "")
    expected = f"{', '.join(SPLITS)}, or nothing"
    spreadsheet.refuse(path, given["split"], ~given["split"].isin(splits), expected)
    unlisted = slides.loc[~slides["slide_id"].isin(ids), "file"].tolist()
    if unlisted:
        raise UserError(
            f"{path} has no row for {len(unlisted):,} slides: {some(unlisted)}; add rows, or "
            "move the slides away."
        )
    columns = given[["patient_id", "study_id", "site", "split"]].assign(slide_id=ids)
    table = slides.merge(columns, on="slide_id", how="left", validate="one_to_one")
    table["study_id"] = table["study_id"].where(table["study_id"] != "", table["slide_id"])
    return table


def _check_patients(root: pathlib.Path, slides: pd.DataFrame, allow_missing: bool) -> None:
    missing = slides.loc[slides["patient_id"] == "", "file"].tolist()
    if missing and not allow_missing:
        raise UserError(
            f"The patients of {len(missing):,} of {len(slides):,} slides of {root} are not known: "
            f"{some(missing, limit=3)}; name them in {TABLE} (columns slide, patient_id), or "
            "set allow_missing_patient_ids and split by slide."
        )
