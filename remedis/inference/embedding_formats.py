"""The formats of a file of embeddings: Parquet, NPZ, HDF5 and Zarr.

Each holds the same: columns of ids and labels, one value per image; `embedding`, [images, C]
float32; and the record, a JSON text. The same content gives the same bytes at any time.

No reader takes more memory than the size of the file explains: repeated values and holes, by which
a file of a kilobyte can declare gigabytes, are refused.
"""

import dataclasses
import math
import pathlib
import urllib.parse
import zipfile
from collections.abc import Callable
from typing import Any, Literal

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from typing_extensions import TypedDict

from remedis import extras, files, hdf5_files, json_records
from remedis.data.tables.strings import STRING, blank_as_missing
from remedis.errors import Damaged, counted
from remedis.npz_files import MAX_RATIO, NpzFile
from remedis.regular_files import open_regular

EMBEDDING = "embedding"
RECORD = "record"
_KEY = b"remedis"  # of the record in Parquet's metadata
_ADVICE = "make it again with `remedis embed`"
_CHUNK_ROWS = 4096  # of a Zarr file


class WrongContent(ValueError):
    """A file is of the right format, and does not hold embeddings; the message is the reason."""


@dataclasses.dataclass(frozen=True, eq=False)
class Content:
    """What a file of embeddings holds.

    Attributes:
      table: one row per image; texts, missing where unknown, and numbers.
      rows: [images, C] float32.
      record: a JSON text.
    """

    table: pd.DataFrame
    rows: np.ndarray
    record: str


