"""VinDr-CXR: chest radiographs of two Vietnamese hospitals, labelled and boxed by radiologists.

Layout:
    vindr-cxr/
        annotations/image_labels_train.csv
        annotations/image_labels_test.csv
        annotations/annotations_train.csv
        annotations/annotations_test.csv
        train/50a418190bc3fb1ef1633bf9678929b3.dicom
        test/00150343289f317a0ad5629d5b7d9ef9.dicom

Input: 18,000 DICOM radiographs, or PNG, JPEG or TIFF files of the same names, in `train` and
`test`; the extra `dicom` reads DICOM files. Or Kaggle's edition ("VinBigData Chest X-ray
Abnormalities Detection"): `train.csv` and the images in `train`, under other names.
Labels: 22 findings, 5 diagnoses and "No Finding", in ChestX-ray14's spelling where it has the
finding (`Pleural effusion` is "Pleural Effusion" here, `Pulmonary fibrosis` "Fibrosis",
`Nodule/Mass` "Nodule or Mass"). Kaggle's edition has 14 of the findings and "No Finding".
Each training image has three readers; `readers` says how their labels become one: `majority`, `any`
reader, `all` readers, or `uncertain`, -1 wherever they disagree, which a policy for uncertain
labels then decides. For "No Finding", `any` and `all` change places. A tie of an even number of
readers is -1. The test labels are the consensus of five radiologists, one row per image.
Boxes: `annotations_train.csv`, of each reader, and `annotations_test.csv`, or Kaggle's `train.csv`,
in pixels of the DICOM image; see `boxes`.
Views: all images are published as postero-anterior.
Metadata: patients are not recorded, so `allow_missing_patient_ids` must be set. That no patient is
both in train and in test, or has several images, is unverified. Sex and age of some patients are in
the DICOM headers, which are not read here.
Splits: the official ones, train and test; validation is carved out of train by image. Kaggle's
edition has none, since the labels of its test images are not published: to be assigned.
Files: the columns `image_id` and `rad_id` (the reader, in train alone), and one per label, 1 or 0;
an empty value is a reader without an answer. `Other diseases` is `Other disease` in test. The order
of the columns is unverified and does not matter.

Counts:
    | edition   | split | images |
    |-----------|-------|-------:|
    | PhysioNet | train | 15,000 |
    | PhysioNet | test  |  3,000 |
    | Kaggle    |       | 15,000 |

Get it: download it from PhysioNet, "VinDr-CXR", version 1.0.0, DOI 10.13026/3akn-b287, with
credentialed access; or Kaggle's edition from the competition's page.
Citation: Nguyen et al., VinDr-CXR, Scientific Data 9:429, 2022, arXiv 2012.15029.
Terms: PhysioNet's agreement for credentialed data; read it at the DOI. Kaggle's edition has the
rules of the competition; read them on its page.

Check it:
    remedis doctor /data/vindr-cxr --source=vindr_cxr --allow-missing-patient-ids
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from remedis import files
from remedis.data import reader_policies
from remedis.data.labels import VINDR_CXR, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import file_tree, table_checks
from remedis.data.sources.published_counts import Published, whole
from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled

LABELS, BOXES = "annotations/image_labels_{}.csv", "annotations/annotations_{}.csv"
KAGGLE = "train.csv"
DIRECTORIES = ("vindr-cxr", "1.0.0", "vinbigdata-chest-xray-abnormalities-detection")
PUBLISHED = (
    Published({"train": {"images": 15_000}, "test": {"images": 3_000}}),
    whole(images=15_000),
)
_SPLITS = ("train", "test")
_OF_KAGGLE = ("image_id", "class_name", "rad_id")
_BOX_COLUMNS = ("x_min", "y_min", "x_max", "y_max")
_OTHER_DISEASE = "Other disease"  # of the test table
_NOTHING = "No finding"
_ID = r"[0-9A-Za-z_-]+"


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    readers: str = "majority",
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of VinDr-CXR, with one row per labelled image.

    Args:
      data_dir: the directory with `annotations`, or with Kaggle's `train.csv`, or its parent.
      labels: some of the labels; all that the edition has if not given.
      readers: how the labels of several readers become one: `majority`, `any`, `all`, or
        `uncertain` where they disagree.
      allow_missing_patient_ids: must be set, since patients are not recorded: accept every image as
        a patient of its own.

    Raises:
      UserError: the files are not as described above, a label or policy is unknown, or the opt-out
        is not set.
    """
    if readers not in reader_policies.POLICIES:
        raise unknown_choice("policy of readers", readers, reader_policies.POLICIES)
    root = _root(data_dir)
    is_kaggle = not (root / LABELS.format("train")).is_file()
    if not allow_missing_patient_ids:
        raise UserError(
            f"{root}: VinDr-CXR does not record patients, so that images of one patient may be "
            f"in several splits; set {spelled('allow_missing_patient_ids')} to accept this and "
            "take every image as a patient of its own."
        )
    parts = [_of_boxes(root / KAGGLE)] if is_kaggle else [_of_labels(root, s) for s in _SPLITS]
    known = [VINDR_CXR[name] for name in VINDR_CXR if name in parts[0]]
    chosen = choose_labels(labels, known)
    tables = []
    for split, readings in zip(_SPLITS, parts, strict=False):
        names = readings.rename(columns=VINDR_CXR)
        images = names.pop("image_id")
        decided = reader_policies.decide(images, names[list(chosen)], readers, "No Finding")
        table = decided.reset_index(names="image_id")
        table["path"] = _locate(root, split, table.pop("image_id"))
        tables.append(table.assign(split=None if is_kaggle else split))
    table = pd.concat(tables, ignore_index=True)
    table = table.assign(patient_id=None, study_id=None, site="vindr_cxr", view="PA")
    return Manifest(table, chosen, root, "vindr_cxr")


