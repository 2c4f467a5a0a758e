"""Problems of a user's own table once its columns are read: files, patients, labels of one class.

Each check yields all of its problems, so that the table can be corrected once.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator

import numpy as np
import pandas as pd

from remedis.data import canonical_ids, similar_paths
from remedis.data.tables import missing
from remedis.errors import of_a_page, quoted, some
from remedis.options import spelled

LISTED = 5  # values, paths or patients in a sentence
_PLURALS = {"split": "splits", "sex": "sexes"}


@dataclasses.dataclass(frozen=True)
class Problem:
    """A sentence about the table; with a serious one, no manifest is written."""

    sentence: str
    is_serious: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", of_a_page(self.sentence))


def of_paths(table: pd.DataFrame, images: pathlib.Path) -> Iterator[Problem]:
    """Yields rows without a path, repeated paths, and files that do not exist.

    Args:
      table: columns as a manifest's, indexed by the rows of the file.
      images: the directory that relative paths start from.
    """
    if "path" not in table:
        return
    paths = table["path"]
    yield from _of_rows("no path", paths.index[paths == ""], "name the file of the image")
    twice = paths.duplicated() & (paths != "")
    if twice.any():
        shown = some([quoted(path) for path in paths[twice].unique()], limit=LISTED)
        yield from _of_rows(
            f"the path of an earlier row ({shown})", paths.index[twice], "list every image once"
        )
    there = np.array([path == "" or _exists(images, path) for path in paths], bool)
    if there.all():
        return
    absent = paths[~there]
    listed = [f"{quoted(path)} (row {row})" for row, path in absent.items()]
    advice = similar_paths.sentence(images, absent.tolist())
    if not advice and not there[paths != ""].any():
        advice = "Name the directory that the paths start from: --images DIR."
    yield Problem(
        f"{len(absent):,} of {len(paths):,} files do not exist in {images}: "
        f"{some(listed, limit=LISTED)}.{advice and ' ' + advice}"
    )


def of_patients(
    table: pd.DataFrame, allow_missing: bool, missing_words: str = ""
) -> Iterator[Problem]:
    """Yields rows without a patient, contradictions of one patient, and ids that look alike.

    Args:
      table: columns as a manifest's, indexed by the rows of the file.
      allow_missing: whether images without a patient are accepted.
      missing_words: the words of the file that count as no patient, see `missing.remark`.
    """
    if "patient_id" not in table:
        return
    patients = table["patient_id"]
    if not allow_missing:
        rows = patients.index[missing.without_id(patients)]
        what = "no patient" + (f" ({missing_words})" if missing_words else "")
        yield from _of_rows(what, rows, f"add the ids, {opt_out()}")
    known = table[patients != ""]
    advice = "put all images of a patient into one"
    yield from _several_per_patient(known, "split", advice, is_serious=True)
    advice = "the ids of different people may be the same"
    yield from _several_per_patient(known, "sex", advice, is_serious=False)
    if "split" in table:
        rows = table.index[(table["split"] == "").fillna(False)]
        if len(rows) < len(table):
            advice = "training leaves such images out unless its key complete_splits is true"
            yield from _of_rows("no split, but others have one", rows, advice, is_serious=False)
    if alike := canonical_ids.alike(patients[patients != ""]):
        shown = some([f"{first} ~ {second}" for first, second in alike], limit=LISTED)
        yield Problem(
            "Patients whose ids differ only in leading zeros, '.0' or letter case: "
            f"{shown}; if two are one patient, write the id in one way, for training refuses a "
            "table with both.",
            is_serious=False,
        )


def of_label(values: pd.Series) -> Iterator[Problem]:
    """Yields the classes that a label does not have, as remarks."""
    counts = values.value_counts()
    for value, meaning in (("1", "positive"), ("0", "negative")):
        if not counts.get(value):
            yield Problem(f"The label {values.name!r} has no {meaning} image.", is_serious=False)


def opt_out() -> str:
    """Returns the end of a sentence about missing patients."""
    option = spelled("allow_missing_patient_ids")
    return f"or set {option} to take every image as a patient of its own"


def and_more(rows: "pd.Index[int]") -> str:
    """Returns the first of some rows, and how many follow: `row 2 and 19 more`."""
    return f"row {rows[0]}" + (f" and {len(rows) - 1:,} more" if len(rows) > 1 else "")


def _several_per_patient(
    known: pd.DataFrame, name: str, advice: str, is_serious: bool
) -> Iterator[Problem]:
    """Yields the patients that have several values in a column that has one per patient."""
    if name not in known:
        return
    filled = known[(known[name] != "").fillna(False)]
    pairs = filled[["patient_id", name]].drop_duplicates()
    several = pairs[pairs["patient_id"].duplicated(keep=False)]
    if len(several):
        first = several.groupby("patient_id", sort=False)[name].agg(" and ".join)
        shown = some(
            [f"{quoted(patient)} ({both})" for patient, both in first.items()], limit=LISTED
        )
        noun = "patient has" if len(first) == 1 else "patients have"
        sentence = f"{len(first):,} {noun} several {_PLURALS[name]}: {shown}; {advice}."
        yield Problem(sentence, is_serious)


def _of_rows(
    what: str, rows: "pd.Index[int]", advice: str, is_serious: bool = True
) -> Iterator[Problem]:
    """Yields the problem that some rows have, if there are any."""
    if len(rows):
        sentence = f"{and_more(rows)} {'have' if len(rows) > 1 else 'has'} {what}; {advice}."
        yield Problem(sentence[:1].upper() + sentence[1:], is_serious)


def _exists(root: pathlib.Path, path: str) -> bool:
    """Returns whether a file exists, or the container of an item, `file#item`."""
    whole = os.path.join(root, path)
    return os.path.exists(whole) or ("#" in path and os.path.exists(whole.rpartition("#")[0]))
