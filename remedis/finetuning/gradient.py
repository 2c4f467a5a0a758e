"""Fine-tuning by gradient descent, of whatever the config leaves free."""

import dataclasses
from collections.abc import Callable
from typing import Any

import ml_collections
import numpy as np
import tensorflow as tf
from scipy import special

from remedis.data.batches import sampling
from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import training_batches
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.evaluation.auroc import mean_auroc
from remedis.finetuning import data, model
from remedis.finetuning.losses import SupervisedLoss
from remedis.finetuning.model import Fitted
from remedis.finetuning.objective import Supervised
from remedis.inference import predict
from remedis.models.classifier import Classifier
from remedis.preprocess import Preprocess
from remedis.training import durations, learning_rates, loop, optimizers, schedules
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.training.step import Learner, Trainer


def fit(
    config: ml_collections.ConfigDict,
    run: RunDirectory,
    distribution: Distribution,
    started: model.Model,
    parts: data.RunData,
    train_ops: Preprocess,
    eval_ops: Preprocess,
) -> Fitted:
    """Trains, keeps the best weights by validation, and scores validation and test with them.

    Args:
      config: as the files in `configs/` make them.
      run: where the training's state goes.
      distribution: who trains.
      started: the model, made under the strategy's scope.
      parts: the data.
      train_ops: operations on images to learn from.
      eval_ops: operations on images to score.

    Raises:
      UserError: the config asks for what cannot be, or the training diverged.
    """
    return Fitting(distribution, started)(config, run, parts, train_ops, eval_ops)


