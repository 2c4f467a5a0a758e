"""Recall and false alarms of look hashes, by which copies of images are recognised.

    python benchmarks/near_duplicates.py --kermany=DIR --nih64=DIR

`--kermany` is a directory with `manifest.csv` (`path`, `patient_id`): chest radiographs of children
in JPEG, 224 pixels (Kermany et al. 2018). `--nih64` has the layout of ChestX-ray14 with images of
64 pixels. Recall: the share of images that look like their copy. False alarms: the images of a set
that look like one of another patient.

The table stands in `remedis/data/checks/look_hashes.py`.
"""

import argparse
import io
import pathlib
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from remedis.data.checks import look_hashes, pixel_measures

Copy = Callable[[Image.Image], Image.Image]


def encoded(quality: int) -> Copy:
    """Returns a function that encodes an image as JPEG."""

    def copy(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(io.BytesIO(buffer.getvalue())).convert("L")

    return copy


def resized(share: float) -> Copy:
    """Returns a function that resizes an image to a share of height and width."""
    return lambda image: image.resize(
        (round(image.width * share), round(image.height * share)), Image.Resampling.BICUBIC
    )


def cropped(left: float, right: float) -> Copy:
    """Returns a function that cuts shares off, of left and upper and of right and lower sides."""
    return lambda image: image.crop(
        (
            round(image.width * left),
            round(image.height * left),
            image.width - round(image.width * right),
            image.height - round(image.height * right),
        )
    )


def changed(function: Callable[[float], float]) -> Copy:
    """Returns a function that changes grey values, which it takes and gives from 0 to 255."""
    return lambda image: image.point([min(255, max(0, round(function(v)))) for v in range(256)])


COPIES: dict[str, Copy] = {
    "PNG of the same pixels": lambda image: image,
    "JPEG of quality 75": encoded(75),
    "JPEG of quality 50": encoded(50),
    "half the size": resized(0.5),
    "a third of the size": resized(1 / 3),
    "320 of 390 pixels": resized(320 / 390),
    "cut by 2 % on every side": cropped(0.02, 0.02),
    "cut by 5 % on every side": cropped(0.05, 0.05),
    "cut by 10 % on every side": cropped(0.1, 0.1),
    "cut by 5 % on two sides": cropped(0.05, 0.0),
    "10 % brighter": changed(lambda v: 1.1 * v),
    "10 % darker": changed(lambda v: 0.9 * v),
    "20 % brighter": changed(lambda v: 1.2 * v),
    "20 % darker": changed(lambda v: 0.8 * v),
    "20 % more contrast": changed(lambda v: 128 + 1.2 * (v - 128)),
    "20 % less contrast": changed(lambda v: 128 + 0.8 * (v - 128)),
    "histogram equalised": ImageOps.equalize,
    "turned by 2 degrees": lambda image: image.rotate(2, Image.Resampling.BILINEAR),
    "black margin of 5 % left and right": lambda image: ImageOps.expand(
        image, (round(image.width * 0.05), 0), 0
    ),
    "mirrored": ImageOps.mirror,
    "halved, JPEG 75, cut by 2 %, darker": lambda image: changed(lambda v: 0.9 * v)(
        cropped(0.02, 0.02)(encoded(75)(resized(0.5)(image)))
    ),
}


def hashes(images: Sequence[Image.Image]) -> np.ndarray:
    """Returns the look hashes of grey images, [n, 3, 8]."""
    looks = [
        pixel_measures.of_images(np.asarray(image)[None, ..., None])[0]["look"] for image in images
    ]
    return look_hashes.unpacked(looks)


def read(paths: Sequence[pathlib.Path]) -> list[Image.Image]:
    """Returns the images in grey."""
    return [Image.open(path).convert("L") for path in paths]


def kermany(root: pathlib.Path) -> tuple[list[Image.Image], np.ndarray]:
    """Returns images and patients."""
    table = pd.read_csv(root / "manifest.csv")
    return read([root / path for path in table["path"]]), table["patient_id"].to_numpy()


def nih64(root: pathlib.Path) -> tuple[list[Image.Image], np.ndarray]:
    """Returns images and patients."""
    table = pd.read_csv(root / "Data_Entry_2017.csv")
    paths = [root / "images" / name for name in table["Image Index"]]
    return read(paths), table["Patient ID"].to_numpy()


def false_alarms(looks: np.ndarray, patients: np.ndarray) -> tuple[int, int, int]:
    """Returns pairs compared, images that look like one of another patient, and the distance.

    The distance is that of the nearest two images of different patients, in bits.
    """
    pairs = alarms = 0
    nearest = look_hashes.BITS
    stored = np.ascontiguousarray(looks[:, list(look_hashes.STORED)])
    for patient in np.unique(patients):
        own = patients == patient
        result = look_hashes.alike(looks[own], stored[~own])
        pairs += int(own.sum()) * int((~own).sum())
        alarms += int((result.stored >= 0).sum())
        nearest = min(nearest, int(result.apart.min()))
    return pairs, alarms, nearest


def main() -> None:
    """Prints recall by kind of copy, false alarms and the time of a comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kermany", type=pathlib.Path, required=True)
    parser.add_argument("--nih64", type=pathlib.Path, required=True)
    parser.add_argument("--copies", type=int, default=400, help="images of each set to copy")
    parsed = parser.parse_args()
    recall, sets = {}, {}
    for name, load in (("kermany", kermany), ("nih64", nih64)):
        images, patients = load(getattr(parsed, name))
        looks = hashes(images)
        sets[name] = looks, patients
        stored = np.ascontiguousarray(looks[:, list(look_hashes.STORED)])
        chosen = np.random.default_rng(0).permutation(len(images))[: parsed.copies]
        recall[name] = {
            kind: np.mean(
                [
                    look_hashes.alike(hashes([copy(images[i])]), stored[i : i + 1]).stored[0] == 0
                    for i in chosen
                ]
            )
            for kind, copy in COPIES.items()
        }
    print("| copy | Kermany, 224 pixels | ChestX-ray14, 64 pixels |\n|---|---|---|")
    for kind in COPIES:
        print(f"| {kind} | {recall['kermany'][kind]:.1%} | {recall['nih64'][kind]:.1%} |")
    for name, (looks, patients) in sets.items():
        pairs, alarms, _ = false_alarms(looks, patients)
        print(f"{name}: {pairs / 1e6:.1f} million pairs of other patients, {alarms} alarms")
    (small, _), (large, _) = sets["nih64"], sets["kermany"]
    start = time.process_time()
    stored = np.ascontiguousarray(large[:, list(look_hashes.STORED)])
    alarms = int((look_hashes.alike(small, stored).stored >= 0).sum())
    seconds = time.process_time() - start
    pairs = len(small) * len(large)
    print(f"nih64 against kermany: {pairs / 1e6:.1f} million pairs, {alarms} alarms")
    print(f"{seconds * 1e9 / pairs:.1f} s of one processor per 1,000 million pairs")


if __name__ == "__main__":
    main()
