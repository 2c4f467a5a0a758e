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
      provenance: of the backbone's weights.
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
        loaded = resolve.load(config.checkpoint, config.seed, config.architecture)
        if config.gradient_checkpointing:
            _use_gradient_checkpointing(loaded.backbone, config.checkpoint)
        classifier = Classifier(
            loaded.backbone, tuple(config.labels), config.head_norm, task=config.task
        )
    print(f"Checkpoint: {config.checkpoint}: {loaded.provenance.description}", flush=True)
    unused = classifier.unused_variables() | set(classifier.statistics())
    names = [name for name in classifier.named_variables() if name not in unused]
    variables = classifier.named_variables()
    factors = learning_rates.of_trained(
        config.learning_rates, {name: variables[name] for name in names}
    )
    classifier.backbone.freeze(set(names) - set(factors))
    return Model(classifier, factors, loaded.provenance)


def make_trainable(model: Model, config: ml_collections.ConfigDict) -> None:
    """Takes back what `plain` has changed, for another training of the same model."""
    if isinstance(model.classifier.backbone, BiTResNet):
        model.classifier.backbone.gradient_checkpointing = config.gradient_checkpointing


def plain(model: Model, config: ml_collections.ConfigDict) -> Classifier:
    """Returns the classifier in float32, on one device and without tricks: what is exported.

    Its variables are the model's own where nothing had to change.
    """
    trained = model.classifier
    if isinstance(trained.backbone, BiTResNet):
        trained.backbone.gradient_checkpointing = False
    if config.precision == "float32" and config.distribution == "none":
        return trained
    loaded = resolve.load(config.checkpoint, config.seed, config.architecture)
    twin = Classifier(loaded.backbone, trained.labels, config.head_norm, task=config.task)
    variables = trained.named_variables()
    for name, variable in twin.named_variables().items():
        variable.assign(variables[name].numpy())
    return twin


def _use_gradient_checkpointing(backbone: resolve.Backbone, checkpoint: str) -> None:
    if not isinstance(backbone, BiTResNet):
        raise UserError(
            f"config.gradient_checkpointing works for BiT backbones only, and config.checkpoint is "
            f"{checkpoint}; set it to False."
        )
    backbone.gradient_checkpointing = True
