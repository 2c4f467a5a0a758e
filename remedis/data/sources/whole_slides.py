"""Your own whole slides, cut into tiles.

Layout:
    slides/
        slides.csv
        patient_017_node_2.tif
        patient_018_node_0.svs
        annotations/patient_017_node_2.xml

Input: slides (`remedis.data.readers.slide` lists the formats) in a directory and those below it,
except directories named `masks`; links to directories are followed. Each slide is cut into tiles of
`size` pixels at `mpp` micrometres per pixel; the tiles that show tissue become rows (the rules are
in `remedis.data.slides.tiling`). Tiles are read from the slides when they are used; nothing is
written.
Labels: `tumor`, from the outlines of ASAP in `NAME.xml` of a directory named `annotations` or
`lesion_annotations`: 1 if the middle of the tile shows tumour, otherwise 0. A slide without such a
file is unknown, unless you set `unannotated="negative"`: this is wrong if slides with tumour have
no outlines. The sources `camelyon16` and `camelyon17` know which slides of CAMELYON are negative.
Metadata: slide and, from `slides.csv` (`slide`: the name of the file, with or without suffix,
`patient_id`, and `site` if known), patient and site. Its column `mpp`, if there is one, has the
micrometres per pixel of the finest level of slides that do not state them; nothing for the others.
A value more than 5 % off what the slide states is refused, unless you set `override_known_mpp`.
Without that file, names like
`patient_017_node_2.tif` give the patient, and the node as study. The `mpp` of the manifest is
that of the tiles.
Splits: the column `split` of `slides.csv` if there is one; otherwise to be assigned, by patient or
slide.
Get it: copy the files of your scanner, and the outlines of ASAP beside them.
Citation and terms: yours.

Check it:
    remedis doctor /data/slides --source=slides --option=tiles_per_slide=50
"""

import dataclasses
import logging
import math
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from remedis import files
from remedis.data import canonical_ids
from remedis.data.labels import choose_labels
from remedis.data.manifest import Manifest
from remedis.data.slides.base_resolutions import Given
from remedis.data.sources import slide_tiles
from remedis.data.sources.slide_tiles import Tiling
from remedis.data.tables import columns, missing, spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, some, unknown_choice
from remedis.options import spelled

_LOG = logging.getLogger(__name__)

