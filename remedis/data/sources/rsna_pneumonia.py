"""RSNA's challenge of 2018: radiographs of ChestX-ray14, read again by radiologists for pneumonia.

Layout:
    rsna-pneumonia-detection-challenge/
        stage_2_train_labels.csv
        stage_2_detailed_class_info.csv
        pneumonia-challenge-dataset-mappings_2018.json
        stage_2_train_images/0004cfab-14fd-4e49-80ba-63a80b6bddd6.dcm

Input: 26,684 frontal radiographs of 1024x1024 pixels, DICOM files (8-bit JPEG, which needs the
extra `dicom` [unverified]). The images of `stage_2_test_images` have no published labels and are
left out.
Labels: `Pneumonia` is the column `Target`: an opacity of the lung that radiologists take for
pneumonia, with a box around it. `No Finding` is the class `Normal` of
`stage_2_detailed_class_info.csv`, if that file is present; the third class, "No Lung Opacity / Not
Normal", is neither.
Metadata: sex, age and view from the headers. The id of an image (`patientId`) is no patient: the
images are a part of ChestX-ray14, where most patients have several. RSNA's file of mappings
(`pneumonia-challenge-dataset-mappings_2018.json`, not among Kaggle's files) names the image of
ChestX-ray14. With it, patients and studies are those of the source `chestxray14`, and the leak gate
finds a patient that a model has seen there. Without it, patients are unknown.
Splits: none with labels; to be assigned, by patient.
Files: `stage_2_train_labels.csv` has one row per box: `patientId`, `x`, `y`, `width`, `height`,
`Target`; images without a box have one row.
Boxes: 9,555 boxes on the 6,012 images with `Target` 1; `remedis explain` takes the file as
`--boxes`.

Counts:
    | class                        | images |
    |------------------------------|-------:|
    | all                          | 26,684 |
    | Lung Opacity (Pneumonia)     |  6,012 |
    | Normal (No Finding)          |  8,851 |
    | No Lung Opacity / Not Normal | 11,821 |
    | boxes                        |  9,555 |

Get it: download the data of Kaggle's "RSNA Pneumonia Detection Challenge"; RSNA's page of the
challenge (AI challenges, 2018) has the file of mappings.
Citation: Shih et al., Radiology: Artificial Intelligence 1(1):e180041, 2019; Wang et al.,
ChestX-ray8, CVPR 2017, arXiv 1705.02315.
Terms: the rules of the competition and the terms of ChestX-ray14; read them on their pages.

Check it:
    remedis doctor /data/rsna-pneumonia-detection-challenge --source=rsna_pneumonia
"""

import pathlib
import re
from collections.abc import Sequence

import pandas as pd
from typing_extensions import TypedDict

from remedis import files, json_records
from remedis.data.labels import choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import dicom_attributes, file_tree, table_checks
from remedis.data.sources.published_counts import whole
from remedis.data.tables import spreadsheet
from remedis.errors import UserError
from remedis.options import spelled

LABELS = "stage_2_train_labels.csv"
CLASSES = "stage_2_detailed_class_info.csv"
MAPPINGS = "pneumonia-challenge-dataset-mappings_2018.json"
IMAGES = "stage_2_train_images"
PNEUMONIA, NORMAL = "Pneumonia", "No Finding"
SIDE = 1024  # pixels of the images that boxes were drawn on
PUBLISHED = (whole(images=26_684),)
_DIRECTORIES = ("rsna-pneumonia-detection-challenge",)
_BOX = ("x", "y", "width", "height")
_COLUMNS = ("patientId", *_BOX, "Target")
_CLASSES = {"Lung Opacity": "1", "Normal": "0", "No Lung Opacity / Not Normal": "0"}
_NIH_NAME = re.compile(r"(?P<patient>[0-9]{8})_(?P<study>[0-9]{3})\.png")


class MappingRecord(TypedDict):
    """An image of the challenge and the one of ChestX-ray14 that it was made from.

    Attributes:
      subset_img_id: the image of the challenge, `patientId` in its tables.
      img_id: the file of ChestX-ray14, such as `00000001_000.png`.
    """

    subset_img_id: str
    img_id: str


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of the challenge's training images.

    Args:
      data_dir: the directory with `stage_2_train_labels.csv`, or its parent.
      labels: `Pneumonia`, and `No Finding` if the file of classes is present; all if not given.
      allow_missing_patient_ids: accept images whose patient is unknown, since the file of mappings
        is absent or does not name them.

    Raises:
      UserError: the files are not as described above, contradict each other, the label is unknown,
        or patients are unknown without the opt-out.
    """
    root = file_tree.find_root(data_dir, LABELS, _DIRECTORIES, "RSNA's pneumonia challenge")
    classes = _classes(root / CLASSES) if (root / CLASSES).is_file() else None
    chosen = choose_labels(labels, (PNEUMONIA,) if classes is None else (PNEUMONIA, NORMAL))
    path = root / LABELS
    raw = _read(path)
    rows = raw.drop_duplicates("patientId")
    findings = pd.DataFrame({PNEUMONIA: rows["Target"].astype("float32")})
    if classes is not None:
        of_image = rows["patientId"].map(classes)
        spreadsheet.refuse(
            path, rows["patientId"], of_image.isna(), f"an image that {CLASSES} gives a class"
        )
        differs = of_image.map(_CLASSES) != rows["Target"]
        expected = f"1 for the class Lung Opacity in {CLASSES}, and 0 for the others"
        spreadsheet.refuse(path, rows["Target"], differs, expected)
        findings[NORMAL] = (of_image == "Normal").astype("float32")
    paths = _paths(rows["patientId"])
    table = pd.DataFrame({"path": paths, "site": "chestxray14", "split": None})
    table = table.join(_patients(root, rows["patientId"], allow_missing_patient_ids))
    table = table.join(dicom_attributes.of_files(root, paths)).join(findings[list(chosen)])
    return Manifest(table, chosen, root, "rsna_pneumonia")


def lists_boxes(path: pathlib.Path) -> bool:
    """Returns whether a file has the header of the challenge's labels."""
    header = spreadsheet.read_bytes(path).partition(b"\n")[0]
    return header.strip() == ",".join(_COLUMNS).encode()


