"""Splits, folds and subsets by patient or slide, decided by a hash: the same today and tomorrow.

Plain ones depend on a unit's id, the seed and the shares alone, so that a patient stays where it is
when rows are added, whichever rows. Stratified ones hold the shares in every stratum as well, which
ties patients to each other. They start from the plain ones and move, in each stratum, the patients
whose draws lie nearest to a bound, and only as many as are too many by more than one. Measured with
10 % of rows added, 20 tries: of 2,000 patients in 12 strata 1.2 % moved on average, 1.8 % at worst;
of 10,000 in 12 strata 0.6 % and 0.9 %; of 500 in 39 strata 3.1 % and 4.4 %. For nobody to move,
write the manifest down with its splits and let `ensure(..., complete=True)` place what is new.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.data.manifest import ID_VALIDATION, SPLITS, Manifest
from remedis.data.tables import text
from remedis.errors import UserError, unknown_choice

_NOUNS = {"patient_id": "patients", "slide_id": "slides"}
UNITS = tuple(_NOUNS)
# How far a stratum may be from its share before units are moved, in units. Single units cannot be
# divided, and with less the rounding of small strata would favour the same split in each of them.
_SLACK = 1.0


def ensure(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str = "patient_id",
    allow_missing_ids: bool = False,
    stratify: Sequence[str] = (),
    complete: bool = False,
) -> Manifest:
    """Returns the manifest with every demanded split, keeping the splits it came with.

    Without any split, all images are assigned. With some, those that are demanded and absent are
    carved out of `train`, each taking its fraction of the units there. With all, nothing changes.

    Args:
      manifest: every image has a split, or none has.
      fractions: the share of units of each split, summing to 1, e.g. {"train": 0.8,
        "validation": 0.1, "test": 0.1}. A split with a positive share is demanded.
      seed: another seed gives another split.
      unit: `patient_id` or `slide_id`: what is never divided among splits.
      allow_missing_ids: take an image without an id as a unit of its own.
      stratify: labels or other columns of few values, such as `site`; the shares then hold among
        the units of each combination, as far as whole units allow.
      complete: accept images without a split among others with one, such as rows added to a
        recorded manifest: units that have a split keep it, also for their new images, and new ones
        are assigned. With `stratify`, the shares hold among the new ones.

    Raises:
      UserError: fractions, unit or columns are wrong, ids are missing, some images have a split and
        others not (without `complete`), a new image is of a unit in several splits, or a demanded
        split comes out empty.
    """
    fractions = checked(fractions)
    split = manifest.table["split"]
    if split.isna().all():
        return assign(manifest, fractions, seed, unit, allow_missing_ids, stratify)
    if split.isna().any():
        if not complete:
            row = int(np.argmax(split.isna().to_numpy(dtype=bool)))
            raise UserError(
                f"{int(split.isna().sum()):,} of {len(split):,} images have no split, the first "
                f"{manifest.table['path'].iloc[row]!r}; give every image a split, or none, or "
                "have the splits completed (config.complete_splits)."
            )
        manifest = _completed(manifest, fractions, seed, unit, allow_missing_ids, stratify)
    present = set(manifest.table["split"].unique())
    absent = {name: f for name, f in fractions.items() if f > 0 and name not in present}
    if absent and "train" in present:
        manifest = carve(manifest, absent, seed, unit, allow_missing_ids, stratify)
    if absent and "train" not in present:
        missing = ", ".join(repr(name) for name in absent)
        raise UserError(
            f"The manifest of {manifest.source} comes with splits, but none of its "
            f"{len(manifest):,} images is in {missing}; give some a split there, leave the column "
            "`split` empty to have all assigned, or ask for no share of it."
        )
    _check_filled(manifest, fractions, unit)
    return manifest


def assign(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str = "patient_id",
    allow_missing_ids: bool = False,
    stratify: Sequence[str] = (),
) -> Manifest:
    """Returns the manifest with a split for every image, whatever it had before.

    Where a unit lands depends on its id, the seed and the fractions alone, and with `stratify` on
    the draws of its stratum. Arguments and errors are those of `ensure`.
    """
    result = _with_split(
        manifest, _assigned(manifest, checked(fractions), seed, unit, allow_missing_ids, stratify)
    )
    _check_filled(result, fractions, unit)
    return result


def carve(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str = "patient_id",
    allow_missing_ids: bool = False,
    stratify: Sequence[str] = (),
) -> Manifest:
    """Returns the manifest with a part of `train` moved to other splits, unit by unit.

    Args:
      manifest: some images are in `train`.
      fractions: the share of the units of `train` that each other split receives.
      seed: another seed carves other units.
      unit: as for `ensure`.
      allow_missing_ids: as for `ensure`.
      stratify: as for `ensure`.

    Raises:
      UserError: as for `ensure`.
    """
    names = [name for name in SPLITS if name in fractions]
    checked({**fractions, "train": 1.0 - sum(fractions.values())})
    in_train = (manifest.table["split"] == "train").to_numpy(dtype=bool, na_value=False)
    train = manifest.subset(in_train)
    ids = _units(train, unit, allow_missing_ids)
    bounds = np.cumsum([fractions[name] for name in names])
    index = _parts(ids, uniform(ids, seed, "carve"), bounds, _strata(train, ids, stratify))
    split = manifest.table["split"].to_numpy(dtype=object).copy()
    split[in_train] = np.array([*names, "train"], dtype=object)[index]
    result = _with_split(manifest, split)
    _check_filled(result, {**fractions, "train": 1.0}, unit)
    return result


def folds(
    manifest: Manifest,
    k: int,
    seed: int,
    unit: str = "patient_id",
    stratify: Sequence[str] = (),
    allow_missing_ids: bool = False,
) -> npt.NDArray[np.int64]:
    """Returns the fold of every image, for cross-validation.

    Args:
      manifest: its column `split` is not looked at.
      k: number of folds, 2 or more.
      seed: another seed gives other folds.
      unit: as for `ensure`.
      stratify: as for `ensure`. Without, folds differ in size as random draws do, but a unit keeps
        its fold when rows are added.
      allow_missing_ids: as for `ensure`.

    Returns:
      [rows] integers from 0 to k - 1, one value a unit.

    Raises:
      UserError: k is below 2, a fold comes out empty, or as for `ensure`.
    """
    if k < 2:
        raise UserError(f"Asked for {k} folds; expected 2 or more.")
    ids = _units(manifest, unit, allow_missing_ids)
    draws = uniform(ids, seed, "folds")
    index = _parts(ids, draws, np.arange(1, k) / k, _strata(manifest, ids, stratify))
    if empty := sorted(set(range(k)).difference(index.tolist())):
        raise UserError(
            f"Fold {empty[0]} of {k} came out empty: the manifest of {manifest.source} has only "
            f"{len(set(ids)):,} units of {unit}. Use fewer folds, or another seed."
        )
    return index


def nested_subsets(
    manifest: Manifest,
    sizes: Iterable[int],
    seed: int,
    unit: str = "patient_id",
    stratify: Sequence[str] = (),
    allow_missing_ids: bool = False,
) -> dict[int, npt.NDArray[np.bool_]]:
    """Returns subsets of growing size, each containing all smaller ones, as for label budgets.

    Args:
      manifest: its column `split` is not looked at; give it the training images only.
      sizes: numbers of units (patients or slides), each from 1 to all there are.
      seed: another seed gives other subsets.
      unit: as for `ensure`.
      stratify: as for `ensure`: each stratum has its share of every subset to within two units.
      allow_missing_ids: as for `ensure`.

    Returns:
      For each size, smallest first, which images are in it: [rows] bool, for `Manifest.subset`.

    Raises:
      UserError: a size is out of range, or as for `ensure`.
    """
    ids = _units(manifest, unit, allow_missing_ids)
    distinct, draws, strata, back = _by_unit(
        ids, uniform(ids, seed, "subsets"), _strata(manifest, ids, stratify)
    )
    ordered = draws
    if stratify:
        rank, count = _rank(draws, strata)
        # Every stratum is spread evenly over the order; its offset keeps those of one unit from
        # coming all first or all last.
        offset = uniform([str(s) for s in strata], seed, "subsets/strata")
        ordered = (rank + offset) / count
    order = np.lexsort((distinct, draws, ordered))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    subsets = {}
    for size in sorted(set(sizes)):
        if not 1 <= size <= len(order):
            raise UserError(
                f"Asked for a subset of {size:,} units of {unit}; the manifest of "
                f"{manifest.source} has {len(order):,}: expected 1 to {len(order):,}."
            )
        subsets[size] = (place < size)[back]
    return subsets


def checked(fractions: Mapping[str, float]) -> dict[str, float]:
    """Returns fractions of splits as a dict.

    Raises:
      UserError: one is of no split or not within 0 and 1, or they do not sum to 1.
    """
    for name, fraction in fractions.items():
        if name not in SPLITS:
            raise unknown_choice("split", name, SPLITS)
        if not 0 <= fraction <= 1:
            raise UserError(f"The fraction of {name!r} is {fraction}; expected 0 to 1.")
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise UserError(
            f"The fractions {dict(fractions)} sum to {sum(fractions.values()):g}, not 1."
        )
    return dict(fractions)


def uniform(ids: Iterable[str], seed: int, purpose: str) -> np.ndarray:
    """Returns a number in [0, 1) for every id, the same for the same id wherever it occurs.

    Args:
      ids: one id a row; rows of one id share their number.
      seed: another seed gives other numbers.
      purpose: keeps decisions apart: what is carved must not depend on what was assigned.
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


