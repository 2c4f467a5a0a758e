"""The input pipeline on made-up files, for `bench.py`; and its memory, and the cost of a resize.

    python benchmarks/input_pipeline.py --memory
    python benchmarks/input_pipeline.py --first-resize

Files are radiographs of 1024 pixels as 8-bit PNG and JPEG, and JPEGs of 224 pixels. `--memory`
reads 20,000 images and prints the memory of the process after every 2,000. `bench.py` compares the
speed with torchvision's.

`--first-resize` prints what two views of `contrastive_cxr(224)` cost with and without its first
operation, `resize(448)`: milliseconds of processor time per film, median of 3 rounds, here on 2
cores with other work on them:

    pixels   without    with resize(448)
       390        32                  42
      1024       104                  50
      2500       555                  98
"""

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis.data.batches.pipeline import evaluation_batches, training_batches
from remedis.data.manifest import Manifest
from remedis.preprocess import parse

Files = list[tuple[str, int, str, int]]  # name, side in pixels, format, images per round
FILES: Files = [
    ("1024-png", 1024, "png", 96),
    ("1024-jpeg", 1024, "jpg", 96),
    ("224-jpeg", 224, "jpg", 640),
]
# The sizes of CheXpert-small, of the peer's comparison, and of MIMIC-CXR.
FILMS: Files = [("390", 390, "jpg", 64), ("1024", 1024, "jpg", 32), ("2500", 2500, "jpg", 16)]
BATCH, ROUNDS, SIZE = 16, 3, 224
# Images of a pass by recipe, about: its start takes as long as dozens. The peer's file has it, too.
PASS = {"evaluation": 1500, "contrastive_cxr": 300}
# Both sides omit the elastic deformation: with this sigma torchvision takes a minute per image of
# 1024 pixels (`input_pipeline_peer.py elastic` prints it), which alone would decide the ratio.
ELASTIC = "elastic_deformation(1000, 30, 0.5) | "
RECIPES = {
    "evaluation": f"central_crop(0.875) | resize({SIZE})",
    "contrastive_cxr": parse(f"contrastive_cxr({SIZE})").specification.replace(ELASTIC, ""),
}


def radiograph(side: int, seed: int) -> np.ndarray:
    """Returns [side, side, 1] uint8, about as noisy as a radiograph: 4 to 5 bits per pixel."""
    rng = np.random.default_rng(seed)
    coarse = tf.constant(rng.uniform(20, 235, (1, 12, 12, 1)), tf.float32)
    smooth = tf.image.resize(coarse, [side, side], "bicubic")[0].numpy()
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def write(folder: pathlib.Path, files: Files) -> None:
    """Writes the files of each kind into a folder of their own."""
    for name, side, suffix, count in files:
        (folder / name).mkdir()
        for i in range(count):
            pixels = tf.constant(radiograph(side, i))
            encode = tf.io.encode_png if suffix == "png" else tf.io.encode_jpeg
            (folder / name / f"{i:04d}.{suffix}").write_bytes(encode(pixels).numpy())


def manifest(folder: pathlib.Path, repeats: int = 1) -> Manifest:
    """Returns the images of a folder, each `repeats` times under different names."""
    names = sorted(path.name for path in folder.iterdir())
    paths = ["./" * repeat + name for repeat in range(repeats) for name in names]
    columns = {"patient_id": paths, "study_id": None, "site": None, "split": None, "ill": 0.0}
    return Manifest(pd.DataFrame({"path": paths, **columns}), ("ill",), folder, "made up")


def batches(images: Manifest, recipe: str) -> tf.data.Dataset:
    """Returns one pass over the images, with two views per image if the recipe is random."""
    preprocess = parse(RECIPES[recipe])
    if not preprocess.random:
        return evaluation_batches(images, preprocess, BATCH)
    return training_batches(images, preprocess, BATCH, 0, 0, len(images) // BATCH, views=2)


def first_resize(folder: pathlib.Path) -> Iterator[str]:
    """Yields a line per size of films: processor time per film without and with the resize."""
    whole = parse(f"contrastive_cxr({SIZE})").specification
    first, _, rest = whole.partition(" | ")
    yield f"{'pixels':>6}{'without':>10}{f'with {first}':>20}"
    for name, _, _, count in FILMS:
        films = manifest(folder / name)
        costs: dict[str, list[float]] = {rest: [], whole: []}
        for _ in range(ROUNDS):
            for views, cost in costs.items():
                data = training_batches(films, parse(views), BATCH, 0, 0, count // BATCH, views=2)
                for _ in range(2):  # the first pass warms up
                    start = time.process_time()
                    images = sum(len(batch["index"]) for batch in data)
                cost.append(1000 * (time.process_time() - start) / images)
        without, resized = (statistics.median(cost) for cost in costs.values())
        yield f"{name:>6}{without:10.0f}{resized:20.0f}"


def resident() -> int:
    """Returns the memory of this process in MiB (Linux)."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    raise RuntimeError("No VmRSS in /proc/self/status.")


def memory(folder: pathlib.Path) -> Iterator[str]:
    """Yields a line with the memory in use after every 2,000 of 20,000 images."""
    images, seen = manifest(folder / "224-jpeg", 32), 0
    for batch in batches(images, "contrastive_cxr"):
        seen += len(batch["index"])
        if seen % 2000 < BATCH:
            yield f"{seen:6d} images: {resident()} MiB"


def main() -> None:
    """Prints the memory, or the cost of the first resize."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--memory", action="store_true")
    kind.add_argument("--first-resize", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write(folder, FILMS if arguments.first_resize else FILES)
        for line in (first_resize if arguments.first_resize else memory)(folder):
            print(line, flush=True)


if __name__ == "__main__":
    main()
