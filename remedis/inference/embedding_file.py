"""A file of embeddings with what is known about them: ids, labels, checkpoint, preprocessing."""

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Annotated

import numpy as np
import pandas as pd
from annotated_types import Len
from typing_extensions import TypedDict

from remedis import extras, files, json_records
from remedis.data.tables.strings import STRING
from remedis.errors import Damaged, UserError, counted, first_line, quoted, shortened
from remedis.inference import embedding_formats
from remedis.inference.embedding_formats import FORMATS, Content
from remedis.json_records import Line, Name
from remedis.options import spelled
from remedis.zoo.provenance import ProvenanceRecord

_ADVICE = "make it again with `remedis embed`"
Sha256 = Annotated[str, Len(64, 64)]


class EmbeddingRecord(TypedDict):
    """The record of a file of embeddings.

    Attributes:
      checkpoint: its base name, as the user named it.
      weights: `backbone.digest` of the network.
      provenance: of the weights.
      random_weights: whether they are random.
      embedding: `embedding` or `pre_logits`.
      preprocess: the operations on each image.
      version: of this package.
      columns: of the table, in order.
      labels: those of its columns that are labels.
      rows: SHA-256 of the embeddings' bytes, little-endian float32.
    """

    checkpoint: Line
    weights: Sha256
    provenance: ProvenanceRecord
    random_weights: bool
    embedding: Name
    preprocess: Line
    version: Name
    columns: list[Name]
    labels: list[Name]
    rows: Sha256


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EmbeddingFile:
    """The content of a file of embeddings.

    Attributes:
      table: one row per image: `path`, ids, `sha256` of the image and labels, if any. Text is
        missing where it is unknown.
      rows: embeddings, [images, C] float32, finite.
      record: of the checkpoint and the preprocessing.
      path: of the file.
    """

    table: pd.DataFrame
    rows: np.ndarray
    record: EmbeddingRecord
    path: pathlib.Path

    def __repr__(self) -> str:
        images, channels = self.rows.shape
        return (
            f"<EmbeddingFile {self.path}: {counted(images, 'image')}, {channels:,} numbers each, "
            f"by {self.record['checkpoint']}>"
        )


def check_out(path: files.Path) -> None:
    """Raises a UserError if embeddings cannot be written to `path`, before they are computed.

    Raises:
      UserError: its name says no format, a package is missing, a folder that is no Zarr file of
        embeddings is in its place, or its directory cannot be written to.
    """
    chosen = embedding_formats.of(path)
    if chosen is None:
        *most, last = FORMATS
        raise UserError(
            f"{spelled('out', path)}: expected a file that ends with {', '.join(most)} or {last}."
        )
    for module, extra in chosen.modules:
        extras.load(module, extra)
    place = pathlib.Path(path)
    if chosen.folder:
        # Replacing a folder removes all that is in it, such as a slide in Zarr's format.
        if os.path.lexists(place) and not embedding_formats.is_zarr_of_ours(place):
            raise UserError(
                f"{spelled('out', path)} exists, and holds no embeddings of this program; remove "
                "it, or name another path."
            )
    elif place.is_dir():
        raise UserError(f"{spelled('out', path)} is a directory; name a file.")
    existing = next(folder for folder in place.absolute().parents if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(
            f"{spelled('out', path)} cannot be written: {existing} is no directory that you may "
            "write to; name another path."
        )


def write(
    path: files.Path, table: pd.DataFrame, rows: np.ndarray, record: EmbeddingRecord
) -> EmbeddingFile:
    """Writes a file of embeddings, whole or not at all; one of the same name is replaced.

    Args:
      path: ends with one of `FORMATS`.
      table: one row per image, with `path`; none of its columns is called `embedding` or `record`.
      rows: [images, C] float32.
      record: its `columns` and `rows` are set here.

    Raises:
      UserError: as `check_out`, or the disk is full.
    """
    check_out(path)
    assert len(table) == len(rows)
    record = {**record, "columns": list(map(str, table.columns)), "rows": _digest(rows)}
    # Sorted, so that the same content gives the same bytes.
    content = Content(table, rows, json.dumps(record, sort_keys=True, allow_nan=False))
    chosen = FORMATS[pathlib.Path(path).suffix]
    try:
        with (
            files.whole_directory(path, overwrite=True) if chosen.folder else files.whole_file(path)
        ) as temporary:
            chosen.write(temporary, content)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({first_line(error)}); make room or correct the rights, and "
            "start again: embeddings that are stored are not computed again."
        ) from error
    return EmbeddingFile(table, rows, record, pathlib.Path(path))


def read(path: files.Path) -> EmbeddingFile:
    """Returns the content of a file that `write` wrote.

    Raises:
      Damaged: the file is damaged, or holds no embeddings with a record.
      UserError: there is no such file, its name says no format, or a package is missing.
    """
    place, chosen = pathlib.Path(path), embedding_formats.of(path)
    if chosen is None:
        raise UserError(
            f"{place} is no file of embeddings; expected one that `remedis embed` wrote, whose "
            f"name ends with {', '.join(FORMATS)}."
        )
    if not place.exists():
        raise UserError(f"There is no file {place}; {_ADVICE.replace('again ', '')}.")
    for module, extra in chosen.modules:
        extras.load(module, extra)
    try:
        content = chosen.read(place)
        record = json_records.parse(content.record, EmbeddingRecord, "its record", _ADVICE)
        table = _checked(content, record)
    # Damaged bytes raise nearly everything in the four libraries.
    except Exception as error:
        reason = shortened(first_line(error).removesuffix(f"; {_ADVICE}.").rstrip("."))
        raise Damaged(
            f"{place} is damaged or holds no embeddings ({reason}); {_ADVICE}."
        ) from error
    return EmbeddingFile(table, content.rows, record, place)


def _checked(content: Content, record: EmbeddingRecord) -> pd.DataFrame:
    """Returns the table in the order of its record, with one type of text."""
    if sorted(record["columns"]) != sorted(map(str, content.table.columns)):
        raise ValueError(f"its columns are {', '.join(map(str, content.table.columns))}")
    if "path" not in record["columns"]:
        raise ValueError("it has no column path")
    rows = content.rows
    if rows.ndim != 2 or rows.dtype != np.float32 or len(rows) != len(content.table):
        raise ValueError(f"its embeddings are {list(rows.shape)} {rows.dtype}")
    if _digest(rows) != record["rows"]:
        raise ValueError("its embeddings have changed")
    if not np.isfinite(rows).all():
        raise ValueError("an embedding has NaN or infinity")
    table = content.table[record["columns"]]
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong := [name for name in record["labels"] if name not in table or name in texts]:
        raise ValueError(f"the label {quoted(wrong[0])} is no column of numbers")
    return table.astype(dict.fromkeys(texts, STRING))


def _digest(rows: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows, "<f4").data).hexdigest()
