r"""Your own images: a CSV file with one row per image, no code.

Layout:
    mine/
        manifest.csv
        images/a1.png
        images/a2.dcm

    manifest.csv:
    path,patient_id,split,pneumonia
    images/a1.png,P1,train,1
    images/a2.dcm,P2,test,0

Input: JPEG, PNG or DICOM files anywhere, or items of containers (`file#item`, see
`remedis.data.readers`). `path` is absolute or relative to the directory of the CSV file.
Labels: the columns that you name: 1, 0, -1 for uncertain, nothing for unknown.
Metadata: `patient_id` (required, unless you opt out), and `study_id`, `site`, `sex`, `age`, `view`,
`slide_id`, `mpp` if present. Other columns are kept.
Splits: the column `split` (train, validation, test) if there is one; otherwise to be assigned.
Form: commas, semicolons, tabs or vertical bars; UTF-8, UTF-16 or Windows-1252; other names of
columns and other values if you map them (`remedis manifest TABLE` proposes how).
Get it: export a table with one row per image; `remedis manifest TABLE` writes it in this form.
Citation and terms: yours.

Check it:
    remedis doctor /data/mine --labels=pneumonia
"""

import pathlib
from collections.abc import Sequence

from remedis import files
from remedis.data import image_list, layout_guess, manifest
from remedis.data.tables.table_form import TableForm


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None,
    allow_missing_patient_ids: bool = False,
    columns: str = "",
    values: str = "",
    separator: str = "",
    encoding: str = "",
    images: str = "",
    path_prefix: str = "",
) -> manifest.Manifest:
    r"""Returns the manifest in `data_dir/manifest.csv`, or in a CSV file given as `data_dir`.

    Args:
      data_dir: the directory or the file.
      labels: names of the label columns; required, since the file does not tell which they are.
      allow_missing_patient_ids: accept rows without a patient. Splits then treat each image as a
        patient of its own, and leaks by patient cannot be found.
      columns: names of a manifest's columns, such as `Patient ID=patient_id; Datei=path`.
      values: meanings of values, such as `Ja=1; Nein=0; unklar=-1; W=F; unbekannt=unknown`.
      separator: of the columns: comma, semicolon, tab or pipe; found from the file if empty.
      encoding: of the text, such as `cp1250`; found from the file if empty.
      images: directory that relative paths start from, itself relative to that of the file.
      path_prefix: beginning of the paths to leave out, such as `D:\Export`.

    Raises:
      UserError: labels are not named, or the file is not as `read_csv` expects.
    """
    path = _table(data_dir)
    if labels is None:
        layout_guess.refuse_without_labels()
    return manifest.read_csv(
        path,
        labels,
        root=path.parent / images,
        allow_missing_patient_ids=allow_missing_patient_ids,
        form=TableForm.of_texts(columns, values, separator, encoding, path_prefix),
    )


def load_images(
    data_dir: files.Path,
    columns: str = "",
    values: str = "",
    separator: str = "",
    encoding: str = "",
    images: str = "",
    path_prefix: str = "",
) -> manifest.Manifest:
    """Returns the images of a table without their labels; patients may be unknown.

    The arguments are those of `load`.

    Raises:
      UserError: there is no table, or as `image_list.read_csv`.
    """
    path = _table(data_dir)
    form = TableForm.of_texts(columns, values, separator, encoding, path_prefix)
    return image_list.read_csv(path, path.parent / images, form)


def _table(data_dir: files.Path) -> pathlib.Path:
    """Returns the path of the table.

    Raises:
      UserError: it is not there, and the directory looks like that of another source.
    """
    path = layout_guess.table_of(data_dir)
    if path != pathlib.Path(data_dir):
        layout_guess.refuse_other_layout(data_dir)
    return path