@dataclasses.dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
      write: writes a file at an empty path; of a folder, into it.
      read: returns the content; raises nearly anything for a damaged file.
      folder: whether it is a folder.
      modules: optional packages that it needs, with the extra that has them.
    """

    write: Callable[[pathlib.Path, Content], None]
    read: Callable[[pathlib.Path], Content]
    folder: bool = False
    modules: tuple[tuple[str, str], ...] = ()


def _write_parquet(path: pathlib.Path, content: Content) -> None:
    table = pa.Table.from_pandas(content.table, preserve_index=False)
    lists = pa.FixedSizeListArray.from_arrays(content.rows.ravel(), content.rows.shape[1])
    table = table.append_column(EMBEDDING, lists)
    metadata = {**(table.schema.metadata or {}), _KEY: content.record.encode()}
    # A dictionary would store equal embeddings once, and the size of the file would bound nothing.
    pa.parquet.write_table(
        table.replace_schema_metadata(metadata), path, use_dictionary=content.table.columns.tolist()
    )


def _read_parquet(path: pathlib.Path) -> Content:
    with open_regular(path) as opened:
        file = pa.parquet.ParquetFile(opened)
        schema = file.schema_arrow
        record = (schema.metadata or {}).get(_KEY)
        if record is None:
            raise WrongContent("it has no record of a checkpoint")
        if EMBEDDING not in schema.names:
            raise WrongContent(f"it has no column {EMBEDDING}")
        kind = schema.field(EMBEDDING).type
        if not pa.types.is_fixed_size_list(kind) or kind.value_type != pa.float32():
            raise WrongContent(f"{EMBEDDING} is of the type {kind}")
        values = file.metadata.num_rows * (kind.list_size + len(schema.names))
        _check_size(EMBEDDING, values * 4, path.stat().st_size)
        table = file.read()
    column = table[EMBEDDING].combine_chunks()
    if column.null_count or column.values.null_count:
        raise WrongContent("an embedding is missing")
    # Of a slice, `values` would be those of the whole array.
    rows = column.flatten().to_numpy().reshape(table.num_rows, kind.list_size)
    frame = table.drop_columns(EMBEDDING).to_pandas()
    return Content(frame, rows, record.decode())


def _write_npz(path: pathlib.Path, content: Content) -> None:
    """Writes arrays as `np.savez` does, which takes no array called `file`, and without a date."""
    arrays = {EMBEDDING: content.rows, RECORD: np.array(content.record), **_arrays(content.table)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _read_npz(path: pathlib.Path) -> Content:
    with NpzFile(path) as file:
        if RECORD not in file:
            raise WrongContent("it has no record of a checkpoint")
        rows = file.expect(EMBEDDING, "f", (None, None))
        arrays = {name: file[name] for name in file if name not in (EMBEDDING, RECORD)}
        return Content(_frame(arrays), rows, file.text(RECORD))


def _write_hdf5(path: pathlib.Path, content: Content) -> None:
    # The file is locked already, by `files.whole_file`.
    with h5py.File(path, "w", locking=False) as file:
        file.attrs[RECORD] = content.record
        file[EMBEDDING] = content.rows
        for name, array in _arrays(content.table).items():
            if array.dtype.kind == "U":
                array = np.char.encode(array, "utf-8")
                kind = h5py.string_dtype("utf-8", array.dtype.itemsize)
                file.create_dataset(_quoted(name), data=array.astype(kind))
            else:
                file[_quoted(name)] = array


def _read_hdf5(path: pathlib.Path) -> Content:
    stored = path.stat().st_size
    with hdf5_files.open_file(path) as file:
        record = file.attrs.get(RECORD)
        if not isinstance(record, str):
            raise WrongContent("it has no record of a checkpoint")
        arrays = {}
        for name, found in hdf5_files.members(file):
            if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiubS":
                raise WrongContent(f"{name} is no array of numbers or text")
            _check_size(name, math.prod(found.shape or ()) * found.dtype.itemsize, stored)
            hdf5_files.check_filters(found)
            values = hdf5_files.read_all(found)
            if values.dtype.kind == "S":
                values = np.char.decode(values, "utf-8")
            arrays[_unquoted(name)] = values
    if EMBEDDING not in arrays:
        raise WrongContent(f"it has no array {EMBEDDING}")
    return Content(_frame(arrays), arrays[EMBEDDING], record)


class _ZarrArray(TypedDict):
    """`.zarray` of an array that this package wrote."""

    zarr_format: Literal[2]
    shape: list[int]
    dtype: str
    compressor: None
    filters: None


class _ZarrAttributes(TypedDict):
    """`.zattrs` of a file of embeddings."""

    record: str


def _zarr() -> tuple[Any, dict[str, int], dict[str, Any]]:
    """Returns the package, and arguments of groups and of arrays by which its versions agree."""
    zarr = extras.load("zarr", "zarr")
    if zarr.__version__.startswith("2."):
        return zarr, {}, {}
    # Version 2 of the format has texts of one length. Chunks of zeros and empty texts are written,
    # since a reader cannot tell chunks that are left out from lost ones.
    return zarr, {"zarr_format": 2}, {"config": {"write_empty_chunks": True}}


def _write_zarr(path: pathlib.Path, content: Content) -> None:
    zarr, of_group, of_array = _zarr()
    # It would remove the folder, which `files.whole_directory` has locked, in the mode "w".
    group = zarr.open_group(str(path), mode="a", **of_group)
    group.attrs[RECORD] = content.record
    for name, array in {EMBEDDING: content.rows, **_arrays(content.table)}.items():
        written = zarr.open_array(
            str(path / _quoted(name)),
            mode="w",
            shape=array.shape,
            dtype=array.dtype,
            chunks=(min(len(array), _CHUNK_ROWS), *array.shape[1:]),
            compressor=None,
            **of_group,
            **of_array,
        )
        written[...] = array


def _read_zarr(path: pathlib.Path) -> Content:
    zarr, *_ = _zarr()
    if not (path / ".zattrs").is_file():
        raise WrongContent("it has no record of a checkpoint")
    record = json_records.read(path / ".zattrs", _ZarrAttributes, _ADVICE)["record"]
    arrays = {}
    for folder in sorted(part for part in path.iterdir() if part.is_dir()):
        form = json_records.read(folder / ".zarray", _ZarrArray, _ADVICE)
        kind = np.dtype(form["dtype"])
        if kind.kind not in "fiubU":
            raise WrongContent(f"{folder.name} holds neither numbers nor text")
        # A chunk that is missing would be read as any numbers.
        stored = sum(part.stat().st_size for part in folder.iterdir() if part.name[0] != ".")
        if stored < (needed := math.prod(form["shape"]) * kind.itemsize):
            raise WrongContent(f"{folder.name} lacks {counted(needed - stored, 'byte')}")
        arrays[_unquoted(folder.name)] = zarr.open_array(str(folder), mode="r")[...]
    if EMBEDDING not in arrays:
        raise WrongContent(f"it has no array {EMBEDDING}")
    return Content(_frame(arrays), arrays[EMBEDDING], record)


# By the end of the name.
FORMATS = {
    ".parquet": Format(_write_parquet, _read_parquet),
    ".npz": Format(_write_npz, _read_npz),
    ".h5": Format(_write_hdf5, _read_hdf5),
    ".zarr": Format(_write_zarr, _read_zarr, folder=True, modules=(("zarr", "zarr"),)),
}


def of(path: files.Path) -> Format | None:
    """Returns the format that the name of a file says; None if it says none."""
    return FORMATS.get(pathlib.Path(path).suffix)


def is_zarr_of_ours(path: pathlib.Path) -> bool:
    """Returns whether a folder is a Zarr file of embeddings."""
    try:
        return bool(json_records.read(path / ".zattrs", _ZarrAttributes, _ADVICE))
    except (OSError, Damaged):
        return False


def _arrays(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Returns the columns; missing text is empty."""
    return {
        str(name): column.to_numpy()
        if pd.api.types.is_numeric_dtype(column)
        else column.fillna("").to_numpy(dtype=str)
        for name, column in table.items()
    }


def _frame(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Returns the columns as a table; empty text is missing."""
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise WrongContent(f"its columns have different lengths: {lengths}")
    columns = {
        name: blank_as_missing(pd.Series(array, dtype=STRING)) if array.dtype.kind == "U" else array
        for name, array in arrays.items()
        if name != EMBEDDING
    }
    return pd.DataFrame(columns)


def _check_size(name: str, needed: int, stored: int) -> None:
    if needed > max(1 << 20, MAX_RATIO * stored):
        raise WrongContent(f"{name} declares {counted(needed, 'byte')}, in a file of {stored:,}")


# In HDF5 and Zarr, a slash begins a group, and Zarr reserves some names.
_RESERVED = str.maketrans({"%": "%25", "/": "%2F", "\\": "%5C"})


def _quoted(name: str) -> str:
    text = name.translate(_RESERVED)
    return f"%{ord(text[0]):02X}{text[1:]}" if text[:1] in ("_", ".") else text


def _unquoted(name: str) -> str:
    return urllib.parse.unquote(name)
