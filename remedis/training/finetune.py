"""Fine-tuning: a checkpoint, a manifest and a config to results and a model to deploy."""

import dataclasses
import os
import pathlib
import shlex
import sys
from collections.abc import Callable
from typing import Any

import keras
import ml_collections
import numpy as np
import pandas as pd
import tensorflow as tf

from remedis import files
from remedis.data import sampling
from remedis.data.cache import ImageCache
from remedis.data.manifest import Manifest
from remedis.data.pipeline import training_batches
from remedis.errors import UserError, unknown_choice
from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.evaluate import Result, evaluate
from remedis.evaluation.intervals import MIN_RESAMPLES
from remedis.models.classifier import HEAD, Classifier
from remedis.preprocess import Preprocess, parse
from remedis.training import data, loop, predictions, rehearsal
from remedis.training.losses import masked_sigmoid_cross_entropy
from remedis.training.run_directory import RunDirectory
from remedis.training.schedules import HyperRule, WarmupSteps
from remedis.zoo import checkpoint, export
from remedis.zoo.provenance import Provenance
from remedis.zoo.serving import ServedClassifier

TRAINABLE = ("head", "all")


def finetune(config: ml_collections.ConfigDict, workdir: files.Path) -> dict[str, Any]:
    """Trains a classifier and writes everything of the run into `workdir`.

    A run that was killed goes on when called again with the same config and directory, and ends
    with the numbers of one that was not, bit for bit if the process called
    `repeatable.make_process_repeatable`. One that is finished is not done again.

    Args:
      config: as the files in `configs/` make them.
      workdir: the run's directory.

    Returns:
      What `results.json` holds.

    Raises:
      UserError: anything about config, data or checkpoint that the user can mend.
    """
    run = RunDirectory(workdir, config.to_dict())
    results_file = run / "results.json"
    if results_file.is_file():
        print(f"{run.path} is finished; its results are in {results_file}.")
        return files.read_json(results_file)
    if config.rehearsal:
        config = rehearsal.prepared(config, run)
    _check_numbers(config)
    train_ops, eval_ops = _preprocessing(config)
    classifier, variables, provenance = _classifier(config)
    run.write_environment(provenance.to_json())
    parts = data.prepare(config, run)
    rule = HyperRule.of(len(parts.train), config.batch_size, config.steps, config.learning_rate)
    plan = loop.Plan(rule.steps, config.evaluate_every, config.checkpoint_every, config.log_every)
    outputs = tf.function(
        classifier.outputs, input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)]
    )

    # For images that are come by again and again; the test images are not.
    train_cache, validation_cache = (ImageCache(int(config.cache_gb * 1e9 / 2)) for _ in range(2))
    weights = sampling.balanced(parts.train, config.balance) if config.balance else None

    def scores(
        part: Manifest, title: str | None = None, cache: ImageCache | None = None
    ) -> np.ndarray:
        return predictions.predict(outputs, part, eval_ops, config.batch_size, title, cache)

    def validate() -> tuple[float, dict[str, float | None]]:
        return _score(parts.validation.targets(), scores(parts.validation, cache=validation_cache))

    state = loop.train(
        run,
        plan,
        variables,
        keras.optimizers.SGD(WarmupSteps(rule), momentum=config.momentum),
        _loss(classifier),
        lambda first, last: training_batches(
            parts.train,
            train_ops,
            config.batch_size,
            config.seed,
            first,
            last,
            weights=weights,
            cache=train_cache,
        ),
        validate,
    )
    tables = [
        predictions.table(part, scores(part, f"Scoring {name}"))
        for name, part in (("validation", parts.validation), ("test", parts.test))
    ]
    predicted = pd.concat(tables, ignore_index=True)
    with files.whole_file(run / "predictions.parquet") as temporary:
        predicted.to_parquet(temporary, index=False)
    trained = _provenance(config, provenance, parts.train)
    _export(classifier, eval_ops, run, trained)
    results = {
        "random_weights": provenance.random,
        "checkpoint": provenance.to_json(),
        "data": parts.summary,
        "preprocess": {"train": train_ops.specification, "evaluation": eval_ops.specification},
        "schedule": dataclasses.asdict(rule),
        "best_step": int(state.best_step),
        "validation": _evaluate(predicted, "validation", classifier.labels, config).to_json(),
        "test": _evaluate(predicted, "test", classifier.labels, config).to_json(),
    }
    # Last of all: the run is finished once this file is there.
    files.write_json(results_file, results)
    return results


