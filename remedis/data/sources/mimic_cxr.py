"""MIMIC-CXR-JPG 2.0.0 and 2.1.0: chest radiographs, labels mined from reports.

Layout:
    mimic-cxr-jpg-2.0.0/
        mimic-cxr-2.0.0-metadata.csv.gz
        mimic-cxr-2.0.0-split.csv.gz
        mimic-cxr-2.0.0-chexpert.csv.gz
        files/p10/p10000032/s50414267/IMAGE.jpg

Input: 377,110 JPEG radiographs of 227,835 studies of 65,379 patients of an emergency department, in
`files/p10/p10000032/s50414267/<image>.jpg`; tables `mimic-cxr-2.0.0-{metadata,split,chexpert}`,
as `.csv.gz` or unpacked as `.csv`, which has precedence. Version 2.1.0 has the same tables under
the same names, and one more, which is not read here: `mimic-cxr-2.1.0-test-set-labeled.csv`, the
labels that a radiologist read from the reports of a part of the test studies. The two versions have
the same images: give one directory.
Labels: the 14 of CheXpert's labeller, one value per study, which all its images share. A label is
1, 0, -1 if the report is uncertain, or empty if the report does not mention the finding; the few
studies without labels have empty ones, and 0 in `any_label`. The policies of
`remedis.data.label_policies` decide what these values count as.
Metadata: patient, study, and view as recorded. Sex and age are in other files (of MIMIC-IV), and
unknown here.
Views: PA and AP are frontal, LATERAL and LL are lateral. Other views (oblique, decubitus, nothing
recorded) are part of `all` only; the number of images left out is logged.
Splits: the official ones, by patient: 368,960 / 2,991 / 5,159 images in train, validation (called
`validate` there) and test. To use a part of the data set, shorten the table of metadata:
images and studies that it does not list are skipped in the other tables.

Counts:
    | split      |  images |
    |------------|--------:|
    | train      | 368,960 |
    | validation |   2,991 |
    | test       |   5,159 |

Get it: download it from PhysioNet, "MIMIC-CXR-JPG", DOI 10.13026/jsn5-t979 (version 2.1.0). The
credentialed access needs a course in research with human data, and the agreement.
Citation: Johnson et al., MIMIC-CXR-JPG, 2019, arXiv 1901.07042.
Terms: PhysioNet's agreement for credentialed data; read it at the DOI.

Check it:
    remedis doctor /data/mimic-cxr-jpg-2.0.0 --source=mimic_cxr
"""

import logging
import pathlib
from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data.labels import MIMIC_CXR, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import file_tree, table_checks
from remedis.data.sources.published_counts import Published
from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError, some, unknown_choice
from remedis.options import spelled_option

_LOG = logging.getLogger(__name__)

DIRECTORIES = ("mimic-cxr-jpg-2.0.0", "mimic-cxr-jpg-2.1.0", "mimic-cxr-jpg", "2.0.0", "2.1.0")
VIEWS = ("frontal", "lateral", "all")
PUBLISHED = (
    Published(
        {
            "train": {"images": 368_960},
            "validation": {"images": 2_991},
            "test": {"images": 5_159},
        },
        {"views": "all"},
    ),
)
_VERSIONS = ("2.0.0", "2.1.0")
_SPLITS = {"train": "train", "validate": "validation", "test": "test"}
_SIDES = {"PA": "frontal", "AP": "frontal", "LATERAL": "lateral", "LL": "lateral"}
_IDS = ("subject_id", "study_id")


def load(
    data_dir: files.Path, labels: Sequence[str] | None = None, views: str = "frontal"
) -> Manifest:
    """Returns the manifest of MIMIC-CXR-JPG.

    Args:
      data_dir: the directory with the three tables and `files/`, or its parent.
      labels: some of the 14 labels; all if not given.
      views: `frontal`, `lateral` or `all` images.

    Raises:
      UserError: the files are not as described above, contradict each other, or a label or view is
        unknown.
    """
    chosen = choose_labels(labels, tuple(MIMIC_CXR.values()))
    if views not in VIEWS:
        raise unknown_choice("choice of views", views, VIEWS)
    root = file_tree.find_root(
        data_dir, "mimic-cxr-2.[01].0-metadata.csv*", DIRECTORIES, "MIMIC-CXR-JPG"
    )
    path = _table_path(root, "metadata")
    raw = spreadsheet.read_table(path, ("dicom_id", *_IDS, "ViewPosition"))
    raw = raw[["dicom_id", *_IDS, "ViewPosition"]]
    _check_images(path, raw)
    table_checks.refuse_contradicting(path, raw, "study_id", "subject_id")
    split = _splits(root, path, raw)
    findings = _findings(root, raw, chosen)
    subject, study = raw["subject_id"], raw["study_id"]
    table = pd.DataFrame(
        {
            "path": "files/p"
            + subject.str[:2]
            + "/p"
            + subject
            + "/s"
            + study
            + "/"
            + raw["dicom_id"]
            + ".jpg",
            "patient_id": subject,
            "study_id": study,
            "site": "mimic_cxr",
            "split": split,
            "view": raw["ViewPosition"],
        }
    ).join(findings)
    if views != "all":
        table = table[_of_side(raw["ViewPosition"], views)]
        if not len(table):
            raise UserError(
                f"{path} lists no {views} images; set "
                f"{spelled_option('views', 'all')} to take others."
            )
    return Manifest(table, chosen, root, "mimic_cxr")