def read_boxes(path: pathlib.Path) -> pd.DataFrame:
    """Returns the boxes of `stage_2_train_labels.csv`.

    Args:
      path: the file.

    Returns:
      One row per box: `path` and `label` as in the manifest; `x`, `y` (of the upper left corner),
      `width` and `height` as float64, in pixels of 1024x1024.

    Raises:
      UserError: the file is not as published.
    """
    raw = _read(path)
    raw = raw[raw["Target"] == "1"]
    result = pd.DataFrame({"path": _paths(raw["patientId"]), "label": PNEUMONIA})
    for name in _BOX:
        expected = "pixels, 0 or more"
        result[name] = spreadsheet.parsed(path, raw[name], table_checks.pixels, expected)
        if name in ("width", "height"):
            spreadsheet.refuse(path, raw[name], result[name] == 0, f"a {name} above 0")
    return result.astype(dict.fromkeys(_BOX, float)).reset_index(drop=True)


def _paths(ids: pd.Series) -> pd.Series:
    return f"{IMAGES}/" + ids + ".dcm"


def _read(path: pathlib.Path) -> pd.DataFrame:
    raw = spreadsheet.read_table(path, _COLUMNS)
    ids = raw["patientId"]
    bad = (ids == "") | ids.str.contains("/", regex=False)
    spreadsheet.refuse(path, ids, bad, "the id of an image, the name of its file without .dcm")
    spreadsheet.refuse(path, raw["Target"], ~raw["Target"].isin(("0", "1")), "0 or 1")
    table_checks.refuse_contradicting(path, raw, "patientId", "Target")
    is_ill = raw["Target"] == "1"
    for name in _BOX:
        wrong = (raw[name] != "") != is_ill
        spreadsheet.refuse(path, raw[name], wrong, "pixels of a box if Target is 1, else nothing")
    return raw


def _classes(path: pathlib.Path) -> dict[str, str]:
    """Returns the class of every image; the table has as many rows as the other one."""
    raw = spreadsheet.read_table(path, ("patientId", "class"))
    known = " or ".join(_CLASSES)
    spreadsheet.refuse(path, raw["class"], ~raw["class"].isin(list(_CLASSES)), known)
    table_checks.refuse_contradicting(path, raw, "patientId", "class")
    return dict(zip(raw["patientId"], raw["class"], strict=True))


def _patients(root: pathlib.Path, ids: pd.Series, allow_missing: bool) -> pd.DataFrame:
    """Returns `patient_id` and `study_id` of every image, in the form of ChestX-ray14.

    Raises:
      UserError: the file of mappings is damaged, or patients are unknown without the opt-out.
    """
    path = root / MAPPINGS
    names: dict[str, str] = {}
    if path.is_file():
        records = json_records.read(path, list[MappingRecord], "download it again")
        names = {record["subset_img_id"]: record["img_id"] for record in records}
    matches = [_NIH_NAME.fullmatch(names.get(image, "")) for image in ids]
    if wrong := [i for i, m in zip(ids, matches, strict=True) if m is None and i in names]:
        raise UserError(
            f"{path}: the image of {wrong[0]} is {names[wrong[0]]!r}; expected the name of a file "
            "of ChestX-ray14, such as 00000001_000.png: download it again."
        )
    unknown = matches.count(None)
    if unknown and not allow_missing:
        reason = f"{path} does not name them" if names else f"there is no file {path}"
        raise UserError(
            f"The patients of {unknown:,} of {len(ids):,} images are unknown, since {reason}; add "
            "RSNA's file of mappings to ChestX-ray14, or set "
            f"{spelled('allow_missing_patient_ids')} to take every such image as a patient of its "
            "own, with images of one person in training and in test."
        )
    # ChestX-ray14's table has the numbers without zeros before them.
    patients = [m and str(int(m["patient"])) for m in matches]
    studies = [m and f"{int(m['patient'])}/{int(m['study'])}" for m in matches]
    return pd.DataFrame({"patient_id": patients, "study_id": studies}, ids.index, dtype=object)