def _check_numbers(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError for numbers that would otherwise fail late, after hours of training."""
    bounds = {
        "resamples": (MIN_RESAMPLES, None),
        "seed": (0, 2**31 - 1),
        "momentum": (0, 1),
        "max_bad_images": (0, 1),
        "cache_gb": (0, None),
    }
    for key, (low, high) in bounds.items():
        value = config[key]
        if not low <= value <= (value if high is None else high):
            expected = f"at least {low}" if high is None else f"{low} to {high}"
            raise UserError(f"config.{key} is {value}; expected {expected}.")


def _preprocessing(config: ml_collections.ConfigDict) -> tuple[Preprocess, Preprocess]:
    """Returns the operations of training and of evaluation, `{size}` filled in."""

    def filled(key: str) -> str:
        try:
            return config[key].format(size=config.image_size)
        except (KeyError, IndexError, ValueError) as error:
            raise UserError(
                f"config.{key} is {config[key]!r}; the only thing in braces may be {{size}}."
            ) from error

    train = parse(filled("train_preprocess"))
    return train, parse(filled("eval_preprocess"), deterministic=True)


def _classifier(
    config: ml_collections.ConfigDict,
) -> tuple[Classifier, dict[str, keras.Variable], Provenance]:
    """Returns the model, the variables to train by name, and where its trunk comes from."""
    if not config.checkpoint:
        raise UserError(
            "config.checkpoint is not set: name a checkpoint folder (saved_models/build.py makes "
            "one; the released ones are taken as downloaded)."
        )
    if config.trainable not in TRAINABLE:
        raise unknown_choice("value of config.trainable", config.trainable, TRAINABLE)
    weights = checkpoint.read(config.checkpoint)
    print(f"Checkpoint: {config.checkpoint}: {weights.provenance.description}", flush=True)
    classifier = Classifier(checkpoint.build_trunk(weights), tuple(config.labels), config.head_norm)
    unused = classifier.unused_variables()
    variables = {
        name: variable
        for name, variable in classifier.named_variables().items()
        if name not in unused and (config.trainable == "all" or name.startswith(HEAD))
    }
    parameters = sum(int(np.prod(variable.shape)) for variable in variables.values())
    print(f"Training {len(variables)} variables, {parameters:,} parameters.", flush=True)
    return classifier, variables, weights.provenance


def _loss(classifier: Classifier) -> Callable[[loop.Batch], tf.Tensor]:
    def loss(batch: loop.Batch) -> tf.Tensor:
        logits = classifier(batch["image"], training=True)
        return masked_sigmoid_cross_entropy(batch["label"], logits)

    return loss


def _score(targets: np.ndarray, scores: np.ndarray) -> tuple[float, dict[str, float | None]]:
    """Returns the mean AUROC; without a label that has both classes, the negative loss."""
    value = mean_auroc(targets, scores)
    clipped = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    losses = -np.where(targets == 1, np.log(clipped), np.log1p(-clipped))
    loss = float(np.mean(losses[np.isfinite(targets)])) if np.isfinite(targets).any() else 0.0
    return (-loss if value is None else value), {
        "validation/auroc": value,
        "validation/loss": loss,
    }


def _evaluate(
    predicted: pd.DataFrame, split: str, labels: tuple[str, ...], config: ml_collections.ConfigDict
) -> Result:
    part = predicted[predicted["split"] == split]
    return evaluate(
        part[[f"label/{label}" for label in labels]].to_numpy(),
        part[[f"score/{label}" for label in labels]].to_numpy(),
        labels,
        part["patient_id"].to_numpy(dtype=object),
        seed=config.seed,
        resamples=config.resamples,
    )


def _provenance(
    config: ml_collections.ConfigDict, start: Provenance, train: Manifest
) -> Provenance:
    """Returns the provenance of the trained model."""
    what = "head" if config.trainable == "head" else "head and trunk"
    return Provenance(
        origin="training",
        description=(
            f"Fine-tuned ({what}) on {len(train):,} images of "
            f"{train.table['patient_id'].nunique():,} patients from {config.source}."
        ),
        command=shlex.join(sys.argv),
        details={"labels": list(config.labels), "trainable": config.trainable},
        parent=start,
    )


def _export(
    classifier: Classifier, eval_ops: Preprocess, run: RunDirectory, provenance: Provenance
) -> None:
    """Writes the classifier as a SavedModel to `export/`."""
    trunk = classifier.trunk
    variables = classifier.named_variables().values()
    description = export.Description(
        kind="classifier",
        name=pathlib.Path(os.path.abspath(run.path)).name,
        units=trunk.architecture.units,
        width=trunk.architecture.width,
        final_norm=trunk.final_norm,
        value_range=(0.0, 1.0),
        trunk_range=trunk.trunk_range,
        parameters=sum(int(np.prod(variable.shape)) for variable in variables),
        tensors=len(variables),
        signatures=("serving_default", "preprocess", "label_names"),
        provenance=provenance,
        labels=classifier.labels,
        preprocess=eval_ops.specification,
    )
    export.save(ServedClassifier(classifier, eval_ops), description, run / "export", overwrite=True)
