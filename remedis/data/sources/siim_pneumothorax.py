"""SIIM-ACR's challenge of 2019: radiographs with the outlines of pneumothorax, as run lengths.

Layout:
    siim/
        stage_2_train.csv
        dicom-images-train/STUDY/SERIES/1.2.276.0.7230010.3.1.4.8323329.1000.1517875165.878.dcm
        dicom-images-test/STUDY/SERIES/1.2.276.0.7230010.3.1.4.8323329.1001.1517875166.123.dcm

Input: frontal radiographs of 1024x1024 pixels, DICOM files at any depth (8-bit JPEG, which needs
the extra `dicom` [unverified]), found by their names. Images that the table does not name are left
out and counted.
Labels: `Pneumothorax`, 1 for an image with an outline, 0 for one with -1 in place of it.
Metadata: sex, age and view from the headers. Patients are unknown: the images are a part of
ChestX-ray14, where patients have several, but no mapping to its patients is published. The ids in
the headers were made for the challenge, so that they are not taken for patients [unverified].
Splits: none official with labels; to be assigned, by image.
Files: `stage_2_train.csv` (12,047 images), or `train-rle.csv` of the first stage (10,675 images),
with the columns `ImageId` and `EncodedPixels`; an image has a row per outline. Run lengths go down
the columns, each gap from the end of the run before (`remedis.data.run_lengths`).
Boxes: the smallest box around each outline; `remedis explain` takes the file as `--boxes`.

Counts:
    | stage_2_train.csv    | images |
    |----------------------|-------:|
    | all                  | 12,047 |
    | with pneumothorax    |  2,669 |
    | without              |  9,378 |
    | train-rle.csv        | 10,675 |

Get it: download the data of Kaggle's "SIIM-ACR Pneumothorax Segmentation"; the images are in a
dataset that its page names.
Citation: Filice et al., Journal of Digital Imaging 33:490-496, 2020; Wang et al., ChestX-ray8, CVPR
2017, arXiv 1705.02315.
Terms: the rules of the competition and the terms of ChestX-ray14; read them on their pages.

Check it:
    remedis doctor /data/siim --source=siim_pneumothorax --allow-missing-patient-ids
"""

import logging
import pathlib
from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data import run_lengths
from remedis.data.labels import choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import dicom_attributes, file_tree
from remedis.data.sources.published_counts import whole
from remedis.data.tables import spreadsheet
from remedis.errors import UserError, counted
from remedis.options import spelled, spelled_option

_LOG = logging.getLogger(__name__)

PNEUMOTHORAX = "Pneumothorax"
TABLES = ("stage_2_train.csv", "train-rle.csv")
SIDE = 1024  # pixels of the images that outlines were drawn on
PUBLISHED = (whole(images=12_047), whole(images=10_675))
_DIRECTORIES = ("siim", "siim-acr-pneumothorax-segmentation")
_COLUMNS = ("ImageId", "EncodedPixels")
_NONE = "-1"  # in place of an outline
_SUFFIX = ".dcm"
_PLACE = "dicom-images-train"


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    annotations: str | None = None,
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of the challenge's images with labels.

    Args:
      data_dir: the directory with the table and the images, or its parent.
      labels: `Pneumothorax`, the only one.
      annotations: name of the table, if both are there.
      allow_missing_patient_ids: must be set, since patients are not recorded: accept that images of
        one patient may be in training and in test.

    Raises:
      UserError: the files are not as described above, the label is unknown, or the opt-out is not
        set.
    """
    chosen = choose_labels(labels, (PNEUMOTHORAX,))
    path = _table(data_dir, annotations)
    root = path.parent
    if not allow_missing_patient_ids:
        raise UserError(
            f"{path}: SIIM's challenge does not record patients, so that images of one person can "
            f"be in training and in test; set {spelled('allow_missing_patient_ids')} to take every "
            "image as a patient of its own."
        )
    raw = _read(path)
    ill = (raw["EncodedPixels"] != _NONE).groupby(raw["ImageId"].astype(object)).any()
    rows = raw.drop_duplicates("ImageId")
    paths = _locate(root, rows["ImageId"])
    table = pd.DataFrame(
        {
            "path": paths,
            "patient_id": None,
            "study_id": None,
            "site": "chestxray14",
            "split": None,
            PNEUMOTHORAX: rows["ImageId"].astype(object).map(ill).astype("float32"),
        }
    )
    table = table.join(dicom_attributes.of_files(root, paths))
    return Manifest(table, chosen, root, "siim_pneumothorax")


def lists_boxes(path: pathlib.Path) -> bool:
    """Returns whether a file has the header of the challenge's outlines."""
    header = spreadsheet.read_bytes(path).partition(b"\n")[0]
    return [name.strip().decode(errors="replace") for name in header.split(b",")] == [*_COLUMNS]


