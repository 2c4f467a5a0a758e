"""Your own images: a CSV file with one row per image, no code.

Input: JPEG, PNG or DICOM files anywhere, or items of containers (`file#item`, see
`remedis.data.readers`). `path` is absolute or relative to the directory of the CSV file.
Labels: the columns that you name: 1, 0, -1 for uncertain, nothing for unknown.
Metadata: `patient_id` (required, unless you opt out), and `study_id`, `site`, `sex`, `age`, `view`,
`slide_id`, `mpp` if present. Other columns are kept.
Splits: the column `split` (train, validation, test) if there is one; otherwise to be assigned.
Citation and terms: yours.
"""

import pathlib
from collections.abc import Sequence

from remedis import files
from remedis.data import manifest
from remedis.errors import UserError


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None,
    allow_missing_patient_ids: bool = False,
) -> manifest.Manifest:
    """Returns the manifest in `data_dir/manifest.csv`, or in a CSV file given as `data_dir`.

    Args:
      data_dir: the directory or the file.
      labels: names of the label columns; required, since the file does not tell which they are.
      allow_missing_patient_ids: see `remedis.data.manifest.read_csv`.

    Raises:
      UserError: labels are not named, or the file is not as `read_csv` expects.
    """
    if labels is None:
        raise UserError("The source 'csv' needs the names of its label columns: set `labels`.")
    path = pathlib.Path(data_dir)
    if path.suffix.lower() != ".csv":
        path = path / "manifest.csv"
    return manifest.read_csv(path, labels, allow_missing_patient_ids=allow_missing_patient_ids)
