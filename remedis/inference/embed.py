"""Embeddings of a manifest's images by any backbone: through the store, and as a table."""

import dataclasses
import logging
import pathlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import tensorflow as tf

import remedis
from remedis import files, json_records
from remedis.data.checks import scan
from remedis.data.image_list import UNLABELLED
from remedis.data.manifest import Manifest, beside
from remedis.errors import UserError, counted, unknown_choice
from remedis.inference import embedding_file, embedding_formats
from remedis.inference.embedding_file import EmbeddingFile, EmbeddingRecord
from remedis.inference.embedding_store import EmbeddingStore, key
from remedis.inference.fastest import WORTH, fastest
from remedis.inference.predict import IDS
from remedis.models import backbone as backbones
from remedis.models.backbone import Backbone
from remedis.models.standardized_conv import constant_kernels
from remedis.options import spelled
from remedis.preprocess import Preprocess, parse
from remedis.zoo import checkpoint, resolve, shared_names
from remedis.zoo.provenance import Provenance
from remedis.zoo.resolve import LoadedBackbone

EMBEDDINGS = ("embedding", "pre_logits")
SEED = 0  # of random weights
BAD_IMAGES, SCAN = "bad_images.csv", "scan.parquet"  # in a store
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Embedded:
    """Images and their embeddings.

    Attributes:
      manifest: the images, without those that cannot be read.
      scanned: the rows of `scan.scan` for these images, in their order.
      rows: embeddings, [images, C] float32.
      provenance: of the weights.
      record: what a file says about these embeddings.
      bad: `path` and `fault` of the images that cannot be read.
    """

    manifest: Manifest
    scanned: pd.DataFrame
    rows: np.ndarray
    provenance: Provenance
    record: EmbeddingRecord
    bad: pd.DataFrame = dataclasses.field(
        default_factory=lambda: pd.DataFrame({"path": [], "fault": []})
    )

    def __repr__(self) -> str:
        images, channels = self.rows.shape
        return (
            f"<Embedded: {counted(images, 'image')}, {channels:,} numbers each; weights: "
            f"{self.provenance.description}>"
        )


def embed(
    spec: str,
    manifest: Manifest,
    store: files.Path,
    *,
    preprocess: str | None = None,
    embedding: str = "embedding",
    batch_size: int = 32,
    max_bad_images: float | None = 0.01,
    bad_images: files.Path | None = None,
    gate: Callable[[Manifest, pd.DataFrame], None] = lambda *_: None,
) -> Embedded:
    """Returns the embeddings of a manifest's images; computes those that the store lacks.

    Args:
      spec: of the backbone, as `resolve.load_backbone` takes it.
      manifest: the images.
      store: directory of the store.
      preprocess: specification; None for that of an exported classifier, or a resize to the input
        size of a published checkpoint.
      embedding: `embedding`, the spatial mean of the map, or `pre_logits`, the spatial mean after
        the backbone's final norm.
      batch_size: images per batch.
      max_bad_images: largest share of unreadable images that is accepted; None for any below all.
      bad_images: file that lists unreadable images; in the store if None.
      gate: raises an error if the images, with their scan, must not be embedded.

    Raises:
      UserError: checkpoint or preprocessing are at fault, or too many images are unreadable.
    """
    operations = parse(preprocess or own_preprocess(spec), deterministic=True)
    loaded = resolve.load_backbone(spec, SEED, option="")
    compute: Callable[[tf.Tensor], tf.Tensor] = pooled(loaded.backbone, embedding)
    if len(manifest) >= WORTH:
        compute = fastest(compute)
    folder = pathlib.Path(store)
    readable = scan.readable(
        manifest, bad_images or folder / BAD_IMAGES, folder / SCAN, max_bad_images
    )
    manifest, scanned = readable.manifest, readable.scanned
    gate(manifest, scanned)
    rows = EmbeddingStore(store).embeddings(
        compute,
        key(loaded.backbone, embedding, operations),
        manifest,
        scanned["sha256"],
        operations,
        batch_size,
    )
    record = record_of(spec, loaded, embedding, operations)
    return Embedded(manifest, scanned, rows, loaded.provenance, record, readable.bad)


