"""Image data sets prepared by TensorFlow Datasets (TFDS) on this machine or by `remedis prepare`.

Layout:
    packed/
        my_hospital/1.0.0/
            dataset_info.json
            features.json
            my_hospital-train.tfrecord-00000-of-00004

Input: the directory of a prepared data set (`<data_dir>/<name>/<version>`), with TFRecords as
shards. Nothing is downloaded or prepared here, and no code of the data set is needed. Images are
uint8 or uint16; float32 images, whose range is not recorded, are refused.
Labels: by name, a scalar feature of 1 and 0 (-1 uncertain, NaN unknown), or a class of a
`ClassLabel`: 1 for images of the class, 0 for those of other classes. PatchCamelyon in TFDS
(`patch_camelyon` 2.0.0) has the feature `label`.
Metadata: features with the names of a manifest's columns (`patient_id`, `sex`, ...) are taken, and
`original_sha256`, by which `remedis prepare` keeps the hashes of the files that it packs.
Splits: train, validation (or valid, val) and test of the data set; images of other splits have
none.
Get it: `remedis prepare` writes one from any source; or prepare a data set of TFDS where you have
access to it, and copy the directory.
Citation and terms: those of the data set, in `dataset_info.json`.

Check it:
    remedis doctor /data/packed --source=tfds
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis import files
from remedis.data import canonical_ids
from remedis.data import manifest as manifests
from remedis.data.batches.parallel import mapped
from remedis.data.labels import choose_labels
from remedis.data.manifest import Manifest
from remedis.data.readers import Unreadable, tfrecord
from remedis.data.tables import columns, missing
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled, spelled_option

_INFO = "dataset_info.json"
_SPLITS = {name: name for name in (*manifests.SPLITS, manifests.ID_VALIDATION)}
_SPLITS |= dict.fromkeys(("valid", "val"), "validation")
_BATCH = 4096
_COLUMNS = (*manifests.REQUIRED, *manifests.KNOWN)


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    dataset: str | None = None,
    image: str | None = None,
    patient: str = "patient_id",
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of a prepared data set.

    Args:
      data_dir: the directory of the data set's version, or one above it.
      labels: features and classes; if not given, all scalar features and classes that are not
        columns of a manifest.
      dataset: its name, as `name` or `name/config` or `name:version`, if `data_dir` holds several
        data sets.
      image: the feature with the image; `image` if not given.
      patient: the feature with the patient's id.
      allow_missing_patient_ids: accept a data set without patients. Splits then treat each image as
        a patient of its own, and leaks by patient cannot be found.

    Raises:
      UserError: there is no such data set, it has no TFRecords, image, patients or labels as
        described above, its images are not uint8 or uint16, or a shard is damaged.
    """
    # The import of TFDS takes seconds, which other sources need not spend.
    import tensorflow_datasets as tfds

    root = _find(pathlib.Path(data_dir), dataset)
    builder = tfds.builder_from_directory(root)
    if (form := builder.info.file_format.value) != "tfrecord":
        raise UserError(
            f"The dataset in {root} is stored as {form}; expected tfrecord: convert it with "
            "`tfds convert_format`."
        )
    features = dict(builder.info.features)
    metadata = builder.info.metadata or {}
    # `remedis prepare` names it otherwise if a column of the manifest is called `image`.
    image = image or metadata.get("image_feature") or "image"
    if not isinstance(features.get(image), tfds.features.Image):
        images = [key for key, f in features.items() if isinstance(f, tfds.features.Image)]
        raise unknown_choice(f"image feature of {root}", image, images or ["none"])
    # TFDS packs the four bytes of a float into the channels of a PNG, which would pass for colours.
    if (dtype := tf.as_dtype(features[image].dtype)) not in (tf.uint8, tf.uint16):
        raise UserError(
            f"The images in the feature {image!r} of the dataset in {root} are {dtype.name}, whose "
            "range is unknown; expected uint8 or uint16: scale them to 0..255 or 0..65535 and "
            "store them again as these."
        )
    if patient not in features and not allow_missing_patient_ids:
        raise UserError(
            f"The dataset in {root} has no feature {patient!r}: without patients, images of one "
            "person can be in training and in test. Name the feature of the patients with "
            f"{spelled_option('patient', 'NAME')}, or set "
            f"{spelled('allow_missing_patient_ids')} to take every image as a patient of its own."
        )
    scalars = {
        key: feature
        for key, feature in features.items()
        if isinstance(feature, tfds.features.Tensor) and feature.shape == () and key != image
    }
    if labels is None and "labels" in metadata:  # written by `remedis prepare`
        labels = tuple(metadata["labels"])
    for label in labels or ():
        if label in features and label not in scalars:
            raise UserError(
                f"The feature {label!r} of the dataset in {root} is a "
                f"{type(features[label]).__name__}; expected a scalar to be a label."
            )
    chosen, origins = _labels(labels, scalars, root, patient)
    table, paths, split = _read(builder, tfds.features.FeaturesDict(scalars), image)
    values = {
        label: _values(table[feature].to_numpy(), scalars[feature], value)
        for label, (feature, value) in zip(chosen, origins, strict=True)
    }
    table = _named(table, scalars)
    if "original_path" in table:  # a prepared data set was prepared a second time
        table = table.drop(columns="path", errors="ignore")
    table = table.rename(columns={"path": "original_path"})
    if patient in table and patient != "patient_id":
        table = table.drop(columns="patient_id", errors="ignore")
        table = table.rename(columns={patient: "patient_id"})
    # A name that a data set gives to a feature must not stand for ours.
    table = table.assign(path=paths, split=split).assign(**values)
    for column in manifests.REQUIRED:
        if column not in table:
            table[column] = None
    unknown = canonical_ids.column(table["patient_id"]).isna()
    if unknown.any() and not allow_missing_patient_ids:
        remark = missing.remark(table["patient_id"][unknown].astype(STRING))
        raise UserError(
            f"{int(unknown.sum()):,} of {len(table):,} images of the dataset in {root} have no "
            f"{patient}{remark and f' ({remark})'}; without patients, images of one person can be "
            "in training and in test. Add the ids, or set "
            f"{spelled('allow_missing_patient_ids')} to take every such image as a patient of its "
            "own."
        )
    for column, parse in {"sex": columns.sexes, "age": columns.ages, "mpp": columns.mpps}.items():
        if column in table and not pd.api.types.is_numeric_dtype(table[column].dtype):
            table[column] = parse(root, table[column].fillna(""))
    if "labels" not in metadata and table["site"].isna().all():
        table["site"] = builder.name
    policies = metadata.get("policies", {})
    applied = {label: policies[label] for label in chosen if label in policies}
    source = f"tfds {builder.info.full_name}"
    return Manifest(table, chosen, root, source, applied, metadata.get("packed_from", ""))


