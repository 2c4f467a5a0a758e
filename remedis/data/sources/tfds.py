"""Any image dataset that TensorFlow Datasets has prepared on this machine, `remedis prepare`'s too.

Input: the directory TFDS prepared a dataset in (`<data_dir>/<name>/<version>`), its shards being
TFRecords. Nothing is downloaded or prepared here, and no code of the dataset is needed.
Labels: by name, a scalar feature of 1 and 0 (-1 uncertain, NaN unknown), or a class of a
`ClassLabel`: 1 for images of the class, 0 for those of the others. PatchCamelyon's copy
(`patch_camelyon` 2.0.0) has the feature `label`.
Metadata: features named as a manifest's columns (`patient_id`, `sex`, ...) are taken.
Splits: those of the dataset: train, validation (or valid, val), test; images of others have none.
Citation and terms: the dataset's; `dataset_info.json` has them.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from remedis import files
from remedis.data import manifest as manifests
from remedis.data.labels import choose_labels
from remedis.data.manifest import Manifest
from remedis.data.readers import Unreadable, tfrecord
from remedis.data.tables import columns
from remedis.errors import UserError, unknown_choice

_INFO = "dataset_info.json"
_SPLITS = {name: name for name in (*manifests.SPLITS, manifests.ID_VALIDATION)}
_SPLITS |= dict.fromkeys(("valid", "val"), "validation")
_BATCH = 4096
_COLUMNS = (*manifests.REQUIRED, *manifests.KNOWN)


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    dataset: str | None = None,
    image: str = "image",
    patient: str = "patient_id",
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of a prepared dataset.

    Args:
      data_dir: the directory of the dataset's version, or one above it.
      labels: features and classes; all scalar features and classes if not given, but for those that
        are columns of a manifest.
      dataset: its name, as `name` or `name/config` or `name:version`, if `data_dir` holds
        several.
      image: the feature with the image.
      patient: the feature with the patient's id.
      allow_missing_patient_ids: take a dataset without patients. Splits then treat each image as a
        patient of its own, and leaks by patient cannot be found.

    Raises:
      UserError: there is no such dataset, or it lacks what is needed.
    """
    # TFDS takes seconds to load; other sources should not wait for it.
    import tensorflow_datasets as tfds

    root = _find(pathlib.Path(data_dir), dataset)
    builder = tfds.builder_from_directory(root)
    if (form := builder.info.file_format.value) != "tfrecord":
        raise UserError(
            f"The dataset in {root} is stored as {form}; expected tfrecord: convert it with "
            "`tfds convert_format`."
        )
    features = dict(builder.info.features)
    if not isinstance(features.get(image), tfds.features.Image):
        images = [key for key, f in features.items() if isinstance(f, tfds.features.Image)]
        raise unknown_choice(f"image feature of {root}", image, images or ["none"])
    if patient not in features and not allow_missing_patient_ids:
        raise UserError(
            f"The dataset in {root} has no feature {patient!r}: without patients, images of one "
            "person can land in training and test alike. Name the feature that has them with "
            "`patient`, or set allow_missing_patient_ids to take every image as a patient of its "
            "own."
        )
    scalars = {
        key: feature
        for key, feature in features.items()
        if isinstance(feature, tfds.features.Tensor) and feature.shape == () and key != image
    }
    metadata = builder.info.metadata or {}
    if labels is None and "labels" in metadata:  # of `remedis prepare`
        labels = tuple(metadata["labels"])
    for label in labels or ():
        if label in features and label not in scalars:
            raise UserError(
                f"The feature {label!r} of the dataset in {root} is a "
                f"{type(features[label]).__name__}; expected a scalar to be a label."
            )
    chosen, origins = _labels(labels, scalars, root, patient)
    table = _read(builder, tfds.features.FeaturesDict(scalars), image)
    values = {
        label: _values(table[feature].to_numpy(), scalars[feature], value)
        for label, (feature, value) in zip(chosen, origins, strict=True)
    }
    table = _named(table, scalars)
    if "original_path" in table:  # of a prepared dataset that was prepared again
        table = table.drop(columns="path")
    table = table.rename(columns={"path": "original_path"})
    table = table.rename(columns={"record": "path", patient: "patient_id"})
    table = table.assign(**values)
    for column in manifests.REQUIRED:
        if column not in table:
            table[column] = None
    for column, parse in {"sex": columns.sexes, "age": columns.ages, "mpp": columns.mpps}.items():
        if column in table and not pd.api.types.is_numeric_dtype(table[column].dtype):
            table[column] = parse(root, table[column].fillna(""))
    if "labels" not in metadata and table["site"].isna().all():
        table["site"] = builder.name
    policies = metadata.get("policies", {})
    known = {label: policies[label] for label in chosen if label in policies}
    return Manifest(table, chosen, root, f"tfds {builder.info.full_name}", known)


