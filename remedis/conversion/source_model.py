"""The model that is exported: its network, its description and the outputs it has now."""

import dataclasses
import functools
import json
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from remedis import files
from remedis.conversion.model_parts import CALIBRATION, LABELS, PREPROCESSING, THRESHOLDS
from remedis.errors import UserError
from remedis.models.backbone import Backbone, digest
from remedis.models.classifier import Classifier
from remedis.preprocess import Preprocess, parse
from remedis.zoo import checkpoint, graphs, resolve, save_classifier
from remedis.zoo.export import DESCRIPTION, Description
from remedis.zoo.save_classifier import served_thresholds

BACKBONE, CLASSIFIER = "backbone", "classifier"
# By kind: the outputs of every format, and their meaning.
OUTPUTS = {
    BACKBONE: {
        "map": "[N, ceil(H/32), ceil(W/32), C] float32, the unpooled map",
        "embedding": "[N, C] float32, the average of the map",
    },
    CLASSIFIER: {
        "probabilities": "[N, labels] float32, calibrated",
        "logits": "[N, labels] float32, before calibration",
        "embedding": "[N, C] float32, the average of the backbone's map",
    },
}


@dataclasses.dataclass(frozen=True)
class SourceModel:
    """A model in a folder that this package wrote.

    Attributes:
      folder: the SavedModel folder.
      description: its `remedis.json`.
      backbone: the network, or that of the classifier.
      classifier: the backbone with its head and calibration; None for a backbone.
      preprocess: the preprocessing for evaluation; None if it is not recorded.
      reference: the outputs of the SavedModel itself, by the names in `OUTPUTS`, for images
        [N, H, W, 3] float32 in [0, 1].
    """

    folder: pathlib.Path
    description: Description
    backbone: Backbone
    classifier: Classifier | None
    preprocess: Preprocess | None
    reference: Callable[[np.ndarray], dict[str, np.ndarray]]

    @property
    def kind(self) -> str:
        """`BACKBONE` or `CLASSIFIER`."""
        return BACKBONE if self.classifier is None else CLASSIFIER

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of a classifier's labels, in the order of its outputs; none for a backbone."""
        return () if self.classifier is None else self.classifier.labels

    @functools.cached_property
    def backbone_weights(self) -> str:
        """The SHA-256 of the backbone's weights, `remedis.models.backbone.digest`."""
        return digest(self.backbone)

    @property
    def parts(self) -> tuple[str, ...]:
        """What the model has beside its network, of `model_parts.PARTS`."""
        calibration = self.description.calibration or {}
        has = {
            PREPROCESSING: self.preprocess is not None,
            CALIBRATION: calibration.get("method", "none") != "none",
            THRESHOLDS: bool(self.description.thresholds),
            LABELS: self.classifier is not None,
        }
        return tuple(part for part, there in has.items() if there)

    def metadata(self) -> dict[str, str]:
        """Returns what formats with metadata have about the model; lists and dicts as JSON."""
        description = self.description.shared()
        thresholds = served_thresholds(description.thresholds or {}, self.labels)
        values = {
            "name": description.name,
            "kind": self.kind,
            "provenance": description.provenance.description,
            "weights": self.backbone_weights,
            "preprocessing": description.preprocess or "",
            "task": description.task if self.labels else "",
            "labels": json.dumps(self.labels) if self.labels else "",
            "thresholds": json.dumps(_without_nan(thresholds)) if thresholds else "",
        }
        return {name: value for name, value in values.items() if value}

    def outputs(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs of the network, without the checks of a SavedModel.

        Args:
          images: [N, H, W, 3] float32 in [0, 1].
        """
        if self.classifier is not None:
            named = self.classifier.outputs(images)
        else:
            unpooled = self.backbone(images, training=False)
            named = {"map": unpooled, "embedding": tf.reduce_mean(unpooled, [1, 2])}
        return {name: named[name] for name in OUTPUTS[self.kind]}


def _without_nan(thresholds: Mapping[str, Sequence[float]]) -> dict[str, list[float | None]]:
    return {
        kind: [None if math.isnan(value) else value for value in values]
        for kind, values in thresholds.items()
    }


def load(model: files.Path) -> SourceModel:
    """Returns the model of a run, an export or a checkpoint folder.

    Raises:
      UserError: there is none, its files are damaged, or this package did not write it.
    """
    folder = resolve.export_folder(model)
    description = checkpoint.describe(folder)
    if description is None:
        raise UserError(
            f"{folder} has no {DESCRIPTION}: only folders that remedis wrote are exported. Build a "
            "folder from it first: remedis build --weights=release:DIR."
        )
    served = graphs.load(folder)
    signature = getattr(served, "signatures", {}).get("serving_default")
    if signature is None:
        raise UserError(
            f"{folder} has the {DESCRIPTION} of a model, but its graph has no serving_default: the "
            "files are of different folders; copy the whole folder again."
        )
    if description.kind == CLASSIFIER:
        classifier, prepares, _ = save_classifier.load(folder)

        def scores(images: np.ndarray) -> dict[str, np.ndarray]:
            found = signature(images=tf.constant(images))
            return {name: found[name].numpy() for name in OUTPUTS[CLASSIFIER]}

        return SourceModel(folder, description, classifier.backbone, classifier, prepares, scores)

    def unpooled(images: np.ndarray) -> dict[str, np.ndarray]:
        found = signature(input_1=tf.constant(images))["output_1"].numpy()
        return {"map": found, "embedding": found.mean((1, 2))}

    backbone = resolve.load_backbone(str(folder), seed=0).backbone
    recorded = description.preprocess
    preprocess = None if recorded is None else parse(recorded, deterministic=True)
    return SourceModel(folder, description, backbone, None, preprocess, unpooled)
