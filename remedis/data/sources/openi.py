"""OpenI, the Indiana University collection: chest radiographs, findings coded from reports by hand.

Layout:
    OpenI/
        ecgen-radiology/1.xml
        NLMCXR_png/CXR1_1_IM-0001-3001.png

Input: the download of the National Library of Medicine: one XML file per report, in the directory,
in `ecgen-radiology` or in `NLMCXR_reports/ecgen-radiology`, and the images that it names, as PNG
files (`CXR1_1_IM-0001-3001.png`) or DICOM files (`1_1_IM-0001-3001.dcm`), anywhere below. Or
Kaggle's edition: `indiana_reports.csv` and `indiana_projections.csv`, and the images
(`1_IM-0001-4001.dcm.png`), anywhere below. If both are there, Kaggle's tables are read, since they
alone tell frontal from lateral images. Of the 3,955 XML files, 104 name no image: they make no row.
XML files need the extra `slides`, for defusedxml.
Labels: the 14 findings of ChestX-ray14, "Fracture", "Lung Opacity", "Support Devices" and "No
Finding", from the codes of the report (`MeSH/major` in the XML file, the column `MeSH` in
Kaggle's table), which people assigned. A code such as `Pleural Effusion/right/small` has a heading
and its qualifiers. A finding is 1 if one of its headings is coded, and else 0; "No Finding" is the
code `normal`. All labels are unknown for a report without codes, with the code `No Indexing`, or
with nothing but a remark on the technical quality. The labels are those of the report; its images
share them. `remedis.data.label_names.OPENI` lists the headings of each label. Which headings are
Support Devices is our choice. The automatic codes of the XML files are not read.
Metadata: the number of the report is both patient and study: the collection has one report per
patient, as the headers of its DICOM files say. Sex and age are unknown.
Views: `frontal` and `lateral` take Kaggle's tables; the view is unknown for XML files.
Splits: none: to be assigned.

Counts:
    | edition                  | images | reports with images |
    |--------------------------|-------:|--------------------:|
    | XML files                |  7,470 |               3,851 |
    | Kaggle, all views        |  7,466 |               3,851 |
    | Kaggle, frontal          |  3,818 |                     |

Get it: download the reports and the PNG or DICOM images from Open-i (openi.nlm.nih.gov, "Indiana
University hospital network"), or the data set "Chest X-rays (Indiana University)" from Kaggle.
Citation: Demner-Fushman et al., JAMIA 23(2):304-310, 2016, DOI 10.1093/jamia/ocv080.
Terms: CC BY-NC-ND 4.0, as the XML files say; read those of Kaggle's edition on its page.

Check it:
    remedis doctor /data/OpenI --source=openi
"""

import os
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from remedis import files
from remedis.data import safe_xml
from remedis.data.labels import OPENI, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import file_tree, table_checks
from remedis.data.sources.published_counts import Published, whole
from remedis.data.tables import spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled_option

REPORTS, PROJECTIONS = "indiana_reports.csv", "indiana_projections.csv"
DIRECTORIES = ("OpenI", "openi", "NLMCXR")
VIEWS = ("all", "frontal", "lateral")
PUBLISHED = (
    Published(whole(images=7_470, patients=3_851).splits, {"views": "all"}),
    Published(whole(images=7_466, patients=3_851).splits, {"views": "all"}),
    Published(whole(images=3_818).splits, {"views": "frontal"}),
)
_XML = ("ecgen-radiology/*.xml", "NLMCXR_reports/ecgen-radiology/*.xml", "*.xml")
_UID = re.compile(r"CXR(\d+)")
_PROJECTIONS = {"Frontal": "frontal", "Lateral": "lateral"}
# Endings that are no part of an image's name; Kaggle's files have two.
_ENDINGS = re.compile(r"(?:\.(?:dcm|dicom|png|jpe?g|tiff?))+$", re.IGNORECASE)
_NORMAL, _NOT_CODED = "normal", "no indexing"
# Codes that say nothing about findings.
_SILENT = frozenset(("", "technical quality of image unsatisfactory"))
_EXPECTED = 'a report of the Indiana University collection, with <uId id="CXR1"/>'


def load(data_dir: files.Path, labels: Sequence[str] | None = None, views: str = "all") -> Manifest:
    """Returns the manifest of OpenI, with one row per image that a report names.

    Args:
      data_dir: the directory with the XML files or Kaggle's tables, or its parent if it is named
        `OpenI`.
      labels: some of the 18 labels; all if not given.
      views: `all`, or with Kaggle's tables `frontal` or `lateral` images.

    Raises:
      UserError: the files are not as described above, or a label or view is unknown.
    """
    chosen = choose_labels(labels, tuple(OPENI))
    if views not in VIEWS:
        raise unknown_choice("choice of views", views, VIEWS)
    root, glob = _find(pathlib.Path(data_dir))
    if glob == PROJECTIONS:
        table = _of_tables(root)
    elif views == "all":
        table = _of_reports(sorted(root.glob(glob)))
    else:
        raise UserError(
            f"{root} has XML files, which do not say which images are {views}; add Kaggle's "
            f"{REPORTS} and {PROJECTIONS}, or set {spelled_option('views', 'all')}."
        )
    if views != "all":
        table = table[(table["view"] == views).to_numpy(dtype=bool)]
    if not len(table):
        raise UserError(f"{root} has reports, but they name no image to load.")
    table = table.reset_index(drop=True)
    codes = table.pop("codes")
    table["path"] = _locate(root, table.pop("image"), kaggle=glob == PROJECTIONS)
    columns = table.assign(study_id=table["patient_id"], site="openi", split=None)
    return Manifest(columns.assign(**_labels(codes, chosen)), chosen, root, "openi")


