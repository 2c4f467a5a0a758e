"""The scan of all images before training: presence, decoding and measures, kept in a cache."""

import dataclasses
import errno
import logging
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa

from remedis import csv_text, files, limits, parquet_files, regular_files
from remedis.data import readers, similar_paths
from remedis.data.checks import look_hashes
from remedis.data.checks.measure import measure
from remedis.data.checks.pixel_measures import BINS, THUMBNAIL, Measures
from remedis.data.manifest import Manifest
from remedis.data.scanned_files import ScannedFiles
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, counted, quoted, some
from remedis.progress import progress

_LOG = logging.getLogger(__name__)

# Raise it when decoding or a column changes: caches of older versions are then ignored.
VERSION = 5

_KEY = ["file", "item", "size", "mtime_ns"]
_BYTES = pd.ArrowDtype(pa.binary())
_MEASURES = {
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
    "look": _BYTES,
    "fault": STRING,
}
# Bytes per value.
_PACKED = {
    "histogram": 2 * BINS,
    "thumbnail": THUMBNAIL * THUMBNAIL,
    "look": len(look_hashes.CROPS) * look_hashes.BYTES,
}
COLUMNS = ("path", "size", "mtime_ns", *_MEASURES)
# The cache is written after every batch of images, so that a killed scan loses little.
_BATCH = 10_000
_MISSING = "There is no such file"
# Images per task of a thread: with one image per task, a thread would wait as long as it works.
_PER_TASK = 16


def scan(
    manifest: Manifest, cache: files.Path | None = None, *, quiet: bool = False
) -> pd.DataFrame:
    """Reads, hashes, decodes and measures every image of a manifest.

    Args:
      manifest: the images.
      cache: a parquet file that remembers the measures by path, size and time of modification. It
        is made if absent and replaced if unreadable or of an older version; its entries of other
        manifests stay.
      quiet: whether nothing is said about the number of images.

    Returns:
      One row per image, in the order of the manifest. Unknown values are missing.

      - `path` as in the manifest, `size` in bytes and `mtime_ns` of the file that holds it;
      - `sha256` of the encoded image; of type, shape and pixels where a container has no encoded
        one;
      - `height`, `width` in pixels, `channels` (1 or 3) and `bits` per channel as they are stored;
        `bits` is missing for DICOM files, whose values are converted;
      - `colour`: whether the three channels differ;
      - `low`, `high`, `mean` of the grey values (BT.601 luma), 0 to 1 as training reads them; the
        extremes are those of a sample of up to `pixel_measures.SAMPLE` pixels;
      - `histogram`: shares of the grey values of that sample in 32 bins, see `histograms`;
      - `thumbnail`: the grey image averaged to 8 x 8 pixels, see `thumbnails`;
      - `phash`: see `near_duplicates.difference_hash`;
      - `look`: see `look_hashes.look_hash`;
      - `fault`: one sentence about what is wrong, missing if nothing is.
    """
    table = _stat(manifest)
    known = _read_cache(cache)
    merged = table.merge(known, on=_KEY, how="left", validate="many_to_one", indicator=True)
    is_new = (merged["_merge"] == "left_only") & merged["stat_fault"].isna()
    new = table[is_new.to_numpy(dtype=bool)].drop_duplicates(["file", "item"])
    measured = [known]
    if not len(new):
        return _joined(table, measured)
    if not quiet:
        known_before = len(table) - len(new)
        _LOG.info(f"Scanning {counted(len(new), 'image')}; {known_before:,} known before.")
    done = 0
    with (
        progress("Scanning", len(new)) as report,
        # More threads than processors wait for each other in Python.
        ThreadPoolExecutor(os.cpu_count() or 1) as threads,
    ):
        for start in range(0, len(new), _BATCH):
            batch = new.iloc[start : start + _BATCH]
            items = ("#" + batch["item"]).where(batch["item"] != "", "")
            names = (batch["file"] + items).tolist()
            rows: list[Measures] = []
            tasks = [names[i : i + _PER_TASK] for i in range(0, len(names), _PER_TASK)]
            for measures in threads.map(measure, tasks):
                rows += measures
                done += len(measures)
                report(done, "images")
            fresh = pd.DataFrame(rows, columns=list(_MEASURES), index=batch.index, dtype=object)
            measured.append(_typed(batch[_KEY].join(fresh)))
            _write_cache(cache, measured)
    return _joined(table, measured)


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
    """Removes images that cannot be used from a manifest and lists them; too many are an error.

    Args:
      manifest: the images.
      scanned: the result of `scan` for them.
      limit: the largest share of bad images that is accepted, 0 to 1.
      report: CSV file that lists the bad images; written only if there are any. If there are none,
        the list of an earlier run is removed.

    Returns:
      The manifest without the bad images, which knows its files as they were scanned
      (`Manifest.check_unchanged`), and the list: `path` and `fault`, one sentence each.

    Raises:
      UserError: more than `limit` of the images are bad, or all of them.
    """
    bad = _listed(scanned, report)
    if not len(bad):
        return _with_files(manifest, scanned), bad
    if len(bad) > limit * len(manifest) or len(bad) == len(manifest):
        listed = (bad["path"] + " (" + bad["fault"].str.rstrip(".") + ")").tolist()
        similar = about_missing_files(manifest.root, bad)
        raise UserError(
            f"{len(bad):,} of {len(manifest):,} images cannot be used, more than the limit of "
            f"{limit:.1%}. {some(listed, limit=3)}. {similar and similar + ' '}All are listed in "
            f"{report}; repair or remove them, or raise the limit."
        )
    good = scanned[scanned["fault"].isna()]
    return _with_files(manifest.without(bad["path"].tolist()), good), bad


