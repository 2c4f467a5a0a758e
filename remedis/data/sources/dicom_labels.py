"""Which rows of a table of labels belong to which DICOM images.

A table may name images in several columns. The most specific one with a value of an image counts:
a column of identifiers that were replaced when the images were made anonymous does not hide one
that is right. Columns that contradict each other are refused.
"""

import logging
import os
import pathlib
import posixpath
from collections.abc import Sequence

import pandas as pd

from remedis.data import canonical_ids, similar_paths
from remedis.data.tables import columns, missing, spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError

_FRAME = "#[0-9]+$"
_LOG = logging.getLogger(__name__)

# The columns that match rows of labels to images, the most specific first.
KEYS = ("path", "SOPInstanceUID", "StudyInstanceUID", "PatientID")


def join(
    path: pathlib.Path, images: pd.DataFrame, rows: pd.DataFrame, chosen: Sequence[str]
) -> pd.DataFrame:
    """Returns one row of labels per image, as float32; unknown if the table has no row for it.

    Args:
      path: the table of labels, in the directory that `path` is relative to.
      images: one row per frame: `path`, `file` (the path without the frame), and the attributes
        `SOPInstanceUID`, `study_id` and `patient_id`.
      rows: the table of labels, with one of `KEYS` or more.
      chosen: its columns of labels.

    Raises:
      UserError: no row is that of an image; columns name different images; a value of the column
        that counts is missing or appears twice with different labels; a label is none.
    """
    values = {key: _values(path, rows[key], images["file"], key) for key in KEYS if key in rows}
    of_images = {key: _of_images(images, key, values[key]) for key in values}
    matched = {key: values[key].isin(of_images[key].dropna()) for key in values}
    key = next((key for key in values if matched[key].any()), next(iter(values)))
    spreadsheet.refuse(path, rows[key], missing.without_id(rows[key]), f"a {key} in every row")
    if not matched[key].any():
        # Paths of frames have no file of their own.
        named: list[str] = []
        if "path" in values:
            named = values["path"].str.replace(_FRAME, "", regex=True).tolist()
        advice = similar_paths.sentence(path.parent, named)
        raise UserError(
            f"{path}: no {' and no '.join(values)} is that of an image; check how the values of "
            f"the column are written.{advice and ' ' + advice}"
        )
    _refuse_contradictions(path, key, values, of_images, matched)
    labels = pd.DataFrame({name: columns.labels(path, rows[name]) for name in chosen}, rows.index)
    # Rows that say the same twice are harmless.
    repeated = values[key].duplicated() & ~pd.concat([values[key], labels], axis=1).duplicated()
    spreadsheet.refuse(path, rows[key], repeated, f"every {key} once; remove the row")
    _report(path, key, values, of_images[key], matched[key])
    first = ~values[key].duplicated()
    labels = labels[first].set_axis(values[key][first].tolist())
    return labels.reindex(of_images[key].tolist()).set_axis(images.index)


def _values(path: pathlib.Path, column: pd.Series, files: pd.Series, key: str) -> pd.Series:
    """Returns the values of a column in the form that images have."""
    if key == "path":
        known = set(files)
        changed = {text: _relative(path.parent, text, known) for text in column.unique()}
        return column.map(changed).astype(STRING)
    return canonical_ids.column(columns.ids(path, column) if key == "PatientID" else column)


def _relative(root: pathlib.Path, text: str, files: set[str]) -> str:
    r"""Returns a path as images have it: relative to the directory, without `./`, with `/`."""
    # A file may have a backslash in its name.
    if not text or text in files:
        return text
    name = posixpath.normpath(text.replace("\\", "/"))
    if not posixpath.isabs(name):
        return name
    for start in (os.path.abspath(root), os.path.realpath(root)):
        if name.startswith(start.rstrip("/") + "/"):
            return posixpath.relpath(name, start)
    return name


def _of_images(images: pd.DataFrame, key: str, values: pd.Series) -> pd.Series:
    """Returns the value of each image that a key is compared with."""
    if key == "path":
        # The row of a file holds for all its frames, except those with a row of their own.
        return images["path"].where(images["path"].isin(values), images["file"])
    name = {"StudyInstanceUID": "study_id", "PatientID": "patient_id"}.get(key, key)
    return canonical_ids.column(images[name].astype(STRING))


def _refuse_contradictions(
    path: pathlib.Path,
    key: str,
    values: dict[str, pd.Series],
    of_images: dict[str, pd.Series],
    matched: dict[str, pd.Series],
) -> None:
    """Raises a UserError if rows without an image by `key` have one by another column.

    An image with a row by `key` does not count: other rows of its study or patient may be of images
    that are not here.
    """
    bare = ~of_images[key].isin(values[key])
    for other in values:
        lost = ~matched[key] & values[other].isin(of_images[other][bare].dropna())
        if lost.any():
            raise UserError(
                f"{path}: {int(matched[key].sum()):,} of {len(lost):,} rows match an image by "
                f"{key}, and {int(lost.sum()):,} more by {other} only; correct the column {key}, "
                f"or remove it to match all rows by {other}."
            )


def _report(
    path: pathlib.Path,
    key: str,
    values: dict[str, pd.Series],
    of_images: pd.Series,
    matched: pd.Series,
) -> None:
    if others := [other for other in values if KEYS.index(other) < KEYS.index(key)]:
        _LOG.warning(f"{path}: no {' and no '.join(others)} is that of an image; {key} counts.")
    found = of_images.isin(values[key])
    _LOG.info(
        f"{path}: {int(matched.sum()):,} of {len(matched):,} rows match {int(found.sum()):,} of "
        f"{len(found):,} images by {key}."
    )
    if not matched.all():
        _LOG.warning(
            f"{int((~matched).sum()):,} of {len(matched):,} rows of {path} match no image by {key}."
        )
    if not found.all():
        _LOG.warning(
            f"{int((~found).sum()):,} of {len(found):,} images have no row in {path}; their labels "
            "are unknown."
        )
