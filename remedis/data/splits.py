"""Splits by patient or slide, decided by a hash: the same today, tomorrow and with more data."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from remedis.data import text
from remedis.data.manifest import SPLITS, Manifest
from remedis.errors import UserError, unknown_choice

UNITS = ("patient_id", "slide_id")


def ensure(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str = "patient_id",
    allow_missing_ids: bool = False,
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

    Raises:
      UserError: fractions or unit are wrong, ids are missing, some images have a split and others
        not, or a demanded split comes out empty.
    """
    fractions = _checked(fractions)
    split = manifest.table["split"]
    if split.isna().all():
        return assign(manifest, fractions, seed, unit, allow_missing_ids)
    if split.isna().any():
        row = int(np.argmax(split.isna().to_numpy(dtype=bool)))
        raise UserError(
            f"{int(split.isna().sum()):,} of {len(split):,} images have no split, the first "
            f"{manifest.table['path'].iloc[row]!r}; give every image a split, or none."
        )
    present = set(split.unique())
    absent = {name: f for name, f in fractions.items() if f > 0 and name not in present}
    if absent and "train" in present:
        manifest = carve(manifest, absent, seed, unit, allow_missing_ids)
    _check_filled(manifest, fractions)
    return manifest


def assign(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str = "patient_id",
    allow_missing_ids: bool = False,
) -> Manifest:
    """Returns the manifest with a split for every image, whatever it had before.

    Where a unit lands depends on its id, the seed and the fractions alone. Arguments and errors are
    those of `ensure`.
    """
    fractions = _checked(fractions)
    draws = uniform(_units(manifest, unit, allow_missing_ids), seed, "assign")
    bounds = np.cumsum([fractions.get(name, 0.0) for name in SPLITS])
    # Rounding may leave the last bound a hair under 1, and a draw above it.
    index = np.minimum(np.searchsorted(bounds, draws, side="right"), _last(fractions))
    result = _with_split(manifest, np.array(SPLITS, dtype=object)[index])
    _check_filled(result, fractions)
    return result


def carve(
    manifest: Manifest,
    fractions: Mapping[str, float],
    seed: int,
    unit: str = "patient_id",
    allow_missing_ids: bool = False,
) -> Manifest:
    """Returns the manifest with a part of `train` moved to other splits, unit by unit.

    Args:
      manifest: some images are in `train`.
      fractions: the share of the units of `train` that each other split receives.
      seed: another seed carves other units.
      unit: as for `ensure`.
      allow_missing_ids: as for `ensure`.

    Raises:
      UserError: as for `ensure`.
    """
    names = [name for name in SPLITS if name in fractions]
    _checked({**fractions, "train": 1.0 - sum(fractions.values())})
    in_train = (manifest.table["split"] == "train").to_numpy(dtype=bool, na_value=False)
    draws = uniform(_units(manifest.subset(in_train), unit, allow_missing_ids), seed, "carve")
    index = np.searchsorted(np.cumsum([fractions[name] for name in names]), draws, side="right")
    split = manifest.table["split"].to_numpy(dtype=object).copy()
    split[in_train] = np.array([*names, "train"], dtype=object)[index]
    result = _with_split(manifest, split)
    _check_filled(result, {**fractions, "train": 1.0})
    return result


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


def _checked(fractions: Mapping[str, float]) -> dict[str, float]:
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


def _last(fractions: Mapping[str, float]) -> int:
    return max(i for i, name in enumerate(SPLITS) if fractions.get(name, 0.0) > 0)


def _with_split(manifest: Manifest, split: np.ndarray) -> Manifest:
    return dataclasses.replace(
        manifest, table=manifest.table.assign(split=pd.array(split, dtype=text.STRING))
    )


def _check_filled(manifest: Manifest, demanded: Mapping[str, float]) -> None:
    present = set(manifest.table["split"].dropna().unique())
    empty = [name for name in SPLITS if demanded.get(name, 0.0) > 0 and name not in present]
    if empty:
        raise UserError(
            f"The split {empty[0]!r} came out empty: the manifest of {manifest.source} has "
            f"{len(manifest):,} images of {manifest.table['patient_id'].nunique():,} patients. "
            "Use more data, a larger fraction for it, or another seed."
        )
