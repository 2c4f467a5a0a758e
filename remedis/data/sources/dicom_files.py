"""Your own DICOM files, in a directory and those below it, with a table of labels.

Input: DICOM files of any name the reader knows (`remedis.data.readers.dicom_image`); of a file of
several frames, each frame is a row. Files without an image, such as reports, are left out and
counted. Links to directories are followed.
Labels: the columns of `labels.csv`: 1, 0, -1 for uncertain, nothing for unknown. Its rows are
matched to images by the first of the columns `path` (relative to the directory), `SOPInstanceUID`,
`StudyInstanceUID` and `PatientID` that it has. Images without a row have unknown labels, and are
counted.
Metadata, from the headers: patient (PatientID), study (StudyInstanceUID), sex, age in years
(PatientAge, else from the dates of birth and study; unknown where neither makes sense), view
(ViewPosition), modality. Not the site: a header names institutions as it likes, so you name it.
Splits: none: to be assigned, by patient.
Privacy: of a header, these attributes alone are read, and none is ever printed or logged. The
manifest holds them: identifiers as they are in the files, but no names and no dates. Pixels may
have text burnt in, which nothing here looks for.
Citation and terms: yours.
"""

import datetime
import logging
import os
import pathlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from remedis import files
from remedis.data.labels import choose_labels
from remedis.data.manifest import KNOWN, REQUIRED, Manifest
from remedis.data.readers import Unreadable, dicom_header, dicom_image
from remedis.data.sources import file_tree
from remedis.data.tables import columns, spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, some
from remedis.progress import progress

_LOG = logging.getLogger(__name__)

LABELS = "labels.csv"
# What rows of labels may be matched by, the most specific first.
KEYS = ("path", "SOPInstanceUID", "StudyInstanceUID", "PatientID")
_ATTRIBUTES = (
    *KEYS[1:],
    "Modality",
    "NumberOfFrames",
    "PatientAge",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "ViewPosition",
)
# Not looked into for DICOM under another name.
_OTHER = (".csv", ".txt", ".xml", ".json", ".png", ".jpg", ".jpeg")


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    site: str | None = None,
    allow_missing_patient_ids: bool = False,
    skip_unreadable: bool = False,
) -> Manifest:
    """Returns the manifest of a directory of DICOM files.

    Args:
      data_dir: the directory, with `labels.csv` in it.
      labels: some of the label columns of `labels.csv`; all if not given.
      site: the hospital all images are of; unknown if not given.
      allow_missing_patient_ids: accept files without a PatientID. Splits then treat each image as a
        patient of its own, and leaks by patient cannot be found.
      skip_unreadable: leave out files whose header cannot be read, and list them, instead of
        refusing.

    Raises:
      UserError: there is no DICOM file, one has a name the reader does not know, cannot be read or
        has no patient; `labels.csv` is missing or not as described above; a label is unknown.
    """
    root = pathlib.Path(data_dir)
    if not root.is_dir():
        raise UserError(f"There is no directory {root}; expected DICOM files there.")
    paths = _find(root)
    if not paths:
        raise UserError(
            f"{root} does not hold DICOM files: none ending in "
            f"{', '.join(dicom_image.SUFFIXES)}, or named by a DICOM identifier, in it, nor below."
        )
    given = _read_labels(root / LABELS)
    names = tuple(str(c) for c in given if c not in KEYS)
    chosen = choose_labels(labels, names)
    table = _table(root, paths, skip_unreadable)
    _check_patients(root, table, allow_missing_patient_ids)
    table = _join(root / LABELS, table, given, chosen)
    table = table.assign(site=site, split=None).drop(columns=["file", "SOPInstanceUID"])
    return Manifest(table, chosen, root, "dicom")


def _find(root: pathlib.Path) -> list[str]:
    """Returns the DICOM files below a directory, relative to it, sorted.

    Raises:
      UserError: some have a name that does not tell that they are DICOM files, or is not UTF-8.
    """
    known, strange = [], []
    for path in file_tree.walk(root):
        name = os.path.basename(path)
        if name.upper() == "DICOMDIR":
            continue
        if dicom_image.NAMES.search(name):
            known.append(path)
        elif not name.lower().endswith(_OTHER) and _is_dicom(os.path.join(root, path)):
            strange.append(path)
    if strange:
        raise UserError(
            f"{len(strange):,} DICOM files of {root} have names that do not end in .dcm: "
            f"{some(sorted(strange), limit=3)}; rename them, so that readers know what they "
            "are."
        )
    file_tree.refuse_undecodable(root, known)
    return sorted(known)


