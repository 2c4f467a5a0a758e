"""The embedding of one part of an archive, as a worker of any runner computes it."""

import dataclasses
import functools
import gc
import pathlib
import threading
from collections.abc import Callable

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis import csv_text, files, limits
from remedis.data import image_list
from remedis.data.checks import scan
from remedis.errors import UserError
from remedis.inference import archive_listing, embedding_file
from remedis.inference.embed import SEED, pooled, record_of
from remedis.inference.embedding_file import EmbeddingRecord
from remedis.inference.fastest import fastest
from remedis.inference.predict import IDS, predict
from remedis.preprocess import Preprocess, parse
from remedis.zoo import resolve

LISTS, ROWS, FAULTS = "lists", "rows", "unreadable"  # folders of an archive of embeddings
_LOADING = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Work:
    """What every worker has to know; it travels between machines.

    Attributes:
      root: of the images, as every worker sees it.
      out: folder of the archive of embeddings, as every worker sees it.
      checkpoint: specification of the backbone.
      preprocess: specification of the operations on an image.
      embedding: its kind.
      batch_size: images per batch.
      max_megapixels: larger images are unreadable; the default if None.
      weights: digest of the backbone; empty for any.
      is_large: whether an engine is worth its preparation, see `fastest`.
    """

    root: str
    out: str
    checkpoint: str
    preprocess: str
    embedding: str
    batch_size: int
    max_megapixels: float | None
    weights: str = ""
    is_large: bool = False


@dataclasses.dataclass(frozen=True)
class Network:
    """A loaded backbone.

    Attributes:
      compute: maps images [N, H, W, 3] in [0, 1] to embeddings [N, C].
      channels: C.
      preprocess: the operations on an image.
      record: of its embeddings.
    """

    compute: Callable[[tf.Tensor], tf.Tensor]
    channels: int
    preprocess: Preprocess
    record: EmbeddingRecord


def network(work: Work) -> Network:
    """Returns the backbone, loaded once per process and for all of its threads.

    Raises:
      UserError: checkpoint or preprocessing are at fault, or the weights are other ones.
    """
    with _LOADING:
        loaded = _network(work.checkpoint, work.preprocess, work.embedding, work.is_large)
    if work.weights not in ("", loaded.record["weights"]):
        raise UserError(
            f"A worker finds other weights at {work.checkpoint} than the command that started it; "
            "give all machines the same checkpoint."
        )
    return loaded


@functools.lru_cache(maxsize=1)
def _network(checkpoint: str, preprocess: str, embedding: str, is_large: bool) -> Network:
    operations = parse(preprocess, deterministic=True)
    loaded = resolve.load_backbone(checkpoint, SEED, option="")
    record = record_of(checkpoint, loaded, embedding, operations)
    compute = pooled(loaded.backbone, embedding)
    if is_large:
        compute = fastest(compute)
    return Network(compute, loaded.backbone.map_channels, operations, record)


def rows_file(out: files.Path, part: str) -> pathlib.Path:
    """Returns the file of a part's embeddings; a part is finished once it exists."""
    return pathlib.Path(out) / ROWS / f"{part}.parquet"


def faults_file(out: files.Path, part: str) -> pathlib.Path:
    """Returns the file that lists a part's unreadable images."""
    return pathlib.Path(out) / FAULTS / f"{part}.csv"


def embed_part(part: str, work: Work) -> None:
    """Writes the embeddings of a part, unless it is finished.

    The same part may be computed twice, by a runner that takes a slow worker for a dead one: both
    write the same file.

    Args:
      part: its name in the list.
      work: the rest.

    Raises:
      UserError: as `network`; an image changes meanwhile, or the network gives NaN for one.
    """
    if rows_file(work.out, part).exists():
        return
    loaded = network(work)
    names = archive_listing.read(pathlib.Path(work.out) / LISTS, part)
    with limits.megapixels(work.max_megapixels):
        manifest = image_list.of_table(
            pd.DataFrame({"path": names}), pathlib.Path(work.root), work.root
        )
        scanned = scan.scan(manifest, quiet=True)
        faults = faults_file(work.out, part)
        rows = np.zeros((0, loaded.channels), np.float32)
        if scanned["fault"].isna().any():
            manifest, bad = scan.quarantine(manifest, scanned, 1.0, faults)
            rows = predict(loaded.compute, manifest, loaded.preprocess, work.batch_size)
            wrong = ~np.isfinite(rows).all(axis=1)
            if wrong.any():
                raise UserError(
                    f"The network gives NaN or infinity for "
                    f"{manifest.table['path'].iloc[int(np.argmax(wrong))]}; check the weights."
                )
        else:
            manifest, bad = manifest.subset(np.zeros(len(names), bool)), scanned[["path", "fault"]]
            files.write_text(faults, csv_text.from_frame(bad))
    assert len(rows) + len(bad) == len(names)
    table = manifest.table[list(IDS)]
    table = table.assign(sha256=scanned.loc[scanned["fault"].isna(), "sha256"].to_numpy())
    embedding_file.write(rows_file(work.out, part), table, rows, loaded.record)
    # The graphs of the input pipeline refer to themselves. Python looks for such circles ever more
    # rarely as objects become more, and a worker of a large archive would grow with every part.
    gc.collect()
