"""Unlabelled images of one or several sources, as `config.data` names them."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from remedis.data import canonical_ids, fingerprints, sources
from remedis.data.manifest import REQUIRED, Manifest
from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError, unknown_choice
from remedis.options import literals, pairs

UNLABELLED = "unlabelled"  # a manifest has at least one label; this one is unknown for all images
_EXAMPLE = "'csv=/data/mine; chestxray14=/data/ChestX-ray14'"


def load(
    data: str, source_options: str = "", allow_missing_patient_ids: bool = False
) -> dict[str, Manifest]:
    """Returns the images of every directory in `config.data`, by the name of their source.

    The second directory of the source `csv` is called `csv-2`, and so on.

    Args:
      data: `config.data`, such as `csv=/data/mine; chestxray14=/data/ChestX-ray14`.
      source_options: `config.source_options`, such as `chexpert: views=all`.
      allow_missing_patient_ids: whether images may have no patient id.

    Raises:
      UserError: `config.data` or `config.source_options` is malformed, the data are not as their
        source expects, or images have no patient id and `config.allow_missing_patient_ids` is
        false.
    """
    entries = _entries(data)
    options = _options(source_options, [source for source, _ in entries])
    loaded: dict[str, Manifest] = {}
    for i, (source, directory) in enumerate(entries):
        manifest = _load(source, directory, options.get(source, {}), allow_missing_patient_ids)
        missing = manifest.table["patient_id"].isna()
        if missing.any() and not allow_missing_patient_ids:
            first = manifest.table.loc[missing, "path"].iloc[0]
            raise UserError(
                f"{int(missing.sum()):,} of {len(missing):,} images of {source}={directory} have "
                f"no patient_id, the first {first!r}; add the ids, or set "
                "config.allow_missing_patient_ids to take every such image as a patient of its own."
            )
        number = sum(source == earlier for earlier, _ in entries[: i + 1])
        loaded[source if number == 1 else f"{source}-{number}"] = manifest
    return loaded


def unlabelled(
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
    known = identifying.assign(**absent, **{UNLABELLED: np.nan})
    return Manifest(known, (UNLABELLED,), root, source, packed_from=packed_from)


def read_csv(path: pathlib.Path) -> Manifest:
    """Returns the images that a CSV file lists by `path`; no column needs to be a label.

    Raises:
      UserError: the file cannot be read or has no column `path`, or a row has no path or that of
        an earlier row.
    """
    table = spreadsheet.read_table(path, required=("path",))
    for name in table.columns.intersection(list(canonical_ids.COLUMNS)):
        table[name] = columns.ids(path, table[name])
    spreadsheet.refuse(path, table["path"], table["path"] == "", "the path of an image")
    table["path"] = columns.paths(path, table["path"], path.parent)
    repeated = table["path"].duplicated()
    spreadsheet.refuse(path, table["path"], repeated, "every image once; remove the row")
    return unlabelled(table, path.parent, str(path))


def _entries(text: str) -> list[tuple[str, str]]:
    """Returns the sources and directories of `config.data`."""
    entries: list[tuple[str, str]] = []
    expected = f"SOURCE=DIRECTORY, several separated by ';', such as {_EXAMPLE}"
    for source, directory in pairs(text, what="config.data", expected=expected):
        if source not in sources.NAMES:
            raise unknown_choice("source in config.data", source, sources.NAMES)
        if (source, directory) in entries:
            named = f"{source}={directory}"
            raise UserError(f"config.data has {named!r} twice; name it once.")
        entries.append((source, directory))
    if not entries:
        raise UserError(
            "config.data is not set: name the sources of the images and their directories, such "
            f"as {_EXAMPLE}."
        )
    return entries


def _options(text: str, known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns the options of each source in `config.source_options`."""
    by_source: dict[str, list[str]] = {}
    what = "config.source_options"
    expected = "SOURCE: KEY=VALUE, several separated by ';', such as 'chexpert: views=all'"
    for source, pair in pairs(text, what=what, expected=expected, sign=":"):
        if source not in known:
            raise unknown_choice("source in config.source_options", source, dict.fromkeys(known))
        by_source.setdefault(source, []).append(pair)
    return {source: literals(texts, what) for source, texts in by_source.items()}


def _load(
    source: str, directory: str, options: dict[str, Any], allow_missing_patient_ids: bool
) -> Manifest:
    """Returns the images of one directory."""
    if source == "csv" and not options:
        # The source `csv` requires labels.
        path = pathlib.Path(directory)
        return read_csv(path if path.suffix.lower() == ".csv" else path / "manifest.csv")
    if "allow_missing_patient_ids" in sources.options_of(source):
        options = {"allow_missing_patient_ids": allow_missing_patient_ids, **options}
    manifest = sources.load(source, directory, **options)
    return unlabelled(manifest.table, manifest.root, manifest.source, manifest.packed_from)
