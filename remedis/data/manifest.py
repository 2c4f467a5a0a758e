"""The manifest: a table of images with one row per image, the common form of all data."""

import collections
import copy
import dataclasses
import logging
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import files
from remedis.data import canonical_ids
from remedis.data.scanned_files import ScannedFiles
from remedis.data.tables import columns, header, missing, spreadsheet, table_form
from remedis.data.tables.strings import STRING, blank_as_missing
from remedis.data.tables.table_form import AS_FOUND, TableForm
from remedis.errors import UserError, counted, quoted, some, unknown_choice
from remedis.options import spelled

_LOG = logging.getLogger(__name__)

REQUIRED = ("path", "patient_id", "study_id", "site", "split")
KNOWN = ("sex", "age", "view", "slide_id", "mpp", "any_label")
SPLITS = ("train", "validation", "test")
# Images held out of training, but from slides of training: not part of a leak-free experiment.
ID_VALIDATION = "id_validation"
UNASSIGNED = "unassigned"  # stands for a missing split in counts and packed data sets
# 1 positive, 0 negative, NaN unknown, -1 uncertain until a policy resolves it.
LABEL_VALUES = (1.0, 0.0, -1.0)

_TEXT = (*REQUIRED, "sex", "view", "slide_id")
_MAY_BE_UNKNOWN = ("site", "sex", "view")
_NUMBERS = ("age", "mpp", "any_label")


