"""Packing of a manifest's images, decoded and resized once, into shards that TFDS can read."""

import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis import compat, files, locks
from remedis.data import fingerprints
from remedis.data.batches.image_loader import image_loader
from remedis.data.batches.parallel import mapped
from remedis.data.batches.pipeline import readable
from remedis.data.checks import scan
from remedis.data.manifest import UNASSIGNED, Manifest
from remedis.errors import UserError
from remedis.preprocess import Preprocess
from remedis.progress import progress

VERSION = "1.0.0"


def prepare(
    manifest: Manifest,
    preprocess: Preprocess,
    out: files.Path,
    name: str,
    max_bad_images: float = 0.01,
) -> pathlib.Path:
    """Writes a TFDS dataset, which the source `tfds` reads.

    Images become 8-bit PNGs of three channels; differences below 1/255 after `preprocess` are lost.
    Every column of the manifest is written, with the labels as they are in the manifest, and
    `original_sha256`, the hash of each original file, by which its images are recognised in other
    data.

    Args:
      manifest: the images, of any source.
      preprocess: operations that are not random, e.g. `resize(256)`.
      out: a new directory for the dataset; a killed process leaves none.
      name: name of the dataset: lower-case letters, digits and underscores.
      max_bad_images: the largest share of unreadable images that are left out. They are listed in
        `<out>.bad_images.csv`.

    Returns:
      The directory of the dataset's version, `out/name/1.0.0`.

    Raises:
      UserError: the name is not allowed, `out` exists or another process makes it, or too many
        images are bad.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f"{name!r} cannot be the name of a TFDS dataset; use lower-case letters, digits and "
            "underscores."
        )
    with locks.of_output(out):
        files.refuse_existing(out)
        return _prepare(manifest, preprocess, out, name, max_bad_images)


def _prepare(
    manifest: Manifest, preprocess: Preprocess, out: files.Path, name: str, max_bad_images: float
) -> pathlib.Path:
    """Does the work of `prepare`."""
    report = pathlib.Path(f"{os.path.normpath(out)}.bad_images.csv")
    scanned = scan.scan(manifest)
    manifest, _ = scan.quarantine(manifest, scanned, max_bad_images, report)
    manifest = _with_originals(manifest, scanned.set_index("path")["sha256"])
    # TFDS takes seconds to load.
    import tensorflow_datasets as tfds

    splits = manifest.table["split"].fillna(UNASSIGNED)
    image = _image_feature(manifest)
    description = f"Packed by remedis prepare from {manifest.source}."
    # The record of the manifest and of the preprocessing, for the source `tfds`.
    metadata = {
        "labels": list(manifest.labels),
        "policies": {label: dict(policy) for label, policy in manifest.policies.items()},
        "preprocess": preprocess.specification,
        "source": manifest.source,
        "packed_from": fingerprints.id_space(manifest),
        "image_feature": image,
    }

    class Builder(  # type: ignore[misc,call-arg]
        compat.WithoutDownloadNotices, tfds.core.GeneratorBasedBuilder, skip_registration=True
    ):
        VERSION = tfds.core.Version(VERSION)

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description=description,
                features=tfds.features.FeaturesDict(_features(manifest, image)),
                metadata=tfds.core.MetadataDict(metadata),
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {split: self._generate_examples(split) for split in splits.unique()}

        def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
            images = manifest.subset((splits == split).to_numpy())
            return _examples(images, preprocess, split, image)

    Builder.name = name
    tfds.disable_progress_bar()
    with files.whole_directory(out) as temporary:
        Builder(data_dir=temporary).download_and_prepare()
    return pathlib.Path(out) / name / VERSION


def _with_originals(manifest: Manifest, hashes: "pd.Series[str]") -> Manifest:
    """Returns the manifest with the hash of each original; that of a packed image stays."""
    original = manifest.table["path"].map(hashes)
    original = fingerprints.originals(manifest.table).fillna(original)
    return manifest.with_columns({fingerprints.ORIGINAL: original})


def _image_feature(manifest: Manifest) -> str:
    """Returns the name of the feature with the image: `image`, unless a column is called so."""
    name = "image"
    while name in manifest.table:
        name += "_"
    return name


def _features(manifest: Manifest, image: str) -> dict[str, Any]:
    import tensorflow_datasets as tfds

    features = {image: tfds.features.Image(shape=(None, None, 3), encoding_format="png")}
    for column in manifest.table.columns.drop("split"):
        if pd.api.types.is_numeric_dtype(manifest.table[column].dtype):
            dtype = np.float32 if column in manifest.labels else np.float64
            features[column] = tfds.features.Scalar(dtype)
        else:
            features[column] = tfds.features.Text()
    return features


def _examples(
    manifest: Manifest, preprocess: Preprocess, split: str, feature: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    load = image_loader(manifest)

    def encoded(row: tf.Tensor) -> dict[str, tf.Tensor]:
        image = tf.clip_by_value(preprocess(load(row)), 0.0, 1.0)
        return {"png": tf.io.encode_png(tf.cast(tf.round(image * 255.0), tf.uint8))}

    images = readable(mapped(tf.data.Dataset.range(len(manifest)), encoded).prefetch(16))
    table = manifest.table.drop(columns="split").assign(path=manifest.absolute_paths())
    text = table.columns[~table.dtypes.map(pd.api.types.is_numeric_dtype)]
    table[text] = table[text].astype(object).fillna("")
    columns = {name: table[name].to_numpy() for name in table.columns}
    with progress(f"Preparing {split}", len(manifest)) as report:
        for row, image in enumerate(images):
            values = {name: column[row] for name, column in columns.items()}
            yield row, {**values, feature: image["png"].numpy()}
            report(row + 1, "images")
    # The hashes of the originals are those of the scan.
    manifest.check_unchanged()