LABELS = ("tumor",)
TABLE = "slides.csv"
SKIPPED = ("masks",)  # names of directories beside those of outlines
UNANNOTATED = ("ignore", "negative")
_CAMELYON17 = re.compile(r"patient_(\d+)_node_(\d+)")


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Some slides of a directory; their outlines are not read.

    Attributes:
      root: the directory, of which `slides.csv` counts.
      names: files of the slides, relative to it.
    """

    root: pathlib.Path
    names: Sequence[str]


def load(
    data_dir: files.Path | Chosen,
    labels: Sequence[str] | None = None,
    mpp: float = 0.5,
    size: int = 224,
    stride: int | None = None,
    tissue: float = 0.5,
    centre: float = 1 / 3,
    slide_mpp: float | None = None,
    override_known_mpp: bool = False,
    unannotated: str = "ignore",
    tiles_per_slide: int | None = None,
    allow_missing_patient_ids: bool = False,
    override_mpp: float | None = None,
) -> Manifest:
    """Returns the manifest of the tiles of a directory of slides.

    Args:
      data_dir: the directory with the slides, or some of its slides.
      labels: `tumor`, the only one.
      mpp: micrometres per pixel of the tiles.
      size: width and height of the tiles in pixels.
      stride: distance between neighbouring tiles in the same pixels; `size` if not given.
      tissue: the smallest share of tissue in a tile, 0 to 1.
      centre: width of the central square that decides the label, as a share of the tile's width.
      slide_mpp: micrometres per pixel of the finest level of slides that do not state them.
      override_known_mpp: let given resolutions replace those that slides state.
      unannotated: labels of slides without outlines: `ignore` for unknown, or `negative`.
      tiles_per_slide: the largest number of positive, of negative and of unknown tiles per slide,
        drawn by a hash; all if not given.
      allow_missing_patient_ids: accept slides whose patient is unknown. Split by `slide_id` then;
        leaks by patient cannot be found.
      override_mpp: the earlier name of both together, which warns.

    Raises:
      UserError: there are no slides, a slide cannot be tiled or has a name that is not UTF-8, a
        file is not as described above, or a patient, label or choice is unknown.
    """
    chosen = choose_labels(labels, LABELS)
    if unannotated not in UNANNOTATED:
        raise unknown_choice("choice for slides without annotations", unannotated, UNANNOTATED)
    root, slides, outlines = _found(data_dir)
    given = Given(slide_mpp, override_known_mpp, override_mpp)
    wanted = Tiling(mpp, size, stride, tissue, centre, given, tiles_per_slide)
    _check_patients(root, slides, allow_missing_patient_ids)
    slides = slide_tiles.with_outlines(root, slides, outlines)
    known = slides["outlines"].notna() | (unannotated == "negative")
    slides["rest"] = known.map({True: 0.0, False: math.nan})
    return Manifest(slide_tiles.cut(root, slides, wanted, root / TABLE), chosen, root, "slides")


def _found(
    data_dir: files.Path | Chosen,
) -> tuple[pathlib.Path, pd.DataFrame, Mapping[str, pathlib.Path]]:
    """Returns the directory, its slides as `_described` gives them, and files of outlines."""
    if isinstance(data_dir, Chosen):
        root = data_dir.root
        ids = [pathlib.Path(name).stem for name in data_dir.names]
        slides = pd.DataFrame({"file": data_dir.names, "slide_id": ids})
        slide_tiles.refuse_same_name(root, slides)
        if not (root / TABLE).is_file():
            return root, _described(root, slides), {}
        # The table has a row for every slide of the directory.
        slides = _described(root, slide_tiles.find(root, skipped=SKIPPED))
        return root, slides[slides["file"].isin(data_dir.names)].reset_index(drop=True), {}
    root = pathlib.Path(data_dir)
    slides = _described(root, slide_tiles.find(root, skipped=SKIPPED))
    return root, slides, slide_tiles.find_outlines(root)


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
    """Returns the slides with the columns of `slides.csv`, one row per slide.

    Raises:
      UserError: the table names no slide, a slide twice or not all slides, or has another split
        or an implausible resolution.
    """
    rows = spreadsheet.read_table(path, ("slide", "patient_id"))
    optional = ("study_id", "site", "split", "mpp")
    if unread := [name for name in rows if name in LABELS]:
        _LOG.warning(
            f"{path}, column {unread[0]!r}, is not read: a tile's label comes from the outlines in "
            "annotations/NAME.xml."
        )
    rows = rows.assign(**{name: "" for name in optional if name not in rows})
    # A row may name the slide with or without suffix, or by its path in the directory.
    id_of = {name: name for name in slides["slide_id"]}
    for file, name in zip(slides["file"], slides["slide_id"], strict=True):
        id_of |= {file: name, os.path.basename(file): name}
    ids = rows["slide"].map(id_of)
    expected = "the name of a slide in this directory; add the slide, or remove the row"
    spreadsheet.refuse(path, rows["slide"], ids.isna(), expected)
    spreadsheet.refuse(path, rows["slide"], ids.duplicated(), "every slide once; remove the row")
    rows["split"] = columns.splits(path, rows["split"])
    for name in ("patient_id", "study_id"):
        rows[name] = columns.ids(path, rows[name])
    unlisted = slides.loc[~slides["slide_id"].isin(ids), "file"].tolist()
    if unlisted:
        raise UserError(
            f"{path} has no row for {len(unlisted):,} slides: {some(unlisted)}; add rows, or "
            "move the slides away."
        )
    described = rows[["patient_id", "study_id", "site", "split"]].assign(
        slide_id=ids, slide_mpp=columns.mpps(path, rows["mpp"])
    )
    table = slides.merge(described, on="slide_id", how="left", validate="one_to_one")
    unknown = missing.without_id(table["study_id"])
    table["study_id"] = table["study_id"].mask(unknown, table["slide_id"])
    return table


def _check_patients(root: pathlib.Path, slides: pd.DataFrame, allow_missing: bool) -> None:
    unknown = canonical_ids.column(slides["patient_id"]).isna()
    names = slides.loc[unknown, "file"].tolist()
    if names and not allow_missing:
        remark = missing.remark(slides["patient_id"][unknown].astype(STRING))
        listed = some(names, limit=3) + (remark and f" ({remark})")
        raise UserError(
            f"The patients of {len(names):,} of {len(slides):,} slides of {root} are unknown: "
            f"{listed}; name them in {TABLE} (columns slide, patient_id), or "
            f"set {spelled('allow_missing_patient_ids')} and split by slide."
        )