def _listed(scanned: pd.DataFrame, report: files.Path) -> pd.DataFrame:
    """Returns `path` and `fault` of bad images; writes the list, or removes that of earlier."""
    bad = scanned.loc[scanned["fault"].notna(), ["path", "fault"]].reset_index(drop=True)
    if not len(bad):
        pathlib.Path(report).unlink(missing_ok=True)
    else:
        files.write_text(report, csv_text.from_frame(bad))
    return bad


@dataclasses.dataclass(frozen=True, eq=False)
class Readable:
    """The images of a manifest that can be read, and the others.

    Attributes:
      manifest: the images that can be read; it knows its files as they were scanned.
      scanned: the rows of `scan` for these images, in their order.
      bad: `path` and `fault` of the others, one sentence each.
    """

    manifest: Manifest
    scanned: pd.DataFrame
    bad: pd.DataFrame


def bad_images_file(out: files.Path) -> pathlib.Path:
    """Returns the file that lists unreadable images beside an output: `OUT.bad_images.csv`."""
    path = pathlib.Path(out)
    return path.with_name(f"{path.name}.bad_images.csv")


def readable(
    manifest: Manifest,
    report: files.Path,
    cache: files.Path | None = None,
    limit: float | None = None,
) -> Readable:
    """Returns the images that can be read, for what needs no labels and goes on with the rest.

    Args:
      manifest: the images.
      report: CSV file that lists unreadable images, as for `quarantine`.
      cache: as for `scan`.
      limit: the largest share of unreadable images that is accepted; None for any below all.

    Raises:
      UserError: there are no images, none can be read, or more than `limit` cannot.
    """
    if not len(manifest):
        raise UserError(f"{manifest.source} has no images.")
    scanned = scan(manifest, cache)
    good = scanned["fault"].isna()
    if limit is None and not good.any():
        _listed(scanned, report)
        first = scanned["fault"].iloc[0].rstrip(".")
        raise UserError(
            f"None of the {counted(len(manifest), 'image')} of {manifest.source} can be read: "
            f"{scanned['path'].iloc[0]} ({first}). All are listed in {report}; repair or replace "
            "them."
        )
    kept, bad = quarantine(manifest, scanned, 1.0 if limit is None else limit, report)
    return Readable(kept, scanned[good].reset_index(drop=True), bad)


def _with_files(manifest: Manifest, scanned: pd.DataFrame) -> Manifest:
    """Returns the manifest with size and time of its files; `scanned` has its rows in its order."""
    sizes, mtimes_ns = (scanned[name].to_numpy(dtype=np.int64) for name in ("size", "mtime_ns"))
    seen = ScannedFiles(manifest.absolute_paths(), sizes, mtimes_ns)
    return manifest.with_scanned(seen)


def about_missing_files(root: files.Path, bad: pd.DataFrame) -> str:
    """Returns a sentence about the files that missing paths may mean; empty if there are none.

    Args:
      root: the directory that paths are relative to.
      bad: `path` and `fault` of bad images.
    """
    missing = bad.loc[bad["fault"].str.startswith(_MISSING), "path"].tolist()
    return similar_paths.sentence(root, missing)


