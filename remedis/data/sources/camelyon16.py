"""Camelyon16 as published: whole slides of sentinel lymph nodes, cut into tiles.

Layout:
    CAMELYON16/
        training/normal/normal_001.tif
        training/tumor/tumor_001.tif
        training/lesion_annotations/tumor_001.xml
        testing/images/test_001.tif
        testing/lesion_annotations/test_001.xml
        testing/reference.csv

Input: the download as it is, either `training/{normal,tumor}/*.tif`, `testing/images/*.tif` and
`testing/reference.csv`, with outlines in `training/lesion_annotations/*.xml` and
`testing/lesion_annotations/*.xml` (the zip files unpacked), or the later edition's
`images/*.tif`, `annotations/*.xml` and `evaluation/reference.csv`. Names decide:
`normal_001.tif`, `tumor_001.tif`, `test_001.tif`. The tiles are those of the source `slides`.
Labels: `tumor`. Slides named normal, and test slides that `reference.csv` calls Normal, are
negative everywhere. On slides with tumour the outlines decide. The data set's README lists 20
training slides and test_114 whose outlines are not exhaustive. There a tile inside an outline is
positive, and any other tile unknown; `incomplete="leave_out"` leaves these slides out. Unknown
tiles, among them all tiles of slides with tumour but without outlines, are left out;
`unknown="keep"` keeps them, without a label.
Metadata: slide, and hospital as site: `Radboud` for normal_001 to 100 and tumor_001 to 070,
`Utrecht` for the other training slides (numbers of FLamby's metadata, arXiv 2210.04620), except
tumor_111, which was normal_086 and so is Radboud's; unknown for test slides. Every slide counts as
a patient: Cancers 14:5424, 2022, table 1, counts 399 slides of 399 cases.
Splits: the official ones. normal and tumor are train, test is test: 270 and 129 slides. Validation
is a share of train, by patient. The publishers removed normal_086, which shows tumour and is now
tumor_111, and test_049, a duplicate; they are left out of older downloads.

Counts:
    | split | slides |
    |-------|-------:|
    | train |    270 |
    | test  |    129 |

Get it: the challenge's page (camelyon17.grand-challenge.org, "Data") names where the CAMELYON data
are: the GigaScience database, the AWS Registry of Open Data and others.
Citation: Ehteshami Bejnordi et al., JAMA 318(22):2199-2210, 2017; Litjens et al., GigaScience
7(6):giy065, 2018.
Terms: CC0, as that page says.

Check it:
    remedis doctor /data/CAMELYON16 --source=camelyon16 --option=tiles_per_slide=50
"""

import csv
import io
import logging
import pathlib
import re
from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data.labels import CAMELYON, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.slides.base_resolutions import Given
from remedis.data.sources import camelyon_names, camelyon_slides
from remedis.data.sources.camelyon_names import REMOVED
from remedis.data.sources.camelyon_slides import Choices
from remedis.data.sources.slide_tiles import Tiling
from remedis.data.tables import spreadsheet
from remedis.errors import UserError, some

_LOG = logging.getLogger(__name__)

