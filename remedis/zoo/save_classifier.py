"""Classifiers as folders: written to be served by TensorFlow alone, and opened again as Keras."""

import math
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from remedis import files
from remedis.errors import UserError
from remedis.models.backbone import Backbone
from remedis.models.bit import BiTResNet
from remedis.models.classifier import HEAD, Classifier
from remedis.preprocess import Preprocess, parse
from remedis.zoo import checkpoint, export, resolve
from remedis.zoo.export import Description
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
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a classifier as a SavedModel with its description and its card.

    Args:
      classifier: calibrated or not.
      preprocess: the evaluation part.
      name: of the model, for the description.
      provenance: of the classifier's weights.
      directory: the folder to write.
      thresholds: for each kind, a mapping from label to the probability from which on it counts as
        positive, None where there is none; values of other types, such as the sensitivity aimed
        at, go to the description only.
      calibration: how the classifier's scale and offset were fitted, see `Description`; the
        numbers themselves are taken from the classifier.
      seen: SHA-256 of the file of every image it was trained, chosen or calibrated on, or the same
        as another export holds it, for `seen.json`; None where it is not known, for no such file.
      overwrite: replace an existing folder.

    Raises:
      UserError: the folder exists and `overwrite` is false, or it cannot be written.
    """
    labels, backbone = classifier.labels, classifier.backbone
    chosen = {
        kind: [math.nan if values[label] is None else values[label] for label in labels]
        for kind, values in (thresholds or {}).items()
        if isinstance(values, Mapping)
    }
    served = ServedClassifier(classifier, preprocess, chosen)
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
    )
    known = (
        []
        if seen is None
        else [seen if isinstance(seen, SeenImages) else SeenImages.from_hashes(seen)]
    )
    return export.save(served, description, directory, overwrite, [one.write for one in known])


def load(directory: files.Path) -> tuple[Classifier, Preprocess, Description]:
    """Returns an exported classifier, calibrated as it was, with its evaluation preprocessing.

    Raises:
      UserError: the folder holds no classifier of ours, or is damaged.
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