def _find(data_dir: pathlib.Path, name: str | None) -> pathlib.Path:
    """Returns the directory of the dataset's newest version."""
    if not data_dir.is_dir():
        raise UserError(
            f"There is no directory {data_dir}; expected a prepared TFDS dataset there."
        )
    if (data_dir / _INFO).is_file():
        return data_dir
    found: dict[str, list[pathlib.Path]] = {}
    for info in sorted(data_dir.rglob(_INFO)):
        version = info.parent
        found.setdefault(version.parent.relative_to(data_dir).as_posix(), []).append(version)
    if not found:
        raise UserError(
            f"{data_dir} does not hold a prepared TFDS dataset: no {_INFO} in it or below."
        )
    asked, _, version_name = (name or "").partition(":")
    if not asked:
        if len(found) > 1:
            raise UserError(
                f"{data_dir} holds several datasets: {', '.join(found)}; choose `dataset`."
            )
        (asked,) = found
    if asked not in found:
        raise unknown_choice(f"dataset in {data_dir}", asked, found)
    versions = {version.name: version for version in found[asked]}
    if version_name and version_name not in versions:
        raise unknown_choice(f"version of {asked}", version_name, versions)
    return versions[version_name or max(versions, key=_version)]


def _version(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(map(str.isdigit, parts)) else ()


def _labels(
    labels: Sequence[str] | None, scalars: Mapping[str, Any], root: pathlib.Path, patient: str
) -> tuple[tuple[str, ...], list[tuple[str, int | None]]]:
    """Returns the labels, and for each its feature and, for a class, the class' number."""
    known: dict[str, tuple[str, int | None]] = {}
    for key, feature in scalars.items():
        if key in _COLUMNS or key == patient or feature.dtype == tf.string:
            continue
        names = getattr(feature, "names", None)
        classes = names if names and not all(n.isdigit() for n in names) else []
        for number, of_class in enumerate(classes):
            known[of_class] = (key, number)
        if not classes:
            known[key] = (key, None)
    if not known:
        raise UserError(f"The dataset in {root} has no scalar feature that could be a label.")
    chosen = choose_labels(labels, tuple(known))
    return chosen, [known[label] for label in chosen]


def _values(found: np.ndarray, feature: Any, number: int | None) -> np.ndarray:
    """Returns a label's values as float32: 1, 0, and NaN for what TFDS leaves unlabelled, as -1."""
    result = found.astype(np.float32) if number is None else (found == number).astype(np.float32)
    if hasattr(feature, "num_classes"):
        result[found < 0] = np.nan
    return result


def _named(table: pd.DataFrame, scalars: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the table with classes that are columns of a manifest, as sex, by their names."""
    for column in _COLUMNS:
        feature = scalars.get(column)
        if feature is not None and hasattr(feature, "int2str"):
            names = [feature.int2str(i) for i in range(feature.num_classes)]
            table[column] = table[column].map(dict(enumerate(names)))
    return table


def _read(builder: Any, features: Any, image: str) -> pd.DataFrame:
    """Returns one row a record: `record`, the path of its image, `split`, and the features."""
    parts = []
    for split, info in builder.info.splits.items():
        for file in map(str, info.filepaths):
            try:
                names = [f"{pathlib.Path(file).name}#{o},{image}" for o in tfrecord.offsets(file)]
            except (OSError, Unreadable) as error:
                raise UserError(
                    f"A shard of {builder.info.full_name} is damaged: {error}"
                ) from error
            data = tf.data.TFRecordDataset(file).map(features.deserialize_example, tf.data.AUTOTUNE)
            batches = list(data.batch(_BATCH).as_numpy_iterator()) if names else []
            part = pd.DataFrame({"record": names})
            for key in features if batches else ():
                part[key] = np.concatenate([batch[key] for batch in batches])
            parts.append(part.assign(split=_SPLITS.get(split)))
    if not any(map(len, parts)):
        raise UserError(
            f"The dataset {builder.info.full_name} in {builder.data_dir} has no images."
        )
    table = pd.concat(parts, ignore_index=True)
    for column in table.columns:
        if table[column].map(lambda value: isinstance(value, bytes)).all():
            table[column] = table[column].str.decode("utf-8")
            table[column] = table[column].replace("", None)
    return table
