"""Findings about images that decode but look wrong: inverted, dark, constant or mixed."""

import numpy as np
import pandas as pd

from remedis.data.checks import scan
from remedis.data.checks.doctor.diagnosis import NOTE, WARNING, Expectation, Finding
from remedis.data.checks.pixel_measures import BINS
from remedis.errors import counted, some

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
# Below this correlation with `_FRONTAL` a radiograph looks inverted. None of 5,232 radiographs of
# children (Kermany et al. 2018) was below it, and all were when inverted; none of the 1,000 behind
# `_FRONTAL`, and 999 when inverted. The lowest correlations before inversion were 0.15 and 0.08.
_NEGATIVE = -0.1
# Images count as radiographs if half of them have at least this absolute correlation. The medians
# of the two sets are 0.61 and 0.82, those of synthetic histology and of noise 0.13 and 0.09.
_RADIOGRAPHS = 0.4
_LATERAL = ("LL", "RL", "LATERAL", "LAT", "L")
# An image whose brightest pixel is below this share of the range has lost bits during its export.
_DARK = 0.25
# A grey image with 98 % of its pixels in fewer neighbouring bins of the histogram, a quarter of the
# range, has no contrast. The least of 400 radiographs of each of the two sets above was 16 bins.
_NARROW_BINS = BINS // 4
_RARE = 0.01
# An image with a larger ratio of its sides is distorted when it is resized to a square.
_LONG = 1.5


def findings(
    table: pd.DataFrame, scanned: pd.DataFrame, expected: Expectation | None
) -> list[Finding]:
    """Returns findings about the appearance of readable images.

    Args:
      table: the manifest's table.
      scanned: the result of `scan` for the same rows.
      expected: the expectation of the checkpoint, if one is named.
    """
    result = [
        *_constant(scanned),
        *_dark(scanned),
        *_narrow(scanned),
        *_inverted(table, scanned),
        *_mixed(scanned),
    ]
    return result + (_unexpected(scanned, expected) if expected else [])


def similarity(thumbnails: np.ndarray) -> np.ndarray:
    """Returns the correlation of images with a frontal chest radiograph.

    Args:
      thumbnails: [n, 8, 8] grey values.

    Returns:
      [n] from -1 to 1, 0 for constant images.
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
        f"{counted(len(flat), 'image has', 'images have')} the same value in every pixel: "
        f"{some(flat.tolist()[:3], len(flat))}. Remove them, or check their export."
    )
    return [Finding.from_names(WARNING, "constant", sentence, flat)]


def _dark(scanned: pd.DataFrame) -> list[Finding]:
    dark = scanned[(scanned["high"] < _DARK) & (scanned["high"] > scanned["low"])]
    if dark.empty:
        return []
    deep = dark[dark["bits"] == 16]
    hint = "check their export."
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
    return [Finding.from_names(WARNING, "dark", sentence, dark["path"])]


def _narrow(scanned: pd.DataFrame) -> list[Finding]:
    """Returns a finding about grey images without contrast that are not dark.

    Tiles of glass are pale too, so sets of colour images are not judged.
    """
    if scanned["colour"].mean() > 0.5:
        return []
    shares = scan.histograms(scanned).cumsum(axis=1)
    first = (shares <= _RARE).sum(axis=1)
    last = (shares < 1 - _RARE).sum(axis=1)
    # Dark images are another finding, if they have no white mark, such as L or R.
    dark = (scanned["high"] < _DARK).to_numpy(dtype=bool)
    constant = (scanned["high"] == scanned["low"]).to_numpy(dtype=bool)
    narrow = (last - first < _NARROW_BINS) & ~dark & ~constant
    narrow &= ~scanned["colour"].to_numpy(dtype=bool)
    if not narrow.any():
        return []
    means = scanned["mean"][narrow].astype(float)
    sentence = (
        f"{int(narrow.sum()):,} of {len(scanned):,} images have hardly any contrast, 98 % of their "
        f"pixels in a quarter of the range of values around {means.median():.2f} of 1: "
        f"{some(scanned['path'][narrow].tolist()[:3], int(narrow.sum()))}. Compare them with a "
        "viewer, and check their export; of DICOM files check LUT, window and bits stored."
    )
    return [Finding.from_names(WARNING, "narrow", sentence, scanned["path"][narrow])]


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
    return [Finding.from_names(WARNING, "inverted", sentence, negative)]


def _mixed(scanned: pd.DataFrame) -> list[Finding]:
    result = []
    depths = scanned["bits"].dropna().unique()
    if len(depths) > 1:
        result.append(
            Finding(
                NOTE,
                "mixed_bits",
                f"Images have {some(sorted(int(b) for b in depths))} bits per channel; if the "
                "number depends on label, site or split, a model can learn it instead.",
            )
        )
    colour = int(scanned["colour"].sum())
    if 0 < colour < len(scanned):
        rare = scanned["colour"] if 2 * colour <= len(scanned) else ~scanned["colour"]
        kind = "colour" if 2 * colour <= len(scanned) else "grey"
        result.append(
            Finding.from_names(
                WARNING,
                "mixed_colour",
                f"{int(rare.sum()):,} of {len(scanned):,} images are {kind} and the others are "
                f"not: {some(scanned['path'][rare].tolist()[:3], int(rare.sum()))}. Check whether "
                "they belong to this data set.",
                scanned["path"][rare],
            )
        )
    sides = scanned[["width", "height"]].astype(float)
    ratio = np.maximum(sides["width"] / sides["height"], sides["height"] / sides["width"])
    if (long := ratio > _LONG).any():
        result.append(
            Finding.from_names(
                NOTE,
                "not_square",
                f"{counted(int(long.sum()), 'image is', 'images are')} more than {_LONG} times as "
                "long as wide or as wide as long; resizing makes them square and distorts them.",
                scanned["path"][long],
            )
        )
    return result


def _unexpected(scanned: pd.DataFrame, expected: Expectation) -> list[Finding]:
    result = []
    low, high = expected.value_range
    if (low, high) != (0.0, 1.0):
        result.append(
            Finding(
                WARNING,
                "value_range",
                f"{expected.name} expects values from {low:g} to {high:g}, and images are read as "
                "0 to 1; build the folder again with saved_models/build.py.",
            )
        )
    colour_share = float(scanned["colour"].mean())
    mismatch = {
        "path": (colour_share < 0.5, "stained tissue in colour", "grey"),
        "cxr": (colour_share > 0.5, "grey radiographs", "in colour"),
    }.get(expected.data_type or "")
    if mismatch is not None and mismatch[0]:
        result.append(
            Finding(
                WARNING,
                "other_images",
                f"{expected.name} was pretrained on {mismatch[1]}, and most of these images are "
                f"{mismatch[2]}; choose a checkpoint of their kind.",
            )
        )
    if expected.input_size is not None:
        sides = scanned[["width", "height"]].min(axis=1)
        small = sides < expected.input_size
        if small.mean() > 0.5:
            result.append(
                Finding(
                    NOTE,
                    "small",
                    f"{int(small.sum()):,} of {len(scanned):,} images are smaller than the "
                    f"{expected.input_size} pixels of the recipe for {expected.name} (median "
                    f"{float(sides.median()):.0f}): enlarging adds no detail; consider a smaller "
                    "image_size.",
                )
            )
    return result