def _find(directory: pathlib.Path) -> tuple[pathlib.Path, str]:
    """Returns the directory of the collection, and the glob of its tables or reports."""
    for glob in (PROJECTIONS, *_XML):
        found = [directory, *(directory / name for name in DIRECTORIES)]
        for root in found:
            if any(root.glob(glob)):
                return root, glob
    # Neither is there: the error names the XML files.
    return file_tree.find_root(directory, _XML[0], DIRECTORIES, "OpenI"), _XML[0]


def _of_reports(paths: Iterable[pathlib.Path]) -> pd.DataFrame:
    """Returns a row per image of XML reports: `image`, `patient_id`, `codes`, `view`."""
    rows = []
    file_of: dict[str, pathlib.Path] = {}
    for path in paths:
        report = safe_xml.root(path, "report", _EXPECTED)
        uid = report.find("uId")
        number = _UID.fullmatch("" if uid is None else uid.get("id", ""))
        if number is None:
            raise UserError(f"{path} has no uId with the id of a report; expected {_EXPECTED}.")
        codes = _codes(code.text or "" for code in report.findall("MeSH/major"))
        for image in report.findall("parentImage"):
            name = image.get("id", "")
            if not name or os.path.basename(name) != name:
                raise UserError(f"{path}: the id of a parentImage is {name!r}; expected a name.")
            if name in file_of:
                raise UserError(
                    f"{path} and {file_of[name].name} both name the image {name}; expected every "
                    "image in one report."
                )
            file_of[name] = path
            rows.append((name, number[1], codes, None))
    rows.sort(key=lambda row: int(row[1]))  # names of files come as 1, 10, 2
    return pd.DataFrame(rows, columns=["image", "patient_id", "codes", "view"])


def _of_tables(root: pathlib.Path) -> pd.DataFrame:
    """Returns a row per image of Kaggle's tables, as `_of_reports`."""
    path = root / PROJECTIONS
    raw = spreadsheet.read_table(path, ("uid", "filename", "projection"))
    table_checks.refuse_non_digits(path, raw, ("uid",))
    names = raw["filename"]
    spreadsheet.refuse(path, names, names == "", "the name of an image")
    spreadsheet.refuse(path, names, names.str.contains("/", regex=False), "a name, not a path")
    table_checks.refuse_repeated(path, names)
    projection = raw["projection"]
    expected = " or ".join(_PROJECTIONS)
    spreadsheet.refuse(path, projection, ~projection.isin(list(_PROJECTIONS)), expected)
    reports = spreadsheet.read_table(root / REPORTS, ("uid", "MeSH"))
    table_checks.refuse_repeated(root / REPORTS, reports["uid"], "every report once")
    codes_of = {
        uid: _codes(text.split(";"))
        for uid, text in zip(reports["uid"], reports["MeSH"], strict=True)
    }
    lacking = ~raw["uid"].isin(list(codes_of))
    spreadsheet.refuse(path, raw["uid"], lacking, f"a uid that {REPORTS} has")
    return pd.DataFrame(
        {
            "image": names,
            "patient_id": raw["uid"],
            "codes": raw["uid"].map(codes_of),
            "view": projection.map(_PROJECTIONS),
        }
    )


def _codes(texts: Iterable[str]) -> frozenset[str]:
    """Returns headings, and headings with each qualifier: `thickening`, `thickening/pleura`."""
    found = set()
    for text in texts:
        heading, *qualifiers = (part.strip().lower() for part in text.split("/"))
        found |= {heading, *(f"{heading}/{qualifier}" for qualifier in qualifiers)}
    return frozenset(found)


def _labels(codes: pd.Series, chosen: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the labels of every image, [rows] float32: 1, 0, or NaN if nothing is known."""
    unknown = np.array([coded <= _SILENT or _NOT_CODED in coded for coded in codes], bool)
    values = {}
    for label in chosen:
        wanted = frozenset(OPENI[label])
        of_images = np.array([bool(wanted & coded) for coded in codes], np.float32)
        of_images[unknown] = np.nan
        values[label] = of_images
    return values


def _locate(root: pathlib.Path, names: pd.Series, kaggle: bool) -> pd.Series:
    """Returns paths relative to root; a missing image gets a path in its published folder."""
    path_of: dict[str, str] = {}
    for path in file_tree.walk(root):
        stem, endings = _ENDINGS.subn("", os.path.basename(path))
        if endings:
            path_of.setdefault(stem, path)
    paths = []
    for name in names:
        stem = _ENDINGS.sub("", name)
        absent = f"images/images_normalized/{name}" if kaggle else f"NLMCXR_png/{name}.png"
        # DICOM files lack the first letters.
        other = stem.removeprefix("CXR")
        paths.append(path_of.get(stem) or path_of.get(other) or absent)
    return pd.Series(paths, names.index, dtype=STRING)
