"""From a manifest to batches, such that any batch can be had without those before it.

Which example stands where is a function of (seed, epoch, position), and what happens to it one of
(seed, epoch, example). A run that starts at step s thus sees what an undisturbed run saw from
there on, and nothing has to be saved or skipped.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from remedis.data.batches.cache import ImageCache
from remedis.data.batches.image_loader import image_loader
from remedis.data.batches.partners import Partners
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.preprocess import Preprocess

# Images worked on at once: one a core would wait for the disk in between. AUTOTUNE begins with one
# and needs hundreds of images to find its number, which is the whole of many a small data set.
PARALLEL = 2 * (os.cpu_count() or 1)
# What TensorFlow says of images of different sizes in one batch, or in the views of one example.
_UNLIKE = ("Cannot add tensor to the batch", "Cannot batch", "Shapes of all inputs must match")


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

    Every epoch visits every image once, in an order of its own; batches run on over its end.

    Args:
      manifest: the images.
      preprocess: what is done to each.
      batch_size: images of a step, over all workers.
      seed: decides order and augmentation.
      first_step: the step to begin with.
      last_step: the step to end before.
      views: how many times each image is augmented, independently; for contrastive learning.
      partners: of this manifest; with them all `views` but the first are of another image of the
        same group, drawn anew every epoch.
      weights: [rows], not negative: draws images with replacement, as often as these say, instead
        of visiting each once an epoch.
      shard: (i, n): yield the i-th of n parts of every batch. The parts of all workers are what one
        worker alone would have seen.
      cache: keeps images as they are after decoding and the operations at the beginning of
        `preprocess` that are not random; for this manifest and these operations alone.

    Yields:
      `image` [batch, H, W, 3] float32, or [batch, views, H, W, 3] with `views`; `label` [batch,
      labels] float32 (NaN unknown), `index` [batch] int64, the row in the manifest.

    Raises:
      UserError: there are no images, or a batch cannot be divided among the workers.
    """
    count = len(manifest)
    if not count:
        raise UserError("There are no training images.")
    worker, workers = shard
    if batch_size % workers:
        raise UserError(
            f"A batch of {batch_size} images cannot be divided among {workers} workers."
        )
    own = batch_size // workers
    load = _loader(manifest, preprocess, views, cache, partners)
    draw = None if weights is None else _drawer(weights, count)

    def example(number: tf.Tensor) -> dict[str, tf.Tensor]:
        position = number // own * batch_size + worker * own + number % own
        epoch = position // count
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        if draw is not None:
            # An image may come twice in an epoch, so the position decides on its augmentation.
            own_key = tf.random.experimental.stateless_fold_in(key, position)
            return load(draw(own_key), own_key)
        index = tf.random.experimental.index_shuffle(position % count, key, count - 1)
        return load(index, tf.random.experimental.stateless_fold_in(key, index))

    numbers = tf.data.Dataset.range(first_step * own, last_step * own)
    return _batched(_mapped(numbers, example), own)


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
    return _batched(_mapped(rows, lambda i: load(i, None)), batch_size)


def readable(batches: tf.data.Dataset) -> Iterator[dict[str, Any]]:
    """Yields batches; images that cannot be read or batched are a sentence, not a traceback.

    Raises:
      UserError: a file changed or went since it was looked at, or the preprocessing refuses an
        image or leaves images of different sizes.
    """
    try:
        yield from batches
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
        message = str(error)
        if any(sign in message for sign in _UNLIKE):
            raise UserError(
                "The preprocessing leaves images of different sizes, which cannot be batched; "
                "make resize({size}) part of it."
            ) from error
        if refusal := re.search(r"assertion failed: \[([^\]]*; got)\] (\[[\d ]+\])", message):
            raise UserError(f"Preprocessing: {refusal[1]} {refusal[2]}.") from error
        raise UserError(
            f"An image can no longer be read, though it could before ({_first_line(message)}); "
            "the data changed. Start again, and it is looked at anew."
        ) from error


def _first_line(message: str) -> str:
    # What TensorFlow puts before it names its own nodes.
    return re.sub(r"\{\{.*?\}\} ?", "", message).splitlines()[0]


def _loader(
    manifest: Manifest,
    preprocess: Preprocess,
    views: int | None,
    cache: ImageCache | None,
    partners: Partners | None = None,
) -> Callable[[tf.Tensor, tf.Tensor | None], dict[str, tf.Tensor]]:
    decoded = image_loader(manifest)
    labels = tf.constant(manifest.targets())
    fixed = preprocess.fixed
    draw = None if partners is None else partners.drawer()

    def of_row(row: tf.Tensor) -> tf.Tensor:
        def made() -> tf.Tensor:
            return preprocess(decoded(row), stop=fixed)

        return made() if cache is None else cache.through(row, made)

    def load(index: tf.Tensor, seed: tf.Tensor | None) -> dict[str, tf.Tensor]:
        image = of_row(index)
        if views is None:
            image = preprocess(image, seed, fixed)
        else:
            other = image
            if draw is not None:
                # The numbers below are those of the views' own seeds.
                row = draw(index, tf.random.experimental.stateless_fold_in(seed, views))
                other = tf.cond(row == index, lambda: image, lambda: of_row(row))
            seeds = [tf.random.experimental.stateless_fold_in(seed, view) for view in range(views)]
            shown = [image, *[other] * (views - 1)]
            image = tf.stack(
                [preprocess(one, own, fixed) for one, own in zip(shown, seeds, strict=True)]
            )
        return {"image": image, "label": labels[index], "index": index}

    return load


def _drawer(weights: np.ndarray, count: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from a key to a row, drawn by weight."""
    weights = np.asarray(weights, np.float64)
    if weights.shape != (count,) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(f"Expected {count} weights, none negative and not all 0.")
    bounds = tf.constant(np.cumsum(weights) / weights.sum())
    last = int(np.flatnonzero(weights)[-1])  # rounding may leave the last bound a hair under 1

    def draw(key: tf.Tensor) -> tf.Tensor:
        number = tf.random.stateless_uniform([1], key, dtype=tf.float64)
        row = tf.searchsorted(bounds, number, side="right", out_type=tf.int64)[0]
        return tf.minimum(row, tf.constant(last, tf.int64))

    return draw


def _mapped(
    numbers: tf.data.Dataset, example: Callable[[tf.Tensor], dict[str, tf.Tensor]]
) -> tf.data.Dataset:
    # No operation is Python control flow over tensors, and looking for it takes seconds.
    plain = tf.autograph.experimental.do_not_convert(example)
    return numbers.map(plain, PARALLEL, deterministic=True)


def _batched(examples: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    return examples.batch(batch_size).prefetch(tf.data.AUTOTUNE).with_options(options)