def _find(data_dir: pathlib.Path, name: str | None) -> pathlib.Path:
    """Returns the directory of the version asked for, or of the newest version of the data set.

    Raises:
      UserError: there is no prepared data set, several without a name, or none of this name or
        version.
    """
    if not data_dir.is_dir():
        raise UserError(
            f"There is no directory {data_dir}; expected a prepared TFDS dataset there."
        )
    if (data_dir / _INFO).is_file():
        return data_dir
    versions_of: dict[str, list[pathlib.Path]] = {}
    for info in sorted(data_dir.rglob(_INFO)):
        version = info.parent
        dataset = version.parent.relative_to(data_dir).as_posix()
        versions_of.setdefault(dataset, []).append(version)
    if not versions_of:
        raise UserError(
            f"{data_dir} does not hold a prepared TFDS dataset: no {_INFO} in it or below."
        )
    asked, _, version_name = (name or "").partition(":")
    if not asked:
        if len(versions_of) > 1:
            raise UserError(
                f"{data_dir} holds several datasets: {', '.join(versions_of)}; choose `dataset`."
            )
        (asked,) = versions_of
    if asked not in versions_of:
        raise unknown_choice(f"dataset in {data_dir}", asked, versions_of)
    versions = {version.name: version for version in versions_of[asked]}
    if version_name and version_name not in versions:
        raise unknown_choice(f"version of {asked}", version_name, versions)
    return versions[version_name or max(versions, key=_version)]


