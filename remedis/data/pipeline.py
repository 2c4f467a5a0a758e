"""From a manifest to batches, such that any batch can be had without those before it.

Which example stands where is a function of (seed, epoch, position), and what happens to it one of
(seed, epoch, example). A run that starts at step s thus sees what an undisturbed run saw from
there on, and nothing has to be saved or skipped.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.preprocess import Preprocess
from remedis.preprocess.decode import decode_image


def training_batches(
    manifest: Manifest,
    preprocess: Preprocess,
    batch_size: int,
    seed: int,
    first_step: int,
    last_step: int,
) -> tf.data.Dataset:
    """Returns the batches of steps `first_step` (inclusive) to `last_step` (exclusive).

    Every epoch visits every image once, in an order of its own; batches run on over its end.

    Yields:
      `image` [batch, H, W, 3] float32, `label` [batch, labels] float32 (NaN unknown), `index`
      [batch] int64, the row in the manifest.
    """
    count = len(manifest)
    if not count:
        raise UserError("There are no training images.")
    load = _loader(manifest, preprocess)

    def example(position: tf.Tensor) -> dict[str, tf.Tensor]:
        epoch = position // count
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        index = tf.random.experimental.index_shuffle(position % count, key, count - 1)
        return load(index, tf.random.experimental.stateless_fold_in(key, index))

    positions = tf.data.Dataset.range(first_step * batch_size, last_step * batch_size)
    return _batched(positions.map(example, tf.data.AUTOTUNE, deterministic=True), batch_size)


def evaluation_batches(
    manifest: Manifest, preprocess: Preprocess, batch_size: int
) -> tf.data.Dataset:
    """Returns every image once, in the manifest's order; the last batch may be smaller.

    Yields:
      As `training_batches`.
    """
    load = _loader(manifest, preprocess)
    rows = tf.data.Dataset.range(len(manifest))
    examples = rows.map(lambda i: load(i, None), tf.data.AUTOTUNE, deterministic=True)
    return _batched(examples, batch_size)


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
        if "Cannot add tensor to the batch" in message or "Cannot batch" in message:
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
    manifest: Manifest, preprocess: Preprocess
) -> Callable[[tf.Tensor, tf.Tensor | None], dict[str, tf.Tensor]]:
    paths = tf.constant(manifest.absolute_paths(), tf.string)
    labels = tf.constant(manifest.targets())

    def load(index: tf.Tensor, seed: tf.Tensor | None) -> dict[str, tf.Tensor]:
        image = preprocess(decode_image(tf.io.read_file(paths[index])), seed)
        return {"image": image, "label": labels[index], "index": index}

    return load


def _batched(examples: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    return examples.batch(batch_size).prefetch(tf.data.AUTOTUNE).with_options(options)