def _assigned(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str,
    allow_missing_ids: bool,
    stratify: Sequence[str],
) -> np.ndarray:
    """Returns the split of every image, [rows] object."""
    ids = _units(manifest, unit, allow_missing_ids)
    # Only splits with a share, so that the last of them takes what rounding leaves above its bound.
    names = [name for name in SPLITS if fractions.get(name, 0.0) > 0]
    bounds = np.cumsum([fractions[name] for name in names])[:-1]
    index = _parts(ids, uniform(ids, seed, "assign"), bounds, _strata(manifest, ids, stratify))
    return np.array(names, dtype=object)[index]


def _completed(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str,
    allow_missing_ids: bool,
    stratify: Sequence[str],
) -> Manifest:
    """Returns the manifest with a split for images that have none; known units keep theirs."""
    new = manifest.table["split"].isna().to_numpy(dtype=bool)
    ids = pd.Series(_units(manifest, unit, allow_missing_ids))
    split = manifest.table["split"].to_numpy(dtype=object).copy()
    recorded = pd.DataFrame({"unit": ids[~new], "split": split[~new]}).drop_duplicates()
    # Held out from slides of training: a new image of such a unit belongs to training.
    beside = recorded["unit"].duplicated(keep=False) & (recorded["split"] == ID_VALIDATION)
    recorded = recorded[~beside]
    torn = set(recorded["unit"][recorded["unit"].duplicated()]).intersection(ids[new])
    if torn:
        raise UserError(
            f"{len(torn):,} units of {unit} with new images are in several splits already, the "
            f"first {min(torn)!r}; move each to one split before completing."
        )
    recorded = recorded.drop_duplicates("unit")
    kept = ids.map(dict(zip(recorded["unit"], recorded["split"], strict=True))).to_numpy(object)
    known = pd.notna(kept)
    split[new & known] = kept[new & known]
    if (unknown := new & ~known).any():
        part = manifest.subset(unknown)
        split[unknown] = _assigned(part, fractions, seed, unit, allow_missing_ids, stratify)
    return _with_split(manifest, split)