def _joined(table: pd.DataFrame, measured: list[pd.DataFrame]) -> pd.DataFrame:
    """Returns `table`, the result of `_stat`, with the measures of its images."""
    result = table.merge(pd.concat(measured), on=_KEY, how="left", validate="many_to_one")
    result["fault"] = result["stat_fault"].fillna(result["fault"])
    # The measures of earlier scans are known, but the limit may be another.
    sides = result[["height", "width"]].fillna(0).to_numpy(dtype=np.int64)
    known = result["fault"].isna().to_numpy(dtype=bool)
    for row in np.flatnonzero(known & (sides.prod(axis=1) > limits.max_pixels())):
        result.loc[row, "fault"] = limits.refusal(*sides[row].tolist())
    return result[list(COLUMNS)]


def _stat(manifest: Manifest) -> pd.DataFrame:
    """Returns file, item, size and time of each image, and `stat_fault` if there is no file."""
    rows: list[tuple[object, ...]] = []
    status: dict[str, tuple[object, ...]] = {}
    similar = similar_paths.SimilarFiles(manifest.root)
    for path, name in zip(manifest.table["path"], manifest.absolute_paths(), strict=True):
        location = readers.locate(name)
        # A container holds many images.
        if location.file not in status:
            status[location.file] = _status(location)
        file, size, mtime_ns, fault = status[location.file]
        if str(fault).startswith(_MISSING) and (found := similar.find(path)) is not None:
            fault = f"{str(fault).rstrip('.')}; did you mean {quoted(found)}?"
        rows.append((path, file, location.item, size, mtime_ns, fault))
    # As objects: a column of floats would round nanoseconds.
    return _typed(pd.DataFrame(rows, columns=["path", *_KEY, "stat_fault"], dtype=object))


def _status(location: readers.Location) -> tuple[object, ...]:
    # Absolute, so that a cache serves programs started in any directory.
    file = os.path.abspath(location.file)
    # A container is read in part, and may be larger.
    most = limits.max_encoded_bytes() if location.kind == readers.FILE else None
    try:
        status = regular_files.check_regular(file, most)
    except (FileNotFoundError, NotADirectoryError) as error:
        return file, None, None, f"{_MISSING} ({error.strerror})."
    except OSError as error:
        reason = "a loop of symbolic links" if error.errno == errno.ELOOP else error.strerror
        return file, None, None, f"The file cannot be read ({reason})."
    return file, status.st_size, regular_files.modified_ns(status), None


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    types = _MEASURES | {"size": pd.Int64Dtype(), "mtime_ns": pd.Int64Dtype()}
    return table.astype({c: types.get(c, STRING) for c in table.columns})


def _unpacked(column: pd.Series, kind: np.dtype, width: int) -> np.ndarray:
    """Returns numbers packed as bytes as [rows, width] float32, NaN where they are missing."""
    result = np.full((len(column), width), np.nan, np.float32)
    known = column.notna().to_numpy(dtype=bool)
    packed = b"".join(column[known])
    result[known] = np.frombuffer(packed, kind).reshape(-1, width)
    return result


def _read_cache(cache: files.Path | None) -> pd.DataFrame:
    columns = [*_KEY, *_MEASURES]
    empty = _typed(pd.DataFrame({name: [] for name in columns}, dtype=object))
    if cache is None or not pathlib.Path(cache).is_file():
        return empty
    try:
        table = parquet_files.read(cache, (), "it is made again")
        if "version" not in table or (table["version"] != VERSION).any():
            _LOG.warning(f"Scanning all images again: {cache} was made by another version.")
            return empty
        for name, size in _PACKED.items():
            if not (table[name].dropna().map(len) == size).all():
                raise ValueError(f"values of {name} have other sizes than {size} bytes")
        return _typed(table[columns]).drop_duplicates(_KEY)
    # A damaged cache raises nearly everything, and the images themselves can still be read.
    except Exception as error:
        _LOG.warning(f"Scanning all images again: {cache} cannot be read ({error}).")
        return empty


def _write_cache(cache: files.Path | None, measured: list[pd.DataFrame]) -> None:
    if cache is not None:
        # A file that changed keeps its last measures only.
        table = pd.concat(measured).drop_duplicates(["file", "item"], keep="last")
        # A file that could not be read may become readable without changing.
        table = table[table["sha256"].notna()]
        with files.whole_file(cache) as temporary:
            table.assign(version=VERSION).to_parquet(temporary, index=False)
