"""A store of embeddings on disk, by network, preprocessing and content of the image.

`DIRECTORY/KEY/` holds the rows of one network and preprocessing, in shards. A shard is an NPZ file
with `sha256` [rows] of the images and `embedding` [rows, C] float32, written whole. NPZ files have
checksums: a damaged shard is ignored, and its rows are computed again.
"""

import hashlib
import logging
import pathlib
import time
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import tensorflow as tf

import remedis
from remedis import files
from remedis.data.batches.pipeline import evaluation_batches, readable
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.errors import UserError, counted
from remedis.models import backbone as backbones
from remedis.models.backbone import Backbone
from remedis.models.classifier import Classifier
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.preprocess import Preprocess
from remedis.progress import Speed, progress

_LOG = logging.getLogger(__name__)

# Maximum rows and seconds per shard. A killed process loses at most one shard.
SHARD_ROWS, SHARD_SECONDS = 1024, 60.0


def key(backbone: Backbone, embedding: str, preprocess: Preprocess) -> str:
    """Returns a SHA-256 of everything that the numbers of an embedding depend on.

    These are names, shapes and bytes of the backbone's variables; its class, pixel range and
    precision; the kind of embedding; the preprocessing; and the versions of this package, of its
    decoding and of TensorFlow.

    Args:
      backbone: the network.
      embedding: name of the kind, such as `embedding` or `pre_logits`.
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
      directory: of the store; made when something is stored.
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
        """Returns the embedding of every image, [rows, C] float32; computes missing ones.

        Args:
          compute: maps images [N, H, W, 3] to embeddings [N, C].
          key: of the network and preprocessing, as `key` returns it.
          manifest: the images.
          hashes: `sha256` of `scan.scan`, one per row.
          preprocess: the evaluation part.
          batch_size: images per batch.
          title: of the progress.

        Raises:
          UserError: an image has no hash, cannot be read or has changed since it was scanned, or
            the store cannot be written to.
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
        widths = {known[name].size for name in wanted}
        if len(widths) > 1:
            raise UserError(
                f"{folder} has embeddings of {' and '.join(map(str, sorted(widths)))} numbers, and "
                "a network gives one length; remove this directory, so that all are computed again."
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
        """Adds the embeddings of a manifest's images to `known` and to the folder."""
        names = hashes.to_numpy(dtype=str)
        done = stored = 0
        rows: list[np.ndarray] = []
        last_shard = time.monotonic()
        if known:
            _LOG.info(
                f"{title} {counted(len(manifest), 'new image')}; {len(known):,} known before."
            )
        speed = Speed("images")
        with progress(title, len(manifest)) as report:
            for batch in readable(evaluation_batches(manifest, preprocess, batch_size)):
                rows.append(np.asarray(compute(batch["image"]), np.float32))
                _check_finite(rows[-1], manifest.table["path"].iloc[done:])
                done += len(rows[-1])
                late = time.monotonic() - last_shard > SHARD_SECONDS
                if done - stored >= SHARD_ROWS or done == len(manifest) or late:
                    # Stored under the hash of the scan, another image would stay there for ever.
                    manifest.check_unchanged(np.arange(stored, done))
                    shard_names, shard_rows = names[stored:done], np.concatenate(rows)
                    _write(folder, shard_names, shard_rows)
                    known.update(zip(shard_names.tolist(), shard_rows, strict=True))
                    stored, rows, last_shard = done, [], time.monotonic()
                report(done, speed.words(done))


def of_head(
    classifier: Classifier, directory: files.Path, preprocess: Preprocess, batch_size: int
) -> Callable[[Manifest, "pd.Series[str]", str], np.ndarray]:
    """Returns a function to the inputs of a classifier's linear layer, through a store.

    Args:
      classifier: its backbone and norm are used, its linear layer is not.
      directory: of the store.
      preprocess: the evaluation part.
      batch_size: images per batch.

    Returns:
      A function of images, their hashes by path, and a title that returns [rows, C] float32.
    """
    compute = tf.function(
        classifier.embedding_of,
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
        autograph=False,
    )
    store = EmbeddingStore(directory)
    # A norm that the head adds is the same for every backbone before training.
    embedding = "pre_logits" if classifier.head_norm else "embedding"
    name = key(classifier.backbone, embedding, preprocess)

    def embed(images: Manifest, hashes: "pd.Series[str]", title: str) -> np.ndarray:
        wanted = images.table["path"].map(hashes)
        return store.embeddings(compute, name, images, wanted, preprocess, batch_size, title)

    return embed


def _read(folder: pathlib.Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Returns the embeddings of wanted images that the shards hold, by hash."""
    known: dict[str, np.ndarray] = {}
    # Names of unfinished files begin with a dot.
    for shard in sorted(folder.glob("[!.]*.npz")):
        try:
            with NpzFile(shard) as content:
                names = content.expect("sha256", "U", (None,)).tolist()
                if not wanted.isdisjoint(names):
                    rows = content.expect("embedding", "f", (len(names), None))
                    if rows.dtype != np.float32:
                        raise DamagedNpz(f"embedding has the type {rows.dtype}")
                    known.update(zip(names, rows, strict=True))
        except (OSError, DamagedNpz) as error:
            _LOG.warning(f"{shard} is damaged ({error}); its embeddings are computed again.")
    return {name: known[name] for name in wanted.intersection(known)}


def _check_finite(rows: np.ndarray, paths: "pd.Series[str]") -> None:
    """Raises a UserError for an image whose embedding is NaN or infinite."""
    wrong = ~np.isfinite(rows).all(axis=1)
    if wrong.any():
        raise UserError(
            f"The network gives NaN or infinity for {paths.iloc[int(np.argmax(wrong))]}; expected "
            "finite embeddings: check the weights, or compute in float32."
        )


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
