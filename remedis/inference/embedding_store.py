"""Embeddings computed once: a store on disk, by network, preprocessing and content of the image.

`DIRECTORY/KEY/` holds the rows of one network and preprocessing, in shards. A shard is an NPZ file,
`sha256` [rows] of the images and `embedding` [rows, C] float32, written whole; it carries checksums
of its own, and one that is damaged is left aside and its rows computed again.
"""

import hashlib
import pathlib
import sys
import time
import zipfile
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import tensorflow as tf

import remedis
from remedis import files
from remedis.data.batches.pipeline import evaluation_batches, readable
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.models import backbone as backbones
from remedis.models.backbone import Backbone
from remedis.models.classifier import Classifier
from remedis.preprocess import Preprocess
from remedis.progress import progress

# A shard ends after so many rows, or so many seconds: what a killed process loses at most.
SHARD_ROWS, SHARD_SECONDS = 1024, 60.0
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def key(backbone: Backbone, embedding: str, preprocess: Preprocess) -> str:
    """Returns what decides the numbers of an embedding, as SHA-256.

    That is names, shapes and bytes of the backbone's variables; what else its graph depends on: its
    class, the range pixels are mapped to and the precision it computes in; which embedding; the
    preprocessing; and the versions of this package, its decoding, and TensorFlow.

    Args:
      backbone: the network.
      embedding: a name for what is computed from its map, such as `embedding` or `pre_logits`.
      preprocess: the evaluation part.
    """
    digest = hashlib.sha256()
    policy = getattr(backbone, "dtype_policy", None)
    for fact in (
        embedding,
        preprocess.specification,
        type(backbone).__name__,
        getattr(backbone, "application", ""),
        getattr(backbone, "backbone_range", ""),
        getattr(policy, "name", ""),
        remedis.__version__,
        scan.VERSION,
        tf.__version__,
    ):
        digest.update(f"{fact}\n".encode())
    digest.update(backbones.digest(backbone).encode())
    return digest.hexdigest()


class EmbeddingStore:
    """Embeddings that were computed before.

    Attributes:
      directory: where they are; made when something is stored.
    """

    def __init__(self, directory: files.Path) -> None:
        self.directory = pathlib.Path(directory)

    def embeddings(
        self,
        compute: Callable[[tf.Tensor], tf.Tensor],
        key: str,
        manifest: Manifest,
        hashes: Iterable[str],
        preprocess: Preprocess,
        batch_size: int,
        title: str = "Embedding",
    ) -> np.ndarray:
        """Returns the embedding of every image, [rows, C] float32; computes what is missing.

        Args:
          compute: from images [N, H, W, 3] to embeddings [N, C].
          key: what `key` returns for it.
          manifest: the images.
          hashes: [rows], of their content, as `scan.scan` gives them (`sha256`).
          preprocess: the evaluation part.
          batch_size: images at a time.
          title: what the progress is called.

        Raises:
          UserError: an image has no hash or cannot be read, or the store cannot be written to.
        """
        wanted = pd.Series(list(hashes), dtype=object)
        if len(wanted) != len(manifest):
            raise ValueError(f"{len(wanted)} hashes for {len(manifest)} images.")
        if wanted.isna().any():
            path = manifest.table["path"].iloc[int(np.argmax(wanted.isna()))]
            raise UserError(f"{path} could not be read when the images were scanned; leave it out.")
        if not len(wanted):
            raise UserError(f"{title}: there are no images.")
        folder = self.directory / key
        known = _read(folder, set(wanted))
        missing = ~(wanted.isin(list(known)) | wanted.duplicated()).to_numpy(dtype=bool)
        if missing.any():
            self._compute(
                compute,
                folder,
                manifest.subset(missing),
                wanted[missing],
                preprocess,
                batch_size,
                title,
                known,
            )
        return np.stack([known[name] for name in wanted])

    def _compute(
        self,
        compute: Callable[[tf.Tensor], tf.Tensor],
        folder: pathlib.Path,
        manifest: Manifest,
        hashes: pd.Series,
        preprocess: Preprocess,
        batch_size: int,
        title: str,
        known: dict[str, np.ndarray],
    ) -> None:
        """Adds the embeddings of a manifest's images to `known`, and to the folder."""
        names = hashes.to_numpy(dtype=str)
        done = stored = 0
        rows: list[np.ndarray] = []
        written = time.monotonic()
        with progress(title, len(manifest)) as report:
            for batch in readable(evaluation_batches(manifest, preprocess, batch_size)):
                rows.append(np.asarray(compute(batch["image"]), np.float32))
                done += len(rows[-1])
                late = time.monotonic() - written > SHARD_SECONDS
                if done - stored >= SHARD_ROWS or done == len(manifest) or late:
                    part = names[stored:done]
                    together = np.concatenate(rows)
                    _write(folder, part, together)
                    known.update(zip(part.tolist(), together, strict=True))
                    stored, rows, written = done, [], time.monotonic()
                report(done, "images")


def of_head(
    classifier: Classifier, directory: files.Path, preprocess: Preprocess, batch_size: int
) -> Callable[[Manifest, "pd.Series[str]", str], np.ndarray]:
    """Returns a function to what a classifier's linear layer stands on, through a store.

    Args:
      classifier: its backbone and norm; not its linear layer.
      directory: of the store.
      preprocess: the evaluation part.
      batch_size: images at a time.

    Returns:
      From images, hashes of theirs by path, and a title to embeddings [rows, C] float32.
    """
    compute = tf.function(
        classifier.embedding_of,
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
        autograph=False,
    )
    store = EmbeddingStore(directory)
    # Every head's norm of its own is the same before training.
    embedding = "pre_logits" if classifier.head_norm else "embedding"
    name = key(classifier.backbone, embedding, preprocess)

    def stored(part: Manifest, hashes: "pd.Series[str]", title: str) -> np.ndarray:
        wanted = part.table["path"].map(hashes)
        return store.embeddings(compute, name, part, wanted, preprocess, batch_size, title)

    return stored


def _read(folder: pathlib.Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Returns what the shards have of the wanted images, by hash."""
    found: dict[str, np.ndarray] = {}
    # Files that are being written begin with a dot.
    for shard in sorted(folder.glob("[!.]*.npz")):
        try:
            with np.load(shard, allow_pickle=False) as content:
                names = content["sha256"].tolist()
                if not wanted.isdisjoint(names):
                    rows = content["embedding"]
                    if rows.ndim != 2 or rows.dtype != np.float32:
                        raise ValueError(f"rows of shape {rows.shape}, {rows.dtype}")
                    found.update(zip(names, rows, strict=True))
        except _DAMAGED as error:
            print(f"Embedding anew: {shard} is damaged ({error}).", file=sys.stderr)
    return {name: found[name] for name in wanted.intersection(found)}


def _write(folder: pathlib.Path, names: np.ndarray, rows: np.ndarray) -> None:
    shard = folder / f"{hashlib.sha256(''.join(names).encode()).hexdigest()[:16]}.npz"
    try:
        with files.whole_file(shard) as temporary:
            np.savez(temporary, sha256=names, embedding=rows)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written to ({error.strerror or error}); make room, or name "
            "another directory for embeddings."
        ) from error
