"""Images that decode without complaint and are wrong all the same."""

import numpy as np
import pandas as pd

from remedis.data.checks import scan
from remedis.data.checks.doctor.diagnosis import NOTE, WARNING, Expectation, Finding
from remedis.errors import some

# The left half of a frontal chest radiograph, averaged to 8 x 8 cells, mirrored and averaged with
# its mirror image: the mean over 1,000 radiographs of ChestX-ray14 (Wang et al. 2017, arXiv
# 1705.02315; NIH Clinical Center), each shifted to mean 0 and scaled to length 1; times 100. The
# corners beside neck and arms are dark, spine, heart and abdomen bright.
_FRONTAL = (
    (-27, -23, -15, 2),
    (-5, -2, -7, -1),
    (2, 0, -13, -2),
    (0, -1, -11, 4),
    (-5, -1, -3, 12),
    (-9, 2, 8, 18),
    (-13, 7, 17, 23),
    (-14, 11, 21, 25),
)
# Below this correlation with `_FRONTAL` a radiograph looks like a negative. Of 5,232 radiographs of
# children (Kermany et al. 2018) none was below, and all were when inverted; of the 1,000 behind
# `_FRONTAL` none, and 999 when inverted. The lowest as they are had 0.15 and 0.08.
_NEGATIVE = -0.1
# Images are taken for radiographs if half of them are as similar as this, one way or the other; the
# medians of the sets above are 0.61 and 0.82, those of drawn histology and of noise 0.13 and 0.09.
_RADIOGRAPHS = 0.4
_LATERAL = ("LL", "RL", "LATERAL", "LAT", "L")
# A share of the range of values so small that something was left out on the way.
_DARK = 0.25
# Ratio of width to height, or height to width, that squaring would distort.
_LONG = 1.5


def findings(
    table: pd.DataFrame, scanned: pd.DataFrame, expected: Expectation | None
) -> list[Finding]:
    """Returns what looks wrong with readable images.

    Args:
      table: the manifest's.
      scanned: what `scan` found of the same rows.
      expected: of the checkpoint, if one is named.
    """
    found = [*_constant(scanned), *_dark(scanned), *_inverted(table, scanned), *_mixed(scanned)]
    return found + (_unexpected(scanned, expected) if expected else [])


def similarity(thumbnails: np.ndarray) -> np.ndarray:
    """Returns the correlation of images with a frontal chest radiograph.

    Args:
      thumbnails: [n, 8, 8] grey values.

    Returns:
      [n] from -1 to 1, 0 for images of one value.
    """
    half = np.array(_FRONTAL, np.float64)
    frontal = np.concatenate([half, half[:, ::-1]], axis=1).ravel()
    frontal -= frontal.mean()
    values = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(frontal)
    result: np.ndarray = values @ frontal / np.maximum(lengths, 1e-9)
    return result


def _constant(scanned: pd.DataFrame) -> list[Finding]:
    cells = scan.thumbnails(scanned).reshape(len(scanned), -1)
    even = (cells.max(axis=1) - cells.min(axis=1)) < 1e-6
    flat = scanned["path"][even & (scanned["low"] == scanned["high"]).to_numpy(dtype=bool)]
    if flat.empty:
        return []
    sentence = (
        f"{len(flat):,} images have one value all over: {some(flat.tolist()[:3], len(flat))}. "
        "Remove them, or look at how they were exported."
    )
    return [Finding.of(WARNING, "constant", sentence, flat)]


def _dark(scanned: pd.DataFrame) -> list[Finding]:
    dark = scanned[(scanned["high"] < _DARK) & (scanned["high"] > scanned["low"])]
    if dark.empty:
        return []
    deep = dark[dark["bits"] == 16]
    hint = "look at how they were exported."
    if len(deep) > len(dark) / 2:
        used = int(np.ceil(np.log2(max(float(deep["high"].max()) * 65535, 1) + 1)))
        hint = (
            f"they have 16 bits and use {used}; multiply their values by {2 ** (16 - used)}, or "
            "give the DICOM files instead."
        )
    sentence = (
        f"{len(dark):,} of {len(scanned):,} images use less than a quarter of the range of values, "
        f"the brightest pixel at {float(dark['high'].max()):.3f} of 1: "
        f"{some(dark['path'].tolist()[:3], len(dark))}; {hint}"
    )
    return [Finding.of(WARNING, "dark", sentence, dark["path"])]