def _is_dicom(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return dicom_header.has_mark(file.read(dicom_header.MARK_END))
    except OSError:
        return False


def _read_labels(path: pathlib.Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(
            f"There is no file {path}; expected a column of {', '.join(KEYS)} and one column a "
            "label, since DICOM headers tell no findings."
        )
    given = spreadsheet.read_table(path)
    keys = [key for key in KEYS if key in given]
    if not keys:
        raise UserError(
            f"{path}, row 1: no column to match images by; expected one of {', '.join(KEYS)}."
        )
    if taken := [c for c in given if c in (*REQUIRED, *KNOWN, "modality") and c not in KEYS]:
        raise UserError(
            f"{path}, row 1: the column {taken[0]!r} cannot be a label: the manifest uses it for "
            "something else; rename or remove it."
        )
    values = given[keys[0]]
    spreadsheet.refuse(path, values, values == "", f"a {keys[0]} in every row")
    spreadsheet.refuse(path, values, values.duplicated(), f"every {keys[0]} once; remove the row")
    return given


def _table(root: pathlib.Path, paths: Sequence[str], skip_unreadable: bool) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    bad, without_image = [], []
    with (
        progress("Reading DICOM headers", len(paths)) as report,
        ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as threads,
    ):
        outcomes = threads.map(lambda path: _examine(os.path.join(root, path)), paths)
        for done, (path, outcome) in enumerate(zip(paths, outcomes, strict=True), 1):
            report(done, "")
            if isinstance(outcome, str):
                bad.append(f"{path} ({outcome.rstrip('.')})")
            elif not outcome:
                without_image.append(path)
            else:
                count = outcome.pop("frames")
                items = [f"{path}#{i}" for i in range(1, count + 1)] if count > 1 else [path]
                rows += ({"path": item, "file": path, **outcome} for item in items)
    if without_image:
        _LOG.warning(f"{len(without_image):,} DICOM files hold no image: {some(without_image)}.")
    if bad and not skip_unreadable:
        raise UserError(
            f"{len(bad):,} of {len(paths):,} DICOM files of {root} cannot be read: "
            f"{some(bad, limit=3)}; mend or remove them, or set skip_unreadable."
        )
    if bad:
        _LOG.warning(f"Left out, since they cannot be read: {some(bad, limit=len(bad))}.")
    if not rows:
        raise UserError(f"{root} does not hold DICOM files with an image in them.")
    return pd.DataFrame(rows)


def _examine(file: str) -> dict[str, Any] | str:
    """Returns what one file's header tells, nothing if it has no image, or what is wrong."""
    try:
        header = dicom_header.read(file, (*_ATTRIBUTES, *dicom_image.IMAGE_KEYWORDS))
        if not dicom_image.has_image(header):
            return {}
        found = {name: dicom_header.text(header, name) for name in _ATTRIBUTES}
        return {
            "patient_id": found["PatientID"],
            "study_id": found["StudyInstanceUID"],
            "sex": sex if (sex := found["PatientSex"].upper()) in ("F", "M") else "",
            "age": _age(found),
            "view": found["ViewPosition"].upper(),
            "modality": found["Modality"].upper(),
            "SOPInstanceUID": found["SOPInstanceUID"],
            "frames": dicom_image.frames(header),
        }
    except Unreadable as error:
        return str(error)


def _age(header: dict[str, str]) -> float:
    """Returns an age in years, NaN where the header tells of none that could be."""
    years = float("nan")
    if match := re.fullmatch(r"(\d{1,3})([DWMY])", header["PatientAge"].upper()):
        years = int(match[1]) * columns.YEARS_PER[match[2]]
    elif (born := _date(header["PatientBirthDate"])) and (then := _date(header["StudyDate"])):
        years = (then - born).days * columns.YEARS_PER["D"]
    return years if 0 <= years <= columns.OLDEST else float("nan")


def _date(value: str) -> datetime.date | None:
    # The second form is that of the standard's predecessor.
    match = re.fullmatch(r"(\d{4})(\d\d)(\d\d)|(\d{4})\.(\d\d)\.(\d\d)", value)
    try:
        return datetime.date(*(int(v) for v in match.groups() if v)) if match else None
    except ValueError:
        return None


def _check_patients(root: pathlib.Path, table: pd.DataFrame, allow_missing: bool) -> None:
    missing = table.loc[table["patient_id"] == "", "file"].unique()
    if len(missing) and not allow_missing:
        raise UserError(
            f"{len(missing):,} of {table['file'].nunique():,} DICOM files of {root} have no "
            f"PatientID: {some(missing.tolist(), limit=3)}; without patients, images of one "
            "person can land in training and test alike. Add the ids, or set "
            "allow_missing_patient_ids to take every image as a patient of its own."
        )


def _join(
    path: pathlib.Path, table: pd.DataFrame, given: pd.DataFrame, chosen: Sequence[str]
) -> pd.DataFrame:
    """Returns the table with the chosen labels, unknown where the file of labels has no row."""
    key = next(name for name in KEYS if name in given)
    # A file's row holds for all of its frames, unless they are named.
    own: pd.Series = {
        "path": table["path"].where(table["path"].isin(given[key]), table["file"]),
        "SOPInstanceUID": table["SOPInstanceUID"],
        "StudyInstanceUID": table["study_id"],
        "PatientID": table["patient_id"],
    }[key]
    matched = given[key].isin(own)
    if not matched.any():
        raise UserError(
            f"{path}: not one {key} is that of an image; look at how the column is written."
        )
    if not matched.all():
        _LOG.warning(f"{int((~matched).sum()):,} of {len(given):,} rows of {path} match no image.")
    if without := int((~own.isin(given[key])).sum()):
        _LOG.warning(
            f"{without:,} of {len(table):,} images have no row in {path}; their labels are unknown."
        )
    values = {name: columns.labels(path, given[name]) for name in chosen}
    labels = pd.DataFrame(values, index=given.index).set_axis(given[key].tolist())
    found = labels.reindex(own.tolist()).set_axis(table.index)
    return table.assign(modality=table["modality"].astype(STRING)).join(found)
