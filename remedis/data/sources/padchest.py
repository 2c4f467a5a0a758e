"""PadChest: chest radiographs of a Spanish hospital, findings in terms read from Spanish reports.

Layout:
    PadChest/
        PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv
        0/20536686640136348236148679891455886468_k6ga29.png
        54/216840111366964012373310883942009170084120009_00-097-074.png

Input: grey PNG radiographs of 16 bits in the folders `0` to `54`, named in the table's column
`ImageDir`, in `images`, or beside the table, which may be packed by gzip. A value v of 16 bits is
v / 65535: that the published files use the whole range is unverified. About 20 published files
are known to be truncated: the scan of the images lists them.
Labels: 14 findings of ChestX-ray14, "Fracture", "Support Devices" and "No Finding", from the
column `Labels`, a list of terms in English that were derived from the Spanish report. A finding is
1 if one of its terms is listed, and else 0. Terms below a finding in PadChest's tree of terms count
as the finding: `consolidation` as Infiltration too, `hydropneumothorax` as Pleural Effusion and
Pneumothorax. What counts as Support Devices (tubes, catheters, electrical devices, artificial heart
valves) is our choice. "No Finding" is 1 if `normal` is the only term about findings. All labels are
unknown where the report says nothing about findings (no term, or nothing but `unchanged` or
`suboptimal study`), and where a term is `exclude`. A term itself, such as `scoliosis`, can be asked
for as a label; `remedis.data.label_names.PADCHEST` lists the terms of each finding.
Metadata: patient, study (`patient/study`), sex, view (the column `Projection`), and age: the year
of the study minus the year of birth, which is too high by up to a year.
Views: PA, AP and AP_horizontal (lying) are frontal, L is lateral. COSTAL, EXCLUDE and UNK are part
of `all` only.
Splits: none: to be assigned.
Files: the table has 36 columns, of which ten are read. `MethodLabel` says who read the report: a
physician, or a network that was trained on the physicians' labels;
`labelled_by="physician"` takes the first kind alone, as a test set should.

Counts:
    | rows of the table of 2019-02-01 |  images | patients |
    |---------------------------------|--------:|---------:|
    | all views                       | 160,861 |   67,625 |
    | frontal                         | 110,633 |   67,247 |
    | lateral                         |  49,579 |   35,184 |
    | read by physicians, all views   |  39,053 |   24,491 |

Get it: ask BIMCV for the data set on its page (bimcv.cipf.es/bimcv-projects/padchest).
Citation: Bustos et al., PadChest, Medical Image Analysis 66:101797, 2020, arXiv 1901.07441.
Terms: BIMCV's research use agreement, which you accept before the download; read it there.

Check it:
    remedis doctor /data/PadChest --source=padchest
"""

import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from remedis import files
from remedis.data.labels import PADCHEST, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import file_tree, table_checks
from remedis.data.sources.published_counts import Published, whole
from remedis.data.tables import columns, spreadsheet
from remedis.data.tables.missing import is_missing
from remedis.errors import UserError, some, unknown_choice
from remedis.options import spelled_option

TABLE = "PADCHEST_chest_x_ray_images_labels_160K*.csv*"
DIRECTORIES = ("PadChest", "padchest")
VIEWS = ("frontal", "lateral", "all")
READERS = ("all", "physician")
_VIEWS_OF = {"frontal": ("PA", "AP", "AP_horizontal"), "lateral": ("L",)}


def _published(images: int, patients: int, **options: str) -> Published:
    return Published(whole(images=images, patients=patients).splits, options)


PUBLISHED = (
    _published(160_861, 67_625, views="all", labelled_by="all"),
    _published(110_633, 67_247, views="frontal", labelled_by="all"),
    _published(49_579, 35_184, views="lateral", labelled_by="all"),
    _published(39_053, 24_491, views="all", labelled_by="physician"),
)
_COLUMNS = (
    *("ImageID", "ImageDir", "StudyID", "PatientID", "StudyDate_DICOM", "PatientBirth"),
    *("PatientSex_DICOM", "Projection", "MethodLabel", "Labels"),
)
_PLACES = ("images", "")
_METHODS = ("Physician", "RNN_model")
_TERMS = re.compile(r"\[(?:'[^']*'(?:, *'[^']*')*)?\]")
_NORMAL, _EXCLUDED = "normal", "exclude"
# Terms that say nothing about findings.
_SILENT = frozenset(("", "unchanged", "suboptimal study", _NORMAL))
_YEARS = "a year of birth such as 1950, or nothing"


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    views: str = "frontal",
    labelled_by: str = "all",
) -> Manifest:
    """Returns the manifest of PadChest, with one row per image of the table.

    Args:
      data_dir: the directory with the table, or its parent if it is named `PadChest`.
      labels: some of the 17 labels, or terms of PadChest; the 17 labels if not given.
      views: `frontal`, `lateral` or `all` images.
      labelled_by: `physician` for images whose report a physician has read, or `all`.

    Raises:
      UserError: the files are not as described above, or a label, view or reader is unknown.
    """
    if views not in VIEWS:
        raise unknown_choice("choice of views", views, VIEWS)
    if labelled_by not in READERS:
        raise unknown_choice("choice of labelled_by", labelled_by, READERS)
    root = file_tree.find_root(data_dir, TABLE, DIRECTORIES, "PadChest")
    path = _table_path(root)
    raw = spreadsheet.read_table(path, _COLUMNS)[list(_COLUMNS)]
    _check(path, raw)
    terms = spreadsheet.parsed(
        path, raw["Labels"], _terms, "a list of terms such as ['pneumonia', 'kyphosis'], or nan"
    )
    known = sorted(set().union(*terms.unique()) - _SILENT)
    chosen = choose_labels(tuple(PADCHEST) if labels is None else labels, (*PADCHEST, *known))
    table = pd.DataFrame(
        {
            "path": _locate(root, raw),
            "patient_id": raw["PatientID"],
            # One published study has images of two patients.
            "study_id": raw["PatientID"] + "/" + raw["StudyID"],
            "site": "padchest",
            "split": None,
            "sex": columns.sexes(path, raw["PatientSex_DICOM"]),
            "age": _ages(path, raw),
            "view": raw["Projection"],
            **_labels(terms, chosen),
        }
    )
    kept = np.ones(len(raw), bool)
    if views != "all":
        kept &= raw["Projection"].isin(_VIEWS_OF[views]).to_numpy(dtype=bool)
    if labelled_by != "all":
        kept &= (raw["MethodLabel"] == "Physician").to_numpy(dtype=bool)
    if not kept.any():
        raise UserError(
            f"{path} has no image with views={views} and labelled_by={labelled_by}; set "
            f"{spelled_option('views', 'all')} or {spelled_option('labelled_by', 'all')} to take "
            "others."
        )
    return Manifest(table[kept], chosen, root, "padchest")


