"""A Keras 3 model in one `.keras` file, which trains in `fit` and comes back from `load_model`.

The backbone is this package's layer, so that the program that loads the file has to import
`remedis` first. Everything behind it is Keras' own. One more member of the file, `remedis.json`,
has the labels, thresholds and preprocessing; Keras passes it over, and does not write it again.
"""

import json
import logging
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from remedis.conversion.formats import Run
from remedis.conversion.quiet import quiet
from remedis.conversion.source_model import SourceModel
from remedis.models.architectures import GROUPS
from remedis.models.classifier import Classifier
from remedis.models.group_norm import EPSILON
from remedis.zoo import backbone_layer
from remedis.zoo.export import DESCRIPTION
from remedis.zoo.pixel_range import CHECKED

_ACTIVATION = {"multi_label": "sigmoid", "multi_class": "softmax"}


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes the model; returns the names of its outputs and the number of what trains."""
    with quiet(backbone_layer.__name__, logging.ERROR):  # of random weights, as the command says
        model = build(source)
    model.save(path)
    with zipfile.ZipFile(path, "a") as file:
        # A date of its own would make two exports of one model differ.
        member = zipfile.ZipInfo(DESCRIPTION)
        file.writestr(member, json.dumps(source.description.shared().to_json(), indent=2))
    return {"outputs": sorted(model.output), "trained_variables": len(model.trainable_variables)}


def build(source: SourceModel) -> keras.Model:
    """Returns the model: images [N, H, W, 3] float32 in [0, 1] to a dict of the source's outputs.

    A backbone gives `map` and `embedding`, a classifier `probabilities`, `logits` and `embedding`;
    these are the names of layers, too. All variables of the classifier train. The calibration is a
    layer without variables.
    """
    images = keras.Input((None, None, 3), name="images")
    unpooled = backbone_layer.layer_of(
        source.backbone,
        source.description.provenance,
        output="map",
        pixel_range=source.description.pixel_range or CHECKED,
        checkpoint=source.description.name,
        name="map",
    )(images)
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(unpooled)
    if source.classifier is None:
        return keras.Model(images, {"map": unpooled, "embedding": embedding}, name="backbone")
    logits = _logits(source.classifier, unpooled, embedding)
    scale, offset = (np.asarray(v) for v in (source.classifier.scale, source.classifier.offset))
    calibrated = keras.layers.Rescaling(scale.tolist(), offset.tolist(), name="calibration")(logits)
    activation = keras.layers.Activation(_ACTIVATION[source.classifier.task], name="probabilities")
    outputs = {"probabilities": activation(calibrated), "logits": logits, "embedding": embedding}
    return keras.Model(images, outputs, name="classifier")


def _logits(classifier: Classifier, unpooled: Any, embedding: Any) -> Any:
    """Returns the output of the head's layers, with its weights assigned."""
    named = classifier.named_variables()
    head = {name.rpartition("/")[-1]: v for name, v in named.items() if name.startswith("head/")}
    dense = keras.layers.Dense(len(classifier.labels), name="logits")
    pooled = embedding
    if classifier.head_norm and not classifier.backbone.normalised:
        norm = keras.layers.GroupNormalization(GROUPS, epsilon=EPSILON, name="head_norm")
        rectified = keras.layers.ReLU(name="head_relu")(norm(unpooled))
        pooled = keras.layers.GlobalAveragePooling2D(name="head_average")(rectified)
        own = "gamma" in head  # else the norm is the backbone's
        gamma = head["gamma"] if own else named["group_norm/gamma"]
        beta = head["beta"] if own else named["group_norm/beta"]
        norm.set_weights([np.asarray(gamma), np.asarray(beta)])
    logits = dense(pooled)
    dense.set_weights([np.asarray(head["kernel"]), np.asarray(head["bias"])])
    return logits


def run(path: pathlib.Path) -> Run:
    """Returns the outputs of a written file as a function of images."""
    with quiet(backbone_layer.__name__, logging.ERROR):
        model = keras.saving.load_model(path)

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        found = model(tf.constant(images), training=False)
        return {name: value.numpy() for name, value in found.items()}

    return outputs
