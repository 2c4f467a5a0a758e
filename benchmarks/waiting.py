"""Share of a pretraining step spent waiting for the input pipeline; the goal is below 5 %.

    python benchmarks/waiting.py [--size=64 --size=224 --steps=10]

The training is SimCLR of `configs/pretrain_cxr.py`, with the views of `contrastive_cxr`, on a
50x1 from random weights, with SGD and batches of 32 images with two views each. Files are made up,
either small or as large as radiographs. The pipeline uses the cores that train: the waiting time is
the time within `next()` of the batches, as a share of the whole time, after steps that warm up. No
image is read twice, so the cache never helps, as in the first and slowest epoch of a training.
"""

import argparse
import pathlib
import tempfile
import time

import input_pipeline
import ml_collections
import simclr_step
import tensorflow as tf

from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import readable, training_batches
from remedis.training import checks
from remedis.training.determinism import prepare_process
from remedis.training.step import Trainer

# Size of the views in pixels -> sides and formats of the files.
FILES = {64: ((64, "png"), (224, "jpg")), 224: ((224, "jpg"), (1024, "png"))}
FILE_COUNT = 64  # each under several names
GOAL = 0.05
WARM_UP = 3  # steps
AHEAD = 8  # batches after the last step, so that the pipeline is busy until the end


def write(folder: pathlib.Path, side: int, suffix: str) -> None:
    """Writes radiographs into a folder of their own."""
    folder.mkdir()
    encode = tf.io.encode_png if suffix == "png" else tf.io.encode_jpeg
    for i in range(FILE_COUNT):
        content = encode(tf.constant(input_pipeline.radiograph(side, i)))
        (folder / f"{i:04d}.{suffix}").write_bytes(content.numpy())


def measure(
    config: ml_collections.ConfigDict, trainer: Trainer, folder: pathlib.Path, steps: int
) -> tuple[float, float]:
    """Returns seconds per step, and the share of them spent waiting."""
    last = WARM_UP + steps + AHEAD
    images = input_pipeline.manifest(folder, -(-last * config.batch_size // FILE_COUNT))
    batches = readable(
        training_batches(
            images,
            checks.operations(config.preprocess, config.image_size, "preprocess"),
            config.batch_size,
            config.seed,
            0,
            last,
            views=2,
            cache=ImageCache(int(config.cache_gb * 1e9)),
        )
    )
    for step in range(1, WARM_UP + 1):
        float(trainer.step(next(batches), step)[0])
    waited, start = 0.0, time.perf_counter()
    for step in range(WARM_UP + 1, WARM_UP + steps + 1):
        before = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - before
        float(trainer.step(batch, step)[0])
    whole = time.perf_counter() - start
    return whole / steps, waited / whole


def main() -> None:
    """Prints a line per size and kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, action="append", choices=list(FILES), help="pixels")
    parser.add_argument("--steps", type=int, default=10, help="timed steps")
    parser.add_argument("--batch", type=int, default=32, help="images, with two views each")
    options = parser.parse_args()
    prepare_process()  # as the jobs do
    config, trainer = simclr_step.pretraining(options.batch)
    print("size    files        seconds per step   waiting")
    with tempfile.TemporaryDirectory() as name:
        for size in options.size or FILES:
            config.image_size = size
            for side, suffix in FILES[size]:
                folder = pathlib.Path(name) / f"{size}-{side}"
                write(folder, side, suffix)
                seconds, share = measure(config, trainer, folder, options.steps)
                print(
                    f"{size:<8}{side:>4} px {suffix:<4}{seconds:17.2f}   {share:7.1%}"
                    f"{'' if share < GOAL else f'   above the goal of {GOAL:.0%}'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
