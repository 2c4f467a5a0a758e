"""Embeddings of images by any checkpoint, and their table."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from remedis import files, limits, locks
from remedis.api import early_checks, labelled_data
from remedis.data import sources
from remedis.data.manifest import Manifest
from remedis.inference import embed as _embed
from remedis.inference import embedding_file
from remedis.inference.embed import Embedded
from remedis.specifications import piped


def embed(
    checkpoint: str | os.PathLike[str],
    data: Manifest | files.Path,
    *,
    labels: Sequence[str] | None = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    preprocess: str | None = None,
    embedding: str = "embedding",
    store: files.Path = "embeddings",
    batch_size: int = 32,
    max_bad_images: float = 0.01,
    max_megapixels: float | None = None,
    out: files.Path | None = None,
) -> Embedded:
    """Returns the embedding of every image, as `remedis embed` computes it.

    Embeddings are kept in `store`, by content of the image, weights and preprocessing: none is
    computed twice.

    Args:
      checkpoint: a checkpoint folder, a run, `bit:FILE.npz`, `release:FOLDER`, `scratch:50x1`
        (random weights), or `keras:DenseNet121:FILE`.
      data: a manifest; or a table, a directory of the source, or any folder of images, which needs
        neither labels nor patients.
      labels: the label columns of a path; see `load_manifest`.
      source: layout of a path.
      options: of the source, for a path.
      preprocess: operations on an image, such as `resize(448)`; by default those of the
        checkpoint's record.
      embedding: `embedding`, the spatial mean of the last map, or `pre_logits`, the mean after the
        final norm.
      store: directory that keeps embeddings, and lists images that cannot be read.
      batch_size: images per batch.
      max_bad_images: the largest share of unreadable images that is accepted, in [0, 1].
      max_megapixels: larger images are unreadable; 40 by default.
      out: a `.parquet`, `.npz`, `.h5` or `.zarr` file to write, with ids, labels, embeddings and a
        record of the checkpoint.

    Returns:
      The result: `rows` is [images, C] float32, in the order of `manifest`, which lacks unreadable
      images; `provenance.random` says whether the weights are random.

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
            _images(data, labels, source, dict(options or {})),
            store,
            preprocess=preprocess,
            embedding=embedding,
            batch_size=batch_size,
            max_bad_images=max_bad_images,
        )
        if out is not None:
            _embed.write(embedded, out)
    return embedded


def _check(
    checkpoint: files.Path,
    data: Manifest | files.Path,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any] | None,
    preprocess: str | None,
) -> None:
    labelled_data.check_labels(labels)
    labelled_data.check_alone(data, labels, source, options)
    if preprocess is not None:
        piped(preprocess)
    early_checks.check_weights(str(checkpoint))
    if not isinstance(data, Manifest):
        early_checks.check_data(
            data, source, labels, options or (), needs_labels=False, any_folder=True
        )


def _images(
    data: Manifest | files.Path,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any],
) -> Manifest:
    """Returns the images; those of a path without named labels need neither label nor patient."""
    if isinstance(data, Manifest):
        return data
    if labels is not None:
        return sources.load_with(source, data, labels, options)
    # Patients are optional there, and any other option means that the data are as it says.
    named = {name: value for name, value in options.items() if name != "allow_missing_patient_ids"}
    return sources.load_images(source, data, named)
