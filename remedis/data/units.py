"""Patients and slides as the units that are never divided: their ids, random draws and strata."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.data.manifest import Manifest
from remedis.errors import UserError, unknown_choice

NOUNS = {"patient_id": "patients", "slide_id": "slides"}
UNITS = tuple(NOUNS)


def unit_ids(manifest: Manifest, unit: str, allow_missing_ids: bool) -> list[str]:
    """Returns the unit of every image: its value of the column `unit`.

    Args:
      manifest: the images.
      unit: `patient_id` or `slide_id`.
      allow_missing_ids: take an image without an id as a unit of its own, named by its path.

    Raises:
      UserError: the unit is unknown, the manifest lacks the column, or an id is missing.
    """
    if unit not in UNITS:
        raise unknown_choice("unit of splits", unit, UNITS)
    if unit not in manifest.table:
        raise UserError(f"The manifest of {manifest.source} has no column {unit!r} to split by.")
    ids = manifest.table[unit]
    missing = ids.isna()
    if missing.any() and not allow_missing_ids:
        first = manifest.table["path"].iloc[int(np.argmax(missing.to_numpy(dtype=bool)))]
        raise UserError(
            f"{int(missing.sum()):,} of {len(ids):,} images have no {unit}, the first {first!r}; "
            "add the ids, or allow missing ids to take every such image as a unit of its own."
        )
    return ids.fillna(manifest.table["path"]).tolist()


def uniform(ids: Iterable[str], seed: int, purpose: str) -> np.ndarray:
    """Returns one draw from [0, 1) per row; it depends on the id, the seed and the purpose alone.

    Args:
      ids: one id per row; rows with the same id share their draw.
      seed: another seed gives other draws.
      purpose: name of the decision. Draws of two purposes are independent: carving units
        out of a split does not depend on how units were assigned to it.
    """
    codes, distinct = pd.factorize(np.asarray(list(ids), dtype=object))
    prefix = hashlib.sha256(f"{seed}/{purpose}/".encode())
    draws = np.empty(len(distinct))
    for i, name in enumerate(distinct):
        digest = prefix.copy()
        digest.update(name.encode())
        # 53 bits fill a float64 exactly, so that no draw rounds up to 1.
        draws[i] = (int.from_bytes(digest.digest()[:8], "big") >> 11) / 2**53
    return draws[codes]


def stratum_ids(manifest: Manifest, ids: Sequence[str], stratify: Sequence[str]) -> np.ndarray:
    """Returns the stratum of each row, the same for all rows of a unit; empty for no columns.

    For a label, a unit has the highest value among its images (positive before negative before
    uncertain before unknown); for another column, it has the set of its distinct values.

    Args:
      manifest: the images.
      ids: the unit of each image.
      stratify: labels or other columns of few values.

    Returns:
      [rows] int64, numbered from 0.

    Raises:
      UserError: a column is unknown or has as many values as images.
    """
    if isinstance(stratify, str):
        raise UserError(f"Expected a list of columns to stratify by; got {stratify!r}.")
    if not stratify:
        return np.empty(0, np.int64)
    units = pd.Series(list(ids), dtype=object)
    patterns = pd.DataFrame(index=pd.RangeIndex(len(units)))
    for name in stratify:
        if name not in manifest.table or name in ("path", "split", *UNITS):
            usable = manifest.table.columns.difference(["path", "split", *UNITS], sort=False)
            raise unknown_choice("column to stratify by", name, usable)
        values = manifest.table[name]
        if name in manifest.labels:
            patterns[name] = values.fillna(-2.0).groupby(units).transform("max")
        elif pd.api.types.is_float_dtype(values):
            raise UserError(
                f"The column {name!r} is a measure, with as many values as images; stratify by "
                "columns of few values, such as a label, site or sex."
            )
        else:
            # Missing is a value of its own.
            pairs = pd.DataFrame({"unit": units, "value": values.astype(object).fillna("")})
            joined = pairs.drop_duplicates().sort_values(["unit", "value"]).groupby("unit")["value"]
            patterns[name] = units.map(joined.agg(lambda v: "\0".join(map(str, v))))
    # Numbered by sorted pattern, so that the order of rows does not matter.
    return patterns.groupby(list(patterns.columns), sort=True).ngroup().to_numpy(np.int64)


def distinct_units(
    ids: Sequence[str], draws: np.ndarray, strata: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, npt.NDArray[np.intp]]:
    """Returns ids, draws and strata of the distinct units, and the unit of each row.

    Args:
      ids: the unit of each row.
      draws: [rows], one value per unit.
      strata: [rows], one value per unit; empty for none.
    """
    distinct, first, unit_of_row = np.unique(
        np.asarray(ids, dtype=object), return_index=True, return_inverse=True
    )
    return distinct, draws[first], strata[first] if len(strata) else strata, unit_of_row


def rank_in_stratum(draws: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for each unit, its rank by draw in its stratum (from 0), and the stratum's size."""
    order = np.lexsort((draws, strata))
    _, start, size = np.unique(strata[order], return_index=True, return_counts=True)
    rank = np.empty(len(draws), np.int64)
    rank[order] = np.arange(len(draws)) - np.repeat(start, size)
    count = np.empty(len(draws), np.int64)
    count[order] = np.repeat(size, size)
    return rank, count
