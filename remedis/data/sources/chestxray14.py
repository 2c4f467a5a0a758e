"""ChestX-ray14: chest radiographs of the NIH Clinical Center, findings mined from reports.

Layout:
    ChestX-ray14/
        Data_Entry_2017_v2020.csv
        BBox_List_2017.csv
        train_val_list.txt
        test_list.txt
        train_official.txt
        val_official.txt
        images_001/images/00000001_000.png
        images_012/images/00030805_000.png

Input: 112,120 frontal PNG radiographs, 1024x1024, of 30,805 patients, in `images_001..012/images`,
in `images`, or beside the file of entries.
Labels: 14 findings and "No Finding"; 1 or 0, since the entry of an image lists all its findings.
The data set's "Effusion" is "Pleural Effusion" here.
Metadata: patient, study (`patient/follow-up number`), sex, view (PA, AP), age. A few ages above 120
years are taken as unknown.
Splits: the official ones if `train_val_list.txt` and `test_list.txt` are present. These leave open
which images of `train_val_list.txt` are for validation. Two further lists that divide it decide
that if they are present: `*train_official.txt` and `*val_official.txt`, or `train_list.txt` and
`val_list.txt`, whose lines may have labels after the name. Published code has such lists, with
75,312 and 11,212 images of 24,342 and 3,666 patients. Without them, validation is carved out of
train by patient, and the log says so: such numbers compare with published ones on the test split
alone. Lists of another division, such as 78,468 / 11,219 / 22,433 images at random, are refused
beside the official ones. Without official lists there are no splits: to be assigned.
Files: `Data_Entry_2017*.csv`, of 2017 or the corrected one of 2020. The header has unquoted commas,
rows may end in a comma, ages may read `058Y`: all are read as published.
Boxes: `BBox_List_2017.csv`: 984 boxes drawn by hand around 8 findings on 880 images; see `boxes`.

Counts:
    | entries of 2020, images |         |
    |-------------------------|--------:|
    | all                     | 112,120 |
    | No Finding              |  60,361 |
    | Pleural Effusion        |  13,317 |
    | Atelectasis             |  11,559 |
    | Consolidation           |   4,667 |
    | Cardiomegaly            |   2,776 |
    | Edema                   |   2,303 |

    | list                 |  images | patients |
    |----------------------|--------:|---------:|
    | all entries          | 112,120 |   30,805 |
    | `train_val_list.txt` |  86,524 |   28,008 |
    | `train_official.txt` |  75,312 |   24,342 |
    | `val_official.txt`   |  11,212 |    3,666 |
    | `test_list.txt`      |  25,596 |    2,797 |

Get it: download it from the NIH Clinical Center's folder (nihcc.app.box.com/v/ChestXray-NIHCC),
which also has the two lists of the official splits.
Citation: Wang et al., ChestX-ray8, CVPR 2017, arXiv 1705.02315.
Terms: NIH Clinical Center, which asks for a link, citation and credit; read them in its folder.

Check it:
    remedis doctor /data/ChestX-ray14 --source=chestxray14
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from remedis import files
from remedis.data.labels import CHESTXRAY14, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import chestxray14_lists, file_tree, table_checks
from remedis.data.sources.published_counts import Published, whole
from remedis.data.tables import columns, spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError

ENTRIES = "Data_Entry_2017*.csv"
_TEST = {"images": 25_596, "patients": 2_797}
PUBLISHED = (
    Published(
        {
            "train": {"images": 75_312, "patients": 24_342},
            "validation": {"images": 11_212, "patients": 3_666},
            "test": _TEST,
        }
    ),
    Published({"train": {"images": 86_524, "patients": 28_008}, "test": _TEST}),
    whole(images=112_120, patients=30_805),
)
BOXES = "BBox_List_2017.csv"
SIDE = 1024  # pixels of the images that boxes were drawn on
_DIRECTORIES = ("ChestX-ray14",)
_COLUMNS = ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age")
_VIEWS = ("PA", "AP", "")
# The name of an image begins with the number of the patient.
_NAME = r"^(?P<patient>\d{8})_\d{3}\.png$"
# The header of the boxes, whose commas are not quoted, and the names used here.
_BOX_COLUMNS = {"Bbox [x": "x", "y": "y", "w": "width", "h]": "height"}
# The boxes have another name than the entries for one finding.
_BOX_LABELS = {**CHESTXRAY14, "Infiltrate": "Infiltration"}
# Directories of images, relative to the file of entries, in the order of the search.
_PLACES = ("images", *(f"images_{i:03d}/images" for i in range(1, 13)), "")


def load(
    data_dir: files.Path, labels: Sequence[str] | None = None, entries: str | None = None
) -> Manifest:
    """Returns the manifest of ChestX-ray14, with one row per entry, even without an image.

    Args:
      data_dir: the directory with the entries, or its parent if it is named `ChestX-ray14`.
      labels: some of the 14 findings and "No Finding"; all if not given.
      entries: name of the file of entries, if there are several.

    Raises:
      UserError: the files are not as described above, or a label is unknown.
    """
    chosen = choose_labels(labels, tuple(CHESTXRAY14.values()))
    root = file_tree.find_root(data_dir, entries or ENTRIES, _DIRECTORIES, "ChestX-ray14")
    path = _entries(root, entries)
    raw = spreadsheet.read_table(path, (*_COLUMNS, "View Position"))
    sex = next((c for c in ("Patient Gender", "Patient Sex") if c in raw), None)
    if sex is None:
        raise UserError(f"{path}, row 1: no column 'Patient Gender'; expected the sex of patients.")
    _check(path, raw)
    table = pd.DataFrame(
        {
            "path": _locate(root, raw["Image Index"]),
            "patient_id": raw["Patient ID"],
            "study_id": raw["Patient ID"] + "/" + raw["Follow-up #"],
            "site": "chestxray14",
            "split": chestxray14_lists.splits(root, raw["Image Index"]),
            "sex": columns.sexes(path, raw[sex]),
            "age": columns.ages(path, raw["Patient Age"], implausible="unknown"),
            "view": raw["View Position"],
        }
    )
    findings = pd.DataFrame(_findings(path, raw["Finding Labels"]), raw.index, list(CHESTXRAY14))
    findings = findings.rename(columns=CHESTXRAY14)
    return Manifest(table.join(findings[list(chosen)]), chosen, root, "chestxray14")


def boxes(data_dir: files.Path) -> pd.DataFrame:
    """Returns the boxes drawn by hand around findings, as a reference for heat maps.

    Args:
      data_dir: the directory with `BBox_List_2017.csv`, or its parent if it is named
        `ChestX-ray14`.

    Returns:
      One row per box: `path` and `label` as in the manifest; `x`, `y` (of the upper left corner),
      `width` and `height` as float64, in pixels of the published size, 1024x1024. An image may have
      several boxes.

    Raises:
      UserError: there is no such file, or it is not as published.
    """
    root = file_tree.find_root(data_dir, BOXES, _DIRECTORIES, "ChestX-ray14's boxes")
    result = read_boxes(root / BOXES)
    result["name"] = _locate(root, result["name"])
    return result.rename(columns={"name": "path"})


def lists_boxes(path: pathlib.Path) -> bool:
    """Returns whether a file has the header of the published boxes."""
    header, _, _ = spreadsheet.read_bytes(path).partition(b"\n")
    return header.startswith(b"Image Index") and all(c.encode() in header for c in _BOX_COLUMNS)


def read_boxes(path: pathlib.Path) -> pd.DataFrame:
    """Returns the boxes of `BBox_List_2017.csv`, as `boxes`, with the image's file name as `name`.

    Args:
      path: the file.

    Raises:
      UserError: the file is not as published.
    """
    raw = _read_boxes(path)
    result = pd.DataFrame({"name": raw["Image Index"]})
    expected = f"one of {', '.join(_BOX_LABELS)}"
    label = spreadsheet.parsed(path, raw["Finding Label"], _BOX_LABELS.__getitem__, expected)
    result["label"] = label.astype(STRING)
    for column, name in _BOX_COLUMNS.items():
        result[name] = spreadsheet.parsed(
            path, raw[column], table_checks.pixels, "pixels, 0 or more"
        )
        if name in ("width", "height"):
            spreadsheet.refuse(path, raw[column], result[name] == 0, f"a {name} above 0")
    return result.reset_index(drop=True)


def _read_boxes(path: pathlib.Path) -> pd.DataFrame:
    contents = spreadsheet.read_bytes(path)
    # The published header ends in three surplus commas, which rows may have too.
    header, newline, rows = contents.partition(b"\n")
    header = header.rstrip(b", \r")
    required = ("Image Index", "Finding Label", *_BOX_COLUMNS)
    return spreadsheet.parse_table(path, header + newline + rows, required)


def _check(path: pathlib.Path, raw: pd.DataFrame) -> None:
    """Refuses entries that contradict themselves."""
    names, patients = raw["Image Index"], raw["Patient ID"]
    spreadsheet.refuse(path, names, names == "", "the name of an image")
    table_checks.refuse_repeated(path, names)
    table_checks.refuse_non_digits(path, raw, ("Patient ID", "Follow-up #"))
    view = raw["View Position"]
    spreadsheet.refuse(path, view, ~view.isin(_VIEWS), "PA, AP or nothing")
    # Names of another form are not checked: the images were renamed on purpose.
    in_names = pc.struct_field(pc.extract_regex(pa.array(names.array), _NAME), [0])
    listed = pa.array(patients.array)
    differs = pc.not_equal(pc.utf8_ltrim(in_names, "0"), pc.utf8_ltrim(listed, "0"))
    expected = "the patient's number with which the name of the image begins"
    spreadsheet.refuse(path, patients, pc.fill_null(differs, False), expected)


def _entries(root: pathlib.Path, entries: str | None) -> pathlib.Path:
    paths = sorted(root.glob(entries or ENTRIES))
    if len(paths) > 1:
        raise UserError(
            f"{root} has several files of entries, with different labels: "
            f"{', '.join(p.name for p in paths)}; choose one with `entries`."
        )
    return paths[0]


def _findings(path: pathlib.Path, values: pd.Series) -> np.ndarray:
    """Returns [rows, 15] float32, 1 where the entry names the finding."""
    position = {name: i for i, name in enumerate(CHESTXRAY14)}

    def parse(text: str) -> tuple[int, ...]:
        positions = tuple(position[name] for name in text.split("|"))
        if len(positions) > 1 and position["No Finding"] in positions:
            raise ValueError
        return positions

    # There are few distinct combinations of findings: each is parsed once.
    parsed = spreadsheet.parsed(
        path, values, parse, f"names joined by |, among {', '.join(position)}, the last one alone"
    )
    codes, combinations = pd.factorize(parsed)
    result = np.zeros((len(combinations), len(position)), np.float32)
    for row, combination in enumerate(combinations):
        result[row, list(combination)] = 1
    return result[codes]


def _locate(root: pathlib.Path, names: pd.Series) -> pd.Series:
    """Returns paths relative to root; a missing image gets a path in the first of `_PLACES`."""
    path_of: dict[str, str] = {}
    for place in reversed(_PLACES):
        if (root / place).is_dir():
            for name in os.listdir(root / place):
                path_of[name] = os.path.join(place, name)
    return names.map(lambda name: path_of.get(name, os.path.join(_PLACES[0], name)))
