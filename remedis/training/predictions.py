"""Scores of a split, as a table that can be published and evaluated again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis.data.cache import ImageCache
from remedis.data.manifest import Manifest
from remedis.data.pipeline import evaluation_batches, readable
from remedis.preprocess import Preprocess
from remedis.progress import progress

IDS = ("path", "patient_id", "study_id", "site", "split")


def predict(
    outputs: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    manifest: Manifest,
    preprocess: Preprocess,
    batch_size: int,
    title: str | None = None,
    cache: ImageCache | None = None,
) -> np.ndarray:
    """Returns the probabilities of every image, [rows, labels] float32.

    Args:
      outputs: from images [N, H, W, 3] to a dict with `probabilities` [N, labels].
      manifest: the images.
      preprocess: the evaluation part.
      batch_size: images at a time.
      title: what a progress bar is called; none is shown without.
      cache: of this manifest's images, for when they are scored again.
    """
    scores, done = [], 0
    batches = readable(evaluation_batches(manifest, preprocess, batch_size, cache))
    if title is None:
        return np.concatenate([outputs(batch["image"])["probabilities"] for batch in batches])
    with progress(title, len(manifest)) as report:
        for batch in batches:
            scores.append(outputs(batch["image"])["probabilities"].numpy())
            done += len(scores[-1])
            report(done, "images")
    return np.concatenate(scores)


def table(manifest: Manifest, scores: np.ndarray) -> pd.DataFrame:
    """Returns the ids, `label/<name>` (NaN unknown) and `score/<name>` of every image."""
    columns: dict[str, Any] = {name: manifest.table[name] for name in IDS}
    targets = manifest.targets()
    for i, name in enumerate(manifest.labels):
        columns[f"label/{name}"] = targets[:, i]
        columns[f"score/{name}"] = scores[:, i]
    return pd.DataFrame(columns)
