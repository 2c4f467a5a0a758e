"""The classifier that a run trains, and the result of training it."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from remedis.errors import UserError
from remedis.finetuning.settings import FinetuneSettings, OptimizationSettings
from remedis.models import precision
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.training import learning_rate_factors, trained_layers
from remedis.zoo import resolve
from remedis.zoo.provenance import Provenance

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainableModel:
    """A classifier to train.

    Attributes:
      classifier: with the weights that training starts from.
      provenance: of the backbone's weights.
    """

    classifier: Classifier
    provenance: Provenance

    def factors(
        self, asked: OptimizationSettings, log_level: int = logging.DEBUG
    ) -> dict[str, float]:
        """Returns the factors of the learning rate, by name of the trained variable.

        The other variables are frozen: batch norms among them keep their averages from now on.

        Args:
          asked: names the variables to train.
          log_level: of the lines on them.

        Raises:
          UserError: a rule matches no variable, or every variable is frozen.
        """
        unused = self.classifier.unused_variables() | set(self.classifier.statistics())
        variables = {
            name: variable
            for name, variable in self.classifier.named_variables().items()
            if name not in unused
        }
        rules = trained_layers.rules(asked.layers, asked.learning_rates, variables)
        factors = learning_rate_factors.factors_of_trained(rules, variables, log_level)
        self.classifier.backbone.freeze(set(variables) - set(factors))
        return factors

    def copied_weights(self) -> dict[str, np.ndarray]:
        """Returns copies of all variables of the classifier, by name."""
        variables = self.classifier.named_variables()
        return {name: variable.numpy() for name, variable in variables.items()}

    def restore_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Sets the classifier to the weights that `copied_weights` returned."""
        for name, variable in self.classifier.named_variables().items():
            variable.assign(weights[name])


@dataclasses.dataclass(frozen=True)
class FitResult:
    """The result of fitting: classifier, scores and summary.

    Attributes:
      classifier: trained, in float32 on one device.
      validation_logits: [images, labels] float32, before calibration.
      test_logits: the same for the test split.
      summary: facts about the fit as plain values, for `results.json`.
    """

    classifier: Classifier
    validation_logits: np.ndarray
    test_logits: np.ndarray
    summary: dict[str, Any]


def check(settings: FinetuneSettings) -> None:
    """Raises a UserError if the checkpoint does not exist or cannot be trained as asked.

    It reads no weights; `build` does, and refuses what only they show.
    """
    asked = settings.model
    if not asked.checkpoint:
        raise UserError(
            "config.checkpoint is not set: name a checkpoint folder (saved_models/build.py makes "
            "one; the released ones are taken as downloaded), bit:FILE.npz, scratch:50x1, or "
            "keras:DenseNet121:WEIGHTS_FILE."
        )
    resolve.check(asked.checkpoint, asked.architecture)


def build(
    settings: FinetuneSettings, strategy: tf.distribute.Strategy, log_level: int = logging.INFO
) -> TrainableModel:
    """Returns the model, its variables made under a strategy's scope.

    Args:
      settings: of the run.
      strategy: TensorFlow's.
      log_level: of the lines about checkpoint and trained variables.

    Raises:
      UserError: the checkpoint does not exist, or cannot do what the settings ask for.
    """
    asked = settings.model
    with strategy.scope(), precision.policy(asked.precision):
        loaded = _backbone(settings)
        if asked.gradient_checkpointing:
            if not isinstance(loaded.backbone, BiTResNet):
                raise UserError(
                    "config.gradient_checkpointing works for BiT backbones only, and "
                    f"config.checkpoint is {asked.checkpoint}; set it to False."
                )
            loaded.backbone.gradient_checkpointing = True
        classifier = _classifier(loaded, settings)
        if asked.head_stddev:
            kernel = classifier.head.dense.kernel
            kernel.assign(_head_weights(kernel.shape, asked.head_stddev, settings.seed))
    _LOG.log(log_level, f"Checkpoint: {asked.checkpoint}: {loaded.provenance.description}")
    model = TrainableModel(classifier, loaded.provenance)
    if settings.method == "probe":
        _LOG.log(log_level, "Fitting the head; the backbone does not change.")
        log_level = logging.DEBUG
    model.factors(settings.optimization, log_level)  # what they refuse is refused at once
    return model


def exportable(model: TrainableModel, settings: FinetuneSettings) -> Classifier:
    """Returns the trained classifier in float32 on one device, as it is exported.

    It is the model's own classifier where that is so already, else a copy.
    """
    trained = model.classifier
    if settings.model.precision == "float32" and settings.distribution == "none":
        return trained
    copy = _classifier(_backbone(settings), settings)
    variables = trained.named_variables()
    for name, variable in copy.named_variables().items():
        variable.assign(variables[name].numpy())
    return copy


def _head_weights(shape: tuple[int, ...], stddev: float, seed: int) -> np.ndarray:
    """Returns normal numbers, float32, that depend on the seed alone."""
    # Words of the seed keep the head's draws apart from those of random backbones.
    rng = np.random.default_rng([seed, *b"head"])
    return rng.normal(0, stddev, shape).astype(np.float32)


def _backbone(settings: FinetuneSettings) -> resolve.LoadedBackbone:
    return resolve.load_backbone(
        settings.model.checkpoint, settings.seed, settings.model.architecture
    )


def _classifier(loaded: resolve.LoadedBackbone, settings: FinetuneSettings) -> Classifier:
    asked = settings.model
    return Classifier(loaded.backbone, settings.data.labels, asked.head_norm, task=asked.task)
