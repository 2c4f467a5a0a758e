"""Your own DICOM files, in a directory and those below it, with a table of labels.

Layout:
    dicom/
        labels.csv
        2021/film_1.dcm
        2021/CR.1.2.840.113.5

Input: DICOM files with a name that the reader knows (`remedis.data.readers.dicom_image`), one row
per frame. Files without an image, such as reports, are left out and counted. Links to directories
are followed.
Labels: the columns of `labels.csv`: 1, 0, -1 for uncertain, nothing for unknown. Its rows are
matched to images by the first of the columns `path` (relative to the directory), `SOPInstanceUID`,
`StudyInstanceUID` and `PatientID` that names one. Images without a row have unknown labels, and are
counted.
Metadata: from the headers, patient (PatientID), study (StudyInstanceUID), sex, age in years
(PatientAge, otherwise from the dates of birth and study; unknown if neither is plausible), view
(ViewPosition), modality. The site is not read: names of institutions in headers are
arbitrary, so you name the site.
Splits: none: to be assigned, by patient.
Privacy: only these attributes of a header are read, and none is ever printed or logged. The
manifest holds them: identifiers as they are in the files, but no names and no dates. Pixels may
have text burnt in, which is not checked here.
Get it: export the files from your archive (PACS), with what identifies a person removed as your
rules ask.
Citation and terms: yours.

Check it:
    remedis doctor /data/dicom --source=dicom
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

from remedis import files, regular_files
from remedis.data import canonical_ids, image_list
from remedis.data.labels import choose_labels
from remedis.data.manifest import KNOWN, REQUIRED, Manifest
from remedis.data.readers import Unreadable, dicom_header, dicom_image
from remedis.data.sources import dicom_labels, file_tree
from remedis.data.sources.dicom_labels import KEYS
from remedis.data.tables import columns, missing, spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, counted, some
from remedis.options import spelled, spelled_option
from remedis.progress import progress

_LOG = logging.getLogger(__name__)

LABELS = "labels.csv"
_ATTRIBUTES = (
    *KEYS[1:],
    "Modality",
    "PatientAge",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "ViewPosition",
)
# Files with these suffixes are not opened to look for DICOM under another name.
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
      site: the hospital of all images; unknown if not given.
      allow_missing_patient_ids: accept files without a PatientID. Splits then treat each image as a
        patient of its own, and leaks by patient cannot be found.
      skip_unreadable: leave out and list the files whose header cannot be read, instead of raising
        an error.

    Raises:
      UserError: there is no DICOM file, or one has a name that the reader does not know, cannot be
        read or has no patient; `labels.csv` is missing or not as described above; a label is
        unknown.
    """
    root = pathlib.Path(data_dir)
    paths = _paths(root)
    rows = _read_labels(root / LABELS)
    chosen = choose_labels(labels, tuple(str(column) for column in rows if column not in KEYS))
    table = frames(root, paths, "skip" if skip_unreadable else "refuse")
    _refuse_empty(root, table)
    _check_patients(root, table, allow_missing_patient_ids)
    found = dicom_labels.join(root / LABELS, table, rows, chosen)
    # A label may have the name of a column that only this module uses.
    table = table.drop(columns=["file", "SOPInstanceUID"])
    table = table.assign(modality=table["modality"].astype(STRING)).join(found)
    return Manifest(table.assign(site=site, split=None), chosen, root, "dicom")


def load_images(
    data_dir: files.Path, site: str | None = None, skip_unreadable: bool = False
) -> Manifest:
    """Returns the images of a directory of DICOM files without labels; patients may be unknown.

    The arguments are those of `load`; no table of labels is read. A file whose header cannot be
    read stays, unless it is to be skipped: the scan of the images gives the reason.

    Raises:
      UserError: as `load`, but for labels, patients and headers.
    """
    root = pathlib.Path(data_dir)
    table = frames(root, _paths(root), "skip" if skip_unreadable else "keep")
    _refuse_empty(root, table)
    return image_list.of_table(table.assign(site=site), root, "dicom")


def _refuse_empty(root: pathlib.Path, table: pd.DataFrame) -> None:
    if not len(table):
        raise UserError(f"{root} does not hold DICOM files with an image in them.")


def _paths(root: pathlib.Path) -> list[str]:
    if not root.is_dir():
        raise UserError(f"There is no directory {root}; expected DICOM files there.")
    paths = _find(root)
    if not paths:
        raise UserError(
            f"{root} does not hold DICOM files: no file in it or below ends in "
            f"{', '.join(dicom_image.SUFFIXES)}, or is named by a DICOM identifier."
        )
    return paths


def _find(root: pathlib.Path) -> list[str]:
    """Returns the DICOM files below a directory, relative to it, sorted.

    Raises:
      UserError: a DICOM file has a name that the reader does not know, or that is not UTF-8.
    """
    known, misnamed = [], []
    for path in file_tree.walk(root):
        name = os.path.basename(path)
        if name.upper() == "DICOMDIR":
            continue
        if dicom_image.NAMES.search(name):
            known.append(path)
        elif not name.lower().endswith(_OTHER) and _is_dicom(os.path.join(root, path)):
            misnamed.append(path)
    if misnamed:
        raise UserError(
            f"{len(misnamed):,} DICOM files of {root} have names that do not end in .dcm: "
            f"{some(sorted(misnamed), limit=3)}; rename them, so that they are recognised."
        )
    file_tree.refuse_undecodable(root, known)
    return sorted(known)


