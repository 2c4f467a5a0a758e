"""Fine-tuning by gradient descent on the variables that the settings do not freeze."""

import dataclasses
import gc
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import special

from remedis.data.batches import sampling
from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import training_batches
from remedis.data.batches.used_images import UsedImages
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.evaluation.ranking import log_odds
from remedis.evaluation.selection import Selection
from remedis.finetuning.data import RunData
from remedis.finetuning.losses import SupervisedLoss
from remedis.finetuning.model import FitResult, TrainableModel, exportable
from remedis.finetuning.settings import FinetuneSettings
from remedis.finetuning.supervised_objective import SupervisedObjective
from remedis.finetuning.tuning_grid import Candidate
from remedis.inference import predict
from remedis.models.classifier import Classifier
from remedis.preprocess import Preprocess
from remedis.training import (
    checks,
    durations,
    learning_rate_factors,
    loop,
    optimizers,
    schedules,
    trained_layers,
)
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.training.step import Learner, Trainer

_LOG = logging.getLogger(__name__)


def fit(
    settings: FinetuneSettings,
    run: RunDirectory,
    distribution: Distribution,
    model: TrainableModel,
    data: RunData,
    train_ops: Preprocess,
    eval_ops: Preprocess,
) -> FitResult:
    """Trains, selects the best weights on validation, and scores validation and test with them.

    Args:
      settings: of the run.
      run: the directory for the training's state.
      distribution: the replicas and workers that train.
      model: made under the strategy's scope.
      data: the three splits.
      train_ops: operations on training images.
      eval_ops: operations on images to score.

    Raises:
      UserError: the settings contradict each other or the data, or the training diverged.
    """
    return GradientFit(distribution, model)(settings, run, data, train_ops, eval_ops)


def check_settings(settings: FinetuneSettings) -> None:
    """Raises a UserError for settings that training would fail on, with any data and model."""
    asked = settings.optimization
    checks.within(asked, {"batch_size": (1, None)})
    schedule = asked.check()
    _plan(settings, schedule, 1)
    optimizers.make(
        asked.optimizer,
        schedules.Rate(schedule),
        {},
        momentum=asked.momentum,
        weight_decay=asked.weight_decay,
        decay_to=asked.decay_to,
    )
    learning_rate_factors.parse(asked.learning_rates)
    trained_layers.check(asked.layers, asked.learning_rates)
    SupervisedLoss(settings.model.task, focal_gamma=settings.loss.focal_gamma)


def check(settings: FinetuneSettings, train: Manifest) -> None:
    """Raises a UserError for settings that training on these images would fail on, with any model.

    It includes `check_settings`.
    """
    check_settings(settings)
    settings.optimization.for_images(len(train))
    _loss(settings, train)
    if settings.loss.balance:
        sampling.balanced(train, settings.loss.balance)


def length(
    settings: FinetuneSettings, candidates: Iterable[Candidate], train: int, validation: int
) -> dict[str, str | None]:
    """Returns how long the trainings of some candidates are, in words.

    Args:
      settings: of the run.
      candidates: of its grid.
      train: number of training images.
      validation: number of validation images.

    Returns:
      Warnings, or None, by sentences with steps and epochs. Candidates of one length have one.

    Raises:
      UserError: the settings contradict each other or the data.
    """
    sentences = {}
    for candidate in candidates:
        one = candidate.of(settings)
        plan = _plan(one, one.optimization.for_images(train), validation)
        size = one.optimization.batch_size
        sentence = durations.sentence(plan.steps, size, train, plan.evaluate_every)
        sentences[sentence] = durations.warning(plan.steps, size, train)
    return sentences


