"""Scores of a split, and the table of predictions that is stored and evaluated."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import evaluation_batches, readable
from remedis.data.label_policies import FOUND
from remedis.data.manifest import Manifest
from remedis.preprocess import Preprocess
from remedis.progress import progress

# Columns that identify an image, and columns of subgroups, where known.
IDS = ("path", "patient_id", "study_id", "site", "split")
SUBGROUPS = ("sex", "age", "view")


def predict(
    outputs: Callable[[tf.Tensor], tf.Tensor],
    manifest: Manifest,
    preprocess: Preprocess,
    batch_size: int,
    title: str | None = None,
    cache: ImageCache | None = None,
) -> np.ndarray:
    """Returns the outputs for every image, [rows, ...] float32.

    Args:
      outputs: maps images [N, H, W, 3] to [N, ...].
      manifest: the images, at least one.
      preprocess: the evaluation part.
      batch_size: images per batch.
      title: of the progress bar; None for no bar.
      cache: of this manifest's images, if they are scored several times.

    Raises:
      UserError: an image cannot be read, or has changed since it was scanned.
    """
    scores, done = [], 0
    batches = readable(evaluation_batches(manifest, preprocess, batch_size, cache))
    if title is None:
        scores = [outputs(batch["image"]).numpy() for batch in batches]
    else:
        with progress(title, len(manifest)) as report:
            for batch in batches:
                scores.append(outputs(batch["image"]).numpy())
                done += len(scores[-1])
                report(done, "images")
    manifest.check_unchanged()
    return np.concatenate(scores)


def table(
    manifest: Manifest, logits: np.ndarray, probabilities: np.ndarray, log_odds: np.ndarray
) -> pd.DataFrame:
    """Returns one row per image.

    Args:
      manifest: the images.
      logits: [rows, labels], before calibration.
      probabilities: [rows, labels], after it.
      log_odds: [rows, labels], of the probabilities, computed from logits: they do not saturate.

    Returns:
      Ids, subgroups where known, and for each label `label/<name>` (NaN unknown), `score/<name>`
      (the probability), `logit/<name>`, `log_odds/<name>`, which ranks the images, and, if the
      manifest has it, `found/<name>`: the label as found, before policies (-1 uncertain).
    """
    known = [*IDS, *(name for name in SUBGROUPS if name in manifest.table)]
    columns: dict[str, Any] = {name: manifest.table[name] for name in known}
    targets = manifest.targets()
    for i, name in enumerate(manifest.labels):
        columns[f"label/{name}"] = targets[:, i]
        columns |= score_columns(name, logits[:, i], probabilities[:, i], log_odds[:, i])
        if FOUND + name in manifest.table:
            columns[f"found/{name}"] = manifest.table[FOUND + name]
    return pd.DataFrame(columns)


def score_columns(
    label: str, logits: np.ndarray, probabilities: np.ndarray, log_odds: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the columns of one label's scores, each [rows], as `table` has them."""
    return {
        f"score/{label}": probabilities.astype(np.float32),
        f"logit/{label}": logits,
        f"log_odds/{label}": log_odds.astype(np.float64),
    }