def _table_path(root: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the path of a table: unpacked if that file exists, otherwise packed.

    Raises:
      UserError: the directory has the table under the names of both versions.
    """
    found = [v for v in _VERSIONS if any(root.glob(f"mimic-cxr-{v}-{name}.csv*"))]
    if len(found) > 1:
        raise UserError(
            f"{root} has the table {name!r} of MIMIC-CXR-JPG {' and '.join(found)}; keep those of "
            "one version."
        )
    plain = root / f"mimic-cxr-{(found or _VERSIONS)[0]}-{name}.csv"
    return plain if plain.is_file() else plain.with_name(f"{plain.name}.gz")


def _check_images(path: pathlib.Path, raw: pd.DataFrame) -> None:
    spreadsheet.refuse(path, raw["dicom_id"], raw["dicom_id"] == "", "the id of an image")
    table_checks.refuse_repeated(path, raw["dicom_id"])
    table_checks.refuse_non_digits(path, raw, _IDS)


def _splits(root: pathlib.Path, listed: pathlib.Path, images: pd.DataFrame) -> pd.Series:
    """Returns the split of every image; `listed` is the file of the table of metadata."""
    path = _table_path(root, "split")
    raw = spreadsheet.read_table(path, ("dicom_id", *_IDS, "split"))
    _check_images(path, raw)
    split = raw["split"]
    spreadsheet.refuse(path, split, ~split.isin(_SPLITS), " or ".join(_SPLITS))
    row = pd.Index(raw["dicom_id"]).get_indexer(images["dicom_id"])
    expected = f"an image that {path.name} gives a split"
    spreadsheet.refuse(listed, images["dicom_id"], row < 0, expected)
    for name in _IDS:
        ids = raw[name].iloc[row]
        expected = f"the same {name} for an image as in {listed.name}"
        differs = ids.to_numpy(dtype=object) != images[name].to_numpy(dtype=object)
        spreadsheet.refuse(path, ids, differs, expected)
    return split.map(_SPLITS).iloc[row].set_axis(images.index)


def _findings(root: pathlib.Path, images: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    """Returns the labels of the study of every image: a column per label, and `any_label`."""
    path = _table_path(root, "chexpert")
    column_of = {label: name for name, label in MIMIC_CXR.items()}
    raw = spreadsheet.read_table(path, (*_IDS, *(column_of[label] for label in chosen)))
    table_checks.refuse_non_digits(path, raw, _IDS)
    expected = "every study once; remove the row"
    table_checks.refuse_repeated(path, raw["study_id"], expected)
    labels = pd.DataFrame({label: columns.labels(path, raw[column_of[label]]) for label in chosen})
    findings = raw[raw.columns.intersection(list(MIMIC_CXR))]
    labels["any_label"] = (findings != "").any(axis=1).astype("float64")
    labels = labels.set_axis(pd.Index(raw["study_id"]))
    subject_of = images.drop_duplicates("study_id").set_index("study_id")["subject_id"]
    subject = raw["study_id"].map(subject_of)
    wrong = (subject.notna() & (subject != raw["subject_id"])).fillna(False)
    metadata = _table_path(root, "metadata").name
    expected = f"the same subject_id for a study as in {metadata}"
    spreadsheet.refuse(path, raw["subject_id"], wrong, expected)
    labels = labels.reindex(images["study_id"]).set_axis(images.index)
    return labels.assign(any_label=labels["any_label"].fillna(0.0))


def _of_side(view: pd.Series, side: str) -> pd.Series:
    """Returns which images are of a side; logs the views that are of neither."""
    sides = view.map(_SIDES)
    if (other := view[sides.isna()].replace("", "(nothing recorded)").value_counts()).any():
        listed = [f"{name} {count:,}" for name, count in other.items()]
        _LOG.warning(
            f"mimic_cxr: left out {int(other.sum()):,} images whose view is neither frontal nor "
            f"lateral: {some(listed, limit=20)}."
        )
    return sides == side