class GradientFit:
    """Fits one model, once or several times from different weights; traced functions are reused."""

    def __init__(
        self, distribution: Distribution, model: TrainableModel, log_level: int = logging.WARNING
    ) -> None:
        """Makes a fit that has traced nothing yet.

        Args:
          distribution: the replicas and workers that train.
          model: made under the strategy's scope.
          log_level: of the line about labels that cannot select.
        """
        self._distribution, self._model, self._log_level = distribution, model, log_level
        self._logits = logits_of(model.classifier)
        self._trainers: dict[tuple[Any, ...], tuple[Trainer, schedules.Rate]] = {}

    def __call__(
        self,
        settings: FinetuneSettings,
        run: RunDirectory,
        data: RunData,
        train_ops: Preprocess,
        eval_ops: Preprocess,
        scores_test: bool = True,
    ) -> FitResult:
        """Fits as `fit` does, from the current weights of the model.

        Every call needs the same model settings, optimizer and precision. A finished training whose
        checkpoints exist is not repeated: its best weights are restored.

        Args:
          settings: of the run.
          run: the directory for the training's state.
          data: the three splits.
          train_ops: operations on training images.
          eval_ops: operations on images to score.
          scores_test: False leaves the scores of the test split empty.
        """
        distribution, batch_size = self._distribution, settings.optimization.batch_size
        schedule = settings.optimization.for_images(len(data.train))
        factors = self._model.factors(settings.optimization)
        _check_batch_norm(settings, self._model, factors, distribution)
        plan = _plan(settings, schedule, len(data.validation))
        # Training and validation images are read in every epoch, test images once.
        cache_bytes = int(settings.images.cache_gb * 1e9 / 2)
        train_cache, validation_cache = ImageCache(cache_bytes), ImageCache(cache_bytes)
        balance = settings.loss.balance
        weights = sampling.balanced(data.train, balance) if balance else None
        rows = np.arange(len(data.validation))
        selection = Selection.of(
            data.validation.targets(), data.validation.labels, data.validation.table["patient_id"]
        )
        if not selection.estimable:
            _LOG.log(self._log_level, selection.sentence)
        elif len(selection.labels) < len(selection.names):
            _LOG.log(min(self._log_level, logging.INFO), selection.sentence)
        own_validation = data.validation.subset(np.isin(rows, distribution.rows(len(rows))))

        def validate() -> tuple[float, dict[str, float | None]]:
            logits = predict.predict(
                self._logits, own_validation, eval_ops, batch_size, cache=validation_cache
            )
            everyone = distribution.gathered(logits)
            return validation_score(
                data.validation.targets(), everyone, settings.model.task, selection
            )

        mixup = _mixup(settings, len(data.train), distribution)
        state = loop.train(
            run,
            plan,
            self._trainer(settings, schedule, data.train, mixup, factors),
            lambda first, last: training_batches(
                data.train,
                train_ops,
                batch_size,
                settings.seed,
                first,
                last,
                weights=weights,
                shard=(distribution.worker, distribution.workers),
                cache=train_cache,
            ),
            validate,
            # A forward pass is about a third of a step, which has a backward pass, too.
            evaluation_steps=len(data.validation) / batch_size / 3,
            images=UsedImages(data.train),
        )
        classifier = exportable(self._model, settings)
        logits = self._logits if classifier is self._model.classifier else logits_of(classifier)

        nothing = np.empty((0, len(classifier.labels)), np.float32)

        def scored(split: Manifest, name: str) -> np.ndarray:
            if not distribution.chief:
                return nothing
            return predict.predict(logits, split, eval_ops, batch_size, f"Scoring {name}")

        return FitResult(
            classifier,
            scored(data.validation, "validation"),
            scored(data.test, "test") if scores_test else nothing,
            {
                "schedule": {**dataclasses.asdict(schedule), "mixup": mixup},
                "steps": int(state.step),
                "best_step": int(state.best_step),
                "selection": selection.to_json(),
            },
        )

    def _trainer(
        self,
        settings: FinetuneSettings,
        schedule: schedules.Schedule,
        train: Manifest,
        mixup: float,
        factors: Mapping[str, float],
    ) -> Trainer:
        """Returns the last trainer if its traced constants are the same, else a new one."""
        loss = _loss(settings, train)
        at_any_rate = dataclasses.replace(schedule, learning_rate=1.0)
        asked = settings.optimization
        decay = (asked.weight_decay, asked.decay_to)
        seed = settings.seed if mixup else None
        constants = (at_any_rate, loss, mixup, seed, decay, tuple(factors.items()))
        if constants not in self._trainers:
            # The optimizer's variables are as large as the network, and graphs refer to themselves.
            self._trainers.clear()
            gc.collect()
            with self._distribution.strategy.scope():
                rate = schedules.Rate(schedule)
            learner = _learner(
                settings, self._model, factors, rate, loss, mixup, self._distribution
            )
            self._trainers[constants] = Trainer(learner, self._distribution), rate
        trainer, rate = self._trainers[constants]
        rate.set(schedule.learning_rate)
        return trainer


