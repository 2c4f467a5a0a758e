"""Images without labels: of a table, or found in a folder.

What computes embeddings or trains without labels needs paths alone. Ids of patients, studies and
slides are taken where they are known.
"""

import logging
import os
import pathlib

import numpy as np
import pandas as pd

from remedis import files
from remedis.data import canonical_ids, fingerprints
from remedis.data.manifest import REQUIRED, Manifest
from remedis.data.readers import dicom_image, tiff_image
from remedis.data.sources import file_tree
from remedis.data.tables import columns, spreadsheet, table_form
from remedis.data.tables.table_form import AS_FOUND, TableForm
from remedis.errors import UserError, counted, some

_LOG = logging.getLogger(__name__)

UNLABELLED = "unlabelled"  # a manifest has at least one label; this one is unknown for all images
_ENCODED = (".png", ".jpg", ".jpeg", *tiff_image.SUFFIXES)


def of_table(
    table: pd.DataFrame, root: pathlib.Path, source: str, packed_from: str = ""
) -> Manifest:
    """Returns the images of a table as a manifest, without any column that may be a label.

    Args:
      table: with `path`, and with those columns of ids, sites and splits that it has.
      root: directory that relative paths are relative to.
      source: name of the data in error messages.
      packed_from: as for `Manifest`.

    Raises:
      UserError: as `Manifest` raises it.
    """
    kept = (*REQUIRED, "slide_id", fingerprints.ORIGINAL)
    identifying = table[[name for name in kept if name in table]]
    absent = {name: None for name in REQUIRED if name not in identifying}
    with_label = identifying.assign(**absent, **{UNLABELLED: np.nan})
    return Manifest(with_label, (UNLABELLED,), root, source, packed_from=packed_from)


def read_csv(
    path: pathlib.Path, root: pathlib.Path | None = None, form: TableForm = AS_FOUND
) -> Manifest:
    """Returns the images that a CSV file lists by `path`; no column needs to be a label.

    Args:
      path: the file.
      root: directory that relative paths start from; that of the file if not given.
      form: as for `manifest.read_csv`.

    Raises:
      UserError: the file cannot be read or has no column `path`, or a row has no path or that of
        an earlier row.
    """
    root = path.parent if root is None else root
    table = spreadsheet.read_table(path, required=("path",), form=form)
    for name in table.columns.intersection(list(canonical_ids.COLUMNS)):
        table[name] = columns.ids(path, table[name])
    spreadsheet.refuse(path, table["path"], table["path"] == "", "the path of an image")
    table["path"] = columns.paths(path, table["path"], root, form.path_prefix)
    repeated = table["path"].duplicated()
    spreadsheet.refuse(path, table["path"], repeated, "every image once; remove the row")
    if "split" in table:
        table["split"] = columns.splits(path, form.meaning(table["split"], table_form.SPLITS))
    return of_table(table, root, str(path))


def below(directory: files.Path) -> Manifest:
    """Returns the images in a folder and those below it, in order of their paths.

    Images are `.png`, `.jpg`, `.jpeg`, `.tif` and `.tiff` files, and DICOM files with a name that
    the reader knows.
    Other files are counted. Patients, studies, sites and splits are unknown.

    Raises:
      UserError: there is no such folder, it has no image, or a name is not UTF-8.
    """
    root = pathlib.Path(directory)
    if not root.is_dir():
        raise UserError(f"There is no directory {root}; expected images there.")
    found = list(file_tree.walk(root, skipped=("__MACOSX",)))
    images = sorted(name for name in found if is_image(name))
    if not images:
        raise UserError(
            f"{root} does not hold images: no file in it or below ends in "
            f"{', '.join((*_ENCODED, *dicom_image.SUFFIXES))}"
            + (f"; it has {some(sorted(found))}." if found else ".")
        )
    file_tree.refuse_undecodable(root, images)
    if others := len(found) - len(images):
        _LOG.warning(f"{root}: skipped {counted(others, 'file')} without the name of an image.")
    return of_table(pd.DataFrame({"path": images}), root, str(root))


def is_image(name: str) -> bool:
    """Returns whether a file has the name of a JPEG, PNG, TIFF or DICOM image."""
    name = os.path.basename(name)
    return name.lower().endswith(_ENCODED) or bool(dicom_image.NAMES.search(name))