_NAME = r"(?P<kind>normal|tumor|test)_(?P<number>[0-9]{3})"
_REFERENCES = (
    "testing/reference.csv",
    "evaluation/reference.csv",
    "testing/evaluation/reference.csv",
    "reference.csv",
)
# Values of the column of labels: of the first edition, and of the later one's column `class`.
_HAS_TUMOUR = {
    "normal": False,
    "negative": False,
    "tumor": True,
    "itc": True,
    "micro": True,
    "macro": True,
}
# From the README of the data set, "Notes about the data".
_INCOMPLETE = (
    *("tumor_010", "tumor_015", "tumor_018", "tumor_020", "tumor_025", "tumor_029", "tumor_033"),
    *("tumor_034", "tumor_044", "tumor_046", "tumor_051", "tumor_054", "tumor_055", "tumor_056"),
    *("tumor_067", "tumor_079", "tumor_085", "tumor_092", "tumor_095", "tumor_110", "test_114"),
)


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    mpp: float = 0.5,
    size: int = 224,
    stride: int | None = None,
    tissue: float = 0.5,
    centre: float = 1 / 3,
    slide_mpp: float | None = None,
    override_known_mpp: bool = False,
    tiles_per_slide: int | None = None,
    incomplete: str = "positives",
    unknown: str = "leave_out",
    allow_missing_slides: bool = False,
    override_mpp: float | None = None,
) -> Manifest:
    """Returns the manifest of the tiles of Camelyon16.

    Args:
      data_dir: the directory of the download.
      labels: `tumor`, the only one.
      mpp: micrometres per pixel of the tiles.
      size: width and height of the tiles in pixels.
      stride: distance between neighbouring tiles in the same pixels; `size` if not given.
      tissue: the smallest share of tissue in a tile, 0 to 1.
      centre: width of the central square that decides the label, as a share of the tile's width.
      slide_mpp: micrometres per pixel of the finest level of slides that do not state them.
      override_known_mpp: let given resolutions replace those that slides state.
      tiles_per_slide: the largest number of positive and of negative tiles per slide, drawn by a
        hash; all if not given. The shares of the labels then differ from those of the slides.
      incomplete: slides whose outlines are not exhaustive: `positives` or `leave_out`.
      unknown: tiles whose label is unknown: `leave_out` or `keep`.
      allow_missing_slides: accept that `reference.csv` names slides which are not there.
      override_mpp: the earlier name of both together, which warns.

    Raises:
      UserError: the files are not as described above; a slide appears twice, has no label in
        `reference.csv` or cannot be tiled; or a label or choice is unknown.
    """
    chosen = choose_labels(labels, tuple(CAMELYON.values()))
    choices = Choices(incomplete, unknown, allow_missing_slides)
    given = Given(slide_mpp, override_known_mpp, override_mpp)
    wanted = Tiling(mpp, size, stride, tissue, centre, given, tiles_per_slide)
    root = pathlib.Path(data_dir)
    example = "normal_001.tif, tumor_001.tif or test_001.tif"
    slides = camelyon_slides.find(root, _NAME, "Camelyon16", example)
    _check_directories(root, slides)
    removed = slides["slide_id"].isin(REMOVED)
    if removed.any():
        names = slides.loc[removed, "slide_id"].tolist()
        _LOG.warning(f"Left out {some(names)}, which the publishers have removed.")
    slides = slides[~removed].reset_index(drop=True)
    in_test = slides["kind"] == "test"
    has_tumour = slides["kind"].map({"normal": False, "tumor": True, "test": None})
    if in_test.any():
        path = _reference(root, int(in_test.sum()))
        reference = {k: v for k, v in _read_reference(path).items() if k not in REMOVED}
        camelyon_slides.refuse_missing(path, reference, slides, choices)
        has_tumour[in_test] = slides.loc[in_test, "slide_id"].map(reference)
        if has_tumour.isna().any():
            names = slides.loc[has_tumour.isna(), "slide_id"].tolist()
            raise UserError(
                f"{path} has no row for {len(names):,} slides: {some(names)}; expected one per "
                "test slide: download it again, or move the slides away."
            )
    parts = zip(slides["kind"], slides["number"], slides["slide_id"], strict=True)
    sites = [camelyon_names.hospital(kind, int(number), name) for kind, number, name in parts]
    slides = slides.assign(
        negative=~has_tumour.astype(bool),
        complete=~slides["slide_id"].isin(_INCOMPLETE),
        patient_id=slides["slide_id"],
        study_id=slides["slide_id"],
        site=pd.Series(sites, dtype=object),
        split=in_test.map({True: "test", False: "train"}),
    )
    slides = slides.drop(columns=["kind", "number"])
    return camelyon_slides.tiles(root, slides, wanted, choices, chosen, "camelyon16")


def _check_directories(root: pathlib.Path, slides: pd.DataFrame) -> None:
    """Raises a UserError if a slide named tumor lies in `normal`, or the reverse."""
    directory = pd.Series([pathlib.Path(p).parent.name.lower() for p in slides["file"]])
    wrong = directory.isin(("normal", "tumor")) & (directory != slides["kind"])
    if wrong.any():
        names = slides.loc[wrong, "file"].tolist()
        raise UserError(
            f"{root}: the name of {len(names):,} slides contradicts their directory: "
            f"{some(names)}; expected normal_*.tif in normal and tumor_*.tif in tumor."
        )


def _reference(root: pathlib.Path, count: int) -> pathlib.Path:
    for name in _REFERENCES:
        if (root / name).is_file():
            return root / name
    raise UserError(
        f"{root} has {count:,} test slides and no reference.csv, which says which of them show "
        f"tumour; expected it at {' or '.join(_REFERENCES)}."
    )


def _read_reference(path: pathlib.Path) -> dict[str, bool]:
    """Returns whether slides show tumour, by slide, in lower case.

    The first edition has no header: name, label, histology, size of the metastasis. In a table with
    a header the column `class` counts, or else `type`.

    Raises:
      UserError: the file is not such a table, or a slide appears twice.
    """
    try:
        text = spreadsheet.read_bytes(path).decode("utf-8-sig")
        rows = [[value.strip() for value in row] for row in csv.reader(io.StringIO(text))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} is not a CSV file in UTF-8 ({error}); download it again."
        ) from None
    column, result = 1, {}
    for number, row in enumerate(rows, 1):
        name = row[0].lower().removesuffix(".tif") if row else ""
        lower = [value.lower() for value in row]
        if number == 1 and ("class" in lower or "type" in lower):
            column = lower.index("class" if "class" in lower else "type")
            continue
        if not any(row):
            continue
        if not re.fullmatch(_NAME, name):
            raise UserError(f"{path}, row {number}: got {row[0]!r}; expected the name of a slide.")
        if name in result:
            raise UserError(f"{path}, row {number}: {row[0]!r} appears twice; remove one row.")
        value = row[column] if column < len(row) else ""
        if value.lower() not in _HAS_TUMOUR:
            raise UserError(
                f"{path}, row {number}: the label of {row[0]} is {value!r}; expected Normal or "
                "Tumor."
            )
        result[name] = _HAS_TUMOUR[value.lower()]
    return result