def _parts(
    ids: Sequence[str], draws: np.ndarray, bounds: np.ndarray, strata: np.ndarray
) -> npt.NDArray[np.int64]:
    """Returns which part of [0, 1), cut at `bounds`, each row falls in.

    Without strata a unit falls where its draw lies. With them, the bound of a stratum of n units is
    moved past the nearest draws until the units below it are within `_SLACK` of n * bound.

    Args:
      ids: the unit of each row.
      draws: [rows] in [0, 1), one value a unit.
      bounds: [parts - 1], ascending.
      strata: [rows] int, one value a unit; empty for none.
    """
    if not len(strata):
        return np.searchsorted(bounds, draws, side="right").astype(np.int64)
    _, of_unit, stratum, back = _by_unit(ids, draws, strata)
    rank, count = _rank(of_unit, stratum)
    index = np.zeros(len(of_unit), np.int64)
    for bound in bounds:
        below = np.bincount(stratum, of_unit < bound, minlength=int(stratum.max()) + 1)[stratum]
        # A hair of tolerance: 10 * 0.3 is not 3.
        low = np.ceil(count * bound - _SLACK - 1e-9)
        high = np.floor(count * bound + _SLACK + 1e-9)
        index += rank >= np.clip(below, low, high)
    return index[back]


def _by_unit(
    ids: Sequence[str], draws: np.ndarray, strata: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns ids, draws and strata of the distinct units, and the unit of each row."""
    distinct, first, back = np.unique(
        np.asarray(ids, dtype=object), return_index=True, return_inverse=True
    )
    return distinct, draws[first], strata[first] if len(strata) else strata, back


def _rank(draws: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for each unit, its place by draw in its stratum (from 0), and the stratum's size."""
    order = np.lexsort((draws, strata))
    _, start, size = np.unique(strata[order], return_index=True, return_counts=True)
    rank = np.empty(len(draws), np.int64)
    rank[order] = np.arange(len(draws)) - np.repeat(start, size)
    count = np.empty(len(draws), np.int64)
    count[order] = np.repeat(size, size)
    return rank, count


def _strata(manifest: Manifest, ids: Sequence[str], stratify: Sequence[str]) -> np.ndarray:
    """Returns the stratum of each row, the same for all rows of a unit; empty for no columns.

    A unit counts by the highest value of a label that any of its images has (positive before
    negative before uncertain before unknown), and by all distinct values of another column.
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
            # Missing values are one more value.
            pairs = pd.DataFrame({"unit": units, "value": values.astype(object).fillna("")})
            joined = pairs.drop_duplicates().sort_values(["unit", "value"]).groupby("unit")["value"]
            patterns[name] = units.map(joined.agg(lambda v: "\0".join(map(str, v))))
    # Numbered by sorted pattern, so that the order of rows does not matter.
    return patterns.groupby(list(patterns.columns), sort=True).ngroup().to_numpy(np.int64)


def _units(manifest: Manifest, unit: str, allow_missing_ids: bool) -> list[str]:
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


def _with_split(manifest: Manifest, split: np.ndarray) -> Manifest:
    return dataclasses.replace(
        manifest, table=manifest.table.assign(split=pd.array(split, dtype=text.STRING))
    )


def _check_filled(manifest: Manifest, demanded: Mapping[str, float], unit: str) -> None:
    present = set(manifest.table["split"].dropna().unique())
    empty = [name for name in SPLITS if demanded.get(name, 0.0) > 0 and name not in present]
    if empty:
        raise UserError(
            f"The split {empty[0]!r} came out empty: the manifest of {manifest.source} has "
            f"{len(manifest):,} images of {manifest.table[unit].nunique():,} {_NOUNS[unit]}. "
            "Use more data, a larger fraction for it, or another seed."
        )
