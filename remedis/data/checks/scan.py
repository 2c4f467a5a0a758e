"""One look at every image before training: is it there, does it decode, what is in it."""

import hashlib
import math
import os
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf

from remedis import files
from remedis.data import readers
from remedis.data.checks import near_duplicates
from remedis.data.manifest import Manifest
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, some
from remedis.preprocess import decode
from remedis.progress import progress

# To be raised when decoding or a column changes: what older versions found is then looked for anew.
VERSION = 2
BINS = 32
THUMBNAIL = 8
# Pixels that colour, range and histogram are taken from, at most: a regular grid of the image's.
SAMPLE = 16_384

_KEY = ["file", "item", "size", "mtime_ns"]
_BYTES = pd.ArrowDtype(pa.binary())
_FOUND = {
    "sha256": STRING,
    "height": pd.Int64Dtype(),
    "width": pd.Int64Dtype(),
    "channels": pd.Int64Dtype(),
    "bits": pd.Int64Dtype(),
    "colour": pd.BooleanDtype(),
    "low": pd.Float64Dtype(),
    "high": pd.Float64Dtype(),
    "mean": pd.Float64Dtype(),
    "histogram": _BYTES,
    "thumbnail": _BYTES,
    "phash": STRING,
    "fault": STRING,
}
COLUMNS = ("path", "size", "mtime_ns", *_FOUND)
# The cache is written after so many files, so that a killed scan loses little.
_BATCH = 10_000
_HANDFUL = 16
# First bytes of formats that users bring, at an offset.
_FORMATS = (
    (128, b"DICM", "a DICOM file"),
    (0, b"GIF8", "a GIF file"),
    (0, b"BM", "a BMP file"),
    (0, b"II*\0", "a TIFF file"),
    (0, b"MM\0*", "a TIFF file"),
    (8, b"WEBP", "a WebP file"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 file"),
)
# Of a PNG: behind signature (8), length and name of the header chunk (8), width and height (8).
_PNG_DEPTH = 24
# Of red, green and blue: luma of Recommendation ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)
# Mean distance between the darkest and the brightest channel above which an image has colour.
_COLOUR = 0.02

Found = dict[str, Any]


def scan(manifest: Manifest, cache: files.Path | None = None) -> pd.DataFrame:
    """Reads, hashes, decodes and measures every image of a manifest.

    Args:
      manifest: the images.
      cache: a parquet file that remembers what was found, by path, size and time of modification.
        Made if absent, replaced if unreadable or of an older version; entries of other manifests
        are kept.

    Returns:
      One row an image, in the order of the manifest. Unknown values are missing.

      - `path` as in the manifest, `size` in bytes and `mtime_ns` of the file that holds it;
      - `sha256` of the encoded image; of type, shape and pixels where a container has no encoded
        one;
      - `height`, `width` in pixels, `channels` (1 or 3) and `bits` a channel as they are stored;
        `bits` is missing for DICOM files, whose values are converted;
      - `colour`: whether the three channels differ;
      - `low`, `high`, `mean` of the grey values (BT.601 luma), 0 to 1 as training reads them; the
        extremes are those of a sample of up to `SAMPLE` pixels;
      - `histogram`: shares of the grey values of that sample in 32 bins, see `histograms`;
      - `thumbnail`: the grey image averaged to 8 x 8 pixels, see `thumbnails`;
      - `phash`: see `near_duplicates.difference_hash`;
      - `fault`: one sentence about what is wrong, missing if nothing is.
    """
    table = _stat(manifest)
    known = _read_cache(cache)
    merged = table.merge(known, on=_KEY, how="left", validate="many_to_one", indicator=True)
    is_new = (merged["_merge"] == "left_only") & merged["stat_fault"].isna()
    todo = table[is_new.to_numpy(dtype=bool)].drop_duplicates(["file", "item"])
    found = [known]
    if not len(todo):
        return _joined(table, found)
    print(f"Scanning {len(todo):,} images, {len(table) - len(todo):,} are known.", file=sys.stderr)
    done = 0
    with (
        progress("Scanning images", len(todo)) as report,
        # More threads than processors wait for each other in Python.
        ThreadPoolExecutor(os.cpu_count() or 1) as threads,
    ):
        for start in range(0, len(todo), _BATCH):
            batch = todo.iloc[start : start + _BATCH]
            items = ("#" + batch["item"]).where(batch["item"] != "", "")
            names = (batch["file"] + items).tolist()
            seen: list[Found] = []
            # Several at a time: a thread that hands over each image waits as long as it works.
            for some in threads.map(
                lambda few: [_examine(name) for name in few],
                [names[i : i + _HANDFUL] for i in range(0, len(names), _HANDFUL)],
            ):
                seen += some
                done += len(some)
                report(done, "")
            fresh = pd.DataFrame(seen, columns=list(_FOUND), index=batch.index, dtype=object)
            found.append(_typed(batch[_KEY].join(fresh)))
            _write_cache(cache, found)
    return _joined(table, found)


def histograms(scanned: pd.DataFrame) -> np.ndarray:
    """Returns the histograms of scanned images, [rows, 32] float32, summing to 1 (NaN if unknown).

    Bin i counts grey values from i/32 to (i + 1)/32, the last with 1.
    """
    counts = _unpacked(scanned["histogram"], np.dtype("<u2"), BINS)
    return counts / counts.sum(axis=1, keepdims=True)


def thumbnails(scanned: pd.DataFrame) -> np.ndarray:
    """Returns the images averaged to [rows, 8, 8] float32 grey values in [0, 1]; NaN if unknown."""
    pixels = _unpacked(scanned["thumbnail"], np.dtype("u1"), THUMBNAIL * THUMBNAIL) / 255
    return pixels.reshape(-1, THUMBNAIL, THUMBNAIL)


def quarantine(
    manifest: Manifest, scanned: pd.DataFrame, limit: float, report: files.Path
) -> tuple[Manifest, pd.DataFrame]:
    """Takes images that cannot be used out of a manifest, lists them, and stops at too many.

    Args:
      manifest: the images.
      scanned: what `scan` returned for them.
      limit: the largest share of bad images to go on with, 0 to 1.
      report: CSV file the bad images are listed in; written only if there are any. If there
        are none, that of an earlier run is removed.

    Returns:
      The manifest without the bad images, and the list: `path` and `fault`, one sentence each.

    Raises:
      UserError: more than `limit` of the images are bad, or all of them.
    """
    bad = scanned.loc[scanned["fault"].notna(), ["path", "fault"]].reset_index(drop=True)
    if not len(bad):
        pathlib.Path(report).unlink(missing_ok=True)
        return manifest, bad
    with files.whole_file(report) as temporary:
        bad.to_csv(temporary, index=False)
    if len(bad) > limit * len(manifest) or len(bad) == len(manifest):
        listed = (bad["path"] + " (" + bad["fault"].str.rstrip(".") + ")").tolist()
        raise UserError(
            f"{len(bad):,} of {len(manifest):,} images cannot be used, more than the limit of "
            f"{limit:.1%}. {some(listed, limit=3)}. All are listed in {report}; mend or "
            "remove them, or raise the limit."
        )
    return manifest.without(bad["path"].tolist()), bad


def _joined(table: pd.DataFrame, found: list[pd.DataFrame]) -> pd.DataFrame:
    """Returns what was found of every image of `table`, the result of `_stat`."""
    result = table.merge(pd.concat(found), on=_KEY, how="left", validate="many_to_one")
    result["fault"] = result["stat_fault"].fillna(result["fault"])
    return result[list(COLUMNS)]


def _stat(manifest: Manifest) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    seen: dict[str, tuple[object, ...]] = {}
    for path, name in zip(manifest.table["path"], manifest.absolute_paths(), strict=True):
        location = readers.locate(name)
        # One container holds many images.
        if location.file not in seen:
            seen[location.file] = _status(location.file)
        file, size, mtime_ns, fault = seen[location.file]
        rows.append((path, file, location.item, size, mtime_ns, fault))
    # By way of objects: nanoseconds do not fit in a float.
    return _typed(pd.DataFrame(rows, columns=["path", *_KEY, "stat_fault"], dtype=object))


def _status(file: str) -> tuple[object, ...]:
    # Absolute, so that a cache means the same wherever a program is started from.
    file = os.path.abspath(file)
    try:
        status = os.stat(file)
    except OSError as error:
        return file, None, None, f"There is no such file ({error.strerror})."
    return file, status.st_size, status.st_mtime_ns, None


def _examine(name: str) -> Found:
    """Returns what was found of one image, by column; `name` is its absolute path."""
    location = readers.locate(name)
    contents = b""
    found: Found = {}
    try:
        # On the CPU, where training decodes as well; a copy to an accelerator serves nobody.
        with tf.device("CPU"):
            if location.kind == readers.PIXELS:
                assert location.reader is not None
                pixels = location.reader.read_pixels(location.file, location.item)
                digest = hashlib.sha256(f"{pixels.dtype.str} {pixels.shape} ".encode())
                digest.update(pixels.tobytes())
                found["sha256"] = digest.hexdigest()
                if pixels.dtype.kind == "u":  # floats were converted, and from what is not said
                    found["bits"] = 8 * pixels.dtype.itemsize
                return found | _measured(pixels)
            contents = location.read_bytes()
            found["sha256"] = hashlib.sha256(contents).hexdigest()
            is_png = contents.startswith(decode.PNG_SIGNATURE)
            if not is_png and not contents.startswith(decode.JPEG_SIGNATURE):
                return found | {"fault": _fault(contents)}
            # A PNG cut off before its depth does not decode either way.
            found["bits"] = contents[_PNG_DEPTH] if is_png and len(contents) > _PNG_DEPTH else 8
            return found | _measured(_decoded(contents, found["bits"]))
    except readers.Unreadable as error:
        return {"fault": str(error)}
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        return {"sha256": found.get("sha256"), "fault": _fault(contents)}


def _decoded(contents: bytes, bits: int) -> np.ndarray:
    """Returns the pixels that `decode.decode_image` scales, [H, W, channels] uint8 or uint16."""
    # The kernels alone, with the channels an image is stored with: a graph that gives three float
    # channels would take twice as long.
    if bits == 16:
        image = tf.raw_ops.DecodePng(contents=contents, channels=0, dtype=tf.uint16)
    else:
        image = tf.raw_ops.DecodeJpeg(contents=contents, channels=0, dct_method="INTEGER_ACCURATE")
    pixels: np.ndarray = image.numpy()
    return pixels


def _measured(pixels: np.ndarray) -> Found:
    """Returns what is measured of an image, [H, W, channels] uint8, uint16 or float32 in [0, 1]."""
    height, width, channels = pixels.shape
    # Alpha is dropped, as `decode_image` does.
    pixels = pixels[..., :1] if channels < 3 else pixels[..., :3]
    top = np.float32(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)
    step = math.ceil(math.sqrt(height * width / SAMPLE))
    planes = [np.ascontiguousarray(pixels[::step, ::step, i]) for i in range(pixels.shape[2])]
    spread = _spread(planes)
    grey = (_luma(planes) if spread else planes[0].astype(np.float32)) / top
    bins = np.minimum((grey * BINS).astype(np.uint8), BINS - 1)
    cells = _averaged(pixels, near_duplicates.GRID)
    grid = _luma([cells[..., i] for i in range(cells.shape[2])]) / top
    thumbnail = _averaged(grid[..., None], (THUMBNAIL, THUMBNAIL))
    return {
        "height": height,
        "width": width,
        "channels": pixels.shape[2],
        "colour": bool(spread > _COLOUR * top),
        "low": float(grey.min()),
        "high": float(grey.max()),
        "mean": float(grid.mean()),
        "histogram": np.bincount(bins.ravel(), minlength=BINS).astype("<u2").tobytes(),
        "thumbnail": np.rint(thumbnail * 255).astype(np.uint8).tobytes(),
        "phash": near_duplicates.difference_hash(grid),
    }


def _spread(planes: list[np.ndarray]) -> float:
    """Returns the mean distance between the darkest and the brightest channel of 1 or 3."""
    if len(planes) == 1:
        return 0.0
    darkest = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
    return float((np.maximum(np.maximum(planes[0], planes[1]), planes[2]) - darkest).mean())


def _luma(planes: list[np.ndarray]) -> np.ndarray:
    """Returns the grey image of 1 or 3 channels [H, W], as float32."""
    if len(planes) == 1:
        return planes[0].astype(np.float32)
    red, green, blue = (p.astype(np.float32) * w for p, w in zip(planes, _LUMA, strict=True))
    return red + green + blue


def _averaged(pixels: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Returns the image [H, W, channels] averaged to `cells` rows and columns, float64.

    By area, pixels on an edge counting in part for both sides: the same for every size of an image.
    """
    rows = _summed(pixels, cells[0])
    summed = _summed(rows.swapaxes(0, 1), cells[1]).swapaxes(0, 1)
    return summed * (cells[0] * cells[1] / (pixels.shape[0] * pixels.shape[1]))


def _summed(values: np.ndarray, cells: int) -> np.ndarray:
    """Returns sums over `cells` equal parts of the first axis, float64."""
    # Whole numbers are added as such, several times faster than as floats.
    kind = np.uint32 if values.dtype.kind == "u" else np.float64
    edges = np.arange(cells + 1) * len(values) / cells
    whole = edges.astype(np.intp)
    whole_rows = np.empty((cells, *values.shape[1:]), kind)
    # One cell at a time: `np.add.reduceat` takes five times as long.
    for i in range(cells):
        np.add.reduce(values[whole[i] : whole[i + 1]], axis=0, dtype=kind, out=whole_rows[i])
    result = whole_rows.astype(np.float64)
    share = edges - whole
    if share.any():
        at_edge = values[whole[:-1]] * share[:-1].reshape(-1, *[1] * (values.ndim - 1))
        result -= at_edge
        result[:-1] += at_edge[1:]
    return result


def _fault(contents: bytes) -> str:
    if not contents:
        return "The file is empty."
    for signature, name in ((decode.JPEG_SIGNATURE, "JPEG"), (decode.PNG_SIGNATURE, "PNG")):
        if contents.startswith(signature):
            return f"The {name} file is truncated or damaged."
    for offset, magic, name in _FORMATS:
        if contents[offset : offset + len(magic)] == magic:
            return f"This is {name}; expected JPEG or PNG."
    return "This is not an image; expected JPEG or PNG."


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    types = _FOUND | {"size": pd.Int64Dtype(), "mtime_ns": pd.Int64Dtype()}
    return table.astype({c: types.get(c, STRING) for c in table.columns})


def _unpacked(column: pd.Series, kind: np.dtype, width: int) -> np.ndarray:
    """Returns numbers packed as bytes as [rows, width] float32, NaN where they are missing."""
    result = np.full((len(column), width), np.nan, np.float32)
    known = column.notna().to_numpy(dtype=bool)
    packed = b"".join(column[known])
    result[known] = np.frombuffer(packed, kind).reshape(-1, width)
    return result


def _read_cache(cache: files.Path | None) -> pd.DataFrame:
    columns = [*_KEY, *_FOUND]
    empty = _typed(pd.DataFrame({name: [] for name in columns}, dtype=object))
    if cache is None or not pathlib.Path(cache).is_file():
        return empty
    try:
        table = pd.read_parquet(cache)
        if "version" not in table or (table["version"] != VERSION).any():
            print(f"Scanning anew: {cache} was made by another version.", file=sys.stderr)
            return empty
        return _typed(table[columns]).drop_duplicates(_KEY)
    # Whatever is wrong with a cache, the files themselves are still there to be looked at.
    except Exception as error:
        print(f"Scanning anew: {cache} cannot be read ({error}).", file=sys.stderr)
        return empty


def _write_cache(cache: files.Path | None, found: list[pd.DataFrame]) -> None:
    if cache is not None:
        # Of a file that changed, only what was found last is worth keeping.
        table = pd.concat(found).drop_duplicates(["file", "item"], keep="last")
        # A file that could not be read may become readable without changing.
        table = table[table["sha256"].notna()]
        with files.whole_file(cache) as temporary:
            table.assign(version=VERSION).to_parquet(temporary, index=False)
