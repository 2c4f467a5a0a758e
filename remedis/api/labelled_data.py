"""Data by path: manifests, and what functions take in their place."""

from collections.abc import Mapping, Sequence
from typing import Any

from remedis import files
from remedis.api import early_checks
from remedis.data import sources
from remedis.data.manifest import Manifest
from remedis.errors import UserError

Data = Manifest | files.Path


def load_manifest(
    data: files.Path,
    labels: Sequence[str] | None = None,
    *,
    source: str = "csv",
    **options: Any,
) -> Manifest:
    """Returns the table of images, patients, splits and labels of a data set.

    Only tables and names of files are read, no pixel. `manifest.table` is a pandas DataFrame with
    one row per image, `manifest.counts()` has images, patients and positives of every split, and
    `manifest.select("train")` the images of one.

    Args:
      data: the directory of the data set, or for the source `csv` a table with `path`,
        `patient_id` and one column per label, or a directory with `manifest.csv`.
      labels: the label columns, in the order of a model's outputs. The source `csv` needs them;
        others have all of theirs without.
      source: layout of the data: `csv`, `dicom`, `folder`, `slides`, `tfds`, or a published data
        set such as `chexpert`.
      **options: of the source, such as `views="all"` for `chexpert`, or
        `allow_missing_patient_ids=True` for `csv`.

    Raises:
      UserError: source, label or option are unknown, or the files are not as the source expects;
        the message names the file and the row.
    """
    checked = check_labels(labels)
    early_checks.check_data(data, source, checked, options)
    return sources.load_with(source, data, checked, options)


def check_labels(labels: Sequence[str] | None) -> Sequence[str] | None:
    """Returns the labels; raises a UserError for a text, which is a sequence of letters."""
    if isinstance(labels, str):
        raise UserError(f"labels is {labels!r}; expected a list, such as labels=[{labels!r}].")
    return labels


def check_alone(
    data: object, labels: Sequence[str] | None, source: str, options: Mapping[str, Any] | None
) -> None:
    """Raises a UserError for a manifest beside what only the reading of a path needs."""
    if isinstance(data, Manifest) and (labels is not None or source != "csv" or options):
        raise UserError(
            "data is a Manifest, which has its labels and its source; leave out labels, source and "
            "options, or give the path of the data."
        )
