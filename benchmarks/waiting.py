"""How long a pretraining's step waits for its input pipeline: the goal is below 5 % of the time.

    python benchmarks/waiting.py [--size=64 --size=224 --steps=10]

SimCLR as `configs/pretrain_cxr.py` has it, with the documented views of radiographs, on a 50x1 from
random weights and batches of 32 images of two views each, with SGD. Files are made up and small or
as large as radiographs are. The pipeline works on the cores that train: what is measured is the
time within `next()` of the batches, as a share of the whole, after steps that warm up. No image
comes twice, so that none is found in the cache: the first epoch of a training, the slowest.
"""

import argparse
import pathlib
import tempfile
import time

import ml_collections
import pipeline
import simclr_step
import tensorflow as tf

from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import readable, training_batches
from remedis.preprocess import parse
from remedis.training import checks
from remedis.training.determinism import prepare_process
from remedis.training.step import Trainer

# By size of the views in pixels: side and format of the files.
FILES = {64: ((64, "png"), (224, "jpg")), 224: ((224, "jpg"), (1024, "png"))}
FILE_COUNT = 64  # each under several names
GOAL = 0.05
WARM_UP = 3  # steps
AHEAD = 8  # batches after the last step, so that the pipeline works beside it to the end


def write(folder: pathlib.Path, side: int, suffix: str) -> None:
    """Writes radiographs into a folder of their own."""
    folder.mkdir()
    encode = tf.io.encode_png if suffix == "png" else tf.io.encode_jpeg
    for i in range(FILE_COUNT):
        content = encode(tf.constant(pipeline.radiograph(side, i)))
        (folder / f"{i:04d}.{suffix}").write_bytes(content.numpy())


def measure(
    config: ml_collections.ConfigDict, trainer: Trainer, folder: pathlib.Path, steps: int
) -> tuple[float, float]:
    """Returns seconds a step, and the share of them that it waits."""
    last = WARM_UP + steps + AHEAD
    images = pipeline.manifest(folder, -(-last * config.batch_size // FILE_COUNT))
    batches = readable(
        training_batches(
            images,
            parse(checks.filled(config, "preprocess")),
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
    waited, begin = 0.0, time.perf_counter()
    for step in range(WARM_UP + 1, WARM_UP + steps + 1):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        float(trainer.step(batch, step)[0])
    whole = time.perf_counter() - begin
    return whole / steps, waited / whole


def main() -> None:
    """Prints a line for every size and kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, action="append", choices=list(FILES), help="pixels")
    parser.add_argument("--steps", type=int, default=10, help="that are timed")
    parser.add_argument("--batch", type=int, default=32, help="images, of two views each")
    options = parser.parse_args()
    prepare_process()  # as the jobs do
    config, trainer = simclr_step.pretraining(options.batch)
    print("size    files        seconds a step   waiting")
    with tempfile.TemporaryDirectory() as name:
        for size in options.size or FILES:
            config.image_size = size
            for side, suffix in FILES[size]:
                folder = pathlib.Path(name) / f"{size}-{side}"
                write(folder, side, suffix)
                seconds, share = measure(config, trainer, folder, options.steps)
                print(
                    f"{size:<8}{side:>4} px {suffix:<4}{seconds:15.2f}   {share:7.1%}"
                    f"{'' if share < GOAL else f'   above the goal of {GOAL:.0%}'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
