"""Batches of a manifest, each of which can be computed without those before it.

The example at a position is a function of (seed, epoch, position), and its augmentation is a
function of (seed, epoch, example). A run that starts at step s therefore sees the batches that an
uninterrupted run sees from step s on, and nothing has to be saved or skipped.
"""

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from remedis.data.batches.cache import ImageCache
from remedis.data.batches.image_loader import image_loader
from remedis.data.batches.parallel import mapped
from remedis.data.batches.partners import Partners
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.preprocess import Preprocess

_AHEAD = 2  # batches that are ready while one is used
# TensorFlow's messages about different sizes of the images in a batch, or of an example's views.
_DIFFERENT_SIZES = (
    "Cannot add tensor to the batch",
    "Cannot batch",
    "Shapes of all inputs must match",
)


def training_batches(
    manifest: Manifest,
    preprocess: Preprocess,
    batch_size: int,
    seed: int,
    first_step: int,
    last_step: int,
    *,
    views: int | None = None,
    partners: Partners | None = None,
    weights: np.ndarray | None = None,
    shard: tuple[int, int] = (0, 1),
    cache: ImageCache | None = None,
) -> tf.data.Dataset:
    """Returns the batches of steps `first_step` (inclusive) to `last_step` (exclusive).

    Every epoch contains every image once, in an order of its own; a batch may reach into the next
    epoch.

    Args:
      manifest: the images.
      preprocess: the operations on each image.
      batch_size: images per step, over all workers.
      seed: decides order and augmentation.
      first_step: the first step.
      last_step: the step after the last.
      views: number of independent augmentations of each image, for contrastive learning.
      partners: groups of this manifest's images. All `views` but the first are then of another
        image of the group, drawn again in every epoch.
      weights: [rows], not negative: images are drawn with replacement in proportion to them,
        instead of once per epoch.
      shard: (i, n): yield the i-th of n shards of every batch. The shards of all workers together
        are the batch of a single worker.
      cache: keeps images after decoding and the leading operations of `preprocess` that are not
        random; of this manifest and these operations alone.

    Yields:
      `image` [batch, H, W, 3] float32, or [batch, views, H, W, 3] with `views`; `label` [batch,
      labels] float32 (NaN unknown), `index` [batch] int64, the row in the manifest.

    Raises:
      UserError: there are no images, or a batch cannot be divided among the workers.
      ValueError: `weights` has another length, a negative value, or no positive one.
    """
    count = len(manifest)
    if not count:
        raise UserError("There are no training images.")
    worker, workers = shard
    if batch_size % workers:
        raise UserError(
            f"A batch of {batch_size} images cannot be divided among {workers} workers."
        )
    shard_size = batch_size // workers
    load = _loader(manifest, preprocess, views, cache, partners)
    draw = None if weights is None else _drawer(weights, count)

    def example(number: tf.Tensor) -> dict[str, tf.Tensor]:
        step, offset = number // shard_size, number % shard_size
        position = step * batch_size + worker * shard_size + offset
        epoch = position // count
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        if draw is not None:
            # An image may occur twice in an epoch, so its augmentation depends on the position.
            position_key = tf.random.experimental.stateless_fold_in(key, position)
            return load(draw(position_key), position_key)
        index = tf.random.experimental.index_shuffle(position % count, key, count - 1)
        return load(index, tf.random.experimental.stateless_fold_in(key, index))

    numbers = tf.data.Dataset.range(first_step * shard_size, last_step * shard_size)
    return _batched(mapped(numbers, example), shard_size)


def evaluation_batches(
    manifest: Manifest,
    preprocess: Preprocess,
    batch_size: int,
    cache: ImageCache | None = None,
) -> tf.data.Dataset:
    """Returns every image once, in the manifest's order; the last batch may be smaller.

    Args and yields as `training_batches`.
    """
    load = _loader(manifest, preprocess, None, cache)
    rows = tf.data.Dataset.range(len(manifest))
    return _batched(mapped(rows, lambda i: load(i, None)), batch_size)


def readable(batches: tf.data.Dataset) -> Iterator[dict[str, Any]]:
    """Yields batches; TensorFlow's errors about images become errors of one sentence.

    Raises:
      UserError: a file has changed or disappeared since the scan, or the preprocessing refuses an
        image or leaves images of different sizes.
    """
    try:
        yield from batches
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
        message = str(error)
        if any(sign in message for sign in _DIFFERENT_SIZES):
            raise UserError(
                "The preprocessing leaves images of different sizes, which cannot be batched; "
                "make resize({size}) part of it."
            ) from error
        if refusal := re.search(r"assertion failed: \[([^\]]*; got)\] (\[[\d ]+\])", message):
            raise UserError(f"Preprocessing: {refusal[1]} {refusal[2]}.") from error
        raise UserError(
            f"An image can no longer be read, though it could before ({_first_line(message)}); "
            "the data changed. Start again; changed images are scanned again."
        ) from error


def _first_line(message: str) -> str:
    # TensorFlow names nodes of its graph as {{...}} in the line, and lists them below it.
    return re.sub(r"\{\{.*?\}\} ?", "", message).splitlines()[0]


def _loader(
    manifest: Manifest,
    preprocess: Preprocess,
    views: int | None,
    cache: ImageCache | None,
    partners: Partners | None = None,
) -> Callable[[tf.Tensor, tf.Tensor | None], dict[str, tf.Tensor]]:
    crops = preprocess.crops
    cropped = image_loader(manifest, functools.partial(preprocess, stop=crops))
    labels = tf.constant(manifest.targets())
    fixed = preprocess.fixed
    draw = None if partners is None else partners.drawer()

    def fixed_image(row: tf.Tensor) -> tf.Tensor:
        """Returns the image of a row after the operations that are not random."""

        def compute() -> tf.Tensor:
            return preprocess(cropped(row), start=crops, stop=fixed)

        return compute() if cache is None else cache.through(row, compute)

    def load(index: tf.Tensor, seed: tf.Tensor | None) -> dict[str, tf.Tensor]:
        image = fixed_image(index)
        if views is None:
            image = preprocess(image, seed, fixed)
        else:
            partner = image
            if draw is not None:
                # 0 to views - 1 give the seeds of the views.
                row = draw(index, tf.random.experimental.stateless_fold_in(seed, views))
                partner = tf.cond(row == index, lambda: image, lambda: fixed_image(row))
            seeds = [tf.random.experimental.stateless_fold_in(seed, view) for view in range(views)]
            sources = [image, *[partner] * (views - 1)]
            image = tf.stack(
                [
                    preprocess(source, view_seed, fixed)
                    for source, view_seed in zip(sources, seeds, strict=True)
                ]
            )
        return {"image": image, "label": labels[index], "index": index}

    return load


def _drawer(weights: np.ndarray, count: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from a key to a row that is drawn in proportion to its weight."""
    weights = np.asarray(weights, np.float64)
    if weights.shape != (count,) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(f"Expected {count} weights, none negative and not all 0.")
    bounds = tf.constant(np.cumsum(weights) / weights.sum())
    last = int(np.flatnonzero(weights)[-1])  # rounding may leave the last bound just below 1

    def draw(key: tf.Tensor) -> tf.Tensor:
        number = tf.random.stateless_uniform([1], key, dtype=tf.float64)
        row = tf.searchsorted(bounds, number, side="right", out_type=tf.int64)[0]
        return tf.minimum(row, tf.constant(last, tf.int64))

    return draw


def _batched(examples: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    return examples.batch(batch_size).prefetch(_AHEAD)
