"""Classifiers written as SavedModel folders, and loaded from them as Keras models."""

import math
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from remedis import files, limits
from remedis.errors import UserError
from remedis.models.backbone import Backbone
from remedis.models.bit import BiTResNet
from remedis.models.classifier import HEAD, Classifier
from remedis.preprocess import Preprocess, parse
from remedis.zoo import checkpoint, export, resolve
from remedis.zoo.export import Description
from remedis.zoo.pixel_range import CHECKED
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages
from remedis.zoo.serving import ServedClassifier


def save(
    classifier: Classifier,
    preprocess: Preprocess,
    *,
    name: str,
    provenance: Provenance,
    directory: files.Path,
    thresholds: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    seen: SeenImages | Iterable[str] | None = None,
    label_policies: Mapping[str, str] | None = None,
    performance: Mapping[str, Any] | None = None,
    pixel_range: str = CHECKED,
    overwrite: bool = False,
    beside: Iterable[Callable[[pathlib.Path], object]] = (),
) -> pathlib.Path:
    """Writes a classifier as a SavedModel with its description and its card.

    Args:
      classifier: calibrated or not.
      preprocess: the preprocessing for evaluation.
      name: of the model, for the description.
      provenance: of the classifier's weights.
      directory: the folder to write.
      thresholds: per kind a mapping from label to the smallest probability that counts as positive,
        or to None if there is none. Their `log_odds` and `chosen_on`, and values of other types,
        such as the target sensitivity, go to the description only.
      calibration: how the classifier's scale and offset were fitted, see `Description`. The two
        themselves come from the classifier.
      seen: the images that the classifier was trained, selected or calibrated on, or the SHA-256 of
        their files, for `seen.json`. None if they are not known: then there is no such file.
      label_policies: what labels counted as, see `Description`.
      performance: measured on data that chose nothing, of `performance_summary`.
      pixel_range: `checked`, or `any` for a graph that takes every finite pixel value.
      overwrite: replace an existing folder.
      beside: functions that each write one more file into the folder they are given.

    Raises:
      UserError: the folder exists and `overwrite` is false, or it cannot be written.
    """
    labels, backbone = classifier.labels, classifier.backbone
    chosen = served_thresholds(thresholds or {}, labels)
    served = ServedClassifier(classifier, preprocess, chosen, pixel_range)
    variables = classifier.named_variables().values()
    bit = backbone if isinstance(backbone, BiTResNet) else None
    description = Description(
        kind="classifier",
        name=name,
        units=bit.architecture.units if bit else (),
        width=bit.architecture.width if bit else None,
        final_norm=bit is not None and bit.final_norm,
        value_range=(0.0, 1.0),
        backbone_range=bit.backbone_range if bit else None,
        parameters=sum(int(np.prod(variable.shape)) for variable in variables),
        tensors=len(variables),
        signatures=tuple(served.saved_signatures()),
        provenance=provenance,
        backbone=backbone.architecture_name,
        labels=labels,
        preprocess=preprocess.specification,
        task=classifier.task,
        head_norm=classifier.head_norm,
        calibration={
            "method": "none",
            **(calibration or {}),
            "scale": np.asarray(classifier.scale).tolist(),
            "offset": np.asarray(classifier.offset).tolist(),
        },
        thresholds=dict(thresholds) if thresholds else None,
        label_policies=dict(label_policies) if label_policies else None,
        performance=dict(performance) if performance else None,
        pixel_range=pixel_range,
        max_pixels=limits.max_pixels(),
        map_channels=backbone.map_channels,
    )
    if seen is not None and not isinstance(seen, SeenImages):
        seen = SeenImages.from_hashes(seen)
    more = [*([] if seen is None else [seen.write]), *beside]
    return export.save(served, description, directory, overwrite, more)


def served_thresholds(
    thresholds: Mapping[str, Any], labels: Sequence[str]
) -> dict[str, list[float]]:
    """Returns per kind one threshold per label, as a served classifier has them; NaN for none.

    Args:
      thresholds: as `save` takes them.
      labels: in the order of the outputs.
    """
    return {
        kind: [math.nan if values[label] is None else values[label] for label in labels]
        for kind, values in thresholds.items()
        if isinstance(values, Mapping) and kind not in ("log_odds", "chosen_on")
    }


def load(directory: files.Path) -> tuple[Classifier, Preprocess, Description]:
    """Returns an exported classifier with its calibration, preprocessing and description.

    Raises:
      UserError: the folder is damaged, or holds no classifier written by `save`.
    """
    folder = os.fspath(directory)
    description = checkpoint.describe(folder)
    if description is None or description.kind != "classifier":
        raise UserError(
            f"{folder} holds a backbone without a head; expected a classifier as a run exports it: "
            "RUN/export."
        )
    backbone: Backbone
    if name := description.application:
        backbone = resolve.load_application(folder, name)
    else:
        backbone = checkpoint.load_backbone(folder)
    classifier = Classifier(
        backbone, description.labels, description.head_norm, task=description.task
    )
    head = {
        name: variable
        for name, variable in classifier.named_variables().items()
        if name.startswith(HEAD)
    }
    for name, array in checkpoint.arrays(folder, head, "head").items():
        head[name].assign(array)
    if calibration := description.calibration:
        classifier.calibrate(calibration["scale"], calibration["offset"])
    assert description.preprocess is not None
    return classifier, parse(description.preprocess, deterministic=True), description
