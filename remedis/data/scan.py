"""One look at every file before training: is it there, does it decode, what is its hash."""

import contextlib
import hashlib
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import tensorflow as tf
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from remedis import files
from remedis.data import text
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.preprocess import decode

COLUMNS = ("path", "size", "mtime_ns", "sha256", "height", "width", "fault")
_KEY = ["file", "size", "mtime_ns"]
_FOUND = ["sha256", "height", "width", "fault"]
# The cache is written after so many files, so that a killed scan loses little.
_BATCH = 10_000
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

_decode = tf.function(decode.decode_image, input_signature=[tf.TensorSpec([], tf.string)])


def scan(
    manifest: Manifest, cache: files.Path | None = None, workers: int | None = None
) -> pd.DataFrame:
    """Reads, hashes and decodes every image of a manifest.

    Args:
      manifest: the images.
      cache: a parquet file that remembers what was found, by path, size and time of modification.
        Made if absent, replaced if unreadable; entries of other manifests are kept.
      workers: threads; twice the number of processors if not given.

    Returns:
      One row an image, in the order of the manifest: `path` as in the manifest, `size` in bytes,
      `mtime_ns`, `sha256` of the bytes, `height`, `width` in pixels, and `fault`: one sentence
      about what is wrong, missing if nothing is. Unknown values are missing.
    """
    table = _stat(manifest)
    known = _read_cache(cache)
    merged = table.merge(known, on=_KEY, how="left", validate="many_to_one", indicator=True)
    is_new = (merged["_merge"] == "left_only") & merged["stat_fault"].isna()
    todo = table[is_new.to_numpy(dtype=bool)].drop_duplicates("file")
    found = [known]
    with (
        _progress(len(todo), len(table)) as advance,
        ThreadPoolExecutor(workers or 2 * (os.cpu_count() or 1)) as threads,
    ):
        for start in range(0, len(todo), _BATCH):
            batch = todo.iloc[start : start + _BATCH]
            seen = []
            for outcome in threads.map(_examine, batch["file"]):
                seen.append(outcome)
                advance()
            fresh = pd.DataFrame(seen, columns=_FOUND, index=batch.index)
            found.append(_typed(batch[_KEY].join(fresh)))
            _write_cache(cache, found)
    result = table.merge(pd.concat(found), on=_KEY, how="left", validate="many_to_one")
    result["fault"] = result["stat_fault"].fillna(result["fault"])
    return result[list(COLUMNS)]


def quarantine(
    manifest: Manifest, scanned: pd.DataFrame, limit: float, report: files.Path
) -> tuple[Manifest, pd.DataFrame]:
    """Takes images that cannot be used out of a manifest, lists them, and stops at too many.

    Args:
      manifest: the images.
      scanned: what `scan` returned for them.
      limit: the largest share of bad images to go on with, 0 to 1.
      report: CSV file the bad images are listed in; written only if there are any.

    Returns:
      The manifest without the bad images, and the list: `path` and `fault`, one sentence each.

    Raises:
      UserError: more than `limit` of the images are bad, or all of them.
    """
    bad = scanned.loc[scanned["fault"].notna(), ["path", "fault"]].reset_index(drop=True)
    if not len(bad):
        return manifest, bad
    with files.whole_file(report) as temporary:
        bad.to_csv(temporary, index=False)
    if len(bad) > limit * len(manifest) or len(bad) == len(manifest):
        listed = (bad["path"] + " (" + bad["fault"].str.rstrip(".") + ")").tolist()
        raise UserError(
            f"{len(bad):,} of {len(manifest):,} images cannot be used, more than the limit of "
            f"{limit:.1%}. {text.some(listed, limit=3)}. All are listed in {report}; mend or "
            "remove them, or raise the limit."
        )
    return manifest.without(bad["path"].tolist()), bad


def _stat(manifest: Manifest) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for path, file in zip(manifest.table["path"], manifest.absolute_paths(), strict=True):
        # Absolute, so that a cache means the same wherever a program is started from.
        file = os.path.abspath(file)
        try:
            status = os.stat(file)
        except OSError as error:
            rows.append((path, file, None, None, f"There is no such file ({error.strerror})."))
            continue
        rows.append((path, file, status.st_size, status.st_mtime_ns, None))
    columns = ["path", *_KEY, "stat_fault"]
    # By way of objects: nanoseconds do not fit in a float.
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return _typed(table)


def _examine(file: str) -> tuple[str | None, int | None, int | None, str | None]:
    """Returns hash, height, width and fault of one file."""
    try:
        contents = pathlib.Path(file).read_bytes()
    except OSError as error:
        return None, None, None, f"The file cannot be read ({error.strerror})."
    digest = hashlib.sha256(contents).hexdigest()
    try:
        # On the CPU, where training decodes as well; a copy to an accelerator serves nobody.
        with tf.device("CPU"):
            height, width, _ = _decode(tf.constant(contents)).shape
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        return digest, None, None, _fault(contents)
    return digest, height, width, None


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
    numbers = ("size", "mtime_ns", "height", "width")
    types = {c: pd.Int64Dtype() if c in numbers else text.STRING for c in table.columns}
    return table.astype(types)


def _read_cache(cache: files.Path | None) -> pd.DataFrame:
    empty = _typed(pd.DataFrame({name: [] for name in [*_KEY, *_FOUND]}, dtype=object))
    if cache is None or not pathlib.Path(cache).is_file():
        return empty
    try:
        return _typed(pd.read_parquet(cache)[[*_KEY, *_FOUND]]).drop_duplicates(_KEY)
    # Whatever is wrong with a cache, the files themselves are still there to be looked at.
    except Exception as error:
        print(f"Scanning anew: {cache} cannot be read ({error}).", file=sys.stderr)
        return empty


def _write_cache(cache: files.Path | None, found: list[pd.DataFrame]) -> None:
    if cache is not None:
        # Of a file that changed, only what was found last is worth keeping.
        table = pd.concat(found).drop_duplicates("file", keep="last")
        # A file that could not be read may become readable without changing.
        table = table[table["sha256"].notna()]
        with files.whole_file(cache) as temporary:
            table.to_parquet(temporary, index=False)


@contextlib.contextmanager
def _progress(new: int, total: int) -> Iterator[Callable[[], None]]:
    """Yields what to call after each file; a bar on a terminal, a line elsewhere."""
    console = Console(stderr=True)
    if not new or not console.is_terminal:
        if new:
            print(f"Scanning {new:,} images, {total - new:,} are known.", file=sys.stderr)
        yield lambda: None
        return
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Scanning images", total=new)
        yield lambda: progress.advance(task)