def record_of(
    spec: str, loaded: LoadedBackbone, embedding: str, preprocess: Preprocess
) -> EmbeddingRecord:
    """Returns the record of embeddings that are not in a file yet.

    Args:
      spec: of the backbone.
      loaded: the backbone.
      embedding: its kind.
      preprocess: the evaluation part.
    """
    provenance = loaded.provenance.shared()
    return {
        "checkpoint": shared_names.base_name(spec),
        "weights": backbones.digest(loaded.backbone),
        "provenance": json_records.plain(provenance.to_json()),
        "random_weights": provenance.random,
        "embedding": embedding,
        "preprocess": preprocess.specification,
        "version": remedis.__version__,
        "columns": [],
        "labels": [],
        "rows": "",
    }


def pooled(backbone: Backbone, embedding: str) -> tf.types.experimental.PolymorphicFunction:
    """Returns a function from images [N, H, W, 3] in [0, 1] to embeddings [N, C].

    It computes with the weights that the backbone has at its first call.

    Raises:
      UserError: there is no such embedding, or the backbone has no final norm, which it needs.
    """
    if embedding not in EMBEDDINGS:
        raise unknown_choice("embedding", embedding, EMBEDDINGS)
    normalised = embedding == "pre_logits"
    if normalised and backbone.norm is None:
        raise UserError(
            "This backbone has no final norm, so it has no pre_logits; take "
            f"{spelled('embedding', 'embedding')}."
        )

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
        autograph=False,  # it writes Python files, which a killed process leaves behind
    )
    def compute(images: tf.Tensor) -> tf.Tensor:
        with constant_kernels():
            unpooled = backbone(images, training=False)
        return tf.reduce_mean(backbone.norm(unpooled) if normalised else unpooled, [1, 2])

    return compute


def readable_images(
    manifest: Manifest, directory: files.Path, limit: float
) -> tuple[Manifest, pd.DataFrame]:
    """Returns the images that can be read, and the rows of their scan in the same order.

    Args:
      manifest: the images.
      directory: of the scan's file and the list of bad images.
      limit: largest share of bad images that is accepted.

    Raises:
      UserError: more images are bad, or there are none at all.
    """
    if not len(manifest):
        raise UserError(f"{manifest.source} has no images.")
    folder = pathlib.Path(directory)
    scanned = scan.scan(manifest, folder / SCAN)
    readable, bad = scan.quarantine(manifest, scanned, limit, folder / BAD_IMAGES)
    if len(bad):
        _LOG.info(f"{len(bad):,} bad images left out, listed in {folder / BAD_IMAGES}.")
    return readable, scanned[scanned["fault"].isna()].reset_index(drop=True)


def write(embedded: Embedded, path: files.Path) -> EmbeddingFile:
    """Writes ids, labels as they are in the manifest, hashes and embeddings, with their record.

    A Parquet file has one row per image, with lists of C float32 in the column `embedding`. The
    other formats have the same columns as arrays, `embedding` as [images, C]; missing text is empty
    there. A label that has the name of another column, such as `embedding`, is in
    `label/embedding`.

    Raises:
      UserError: as `embedding_file.write`.
    """
    labels = [label for label in embedded.manifest.labels if label != UNLABELLED]
    names = beside(labels, ("sha256", embedding_formats.EMBEDDING, embedding_formats.RECORD))
    known = embedded.manifest.table
    ids = [name for name in (*IDS, "slide_id") if name in known]
    table = known[[*ids, *names]].rename(columns=names)
    table.insert(len(ids), "sha256", embedded.scanned["sha256"].to_numpy())
    record: EmbeddingRecord = {**embedded.record, "labels": list(names.values())}
    return embedding_file.write(path, table, embedded.rows, record)


def own_preprocess(spec: str) -> str:
    """Returns the preprocessing that a checkpoint's description names.

    Raises:
      UserError: it names none.
    """
    folder = resolve.parse(spec).folder
    description = None if folder is None else checkpoint.describe(folder)
    if description is not None and description.preprocess:
        return description.preprocess
    if description is not None and description.record:
        return f"resize({description.record['input_size']})"
    raise UserError(
        f"{spec} does not name the preprocessing of its images; name one, such as "
        f"{spelled('preprocess', 'resize(224)')}."
    )