def boxes(data_dir: files.Path) -> pd.DataFrame:
    """Returns the boxes that radiologists drew around findings, as a reference for heat maps.

    Args:
      data_dir: as for `load`.

    Returns:
      One row per box: `path` and `label` as in the manifest; `x`, `y` (of the upper left corner),
      `width` and `height` as float64, in pixels of the DICOM image. Boxes of several readers
      around one finding are several rows.

    Raises:
      UserError: there is no such file, or it is not as published.
    """
    root = _root(data_dir)
    is_kaggle = not (root / LABELS.format("train")).is_file()
    parts = []
    for split in _SPLITS[:1] if is_kaggle else _SPLITS:
        part = read_boxes(root / (KAGGLE if is_kaggle else BOXES.format(split)))
        part["name"] = _locate(root, split, part["name"].str.removesuffix(".dicom"))
        parts.append(part.rename(columns={"name": "path"}))
    return pd.concat(parts, ignore_index=True)


def lists_boxes(path: pathlib.Path) -> bool:
    """Returns whether a file has the header of the published boxes."""
    header, _, _ = spreadsheet.read_bytes(path).partition(b"\n")
    names = header.decode(errors="replace").replace('"', "").strip().split(",")
    return {"image_id", "class_name", *_BOX_COLUMNS} <= set(names)


def read_boxes(path: pathlib.Path) -> pd.DataFrame:
    """Returns the boxes of a published table, as `boxes`, with the file's name as `name`.

    The name is that of the DICOM image.

    Args:
      path: the file.

    Raises:
      UserError: the file is not as published.
    """
    raw = spreadsheet.read_table(path, ("image_id", "class_name", *_BOX_COLUMNS))
    _check_images(path, raw)
    _check_classes(path, raw["class_name"])
    raw = raw[raw["class_name"] != _NOTHING]
    result = pd.DataFrame({"name": raw["image_id"] + ".dicom"})
    result["label"] = raw["class_name"].map(VINDR_CXR)
    x_min, y_min, x_max, y_max = (_pixels(path, raw[name]) for name in _BOX_COLUMNS)
    result = result.assign(x=x_min, y=y_min, width=x_max - x_min, height=y_max - y_min)
    for size, name in (("width", "x_max"), ("height", "y_max")):
        expected = f"a number above {name.replace('max', 'min')}"
        spreadsheet.refuse(path, raw[name], result[size] <= 0, expected)
    return result.reset_index(drop=True)


