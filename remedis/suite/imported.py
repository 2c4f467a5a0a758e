"""Imported predictions as rows of a suite: others' scores of the test images of its sets."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import files
from remedis.data import image_matching
from remedis.errors import UserError, quoted, unknown_choice
from remedis.evaluation import predictions_file, results_record
from remedis.evaluation.auroc import Floats
from remedis.evaluation.ranking import ranking_of
from remedis.models.tasks import MULTI_CLASS, MULTI_LABEL
from remedis.options import spelled, values_by_name

_ROUNDED = 0.01  # published probabilities have few digits
EXPECTED = "NAME: SET=DIR, SET=DIR; NAME: ..., as in 'DenseNet: wbc=imported/densenet'"


def rows(text: str, sets: Sequence[str]) -> dict[str, dict[str, pathlib.Path]]:
    """Returns the directories of imported predictions, by name of the row and of the set.

    Args:
      text: of `config.predictions`, in the form of `EXPECTED`; empty for none.
      sets: names of the suite's sets.

    Raises:
      UserError: the text has another form, names no set, or a directory that does not exist.
    """
    named: dict[str, dict[str, pathlib.Path]] = {}
    what = spelled("predictions")
    for name, of in values_by_name(text, what=what, expected=EXPECTED).items():
        for set_name, folder in of.items():
            if set_name not in sets:
                raise unknown_choice(f"set in {what}", set_name, sets)
            if not os.path.lexists(pathlib.Path(str(folder), results_record.FILE)):
                raise UserError(
                    f"{what} names {folder}, which holds no imported predictions; make them with "
                    f"remedis import-predictions FILE --out={folder}."
                )
        named[name] = {set_name: pathlib.Path(str(folder)) for set_name, folder in of.items()}
    return named


def scores(
    folder: files.Path,
    paths: Sequence[str],
    labels: Mapping[str, Floats],
    sha256: Sequence[str] | None = None,
    task: str = MULTI_LABEL,
) -> Floats:
    """Returns what ranks the test images of a set, from imported predictions.

    Args:
      folder: of `remedis import-predictions`.
      paths: of the n test images.
      labels: name -> [n], the truth of the set: 1, 0, NaN unknown.
      sha256: hashes of the images, in the same order; they match first, if the imported table has
        hashes too.
      task: of the set.

    Returns:
      [n, L], finite; higher means more likely positive. Of exclusive classes they are logits.

    Raises:
      UserError: the predictions lack a label or an image, or their truth is another; or those of
        exclusive classes do not add to 1.
    """
    names = list(labels)
    results = results_record.read(folder)
    table = predictions_file.read(folder)
    table = table[table["split"] == results.get("split", "test")]
    for name in names:
        if f"score/{name}" not in table:
            known = [str(c).removeprefix("score/") for c in table if str(c).startswith("score/")]
            raise unknown_choice(f"label in the predictions of {folder}:", name, known)
    rows_of = _matched(table, paths, sha256)
    if (missing := np.flatnonzero(rows_of < 0)).size:
        raise UserError(
            f"{folder} has no score of {missing.size:,} of {len(paths):,} test images, such as "
            f"{quoted(paths[int(missing[0])])}; expected all: import a table that has them."
        )
    table = table.iloc[rows_of]
    for name in names:
        theirs = table[f"label/{name}"].to_numpy(np.float64)
        differs = theirs != labels[name]
        differs &= ~np.isnan(theirs) & ~np.isnan(labels[name])
        if differs.any():
            raise UserError(
                f"{folder} has another truth of {quoted(name)} for {int(differs.sum()):,} of "
                f"{len(paths):,} test images, such as {quoted(paths[int(np.argmax(differs))])}; "
                "images of equal names may be different ones: import with labels from these data."
            )
    if task == MULTI_CLASS:
        return _logits(folder, table[[f"score/{name}" for name in names]].to_numpy(np.float64))
    return ranking_of(table, names, results["task"]).values


def _logits(folder: files.Path, probabilities: Floats) -> Floats:
    """Returns logits whose softmax has the probabilities [n, L] of exclusive classes."""
    if (probabilities < 0).any() or (abs(probabilities.sum(axis=1) - 1) > _ROUNDED).any():
        raise UserError(
            f"{folder}: the classes of the set exclude each other, and the scores of an image do "
            "not add to 1; import the probabilities of all classes."
        )
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))


def _matched(
    table: pd.DataFrame, paths: Sequence[str], sha256: Sequence[str] | None
) -> npt.NDArray[np.int64]:
    """Returns the row of every image, [n]; -1 for none."""
    if sha256 is not None and "sha256" in table and table["sha256"].is_unique:
        place = {of: row for row, of in enumerate(table["sha256"])}
        found = np.array([place.get(of, -1) for of in sha256], np.int64)
        if (found >= 0).all():
            return found
    return image_matching.match(list(paths), list(table["path"].astype(str))).rows
