"""The model a config asks for, and which of its variables are trained how fast."""

import dataclasses
from typing import Any

import ml_collections
import numpy as np
import tensorflow as tf

from remedis.errors import UserError
from remedis.models import precision
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.training import learning_rates
from remedis.zoo import resolve
from remedis.zoo.provenance import Provenance


@dataclasses.dataclass(frozen=True)
class Model:
    """A classifier to train.

    Attributes:
      classifier: with the weights it starts from.
      factors: of the learning rate, by name, for the variables that are trained.
      provenance: of the trunk's weights.
    """

    classifier: Classifier
    factors: dict[str, float]
    provenance: Provenance


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained classifier and its scores.

    Attributes:
      classifier: trained, in float32 on one device.
      validation_logits: [images, labels] float32, before calibration.
      test_logits: the same of the test split.
      summary: what was done, as plain values for `results.json`.
    """

    classifier: Classifier
    validation_logits: np.ndarray
    test_logits: np.ndarray
    summary: dict[str, Any]


def build(config: ml_collections.ConfigDict, strategy: tf.distribute.Strategy) -> Model:
    """Returns the model, its variables made under a strategy's scope.

    Raises:
      UserError: there is no such checkpoint, or it cannot do what the config asks.
    """
    if not config.checkpoint:
        raise UserError(
            "config.checkpoint is not set: name a checkpoint folder (saved_models/build.py makes "
            "one; the released ones are taken as downloaded), bit:FILE.npz, scratch:50x1, or "
            "keras:DenseNet121:WEIGHTS_FILE."
        )
    with strategy.scope(), precision.policy(config.precision):
        backbone = resolve.load(config.checkpoint, config.seed, config.architecture)
        if config.rematerialise:
            _rematerialise(backbone.trunk, config.checkpoint)
        classifier = Classifier(
            backbone.trunk, tuple(config.labels), config.head_norm, task=config.task
        )
    print(f"Checkpoint: {config.checkpoint}: {backbone.provenance.description}", flush=True)
    unused = classifier.unused_variables() | set(classifier.statistics())
    names = [name for name in classifier.named_variables() if name not in unused]
    variables = classifier.named_variables()
    factors = learning_rates.of_trained(
        config.learning_rates, {name: variables[name] for name in names}
    )
    classifier.trunk.freeze(set(names) - set(factors))
    return Model(classifier, factors, backbone.provenance)


def make_trainable(model: Model, config: ml_collections.ConfigDict) -> None:
    """Takes back what `plain` has changed, for another training of the same model."""
    if isinstance(model.classifier.trunk, BiTResNet):
        model.classifier.trunk.rematerialise = config.rematerialise


def plain(model: Model, config: ml_collections.ConfigDict) -> Classifier:
    """Returns the classifier in float32, on one device and without tricks: what is exported.

    Its variables are the model's own where nothing had to change.
    """
    trained = model.classifier
    if isinstance(trained.trunk, BiTResNet):
        trained.trunk.rematerialise = False
    if config.precision == "float32" and config.distribution == "none":
        return trained
    backbone = resolve.load(config.checkpoint, config.seed, config.architecture)
    twin = Classifier(backbone.trunk, trained.labels, config.head_norm, task=config.task)
    variables = trained.named_variables()
    for name, variable in twin.named_variables().items():
        variable.assign(variables[name].numpy())
    return twin


def _rematerialise(trunk: resolve.Trunk, checkpoint: str) -> None:
    if not isinstance(trunk, BiTResNet):
        raise UserError(
            f"config.rematerialise works for BiT trunks only, and config.checkpoint is "
            f"{checkpoint}; set it to False."
        )
    trunk.rematerialise = True
