"""Embeddings of a manifest's images with any backbone, through the store, and as a table."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import tensorflow as tf

from remedis import files
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.errors import UserError, unknown_choice
from remedis.inference.embedding_store import EmbeddingStore, key
from remedis.inference.predict import IDS
from remedis.models.backbone import Backbone
from remedis.preprocess import parse
from remedis.zoo import checkpoint, resolve
from remedis.zoo.provenance import Provenance

EMBEDDINGS = ("embedding", "pre_logits")
SUFFIXES = (".parquet", ".npz")
SEED = 0  # of weights that are drawn


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Images and their embeddings.

    Attributes:
      manifest: the images, without those that cannot be read.
      scanned: what `scan.scan` found of them, row by row.
      rows: [images, C] float32.
      provenance: of the weights.
    """

    manifest: Manifest
    scanned: pd.DataFrame
    rows: np.ndarray
    provenance: Provenance


def embed(
    spec: str,
    manifest: Manifest,
    store: files.Path,
    *,
    preprocess: str | None = None,
    embedding: str = "embedding",
    batch_size: int = 32,
    max_bad_images: float = 0.01,
    gate: Callable[[Manifest, pd.DataFrame], None] = lambda *_: None,
) -> Embedded:
    """Returns the embeddings of a manifest's images, computed where the store lacks them.

    Args:
      spec: of the backbone, as `resolve.load` takes it.
      manifest: the images.
      store: directory of the store; bad images are listed in it too.
      preprocess: specification; if not given, that of an exported classifier, or resizing to the
        size a published checkpoint is used at.
      embedding: `embedding`, the map averaged over space, or `pre_logits`, the same of the map
        after the backbone's final norm.
      batch_size: images at a time.
      max_bad_images: share of unreadable images to go on with.
      gate: raises an error if images, with what a scan found of them, are not to be embedded.

    Raises:
      UserError: the checkpoint, the preprocessing or too many images are not as needed.
    """
    operations = parse(preprocess or _own_preprocess(spec), deterministic=True)
    loaded = resolve.load(spec, SEED)
    compute = pooled(loaded.backbone, embedding)
    manifest, scanned = readable_images(manifest, store, max_bad_images)
    gate(manifest, scanned)
    rows = EmbeddingStore(store).embeddings(
        compute,
        key(loaded.backbone, embedding, operations),
        manifest,
        scanned["sha256"],
        operations,
        batch_size,
    )
    return Embedded(manifest, scanned, rows, loaded.provenance)


def pooled(backbone: Backbone, embedding: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from images [N, H, W, 3] in [0, 1] to embeddings [N, C].

    Raises:
      UserError: there is no such embedding, or the backbone has no final norm to make it.
    """
    if embedding not in EMBEDDINGS:
        raise unknown_choice("embedding", embedding, EMBEDDINGS)
    normalised = embedding == "pre_logits"
    if normalised and backbone.norm is None:
        raise UserError(
            "This backbone has no final norm, so it has no pre_logits; take --embedding=embedding."
        )

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def compute(images: tf.Tensor) -> tf.Tensor:
        unpooled = backbone(images, training=False)
        return tf.reduce_mean(backbone.norm(unpooled) if normalised else unpooled, [1, 2])

    return compute


def readable_images(
    manifest: Manifest, directory: files.Path, limit: float
) -> tuple[Manifest, pd.DataFrame]:
    """Returns the images that can be read, and what a scan found of them, row by row.

    Args:
      manifest: the images.
      directory: where the scan is remembered and bad images are listed.
      limit: the largest share of bad images to go on with.

    Raises:
      UserError: more are bad, or there are none at all.
    """
    if not len(manifest):
        raise UserError(f"{manifest.source} has no images.")
    folder = pathlib.Path(directory)
    scanned = scan.scan(manifest, folder / "scan.parquet")
    kept, bad = scan.quarantine(manifest, scanned, limit, folder / "bad_images.csv")
    if len(bad):
        print(f"{len(bad):,} bad images left out, listed in {folder / 'bad_images.csv'}.")
    return kept, scanned[scanned["fault"].isna()].reset_index(drop=True)


def check_out(path: files.Path) -> None:
    """Raises a UserError unless a table can be written to `path`, by its suffix."""
    if pathlib.Path(path).suffix not in SUFFIXES:
        raise UserError(f"--out={path}: expected a file that ends with {' or '.join(SUFFIXES)}.")


def write(embedded: Embedded, path: files.Path) -> None:
    """Writes ids, labels, hashes and embeddings.

    A parquet file has one row an image and the embedding in one column, `embedding`, lists of C
    float32. An NPZ file has the same columns as arrays, `embedding` as [images, C]; missing text is
    empty there.
    """
    check_out(path)
    table = embedded.manifest.table[[*IDS, *embedded.manifest.labels]].copy()
    table.insert(len(IDS), "sha256", embedded.scanned["sha256"].to_numpy())
    with files.whole_file(path) as temporary:
        if temporary.suffix == ".npz":
            columns: dict[str, Any] = {"embedding": embedded.rows}
            for name, column in table.items():
                is_text = name in (*IDS, "sha256")
                columns[str(name)] = (
                    column.fillna("").to_numpy(dtype=str) if is_text else column.to_numpy()
                )
            np.savez(temporary, **columns)
            return
        values = pa.array(embedded.rows.ravel())
        lists = pa.FixedSizeListArray.from_arrays(values, embedded.rows.shape[1])
        wide = pa.Table.from_pandas(table, preserve_index=False).append_column("embedding", lists)
        pyarrow.parquet.write_table(wide, temporary)


def _own_preprocess(spec: str) -> str:
    """Returns the preprocessing a checkpoint is known to be used with."""
    description = checkpoint.describe(spec) if os.path.isdir(spec) else None
    if description is not None and description.preprocess:
        return description.preprocess
    if description is not None and description.record:
        return f"resize({description.record['input_size']})"
    raise UserError(
        f"{spec} does not say how images are prepared for it; say it: --preprocess='resize(224)'."
    )
