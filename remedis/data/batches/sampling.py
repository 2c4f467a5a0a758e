"""Sampling weights that balance the values of a column."""

import numpy as np

from remedis.data.manifest import Manifest
from remedis.errors import UserError, unknown_choice


def balanced(manifest: Manifest, column: str) -> np.ndarray:
    """Returns one weight per row; every value of the column has the same total weight.

    Args:
      manifest: the images.
      column: a label, or another column such as `site`.

    Returns:
      [rows] float64, summing to 1. Rows where the column is unknown or uncertain have weight 0 and
      are never drawn.

    Raises:
      UserError: there is no such column, or it has fewer than two values.
    """
    if column not in manifest.table:
        raise unknown_choice("column to balance by", column, manifest.table.columns)
    values = manifest.table[column]
    if column in manifest.labels:
        values = values.where(values.isin([0, 1]))
    counts = values.value_counts()
    if len(counts) < 2:
        raise UserError(
            f"Balancing by {column!r} needs at least two values of it among the training images; "
            f"found {', '.join(map(repr, counts.index)) or 'none'}."
        )
    weights = 1 / values.map(counts).astype("float64") / len(counts)
    return weights.fillna(0.0).to_numpy()