def logits_of(classifier: Classifier) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from images [N, H, W, 3] to logits [N, labels], before calibration."""
    specification = [tf.TensorSpec([None, None, None, 3], tf.float32)]
    return tf.function(
        lambda images: classifier.outputs(images)["logits"],
        input_signature=specification,
        autograph=False,
    )


def _loss(settings: FinetuneSettings, train: Manifest) -> SupervisedLoss:
    return SupervisedLoss.from_targets(
        settings.model.task,
        train.targets(),
        settings.loss.class_weights,
        settings.loss.focal_gamma,
    )


def _mixup(settings: FinetuneSettings, images: int, distribution: Distribution) -> float:
    """Returns the alpha of MixUp, 0 for none."""
    alpha, batch_size = settings.loss.mixup, settings.optimization.batch_size
    if alpha is None:
        hyperrule = settings.optimization.schedule == "hyperrule"
        alpha = schedules.hyperrule_mixup(images) if hyperrule else 0.0
    if alpha and distribution.replicas > 1 and batch_size // distribution.replicas % 2:
        raise UserError(
            f"MixUp mixes neighbours, and config.batch_size={batch_size} gives each of the "
            f"{distribution.replicas} replicas an odd number of images; choose a batch size that "
            "gives each an even number, or set config.mixup to 0."
        )
    return alpha


def _check_batch_norm(
    settings: FinetuneSettings,
    model: TrainableModel,
    factors: Mapping[str, float],
    distribution: Distribution,
) -> None:
    """Raises a UserError if trained batch norms would see less than the whole batch.

    A batch norm normalises by the images it sees together: with the batch divided, numbers would
    depend on the number of parts.
    """
    trained = set(factors) & set(model.classifier.backbone.named_variables())
    parts = distribution.replicas * settings.optimization.accumulate
    if trained and model.classifier.statistics() and parts > 1:
        raise UserError(
            f"config.checkpoint is {settings.model.checkpoint}, whose batch norms normalise by the "
            f"images at hand, and each batch is cut into {parts} parts; set config.accumulate to 1 "
            "and config.distribution to none, or freeze the backbone by "
            "config.learning_rates='head/.*=1; .*=0'."
        )


def _plan(settings: FinetuneSettings, schedule: schedules.Schedule, validation: int) -> loop.Plan:
    """Returns when to evaluate, save and log; `validation` is the number of images there."""
    asked = settings.optimization
    plan = loop.Plan(
        schedule.steps,
        asked.evaluate_every,
        asked.checkpoint_every,
        asked.log_every,
        asked.patience,
    )
    if not asked.fit_to_data:
        return plan
    interval = durations.fitted_interval(
        plan.evaluate_every, plan.steps, asked.batch_size, validation
    )
    return dataclasses.replace(plan, evaluate_every=interval)


def _learner(
    settings: FinetuneSettings,
    model: TrainableModel,
    factors: Mapping[str, float],
    rate: schedules.Rate,
    loss: SupervisedLoss,
    mixup: float,
    distribution: Distribution,
) -> Learner:
    classifier, asked = model.classifier, settings.optimization
    variables = classifier.named_variables()
    trained = {name: variables[name] for name in factors}
    with distribution.strategy.scope():
        optimizer = optimizers.make(
            asked.optimizer,
            rate,
            {trained[name].path: factor for name, factor in factors.items()},
            momentum=asked.momentum,
            weight_decay=asked.weight_decay,
            decay_to=asked.decay_to,
            loss_scale=settings.model.precision == "float16",
        )
    return Learner(
        trained,
        {name: variables[name] for name in classifier.statistics()},
        optimizer,
        SupervisedObjective(classifier, loss, mixup, settings.seed),
        accumulate=asked.accumulate,
        clip_norm=asked.clip_norm,
        ema=asked.ema,
    )


def validation_score(
    targets: np.ndarray, logits: np.ndarray, task: str, selection: Selection
) -> tuple[float, dict[str, float | None]]:
    """Returns the mean AUROC that selects; without labels for it, the negative loss."""
    value = selection.auroc(targets, log_odds(logits, task))
    wide = logits.astype(np.float64)
    if task == "multi_class":
        losses = -(targets * special.log_softmax(wide, axis=1)).sum(axis=1)  # NaN where unknown
    else:
        losses = np.logaddexp(0, wide) - targets * wide
    loss = float(np.nanmean(losses)) if np.isfinite(losses).any() else 0.0
    return (-loss if value is None else value), {
        "validation/auroc": value,
        "validation/loss": loss,
    }
