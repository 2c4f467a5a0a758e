"""Nested subsets of patients or slides, for label budgets."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.data.manifest import Manifest
from remedis.data.units import distinct_units, rank_in_stratum, stratum_ids, uniform, unit_ids
from remedis.errors import UserError


def nested_subsets(
    manifest: Manifest,
    sizes: Iterable[int],
    seed: int,
    unit: str = "patient_id",
    stratify: Sequence[str] = (),
    allow_missing_ids: bool = False,
) -> dict[int, npt.NDArray[np.bool_]]:
    """Returns subsets of growing size; each contains all smaller ones.

    Args:
      manifest: the training images; its column `split` is ignored.
      sizes: numbers of units (patients or slides), each from 1 to all there are.
      seed: another seed gives other subsets.
      unit: `patient_id` or `slide_id`.
      stratify: labels or other columns of few values: each stratum has its share of every subset to
        within two units.
      allow_missing_ids: take an image without an id as a unit of its own.

    Returns:
      For each size, smallest first, which images are in it: [rows] bool, for `Manifest.subset`.

    Raises:
      UserError: a size is out of range, the unit or a column is unknown, or ids are missing.
    """
    ids = unit_ids(manifest, unit, allow_missing_ids)
    distinct, draws, stratum, unit_of_row = distinct_units(
        ids, uniform(ids, seed, "subsets"), stratum_ids(manifest, ids, stratify)
    )
    ordered = draws
    if stratify:
        rank, count = rank_in_stratum(draws, stratum)
        # Every stratum is spread evenly over the order. Without the random offset, all strata of a
        # single unit would have the same place in it.
        offset = uniform([str(s) for s in stratum], seed, "subsets/strata")
        ordered = (rank + offset) / count
    order = np.lexsort((distinct, draws, ordered))
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    subsets = {}
    for size in sorted(set(sizes)):
        if not 1 <= size <= len(order):
            raise UserError(
                f"Asked for a subset of {size:,} units of {unit}; the manifest of "
                f"{manifest.source} has {len(order):,}: expected 1 to {len(order):,}."
            )
        subsets[size] = (position < size)[unit_of_row]
    return subsets