def _is_dicom(path: str) -> bool:
    try:
        with regular_files.open_regular(path) as file:
            return dicom_header.has_mark(file.read(dicom_header.MARK_END))
    except OSError:
        return False


def _read_labels(path: pathlib.Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(
            f"There is no file {path}; expected one of the columns {', '.join(KEYS)} and one "
            "column per label, since DICOM headers hold no findings."
        )
    rows = spreadsheet.read_table(path)
    keys = [key for key in KEYS if key in rows]
    if not keys:
        raise UserError(
            f"{path}, row 1: no column to match images by; expected one of {', '.join(KEYS)}."
        )
    if reserved := [c for c in rows if c in (*REQUIRED, *KNOWN, "modality") and c not in KEYS]:
        raise UserError(
            f"{path}, row 1: the column {reserved[0]!r} cannot be a label: the manifest uses this "
            "name for something else; rename or remove it."
        )
    return rows


def frames(root: pathlib.Path, paths: Sequence[str], unreadable: str) -> pd.DataFrame:
    """Returns one row per frame with the attributes of its header; files without one are counted.

    Args:
      root: directory that the paths are relative to.
      paths: of DICOM files.
      unreadable: what becomes of a file whose header cannot be read: `refuse` raises an error,
        `skip` leaves it out, `keep` gives it a row without attributes.

    Raises:
      UserError: a header cannot be read, and `unreadable` is `refuse`.
    """
    rows: list[dict[str, Any]] = []
    bad, without_image = [], []
    with (
        progress("Reading headers", len(paths)) as report,
        ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as threads,
    ):
        outcomes = threads.map(lambda path: _examine(os.path.join(root, path)), paths)
        for done, (path, outcome) in enumerate(zip(paths, outcomes, strict=True), 1):
            report(done, "DICOM files")
            if isinstance(outcome, str):
                bad.append(f"{path} ({outcome.rstrip('.')})")
                if unreadable == "keep":
                    rows.append({"path": path, "file": path})
            elif not outcome:
                without_image.append(path)
            else:
                count = outcome.pop("frames")
                items = [f"{path}#{i}" for i in range(1, count + 1)] if count > 1 else [path]
                rows += ({"path": item, "file": path, **outcome} for item in items)
    if without_image:
        _LOG.warning(
            f"{counted(len(without_image), 'DICOM file holds', 'DICOM files hold')} no image: "
            f"{some(without_image)}."
        )
    if bad and unreadable == "refuse":
        raise UserError(
            f"{len(bad):,} of {len(paths):,} DICOM files of {root} cannot be read: "
            f"{some(bad, limit=3)}; repair or remove them, or set "
            f"{spelled_option('skip_unreadable')}."
        )
    if bad and unreadable == "skip":
        _LOG.warning(f"Left out, since they cannot be read: {some(bad, limit=len(bad))}.")
    return pd.DataFrame(rows)


def _examine(file: str) -> dict[str, Any] | str:
    """Returns the attributes of a file with an image, nothing without one, or an error's text."""
    try:
        header = dicom_header.read(
            file, (*_ATTRIBUTES, *dicom_image.SIZE_KEYWORDS, *dicom_image.IMAGE_KEYWORDS)
        )
        if not dicom_image.has_image(header):
            return {}
        value = {name: dicom_header.text(header, name) for name in _ATTRIBUTES}
        return {
            "patient_id": value["PatientID"],
            "study_id": value["StudyInstanceUID"],
            "sex": sex if (sex := value["PatientSex"].upper()) in ("F", "M") else "",
            "age": _age(value),
            "view": value["ViewPosition"].upper(),
            "modality": value["Modality"].upper(),
            "SOPInstanceUID": value["SOPInstanceUID"],
            "frames": dicom_image.frames(header),
        }
    except Unreadable as error:
        return str(error)


def _age(header: dict[str, str]) -> float:
    """Returns the age in years, NaN if the header has none that is plausible."""
    years = float("nan")
    # Some archives leave out the unit of years.
    if match := re.fullmatch(r"(\d{1,3})([DWMY]?)", header["PatientAge"].upper()):
        years = int(match[1]) * columns.YEARS_PER[match[2] or "Y"]
    elif (born := _date(header["PatientBirthDate"])) and (then := _date(header["StudyDate"])):
        years = (then - born).days * columns.YEARS_PER["D"]
    return years if 0 <= years <= columns.OLDEST else float("nan")


def _date(value: str) -> datetime.date | None:
    # The second form is that of ACR-NEMA, the standard's predecessor.
    match = re.fullmatch(r"(\d{4})(\d\d)(\d\d)|(\d{4})\.(\d\d)\.(\d\d)", value)
    try:
        return datetime.date(*(int(v) for v in match.groups() if v)) if match else None
    except ValueError:
        return None


def _check_patients(root: pathlib.Path, table: pd.DataFrame, allow_missing: bool) -> None:
    unknown = canonical_ids.column(table["patient_id"]).isna()
    names = table.loc[unknown, "file"].unique().tolist()
    if names and not allow_missing:
        remark = missing.remark(table["patient_id"][unknown].astype(STRING))
        listed = some(names, limit=3) + (remark and f" ({remark})")
        raise UserError(
            f"{len(names):,} of {table['file'].nunique():,} DICOM files of {root} have no "
            f"PatientID: {listed}; without patients, images of one person can be in training and "
            "in test. Add the ids, or set "
            f"{spelled('allow_missing_patient_ids')} to take every image as a patient of its own."
        )