def _inverted(table: pd.DataFrame, scanned: pd.DataFrame) -> list[Finding]:
    frontal = ~scanned["colour"].to_numpy(dtype=bool)
    if "view" in table:
        lateral = table["view"].str.upper().isin(_LATERAL)
        frontal &= ~lateral.to_numpy(dtype=bool, na_value=False)
    likeness = similarity(scan.thumbnails(scanned))
    if not frontal.any() or np.median(np.abs(likeness[frontal])) < _RADIOGRAPHS:
        return []
    negative = scanned["path"][frontal & (likeness < _NEGATIVE)]
    if negative.empty:
        return []
    sentence = (
        f"{len(negative):,} of {int(frontal.sum()):,} images look inverted, bones dark and air "
        f"bright: {some(negative.tolist()[:3], len(negative))}. Were they DICOM files of "
        "MONOCHROME1? Invert them, or give the DICOM files, which are read the right way round."
    )
    return [Finding.of(WARNING, "inverted", sentence, negative)]


def _mixed(scanned: pd.DataFrame) -> list[Finding]:
    found = []
    depths = scanned["bits"].dropna().unique()
    if len(depths) > 1:
        found.append(
            Finding.of(
                NOTE,
                "mixed_bits",
                f"Images have {some(sorted(int(b) for b in depths))} bits a channel; if that goes "
                "with label, site or split, a model can learn it instead.",
            )
        )
    colour = int(scanned["colour"].sum())
    if 0 < colour < len(scanned):
        rare = scanned["colour"] if 2 * colour <= len(scanned) else ~scanned["colour"]
        kind = "colour" if 2 * colour <= len(scanned) else "grey"
        found.append(
            Finding.of(
                WARNING,
                "mixed_colour",
                f"{int(rare.sum()):,} of {len(scanned):,} images are {kind} and the others are "
                f"not: {some(scanned['path'][rare].tolist()[:3], int(rare.sum()))}. Look whether "
                "they belong here.",
                scanned["path"][rare],
            )
        )
    sides = scanned[["width", "height"]].astype(float)
    ratio = np.maximum(sides["width"] / sides["height"], sides["height"] / sides["width"])
    if (long := ratio > _LONG).any():
        found.append(
            Finding.of(
                NOTE,
                "not_square",
                f"{int(long.sum()):,} images are more than {_LONG} times as long as wide or as "
                "wide as long; resizing makes them square and distorts them.",
                scanned["path"][long],
            )
        )
    return found


def _unexpected(scanned: pd.DataFrame, expected: Expectation) -> list[Finding]:
    found = []
    low, high = expected.value_range
    if (low, high) != (0.0, 1.0):
        found.append(
            Finding.of(
                WARNING,
                "value_range",
                f"{expected.name} expects values from {low:g} to {high:g}, and images are read as "
                "0 to 1; build the folder anew with saved_models/build.py.",
            )
        )
    colour = float(scanned["colour"].mean())
    wrong = {
        "path": (colour < 0.5, "stained tissue in colour", "grey"),
        "cxr": (colour > 0.5, "grey radiographs", "in colour"),
    }.get(expected.data_type or "")
    if wrong is not None and wrong[0]:
        found.append(
            Finding.of(
                WARNING,
                "other_images",
                f"{expected.name} was pretrained on {wrong[1]}, and most of these images are "
                f"{wrong[2]}; choose a checkpoint of their kind.",
            )
        )
    if expected.input_size is not None:
        sides = scanned[["width", "height"]].min(axis=1)
        small = sides < expected.input_size
        if small.mean() > 0.5:
            found.append(
                Finding.of(
                    NOTE,
                    "small",
                    f"{int(small.sum()):,} of {len(scanned):,} images are smaller than the "
                    f"{expected.input_size} pixels of the recipe for {expected.name} (median "
                    f"{float(sides.median()):.0f}): enlarging adds no detail; consider a smaller "
                    "image_size.",
                )
            )
    return found
