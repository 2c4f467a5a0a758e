"""Embeddings of images by any checkpoint, and their table."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from remedis import files, limits, locks
from remedis.api import early_checks, image_data, labelled_data
from remedis.api.image_data import Images
from remedis.data import sources
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.inference import embed as _embed
from remedis.inference import embedding_file
from remedis.inference.embed import Embedded
from remedis.options import spelled
from remedis.specifications import piped


def embed(
    checkpoint: str | os.PathLike[str],
    data: Images,
    *,
    labels: Sequence[str] | None = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    preprocess: str | None = None,
    embedding: str = "embedding",
    store: files.Path = "embeddings",
    batch_size: int = 32,
    max_bad_images: float | None = None,
    max_megapixels: float | None = None,
    out: files.Path | None = None,
) -> Embedded:
    """Returns the embedding of every image, as `remedis embed` computes it.

    Embeddings are kept in `store`, by content of the image, weights and preprocessing: none is
    computed twice.

    Args:
      checkpoint: a checkpoint folder, a run, `bit:FILE.npz`, `release:FOLDER`, `scratch:50x1`
        (random weights), or `keras:DenseNet121:FILE`.
      data: a manifest; or images by path, one path or several: folders, which are searched at any
        depth, files, globs, whole slides, a table, or a directory of the source. They need neither
        labels nor patients.
      labels: the label columns of one table or data set; see `load_manifest`.
      source: layout of a path.
      options: of the source, for a path.
      preprocess: operations on an image, such as `resize(448)`; by default those of the
        checkpoint's record.
      embedding: `embedding`, the spatial mean of the last map, or `pre_logits`, the mean after the
        final norm.
      store: directory that keeps embeddings.
      batch_size: images per batch.
      max_bad_images: the largest share of unreadable images that is accepted, in [0, 1]; if None,
        the others go on, whatever the share. `out` with `.bad_images.csv` behind it lists them;
        without `out`, `bad_images.csv` in the store.
      max_megapixels: larger images are unreadable; 40 by default.
      out: a `.parquet`, `.npz`, `.h5` or `.zarr` file to write, with ids, labels, embeddings and a
        record of the checkpoint.

    Returns:
      The result: `rows` is [images, C] float32, in the order of `manifest`, which lacks unreadable
      images; `bad` lists these; `provenance.random` says whether the weights are random.

    Raises:
      UserError: checkpoint, data, labels or preprocessing are at fault, or too many images cannot
        be read.
    """
    _check(checkpoint, data, labels, source, options, preprocess)
    if out is not None:
        embedding_file.check_out(out)
    with (
        limits.megapixels(max_megapixels),
        contextlib.nullcontext() if out is None else locks.of_output(out),
    ):
        embedded = _embed.embed(
            str(checkpoint),
            _images(data, labels, source, options),
            store,
            preprocess=preprocess,
            embedding=embedding,
            batch_size=batch_size,
            max_bad_images=max_bad_images,
            bad_images=None if out is None else scan.bad_images_file(out),
        )
        if out is not None:
            _embed.write(embedded, out)
    return embedded


def _check(
    checkpoint: files.Path,
    data: Images,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any] | None,
    preprocess: str | None,
) -> None:
    labelled_data.check_labels(labels)
    if preprocess is not None:
        piped(preprocess)
    early_checks.check_weights(str(checkpoint))
    if labels is None:
        image_data.check(data, source, options)
        return
    labelled_data.check_alone(data, labels, source, options)
    early_checks.check_data(_one(data), source, labels, options or (), needs_labels=False)


def _images(
    data: Images,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any] | None,
) -> Manifest:
    """Returns the images; those of paths without named labels need neither label nor patient."""
    if labels is None:
        return image_data.load(data, source, options)
    return sources.load_with(source, _one(data), labels, dict(options or {}))


def _one(data: Images) -> files.Path:
    """Returns the one path of labelled data."""
    paths = [data] if isinstance(data, str | os.PathLike) else list(data)  # type: ignore[arg-type]
    if len(paths) != 1:
        raise UserError(
            f"{spelled('labels')} needs one table or data set, and got {len(paths):,} paths; name "
            f"one, or leave {spelled('labels')} out."
        )
    return paths[0]