def _table_path(root: pathlib.Path) -> pathlib.Path:
    found = sorted(root.glob(TABLE))
    if len(found) > 1:
        raise UserError(
            f"{root} has several tables of PadChest: {some([p.name for p in found])}; keep one."
        )
    return found[0]


def _check(path: pathlib.Path, raw: pd.DataFrame) -> None:
    """Refuses rows without an image, a patient or a study, and values that are not published."""
    for name in ("ImageID", "StudyID", "PatientID"):
        spreadsheet.refuse(path, raw[name], raw[name] == "", "an id")
    is_path = raw["ImageID"].str.contains("/", regex=False)
    spreadsheet.refuse(path, raw["ImageID"], is_path, "the name of a file, without a folder")
    table_checks.refuse_repeated(path, raw["ImageID"])
    table_checks.refuse_non_digits(path, raw, ("ImageDir",))
    method = raw["MethodLabel"]
    spreadsheet.refuse(path, method, ~method.isin(_METHODS), " or ".join(_METHODS))


def _terms(text: str) -> frozenset[str]:
    """Returns the terms of a report; none for a report without labels.

    Raises:
      ValueError: the text is no list of terms.
    """
    if is_missing(text):
        return frozenset()
    if not _TERMS.fullmatch(text):
        raise ValueError(text)
    return frozenset(term.strip() for term in re.findall("'([^']*)'", text))


def _labels(terms: pd.Series, chosen: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the labels of every image, [rows] float32: 1, 0, or NaN if nothing is known."""
    # There are fewer combinations of terms than images: each is looked at once.
    codes, distinct = pd.factorize(terms)
    normal = np.array([_NORMAL in listed and listed <= _SILENT for listed in distinct], bool)
    silent = np.array([listed <= _SILENT or _EXCLUDED in listed for listed in distinct], bool)
    values = {}
    for label in chosen:
        if label == "No Finding":
            of_combination = normal.astype(np.float32)
        else:
            wanted = frozenset(PADCHEST.get(label, (label,)))
            of_combination = np.array([bool(wanted & listed) for listed in distinct], np.float32)
        of_combination[silent & ~normal] = np.nan
        values[label] = of_combination[codes]
    return values


def _ages(path: pathlib.Path, raw: pd.DataFrame) -> pd.Series:
    """Returns ages in years as float64, from the years of the study and of birth."""
    date = raw["StudyDate_DICOM"]
    expected = "a date such as 20140915"
    spreadsheet.refuse(path, date, ~date.str.fullmatch(r"(?:19|20)\d{6}"), expected)
    born = spreadsheet.parsed(path, raw["PatientBirth"], _year, _YEARS).astype("float64")
    age = date.str[:4].astype("float64") - born
    spreadsheet.refuse(path, raw["PatientBirth"], age < 0, "a year that is not after the study")
    return age.where(age <= columns.OLDEST)


def _year(text: str) -> float:
    if is_missing(text):
        return float("nan")
    if not re.fullmatch(r"(?:18|19|20)\d\d(?:\.0)?", text):
        raise ValueError(text)
    return float(text)


def _locate(root: pathlib.Path, raw: pd.DataFrame) -> pd.Series:
    """Returns paths relative to root; a missing image gets a path in its published folder."""
    folders = sorted(raw["ImageDir"].unique())
    place_of: dict[str, str] = {}
    for place in (*_PLACES[::-1], *folders):
        if (root / place).is_dir():
            place_of |= dict.fromkeys(os.listdir(root / place), place)
    place = raw["ImageID"].map(place_of).astype(object)
    place = place.where(place.notna(), raw["ImageDir"].astype(object))
    names = zip(place, raw["ImageID"], strict=True)
    return pd.Series([os.path.join(*parts) for parts in names], raw.index)