# Tables have no plain equality, so manifests are compared by identity.
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Manifest:
    """Images with their patients, splits and labels.

    Attributes:
      table: one row per image. Columns `path` (relative to `root`, or absolute), `patient_id`,
        `study_id`, `site`, `split` (strings, missing = unknown), one float32 column per label
        (1, 0, NaN = unknown, -1 = uncertain until a policy resolves it), and where known `sex`
        (F, M), `age` (years), `view`, `slide_id`, `mpp` (micrometres per pixel), `any_label` (1 if
        the data set has a label for the image, also one that is not among `labels`, else 0). Ids of
        patients, studies and slides are in their canonical spelling (`canonical_ids`), and missing
        where a word such as `nan`, `unknown` or `ANON` stands for them (`tables.missing`). Further
        columns stay as they are. Rows are numbered from 0.
      labels: names of the label columns, in the order of a model's scores.
      root: directory that the paths are relative to.
      source: name of the source that made the table.
      policies: for each label, the policies for `uncertain` and `unmentioned` values.
      packed_from: name of the data set that `remedis prepare` packed the images from (see
        `fingerprints.id_space`); empty for images that are not packed.
      scanned: the files as a scan has found them; None before it.
      layout: name of the source that read the data, in `sources.NAMES`; empty for a manifest that
        was made in another way.

    Raises:
      UserError: the root is not UTF-8, a column is missing, a label or split has another value, or
        a path is missing or occurs twice.
    """

    table: pd.DataFrame
    labels: tuple[str, ...]
    root: pathlib.Path
    source: str
    policies: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    packed_from: str = ""
    scanned: ScannedFiles | None = None
    layout: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "root", pathlib.Path(self.root))
        check_labels(self.labels)
        files.refuse_undecodable(os.path.abspath(self.root))
        if absent := [c for c in (*REQUIRED, *self.labels) if c not in self.table.columns]:
            raise UserError(
                f"The manifest of {self.source} has no column {absent[0]!r}; expected "
                f"{', '.join(REQUIRED)} and one column per label."
            )
        # One table of all columns: each assignment to a table takes time for all of its columns.
        columns = {
            name: self._column(str(name), values)
            for name, values in self.table.reset_index(drop=True).items()
        }
        table = pd.DataFrame(columns, index=pd.RangeIndex(len(self.table)))
        object.__setattr__(self, "table", table)
        self._check_values(("path", "split", *self.labels))

    def _column(self, name: str, values: pd.Series) -> pd.Series:
        """Returns a column with the type, the canonical ids and the missing values of its kind."""
        if name in canonical_ids.COLUMNS:
            return _known_ids(self.source, values)
        if name in _MAY_BE_UNKNOWN:
            return _known_values(self.source, values)
        if name in _TEXT or isinstance(values.dtype, pd.StringDtype):
            values = blank_as_missing(values.astype(STRING))
        if name in _NUMBERS:
            return values.astype("float64")
        return values.astype("float32") if name in self.labels else values

    def _check_values(self, names: Collection[str]) -> None:
        """Checks the values of some columns."""
        for name in names:
            values = self.table[name]
            if name == "path":
                self._refuse(name, values.isna(), "the path of an image")
                self._refuse(name, values.duplicated(), "every path once")
            elif name == "split":
                known = (*SPLITS, ID_VALIDATION)
                bad = values.notna() & ~values.isin(known)
                self._refuse(name, bad, f"{', '.join(known)} or none")
            elif name in self.labels:
                bad = values.notna() & ~values.isin(LABEL_VALUES)
                self._refuse(name, bad, "1, 0, -1 (uncertain) or NaN (unknown)")

    def _refuse(self, column: str, bad: pd.Series, expected: str) -> None:
        if bad.any():
            row = int(np.argmax(bad.to_numpy(dtype=bool)))
            value = self.table[column].iloc[row]
            raise UserError(
                f"The manifest of {self.source}, row {row} (from 0), column {column!r}: got "
                f"{quoted(value) if isinstance(value, str) else value}; expected {expected}."
            )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        known = self.table["patient_id"].nunique()
        patients = counted(known, "patient") if known else "unknown patients"
        return (
            f"<Manifest of {self.source}: {counted(len(self), 'image')} of {patients}, labels "
            f"{some(self.labels)}>"
        )

    def absolute_paths(self) -> list[str]:
        """Returns the path of every image, joined to `root`, in order."""
        root = os.fspath(self.root)
        return [os.path.join(root, path) for path in self.table["path"]]

    def check_unchanged(self, rows: npt.NDArray[np.int64] | None = None) -> None:
        """Raises a UserError if a file is not the one that was scanned any longer.

        Args:
          rows: numbers of the images to check; None for all.
        """
        if self.scanned is not None:
            paths = self.table["path"] if rows is None else self.table["path"].iloc[rows]
            root = os.fspath(self.root)
            self.scanned.check(os.path.join(root, path) for path in paths)

    def targets(self) -> np.ndarray:
        """Returns the labels, [rows, labels] float32: 1, 0, NaN, and -1 if kept uncertain."""
        return self.table[list(self.labels)].to_numpy(dtype=np.float32)

    def subset(self, mask: npt.ArrayLike) -> "Manifest":
        """Returns the rows where `mask` ([rows] bool) is true, in order, numbered from 0."""
        return self._derived(table=self.table[np.asarray(mask, dtype=bool)].reset_index(drop=True))

    def with_columns(
        self, columns: Mapping[str, Any], policies: Mapping[str, Mapping[str, str]] | None = None
    ) -> "Manifest":
        """Returns the manifest with some columns replaced or added.

        Args:
          columns: values by name, one per row or one for all rows. With other paths, the images
            count as not scanned.
          policies: those of the new manifest; as before if None.

        Raises:
          UserError: as for a new manifest.
        """
        given = pd.DataFrame(dict(columns), index=self.table.index)
        checked = {str(name): self._column(str(name), values) for name, values in given.items()}
        changes: dict[str, Any] = {} if policies is None else {"policies": policies}
        if "path" in checked:
            changes["scanned"] = None
        derived = self._derived(table=self.table.assign(**checked), **changes)
        derived._check_values(checked)
        return derived

    def with_layout(self, layout: str) -> "Manifest":
        """Returns the manifest with the name of the source that read the data."""
        return self._derived(layout=layout)

    def with_scanned(self, scanned: ScannedFiles) -> "Manifest":
        """Returns the manifest with what a scan saw of its files."""
        return self._derived(scanned=scanned)

    def _derived(self, **changes: Any) -> "Manifest":
        """Returns a copy with other values, whose columns have had their checks.

        A new manifest brings each column into its form, which takes minutes for wide tables.
        """
        derived = copy.copy(self)
        for name, value in changes.items():
            object.__setattr__(derived, name, value)
        return derived

    def with_known_label(self) -> "Manifest":
        """Returns the rows of which at least one label is known."""
        return self.subset(~np.isnan(self.targets()).all(axis=1))

    def select(self, split: str) -> "Manifest":
        """Returns the rows of one split; possibly none."""
        if split not in (*SPLITS, ID_VALIDATION):
            raise unknown_choice("split", split, SPLITS)
        return self.subset((self.table["split"] == split).to_numpy(dtype=bool, na_value=False))

    def without(self, paths: Collection[str]) -> "Manifest":
        """Returns the rows whose `path` is not in `paths`, such as those of unreadable images.

        Raises:
          ValueError: one of `paths` is not in the manifest.
        """
        listed = self.table["path"].isin(list(paths)).to_numpy(dtype=bool)
        if listed.sum() != len(set(paths)):
            unknown = set(paths).difference(self.table["path"])
            raise ValueError(f"Not in the manifest: {some(sorted(unknown))}.")
        return self.subset(~listed)

    def counts(self) -> pd.DataFrame:
        """Returns the size of each split: images, patients, studies, and positives by label.

        Returns:
          Integers, one row per split that has images (`unassigned` for images without a split), one
          column for each of `images`, `patients`, `studies` and the labels (`beside`).
        """
        split = self.table["split"].fillna(UNASSIGNED).astype(object)
        groups = self.table.groupby(split)
        counts = pd.DataFrame(
            {
                "images": groups.size(),
                "patients": groups["patient_id"].nunique(),
                "studies": groups["study_id"].nunique(),
                **{
                    name: (self.table[label] == 1).groupby(split).sum()
                    for label, name in beside(
                        self.labels, ("images", "patients", "studies")
                    ).items()
                },
            }
        )
        order = [s for s in (*SPLITS, ID_VALIDATION, UNASSIGNED) if s in counts.index]
        return counts.loc[order].astype("int64")


