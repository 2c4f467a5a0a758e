"""Images without labels: those of a table.

What computes embeddings or trains without labels needs paths alone. Ids of patients, studies and
slides are taken where they are known.
"""

import pathlib

import numpy as np
import pandas as pd

from remedis.data import canonical_ids, fingerprints
from remedis.data.manifest import REQUIRED, Manifest
from remedis.data.tables import columns, spreadsheet, table_form
from remedis.data.tables.table_form import AS_FOUND, TableForm

UNLABELLED = "unlabelled"  # a manifest has at least one label; this one is unknown for all images


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
