"""Camelyon17 as published: whole slides of lymph nodes from five hospitals, cut into tiles.

Layout:
    CAMELYON17/
        training/center_0/patient_000_node_0.tif
        training/stage_labels.csv
        training/lesion_annotations/patient_004_node_4.xml

Input: the download as it is, with the zip files unpacked: `patient_017_node_2.tif` anywhere in the
directory (`training/center_0/`, or `images/` in the later edition), `stage_labels.csv` (or
`stages.csv`) in it or in `training/`, and outlines in `lesion_annotations/*.xml` or
`annotations/*.xml`. The tiles are those of the source `slides`.
Labels: `tumor`. Slides that the table calls negative are negative everywhere. On other slides the
outlines decide, which 50 slides have. The publishers say that isolated tumour cells (stage itc) are
not outlined exhaustively. On slides of this stage a tile inside an outline is positive, and any
other tile unknown; `incomplete="leave_out"` leaves these slides out. Unknown tiles, among them all
tiles of positive slides without outlines, are left out; `unknown="keep"` keeps them, without a
label. Slides without a row in the table, as those of the challenge's test set, are left out.
Metadata: slide, patient, lymph node as study, and hospital as site, 0 to 4: that of the directory
`center_0` to `center_4`, or else patient // 20, which is WILDS' numbering, for the 100 training
patients. Patients are artificial: the challenge mixed lymph nodes of several real ones, which are
not known. Neither splits nor intervals can go by real patients.
Splits: none official for the training patients; to be assigned, by patient. Camelyon17-WILDS
(`wilds_camelyon17`) has the 50 outlined slides as patches, split by hospital.
Get it: the challenge's page (camelyon17.grand-challenge.org, "Data") names where the CAMELYON data
are: the GigaScience database, the AWS Registry of Open Data and others.
Citation: Bandi et al., IEEE TMI 38(2):550-560, 2019; Litjens et al., GigaScience 7(6):giy065, 2018.
Terms: CC0, as that page says.

Check it:
    remedis doctor /data/CAMELYON17 --source=camelyon17 --option=tiles_per_slide=50
"""

import logging
import pathlib
from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data.labels import CAMELYON, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.slides.base_resolutions import Given
from remedis.data.sources import camelyon_slides, table_checks
from remedis.data.sources.camelyon_names import PATIENTS_PER_CENTRE, TRAINING_PATIENTS
from remedis.data.sources.camelyon_slides import Choices
from remedis.data.sources.slide_tiles import Tiling
from remedis.data.tables import spreadsheet
from remedis.errors import UserError, some

_LOG = logging.getLogger(__name__)

_NAME = r"patient_(?P<patient_id>[0-9]{3})_node_(?P<node>[0-9])"
_TABLES = tuple(
    f"{directory}{name}"
    for directory in ("", "training/", "evaluation/")
    for name in ("stage_labels.csv", "stages.csv")
)
_STAGES = ("negative", "itc", "micro", "macro")
_CENTRE = r"(?:^|/)center_([0-4])/"


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
    """Returns the manifest of the tiles of Camelyon17.

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
      incomplete: slides of isolated tumour cells with outlines: `positives` or `leave_out`.
      unknown: tiles whose label is unknown: `leave_out` or `keep`.
      allow_missing_slides: accept that the table names slides which are not there.
      override_mpp: the earlier name of both together, which warns.

    Raises:
      UserError: the files are not as described above; a slide appears twice or cannot be tiled; or
        a label or choice is unknown.
    """
    chosen = choose_labels(labels, tuple(CAMELYON.values()))
    choices = Choices(incomplete, unknown, allow_missing_slides)
    given = Given(slide_mpp, override_known_mpp, override_mpp)
    wanted = Tiling(mpp, size, stride, tissue, centre, given, tiles_per_slide)
    root = pathlib.Path(data_dir)
    slides = camelyon_slides.find(root, _NAME, "Camelyon17", "patient_017_node_2.tif")
    path = _table(root)
    stages = _read_stages(path)
    camelyon_slides.refuse_missing(path, stages.index, slides, choices)
    slides["stage"] = slides["slide_id"].map(stages)
    if (unlisted := slides["stage"].isna()).any():
        names = slides.loc[unlisted, "slide_id"].tolist()
        _LOG.info(f"Left out {len(names):,} slides that are not in {path}: {some(names)}.")
    if unlisted.all():
        raise UserError(f"{path} has no row for any slide of {root}; expected its training slides.")
    slides = slides[~unlisted].reset_index(drop=True)
    slides = slides.assign(
        negative=slides["stage"] == "negative",
        complete=slides["stage"] != "itc",
        study_id=slides["patient_id"] + "/" + slides["node"],
        site=_sites(slides),
        split=None,
    )
    slides = slides.drop(columns=["node", "stage"])
    return camelyon_slides.tiles(root, slides, wanted, choices, chosen, "camelyon17")


def _table(root: pathlib.Path) -> pathlib.Path:
    for name in _TABLES:
        if (root / name).is_file():
            return root / name
    raise UserError(
        f"{root} has no stage_labels.csv, which says which slides show tumour; expected it at "
        f"{' or '.join(_TABLES)}."
    )


def _read_stages(path: pathlib.Path) -> "pd.Series[str]":
    """Returns the stage of each slide in the table, in lower case.

    Rows of whole patients, `patient_017.zip`, are skipped.

    Raises:
      UserError: the file is not such a table, a stage is unknown, or a slide appears twice.
    """
    raw = spreadsheet.read_table(path, ("patient", "stage"))
    raw = raw[~raw["patient"].str.lower().str.endswith(".zip")]
    name = raw["patient"].str.lower().str.removesuffix(".tif")
    expected = "patient_NNN_node_N.tif or patient_NNN.zip"
    spreadsheet.refuse(path, raw["patient"], ~name.str.fullmatch(_NAME), expected)
    table_checks.refuse_repeated(path, raw["patient"], "every slide once; remove the row")
    stage = raw["stage"].str.lower()
    spreadsheet.refuse(path, raw["stage"], ~stage.isin(_STAGES), ", ".join(_STAGES))
    return pd.Series(stage.to_numpy(), index=name)


def _sites(slides: pd.DataFrame) -> "pd.Series[str]":
    """Returns the hospital of each slide: of its directory, or of its patient; else missing."""
    patient = slides["patient_id"].astype(int)
    by_patient = (patient // PATIENTS_PER_CENTRE).astype(str)
    by_patient = by_patient.where(patient < TRAINING_PATIENTS, None)
    by_directory = slides["file"].str.replace("\\", "/").str.extract(_CENTRE)[0]
    return by_directory.fillna(by_patient)