def _root(data_dir: files.Path) -> pathlib.Path:
    directory = pathlib.Path(data_dir)
    for root in (directory, *(directory / name for name in DIRECTORIES)):
        if (root / LABELS.format("train")).is_file() or (root / KAGGLE).is_file():
            return root
    return file_tree.find_root(directory, LABELS.format("train"), DIRECTORIES, "VinDr-CXR")


def _of_labels(root: pathlib.Path, split: str) -> pd.DataFrame:
    """Returns the readings of a split: `image_id` and a float column per label."""
    path = root / LABELS.format(split)
    raw = spreadsheet.read_table(path, ("image_id", *(["rad_id"] if split == "train" else [])))
    raw = raw.rename(columns={_OTHER_DISEASE: "Other diseases"})
    if absent := [name for name in VINDR_CXR if name not in raw]:
        raise UserError(
            f"{path}, row 1: no column {absent[0]!r}; expected the labels of VinDr-CXR."
        )
    _check_images(path, raw)
    key = raw["image_id"] + "\n" + raw["rad_id"] if "rad_id" in raw else raw["image_id"]
    expected = "every image once per reader; remove the row"
    spreadsheet.refuse(path, raw["image_id"], key.duplicated(), expected)
    result = {"image_id": raw["image_id"]}
    for name in VINDR_CXR:
        values = columns.labels(path, raw[name])
        spreadsheet.refuse(path, raw[name], values == -1, "1, 0 or nothing")
        result[name] = values
    return pd.DataFrame(result)


def _of_boxes(path: pathlib.Path) -> pd.DataFrame:
    """Returns the readings of Kaggle's table, which lists boxes: as `_of_labels`."""
    raw = spreadsheet.read_table(path, _OF_KAGGLE)
    _check_images(path, raw)
    _check_classes(path, raw["class_name"])
    spreadsheet.refuse(path, raw["rad_id"], raw["rad_id"] == "", "the id of a reader")
    seen = pd.crosstab(
        [raw["image_id"].astype(object), raw["rad_id"].astype(object)],
        raw["class_name"].astype(object),
    )
    named = [name for name in VINDR_CXR if name in _LABELS_OF_KAGGLE]
    seen = (seen > 0).astype(np.float64).reindex(columns=named, fill_value=0.0)
    return seen.reset_index().drop(columns="rad_id")


_LABELS_OF_KAGGLE = frozenset(
    (
        *("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation"),
        *("ILD", "Infiltration", "Lung Opacity", "Nodule/Mass", "Other lesion"),
        *("Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis"),
        _NOTHING,
    )
)


def _check_images(path: pathlib.Path, raw: pd.DataFrame) -> None:
    is_id = raw["image_id"].str.fullmatch(_ID)
    spreadsheet.refuse(path, raw["image_id"], ~is_id, "the id of an image, letters and digits")


def _check_classes(path: pathlib.Path, names: pd.Series) -> None:
    expected = f"one of {', '.join(VINDR_CXR)}"
    spreadsheet.refuse(path, names, ~names.isin(list(VINDR_CXR)), expected)


def _pixels(path: pathlib.Path, values: pd.Series) -> pd.Series:
    return spreadsheet.parsed(path, values, table_checks.pixels, "pixels, 0 or more").astype(float)


def _locate(root: pathlib.Path, split: str, images: pd.Series) -> pd.Series:
    """Returns paths relative to root; a missing image gets the published path."""
    name_of: dict[str, str] = {}
    if (root / split).is_dir():
        for name in os.listdir(root / split):
            name_of[os.path.splitext(name)[0]] = name
    return images.map(lambda image: os.path.join(split, name_of.get(image, f"{image}.dicom")))