def _version(text: str) -> tuple[int, ...]:
    numbers = text.split(".")
    return tuple(map(int, numbers)) if all(map(str.isdigit, numbers)) else ()


def _labels(
    labels: Sequence[str] | None, scalars: Mapping[str, Any], root: pathlib.Path, patient: str
) -> tuple[tuple[str, ...], list[tuple[str, int | None]]]:
    """Returns the labels, and for each its feature and, if it is a class, the number of the class.

    Raises:
      UserError: no feature could be a label, or a label is unknown.
    """
    origins: dict[str, tuple[str, int | None]] = {}
    for key, feature in scalars.items():
        if key in _COLUMNS or key == patient or feature.dtype == tf.string:
            continue
        names = getattr(feature, "names", None)
        classes = names if names and not all(n.isdigit() for n in names) else []
        for number, name in enumerate(classes):
            origins[name] = (key, number)
        if not classes:
            origins[key] = (key, None)
    if not origins:
        raise UserError(f"The dataset in {root} has no scalar feature that could be a label.")
    chosen = choose_labels(labels, tuple(origins))
    return chosen, [origins[label] for label in chosen]


def _values(stored: np.ndarray, feature: Any, number: int | None) -> np.ndarray:
    """Returns a label's values as float32: 1, 0, and NaN if unlabelled (-1 in a `ClassLabel`)."""
    values = (stored if number is None else stored == number).astype(np.float32)
    if hasattr(feature, "num_classes"):
        values[stored < 0] = np.nan
    return values


def _named(table: pd.DataFrame, scalars: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the table with the names of classes in columns of a manifest, such as sex."""
    for column in _COLUMNS:
        feature = scalars.get(column)
        if feature is not None and hasattr(feature, "int2str"):
            names = [feature.int2str(i) for i in range(feature.num_classes)]
            table[column] = table[column].map(dict(enumerate(names)))
    return table


def _read(builder: Any, features: Any, image: str) -> tuple[pd.DataFrame, list[str], pd.Series]:
    """Returns the features, the path of the image and the split of every record, in order.

    Raises:
      UserError: a shard is damaged, or there is no record.
    """
    tables: list[pd.DataFrame] = []
    paths: list[str] = []
    split_of: list[str | None] = []
    for split, info in builder.info.splits.items():
        for file in map(str, info.filepaths):
            try:
                names = [f"{pathlib.Path(file).name}#{o},{image}" for o in tfrecord.offsets(file)]
            except (OSError, Unreadable) as error:
                raise UserError(
                    f"A shard of {builder.info.full_name} is damaged: {error}"
                ) from error
            data = mapped(tf.data.TFRecordDataset(file), features.deserialize_example)
            batches = list(data.batch(_BATCH).as_numpy_iterator()) if names else []
            columns = {
                key: np.concatenate([batch[key] for batch in batches])
                for key in (features if batches else ())
            }
            tables.append(pd.DataFrame(columns, index=range(len(names))))
            paths += names
            split_of += [_SPLITS.get(split)] * len(names)
    if not paths:
        raise UserError(
            f"The dataset {builder.info.full_name} in {builder.data_dir} has no images."
        )
    table = pd.concat(tables, ignore_index=True)
    for column in table.columns:
        if table[column].map(lambda value: isinstance(value, bytes)).all():
            table[column] = table[column].str.decode("utf-8")
            table[column] = table[column].replace("", None)
    return table, paths, pd.Series(split_of, table.index, dtype=object)
