"""CheXpert: chest radiographs with labels mined from reports; v1.0, full size or small.

Layout:
    CheXpert-v1.0-small/
        train.csv
        valid.csv
        train/patient00001/study1/view1_frontal.jpg
        valid/patient64541/study1/view1_frontal.jpg

Input: JPEG radiographs, frontal and lateral, in `train/` and `valid/` beside `train.csv` and
`valid.csv`, or in the folders of the download in batches: `CheXpert-v1.0 batch 1 (validate & csv)`
with both tables and `valid/`, and `CheXpert-v1.0 batch 2 (train 1)` to `batch 4 (train 3)` with the
folders of patients. `Path` may begin with the data set, with `train/` or `valid/`, or with the
patient. Both sizes have the same rows, and the directory may have any name. 223,414 images of
64,540 patients in `train.csv`, 191,027 of them frontal; 234 images in `valid.csv`.
Labels: 14, of which "No Finding" and "Support Devices" are no diseases. A label is 1, 0, -1 if the
report is uncertain, or empty if the report does not mention the finding. These values stay as they
are: the policies of `remedis.data.label_policies` decide what they count as. `any_label` is 0 for a
row without any of the 14.
Metadata: patient, study (`patient/study`, since the numbers of studies restart for every patient),
sex, age, and view: AP, PA, LL or RL if recorded, otherwise "frontal"; "lateral".
Splits: `valid.csv` is the test split, `train.csv` train; validation is carved out of train by
patient.

Counts:
    | train.csv, images    |      1 |      0 |     -1 |   empty |
    |----------------------|-------:|-------:|-------:|--------:|
    | Atelectasis          | 33,376 |  1,328 | 33,739 | 154,971 |
    | Cardiomegaly         | 27,000 | 11,116 |  8,087 | 177,211 |
    | Consolidation        | 14,783 | 28,097 | 27,742 | 152,792 |
    | Edema                | 52,246 | 20,726 | 12,984 | 137,458 |
    | Pleural Effusion     | 86,187 | 35,396 | 11,628 |  90,203 |

Get it: register, accept the agreement, and download `CheXpert-v1.0` or `CheXpert-v1.0-small` from
Stanford's page of CheXpert (stanfordmlgroup.github.io/competitions/chexpert).
Citation: Irvin et al., CheXpert, 2019, arXiv 1901.07031.
Terms: Stanford's agreement, which you accept before the download; no redistribution. Read it there.

Check it:
    remedis doctor /data/CheXpert-v1.0-small --source=chexpert
"""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from remedis import files
from remedis.data.labels import CHEXPERT, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import file_tree, table_checks
from remedis.data.sources.published_counts import Published
from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled_option

DIRECTORIES = ("CheXpert-v1.0-small", "CheXpert-v1.0")
VIEWS = ("frontal", "lateral", "all")
PUBLISHED = (
    Published(
        {
            "train": {"images": 223_414, "patients": 64_540},
            "test": {"images": 234},
        },
        {"views": "all"},
    ),
    Published({"train": {"images": 191_027}, "test": {}}, {"views": "frontal"}),
)
_SPLITS = {"train": "train", "valid": "test"}
_COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA")
_PROJECTIONS = ("AP", "PA", "LL", "RL", "")
# <dataset>/<split>/<patient>/<study>/<image>; the dataset's directory may have been renamed, and
# what is before the patient may be left out.
_PATH = r"(?:(?:[^/]+/)*{folder}/)?(?P<path>(?P<patient>patient\d+)/(?P<study>study\d+)/[^/]+)"
_TABLES = "CheXpert-v1.0 batch 1 (validate & csv)"
_BATCHES = "CheXpert-v1.0 batch * (train *)"