def read_boxes(path: pathlib.Path) -> pd.DataFrame:
    """Returns the smallest box around each outline.

    Args:
      path: `stage_2_train.csv` or `train-rle.csv`.

    Returns:
      One row per outline: `path`, the name of the file; `label`; `x`, `y` (of the upper left
      corner), `width` and `height` as float64, in pixels of 1024x1024.

    Raises:
      UserError: the file is not as published.
    """
    raw = _read(path)
    raw = raw[raw["EncodedPixels"] != _NONE]
    found = [run_lengths.box(text, SIDE, SIDE) for text in raw["EncodedPixels"]]
    result = pd.DataFrame(found, columns=["x", "y", "width", "height"], dtype=float)
    names = [f"{name}{_SUFFIX}" for name in raw["ImageId"]]
    return result.assign(path=names, label=PNEUMOTHORAX)


def _table(data_dir: files.Path, annotations: str | None) -> pathlib.Path:
    """Returns the path of the table.

    Raises:
      UserError: there is none, or both are there and none is chosen.
    """
    marker = annotations or "*train[-.]*csv"
    root = file_tree.find_root(data_dir, marker, _DIRECTORIES, "SIIM's pneumothorax challenge")
    if annotations is not None:
        return root / annotations
    present = [root / name for name in TABLES if (root / name).is_file()]
    if not present:
        raise UserError(
            f"There is no file {root / TABLES[0]} and no {TABLES[1]}; expected the challenge's "
            "table of outlines, whose name the option 'annotations' may state."
        )
    if len(present) > 1:
        raise UserError(
            f"{root} has {' and '.join(TABLES)}, of two stages of the challenge; choose one: set "
            f"{spelled_option('annotations', TABLES[0])}."
        )
    return present[0]


def _read(path: pathlib.Path) -> pd.DataFrame:
    raw = spreadsheet.read_table(path, _COLUMNS)
    ids = raw["ImageId"]
    bad = (ids == "") | ids.str.contains("/", regex=False)
    spreadsheet.refuse(path, ids, bad, "the id of an image, the name of its file without .dcm")
    outlines = raw["EncodedPixels"]
    spreadsheet.parsed(
        path,
        outlines,
        lambda text: text == _NONE or len(run_lengths.runs(text, SIDE * SIDE)),
        f"-1, or pairs of a gap and a run that stay in {SIDE}x{SIDE} pixels",
    )
    without = outlines == _NONE
    outlined = set(ids[~without])
    wrong = without & ids.isin(outlined)
    spreadsheet.refuse(path, outlines, wrong, "no -1 for an image with an outline in another row")
    return raw


def _locate(root: pathlib.Path, ids: pd.Series) -> pd.Series:
    """Returns the path of every image, relative to root; of a missing one where it should be.

    Raises:
      UserError: a name occurs twice.
    """
    path_of: dict[str, str] = {}
    for path in file_tree.walk(root):
        name = pathlib.PurePath(path).name
        if not name.lower().endswith(_SUFFIX):
            continue
        image = name[: -len(_SUFFIX)]
        if image in path_of:
            raise UserError(
                f"{root} has the image {image} twice, as {path_of[image]} and {path}; remove one."
            )
        path_of[image] = path
    if others := len(path_of.keys() - set(ids)):
        _LOG.warning(
            f"{root}: left out {counted(others, 'DICOM file')} that the table does not name."
        )
    return ids.map(lambda image: path_of.get(image, f"{_PLACE}/{image}{_SUFFIX}"))