def _known_ids(source: str, values: pd.Series) -> pd.Series:
    """Returns a column of ids in canonical form; says which words in it count as none."""
    ids = canonical_ids.column(values)
    if remark := missing.remark(values.astype(STRING)[ids.isna()]):
        _LOG.warning(
            f"{source}: {int(ids.isna().sum()):,} of {len(ids):,} images have no {values.name}; "
            f"{remark}."
        )
    return ids


def _known_values(source: str, values: pd.Series) -> pd.Series:
    """Returns a column of words without those for unknown; says which: `NA` may be a site."""
    known = missing.known_values(values)
    unknown = values.astype(STRING)[known.isna()].dropna().str.strip()
    if words := sorted({word for word in unknown if word}):
        _LOG.info(
            f"{source}: column {values.name!r}: read {some([repr(word) for word in words])} as "
            f"unknown ({counted(int(known.isna().sum()), 'image')})."
        )
    return known


def beside(labels: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """Returns for each label its key beside other keys: `label/NAME` if the name is taken.

    Args:
      labels: names of labels.
      taken: the other keys, none of which has a slash.
    """
    return {label: f"label/{label}" if label in taken else label for label in labels}


def check_labels(labels: Sequence[str]) -> None:
    """Raises a `UserError` unless `labels` names one or more label columns, each once."""
    if isinstance(labels, str) or not labels:
        raise UserError(f"Expected a list of label columns, one or more; got {labels!r}.")
    for label, times in collections.Counter(labels).items():
        if label in (*REQUIRED, *KNOWN):
            raise UserError(
                f"{quoted(label)} cannot be a label: the manifest uses it for something else."
            )
        if times > 1:
            raise UserError(f"The label {quoted(label)} is listed twice.")


def read_csv(
    path: files.Path,
    labels: Sequence[str],
    root: files.Path | None = None,
    allow_missing_patient_ids: bool = False,
    form: TableForm = AS_FOUND,
) -> Manifest:
    """Reads a manifest from a user's own CSV file.

    The file must have `path`, `patient_id` and the label columns (1, 0, -1 for uncertain, nothing
    for unknown). It may have the other columns of a manifest; their values are unknown otherwise.
    Other spellings of values are read if they are unambiguous (`tables.columns`), and logged.

    Args:
      path: the CSV file.
      labels: names of the label columns, in the order of a model's scores.
      root: directory that relative paths start from; the directory of the file if not given.
      allow_missing_patient_ids: accept images of unknown patients. Splits then treat each as a
        patient of its own, and leaks by patient cannot be found.
      form: of the file, as far as the user states it.

    Raises:
      UserError: the file cannot be read, lacks a column, or has a value that is not allowed; the
        message names the row.
    """
    path = pathlib.Path(path)
    root = pathlib.Path(root or path.parent)
    check_labels(labels)
    required = ("path", *labels)
    table = spreadsheet.read_table(path, required, form, header.to_map(path))
    for name in table.columns.intersection(list(canonical_ids.COLUMNS)):
        table[name] = columns.ids(path, table[name])
    if not allow_missing_patient_ids:
        _check_patient_ids(path, table)
    table = table.assign(**{name: "" for name in REQUIRED if name not in table})
    spreadsheet.refuse(path, table["path"], table["path"] == "", "the path of an image")
    table["path"] = columns.paths(path, table["path"], root, form.path_prefix)
    repeated = table["path"].duplicated()
    spreadsheet.refuse(path, table["path"], repeated, "every image once; remove the row")
    table["split"] = columns.splits(path, form.meaning(table["split"], table_form.SPLITS))
    for label in labels:
        table[label] = columns.labels(path, form.meaning(table[label], table_form.LABELS))
    if "sex" in table:
        table["sex"] = columns.sexes(path, form.meaning(table["sex"], table_form.SEXES))
    parsers = {"age": columns.ages, "mpp": columns.mpps, "any_label": columns.flags}
    for name, parse in parsers.items():
        if name in table:
            table[name] = parse(path, table[name])
    return Manifest(table, tuple(labels), root, source=str(path))


def _check_patient_ids(path: pathlib.Path, table: pd.DataFrame) -> None:
    advice = (
        "without patients, images of one person can be in both training and test. Add the ids, or "
        f"set {spelled('allow_missing_patient_ids')} to take every image as a patient of its own"
    )
    if "patient_id" not in table:
        raise UserError(f"{path}, row 1: no column 'patient_id'; {advice}.")
    unknown = canonical_ids.column(table["patient_id"]).isna()
    if unknown.any():
        remark = missing.remark(table["patient_id"][unknown])
        raise UserError(
            f"{path}, row {table.index[unknown][0]}: no patient_id ({int(unknown.sum()):,} of "
            f"{len(table):,} rows have none{remark and '; ' + remark}); {advice}."
        )


def write_csv(manifest: Manifest, path: files.Path) -> None:
    """Writes a manifest as a CSV file that `read_csv` reads back.

    Paths are relative if the file is in the manifest's root, else absolute. The record of policies
    has no place in a CSV file and is not written.
    """
    table = manifest.table.copy()
    if pathlib.Path(path).resolve().parent != manifest.root.resolve():
        table["path"] = [os.path.abspath(p) for p in manifest.absolute_paths()]
    for label in manifest.labels:
        table[label] = table[label].astype("Int8")
    with files.whole_file(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8")