def load(
    data_dir: files.Path, labels: Sequence[str] | None = None, views: str = "frontal"
) -> Manifest:
    """Returns the manifest of CheXpert.

    Args:
      data_dir: the directory with `train.csv` and `valid.csv`, or its parent.
      labels: some of the 14 labels; all if not given.
      views: `frontal`, `lateral` or `all` images.

    Raises:
      UserError: the files are not as described above, or a label or view is unknown.
    """
    chosen = choose_labels(labels, tuple(CHEXPERT.values()))
    if views not in VIEWS:
        raise unknown_choice("choice of views", views, VIEWS)
    tables_root = file_tree.find_root(data_dir, "train.csv", (*DIRECTORIES, _TABLES), "CheXpert")
    root, folders = _places(tables_root)
    column_of = {label: name for name, label in CHEXPERT.items()}
    tables = []
    for folder, split in _SPLITS.items():
        path = tables_root / f"{folder}.csv"
        raw = spreadsheet.read_table(path, (*_COLUMNS, *(column_of[label] for label in chosen)))
        side = raw["Frontal/Lateral"]
        spreadsheet.refuse(path, side, ~side.isin(["Frontal", "Lateral"]), "Frontal or Lateral")
        projection = raw["AP/PA"]
        expected = "AP, PA, LL, RL or nothing"
        spreadsheet.refuse(path, projection, ~projection.isin(_PROJECTIONS), expected)
        if views != "all":
            raw = raw[side.str.lower() == views]
        if not len(raw):
            continue
        expected = f"a path like {DIRECTORIES[0]}/{folder}/patient00001/study1/view1_frontal.jpg"
        pattern = _PATH.format(folder=folder)
        written = raw["Path"].str.replace("\\", "/", regex=False)
        place = spreadsheet.extract(path, written, pattern, expected)
        table_checks.refuse_repeated(path, place["path"].rename("Path"))
        table: dict[str, object] = {
            "path": folders[folder](place["patient"]) + place["path"],
            "patient_id": place["patient"],
            "study_id": place["patient"] + "/" + place["study"],
            "site": "chexpert",
            "split": split,
            "sex": columns.sexes(path, raw["Sex"]),
            "age": columns.ages(path, raw["Age"]),
            "view": _views(raw),
        }
        for label in chosen:
            table[label] = columns.labels(path, raw[column_of[label]])
        findings = raw.columns.intersection(list(CHEXPERT))
        table["any_label"] = (raw[findings] != "").any(axis=1).astype("float64")
        tables.append(pd.DataFrame(table))
    if not tables:
        raise UserError(
            f"{tables_root} has no {views} images in train.csv or valid.csv; set "
            f"{spelled_option('views', 'all')} to take others."
        )
    return Manifest(pd.concat(tables), chosen, root, "chexpert")


def _places(tables: pathlib.Path) -> tuple[pathlib.Path, dict[str, Callable[[pd.Series], Any]]]:
    """Returns the root of the images, and by split the folder of each of some patients.

    Args:
      tables: the directory with `train.csv`.
    """

    def beside(folder: str) -> Callable[[pd.Series], Any]:
        # Without a folder of the split, images are looked for beside the table.
        there = (tables / folder).is_dir() or not any(tables.glob("patient*"))
        return lambda patients: f"{folder}/" if there else ""

    parent = tables.parent if tables.name == _TABLES else tables
    batches = sorted(parent.glob(_BATCHES))
    if (tables / "train").is_dir() or not batches:
        return tables, {folder: beside(folder) for folder in _SPLITS}
    # A patient's folder lies in one of the batches.
    batch_of: dict[str, str] = {}
    for batch in batches:
        inside = batch / "train" if (batch / "train").is_dir() else batch
        prefix = inside.relative_to(parent).as_posix()
        batch_of |= dict.fromkeys(os.listdir(inside), f"{prefix}/")
    valid = parent / _TABLES / "valid"
    valid_prefix = f"{valid.relative_to(parent).as_posix()}/" if valid.is_dir() else "valid/"
    return parent, {
        "train": lambda patients: patients.map(batch_of).fillna(f"{batches[0].name}/"),
        "valid": lambda patients: valid_prefix,
    }


def _views(raw: pd.DataFrame) -> pd.Series:
    side, projection = raw["Frontal/Lateral"].str.lower(), raw["AP/PA"]
    return projection.where((side == "frontal") & (projection != ""), side)
