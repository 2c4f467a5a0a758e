"""Two tables of predictions beside each other: which of their images are the same.

Tables of one data set have the same paths. Those of another program may have other directories, or
names without suffixes (`remedis.data.image_matching`). If all images of both are the same, the
comparison is paired. If not, it is unpaired: what patients in both have in common is still counted.
"""

import dataclasses

import numpy as np
import pandas as pd

from remedis.data import image_matching
from remedis.errors import UserError, counted
from remedis.options import spelled


@dataclasses.dataclass(frozen=True, eq=False)
class Aligned:
    """The rows of a split of two tables.

    Attributes:
      first: of the first table.
      second: of the second; an image that is in both has the path of the first, and its patient if
        the second has none.
      paired: whether the images are the same.
      in_both: number of images in both.
      why: a sentence: whether the comparison is paired, and why.
    """

    first: pd.DataFrame
    second: pd.DataFrame
    paired: bool
    in_both: int
    why: str


def align(first: pd.DataFrame, second: pd.DataFrame, split: str, unpaired: bool = False) -> Aligned:
    """Returns the rows of a split of two tables, with the images of both matched.

    Args:
      first: table of predictions, with `path`, `patient_id` and `split`.
      second: the same of another model.
      split: the split to compare.
      unpaired: take all images and patients as different, whatever their names.

    Raises:
      UserError: a table has no row of the split, or an image twice; or images that are matched have
        other patients or labels.
    """
    ours, others = _rows(first, split, "first"), _rows(second, split, "second")
    if unpaired:
        return Aligned(
            ours, others, False, 0, "Unpaired, as asked for: no image and no patient in both."
        )
    mine, theirs = list(ours["path"]), list(others["path"])
    matching = image_matching.match(theirs, mine)
    known = matching.found
    number = int(known.sum())
    if number:
        of_first = ours.iloc[matching.rows[known]]
        paths = others["path"].to_numpy(dtype=object, copy=True)
        paths[known] = of_first["path"].to_numpy(dtype=object)
        ours, others = _with_patients(ours, others.assign(path=paths))
        _refuse_different(ours.iloc[matching.rows[known]], others[known])
    if number == len(mine) == len(theirs):
        by = "" if matching.by == "path" else f", matched by {matching.by}"
        why = f"Paired: both scored the same {number:,} images{by}."
        return Aligned(ours, others, True, number, why)
    both = f"{number:,} of {counted(len(mine), 'image')} and {counted(len(theirs), 'image')}"
    independent = (
        "the interval takes account of patients who are in both"
        if number
        else "patients count as different, also those of equal ids"
    )
    why = f"Unpaired: the images differ ({both} are in both); {independent}."
    return Aligned(ours, others, False, number, why)


def _refuse_different(ours: pd.DataFrame, others: pd.DataFrame) -> None:
    """Raises a UserError if images that are matched, row by row, have other patients or labels."""
    for column in map(str, ours):
        if column not in others or not (column == "patient_id" or column.startswith("label/")):
            continue
        a, b = (
            of[column].astype(object).where(of[column].notna(), None).to_numpy()
            for of in (ours, others)
        )
        if (a != b).any():
            first = int(np.argmax(a != b))
            raise UserError(
                f"{column} of {ours['path'].iloc[first]} is not the same in the two, as for "
                f"{int((a != b).sum()):,} of {len(a):,} images; both must be scored against the "
                f"same manifest, under the same label policies, or if different images have equal "
                f"names, say so with {spelled('unpaired')}."
            )


def _rows(table: pd.DataFrame, split: str, place: str) -> pd.DataFrame:
    rows = table[table["split"] == split]
    rows = rows.assign(path=rows["path"].astype(str)).reset_index(drop=True)
    if rows.empty:
        raise UserError(f"There are no rows of split {split!r} in the {place}.")
    if (twice := rows["path"].duplicated()).any():
        path = rows.loc[twice, "path"].iloc[0]
        raise UserError(f"{path} occurs twice in split {split!r} of the {place}.")
    return rows


def _with_patients(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns tables in which images of one table without any patient have that of the other."""
    tables = [first, second]
    for own, other in ((0, 1), (1, 0)):
        if tables[own]["patient_id"].isna().all():
            ids = tables[other].set_index("path")["patient_id"]
            found = ids.reindex(tables[own]["path"]).to_numpy(dtype=object)
            tables[own] = tables[own].assign(patient_id=found)
    return tables[0], tables[1]


def patient_keys(rows: pd.DataFrame) -> "np.ndarray":
    """Returns what tells the patients of rows apart, [n] of texts: ids, and paths without one."""
    ids, paths = rows["patient_id"], rows["path"]
    known = ids.notna().to_numpy()
    return np.where(known, "id " + ids.astype(str), "path " + paths.astype(str))