def check(config: ml_collections.ConfigDict, train: Manifest) -> None:
    """Raises a UserError for what training on some images would fail of, whatever the model."""
    schedule = _schedule(config, len(train))
    _plan(config, schedule)
    optimizers.make(
        config.optimizer,
        schedules.Rate(schedule),
        {},
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    learning_rates.parse(config.learning_rates)
    SupervisedLoss.of(config.task, train.targets(), config.class_weights, config.focal_gamma)
    if config.balance:
        sampling.balanced(train, config.balance)


class Fitting:
    """Fits one model, once or again and again from other weights: what is traced is kept."""

    def __init__(self, distribution: Distribution, started: model.Model) -> None:
        self._distribution, self._started = distribution, started
        self._logits = logits_of(started.classifier)
        self._trainers: dict[tuple[Any, ...], Trainer] = {}

    def __call__(
        self,
        config: ml_collections.ConfigDict,
        run: RunDirectory,
        parts: data.RunData,
        train_ops: Preprocess,
        eval_ops: Preprocess,
    ) -> Fitted:
        """Does what `fit` does, beginning with the weights as they are.

        The model's own keys of the config, and those of the optimizer and the precision, must be
        the same every time.
        """
        distribution = self._distribution
        schedule = _schedule(config, len(parts.train))
        model.make_trainable(self._started, config)
        _check_batch_norm(config, self._started, distribution)
        plan = _plan(config, schedule)
        # For images that are come by again and again; the test images are not.
        kept, kept_validation = (ImageCache(int(config.cache_gb * 1e9 / 2)) for _ in range(2))
        weights = sampling.balanced(parts.train, config.balance) if config.balance else None
        own = parts.validation.subset(
            np.isin(np.arange(len(parts.validation)), distribution.rows(len(parts.validation)))
        )

        def validate() -> tuple[float, dict[str, float | None]]:
            found = predict.predict(
                self._logits, own, eval_ops, config.batch_size, cache=kept_validation
            )
            return _score(parts.validation.targets(), distribution.gathered(found), config.task)

        alpha = _mixup(config, len(parts.train), distribution)
        state = loop.train(
            run,
            plan,
            self._trainer(config, schedule, parts.train, alpha),
            lambda first, last: training_batches(
                parts.train,
                train_ops,
                config.batch_size,
                config.seed,
                first,
                last,
                weights=weights,
                shard=(distribution.worker, distribution.workers),
                cache=kept,
            ),
            validate,
        )
        classifier = model.plain(self._started, config)
        logits = self._logits if classifier is self._started.classifier else logits_of(classifier)

        def scored(part: Manifest, name: str) -> np.ndarray:
            if not distribution.chief:
                return np.empty((0, len(classifier.labels)), np.float32)
            return predict.predict(logits, part, eval_ops, config.batch_size, f"Scoring {name}")

        return Fitted(
            classifier,
            scored(parts.validation, "validation"),
            scored(parts.test, "test"),
            {
                "schedule": {**dataclasses.asdict(schedule), "mixup": alpha},
                "steps": int(state.step),
                "best_step": int(state.best_step),
            },
        )

    def _trainer(
        self,
        config: ml_collections.ConfigDict,
        schedule: schedules.Schedule,
        train: Manifest,
        alpha: float,
    ) -> Trainer:
        """Returns a trainer, the one before where all that is traced as a constant is the same."""
        loss = SupervisedLoss.of(
            config.task, train.targets(), config.class_weights, config.focal_gamma
        )
        key = (schedule, loss, alpha, config.seed if alpha else None)
        if key not in self._trainers:
            self._trainers.clear()  # the optimizer's variables are as large as the network
            learner = _learner(config, self._started, schedule, loss, alpha, self._distribution)
            self._trainers[key] = Trainer(learner, self._distribution)
        return self._trainers[key]


def _mixup(config: ml_collections.ConfigDict, images: int, distribution: Distribution) -> float:
    """Returns the alpha of MixUp, 0 for none."""
    alpha: float | None = config.mixup
    if alpha is None:
        hyperrule = config.schedule == "hyperrule"
        alpha = schedules.hyperrule_mixup(images) if hyperrule else 0.0
    if alpha and distribution.replicas > 1 and config.batch_size // distribution.replicas % 2:
        raise UserError(
            f"MixUp mixes neighbours, and a batch of {config.batch_size} gives each of the "
            f"{distribution.replicas} replicas an odd number of images; choose an even number of "
            "images per replica with config.batch_size, or set config.mixup to 0."
        )
    return alpha


def logits_of(classifier: Classifier) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from images [N, H, W, 3] to logits [N, labels], before calibration."""
    specification = [tf.TensorSpec([None, None, None, 3], tf.float32)]
    return tf.function(
        lambda images: classifier.outputs(images)["logits"],
        input_signature=specification,
        autograph=False,
    )


def _check_batch_norm(
    config: ml_collections.ConfigDict, started: model.Model, distribution: Distribution
) -> None:
    """Raises a UserError if batch norms would be trained on less than the batch.

    They normalise by the images they see together: in parts, numbers would depend on how many.
    """
    trained = set(started.factors) & set(started.classifier.backbone.named_variables())
    parts = distribution.replicas * config.accumulate
    if trained and started.classifier.statistics() and parts > 1:
        raise UserError(
            f"config.checkpoint is {config.checkpoint}, whose batch norms normalise by the images "
            f"at hand, and each batch is cut into {parts} parts; set config.accumulate to 1 and "
            "config.distribution to none, or freeze the backbone by "
            "config.learning_rates='head/.*=1; .*=0'."
        )


def _schedule(config: ml_collections.ConfigDict, images: int) -> schedules.Schedule:
    return schedules.Schedule.of(
        config.schedule,
        images,
        config.batch_size,
        durations.steps(config.steps, config.epochs, config.examples, images, config.batch_size),
        config.learning_rate,
        config.learning_rate_batch,
        config.warmup,
        tuple(config.drops),
    )


def _plan(config: ml_collections.ConfigDict, schedule: schedules.Schedule) -> loop.Plan:
    return loop.Plan(
        schedule.steps,
        config.evaluate_every,
        config.checkpoint_every,
        config.log_every,
        config.patience,
    )


def _learner(
    config: ml_collections.ConfigDict,
    started: model.Model,
    schedule: schedules.Schedule,
    loss: SupervisedLoss,
    alpha: float,
    distribution: Distribution,
) -> Learner:
    classifier = started.classifier
    variables = classifier.named_variables()
    trained = {name: variables[name] for name in started.factors}
    with distribution.strategy.scope():
        optimizer = optimizers.make(
            config.optimizer,
            schedules.Rate(schedule),
            {trained[name].path: factor for name, factor in started.factors.items()},
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            loss_scale=config.precision == "float16",
        )
    return Learner(
        trained,
        {name: variables[name] for name in classifier.statistics()},
        optimizer,
        Supervised(classifier, loss, alpha, config.seed),
        accumulate=config.accumulate,
        clip_norm=config.clip_norm,
        ema=config.ema,
    )


def _score(
    targets: np.ndarray, logits: np.ndarray, task: str
) -> tuple[float, dict[str, float | None]]:
    """Returns the mean AUROC; without a label that has both classes, the negative loss."""
    wide = logits.astype(np.float64)
    scores = special.softmax(wide, axis=1) if task == "multi_class" else special.expit(wide)
    value = mean_auroc(targets, scores)
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    if task == "multi_class":
        losses = -(targets * np.log(clipped)).sum(axis=1)  # NaN where a label is unknown
    else:
        losses = -np.where(targets == 1, np.log(clipped), np.log1p(-clipped))
        losses[np.isnan(targets)] = np.nan
    loss = float(np.nanmean(losses)) if np.isfinite(losses).any() else 0.0
    return (-loss if value is None else value), {
        "validation/auroc": value,
        "validation/loss": loss,
    }
