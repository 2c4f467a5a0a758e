"""How far the resize of an image moves its embedding: antialiased, released, TensorFlow 2's.

    python benchmarks/antialiasing.py CHECKPOINT [DATA --source=NAME] [--size=448 --images=24]

Images of full size are resized in three ways: `resize` averages when it shrinks (ours);
`released_resize`, TensorFlow 1's bicubic, does not, on a grid shifted by up to half a pixel of the
result; TensorFlow 2's bicubic without antialiasing is not shifted. Printed are distances from the
embedding of the first, |difference| / |embedding| and the cosine: median and 10 to 90 % of the
images. The scale to read them by: the antialiased image moved to the right by a pixel of the
result, and the antialiased next image. Without DATA, images are made-up films of 2,500 x 2,048
pixels, noisier per pixel than real ones. Relative distances of 24 such films:

                                   random, 224 pixels    random, 448 pixels    trained, 224 pixels
    released                       0.952 [0.923, 1.008]  0.782 [0.747, 0.846]  0.114 [0.059, 0.152]
    TensorFlow 2, not antialiased  0.824 [0.784, 0.918]  0.713 [0.645, 0.785]  0.043 [0.024, 0.061]
    moved by one pixel             0.917 [0.744, 0.998]  0.755 [0.477, 0.813]  0.178 [0.104, 0.303]
    another image                  1.219 [1.124, 1.299]  1.180 [1.065, 1.260]  0.771 [0.519, 1.017]

"random" is scratch:50x1, whose embeddings tell little more than the pixels. "trained" is the 50x1
that `benchmarks/finetuning_recipes.py` trains from random weights on films of children of 64 pixels
(kermany-scratch, 60 steps). How far published weights are moved is not known here.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from remedis.cli import shared_arguments
from remedis.data.batches.image_loader import image_loader
from remedis.inference.embed import SEED, pooled
from remedis.preprocess.operations.geometry import resize
from remedis.preprocess.operations.released import released_resize
from remedis.preprocess.registry import three_channels
from remedis.synthetic import cohort
from remedis.synthetic.chest import HOSPITAL_B
from remedis.zoo import resolve

FILM = (2500, 2048)  # height and width of made-up films in pixels


def moved(image: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the antialiased image a pixel farther to the right; its first column is repeated."""
    small = resize(image, size)
    return tf.concat([small[:, :1], small[:, :-1]], 1)


def bicubic(image: tf.Tensor, size: int) -> tf.Tensor:
    """Returns TensorFlow 2's resize without antialiasing."""
    return tf.clip_by_value(tf.image.resize(image, [size, size], "bicubic"), 0.0, 1.0)


ANTIALIASED, ANOTHER = "antialiased", "another image"
RESIZES: dict[str, Callable[[tf.Tensor, int], tf.Tensor]] = {
    ANTIALIASED: resize,
    "released": released_resize,
    "TensorFlow 2, not antialiased": bicubic,
    "moved by one pixel": moved,
}


def made_up(count: int) -> Iterator[tf.Tensor]:
    """Yields radiographs of imaginary patients, [H, W, 1] float32 in [0, 1]."""
    for patient in cohort.patients(0, 0, count, HOSPITAL_B):
        film = patient.draw(patient.studies[0], 0, "PA", HOSPITAL_B, FILM)
        yield tf.constant(film[..., None] / 255, tf.float32)


def stored(parsed: argparse.Namespace) -> Iterator[tf.Tensor]:
    """Yields images of the data, evenly spread over their table."""
    manifest = shared_arguments.manifest(parsed)
    load, count = image_loader(manifest), len(manifest)
    for row in np.linspace(0, count - 1, min(parsed.images, count)).astype(int):
        yield load(tf.constant(row))


def embeddings(
    compute: Callable[[tf.Tensor], tf.Tensor], images: Iterator[tf.Tensor], size: int
) -> dict[str, np.ndarray]:
    """Returns the embeddings [n, C] of the images by resize, and those of the next images."""
    makes = RESIZES.values()
    inputs = (tf.stack([three_channels(make(image, size)) for make in makes]) for image in images)
    by_resize = dict(zip(RESIZES, np.stack([compute(x) for x in inputs], 1), strict=True))
    return by_resize | {ANOTHER: np.roll(by_resize[ANTIALIASED], -1, 0)}


def distances(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns |second - first| / |first| and the cosine of each pair of rows."""
    own, other, between = (np.linalg.norm(x, axis=1) for x in (first, second, second - first))
    return between / own, np.sum(first * second, 1) / (own * other)


def table(found: dict[str, np.ndarray]) -> list[str]:
    """Returns a line per resize and reference: median, 10 and 90 % of distance and cosine."""
    lines = [f"{'against ' + ANTIALIASED:<32}{'relative distance':<26}cosine"]
    for name, rows in found.items():
        if name != ANTIALIASED:
            cells = [
                "{1:.4f} [{0:.4f}, {2:.4f}]".format(*np.percentile(values, (10, 50, 90)))
                for values in distances(found[ANTIALIASED], rows)
            ]
            lines.append(f"{name:<32}{cells[0]:<26}{cells[1]}")
    return lines


def main() -> None:
    """Prints a table per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("data", nargs="?", metavar="DATA", help="made-up films if not given")
    shared_arguments.add_source(parser)
    parser.add_argument("--size", type=int, action="append", help="pixels; 224 and 448")
    parser.add_argument("--images", type=shared_arguments.positive, default=24, metavar="N")
    parsed = parser.parse_args()
    loaded = resolve.load_backbone(parsed.checkpoint, SEED)
    for size in parsed.size or (224, 448):
        images = stored(parsed) if parsed.data else made_up(parsed.images)
        found = embeddings(pooled(loaded.backbone, "embedding"), images, size)
        print(f"{size} pixels, {len(found[ANTIALIASED])} images", *table(found), "", sep="\n")


if __name__ == "__main__":
    main()
