"""Fine-tuning: a checkpoint, a manifest and a config to results and a model to deploy."""

import os
import pathlib
import shlex
import sys
from typing import Any

import ml_collections
import pandas as pd

from remedis import files
from remedis.data.manifest import Manifest
from remedis.errors import unknown_choice
from remedis.evaluation import calibration, thresholds
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.intervals import MIN_RESAMPLES
from remedis.finetuning import data, gradient, head_only, model, rehearsal
from remedis.inference import predict
from remedis.models import backbone
from remedis.models.classifier import TASKS
from remedis.training import checks, run_once
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.zoo import save_classifier
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages

METHODS = {"finetune": gradient.fit, "probe": head_only.fit}


def finetune(config: ml_collections.ConfigDict, workdir: files.Path) -> dict[str, Any]:
    """Trains a classifier and writes everything of the run into `workdir`.

    A run that was killed goes on when called again with the same config and directory, and ends
    with the numbers of one that was not, bit for bit if the process called
    `process.prepare_process`. One that is finished is not done again. Of several workers
    the first writes; all return the same.

    Args:
      config: as the files in `configs/` make them.
      workdir: the run's directory.

    Returns:
      What `results.json` holds.

    Raises:
      UserError: anything about config, data or checkpoint that the user can mend; or the
        checkpoint was trained on some of the test images.
      WorkerLost: another worker is gone.
    """
    return run_once.once(config, workdir, _finetune)


def _finetune(
    config: ml_collections.ConfigDict, run: RunDirectory, distribution: Distribution
) -> None:
    if config.rehearsal:
        with distribution.chief_first():
            config = rehearsal.prepared(config, run)
    _check(config)
    train_ops, eval_ops = checks.operations(config)
    distribution.check_batch(config.batch_size, config.accumulate)
    started = model.build(config, distribution.strategy)
    run.write_environment(started.provenance.to_json())
    parts = data.prepare(config, run)
    seen = SeenImages.of_checkpoint(config.checkpoint)
    seen.refuse_seen(
        parts.test.table["path"].map(parts.hashes),
        model=f"config.checkpoint is {config.checkpoint}",
        tests="test",
        workdir=run.shared,
    )
    run.pin({"data": parts.digest(), "weights": backbone.digest(started.classifier.backbone)})
    fitted = METHODS[config.method](config, run, distribution, started, parts, train_ops, eval_ops)
    if not distribution.chief:
        return
    classifier = fitted.classifier
    names = classifier.labels
    fitted_calibration = calibration.fit(
        fitted.validation_logits,
        parts.validation.targets(),
        names,
        config.calibration,
        config.task,
        parts.validation.table["patient_id"],
    )
    classifier.calibrate(fitted_calibration.scale, fitted_calibration.offset)
    predicted = pd.concat(
        [
            predict.table(part, logits, fitted_calibration.probabilities(logits))
            for part, logits in (
                (parts.validation, fitted.validation_logits),
                (parts.test, fitted.test_logits),
            )
        ],
        ignore_index=True,
    )
    with files.whole_file(run / "predictions.parquet") as temporary:
        predicted.to_parquet(temporary, index=False)
    chosen = thresholds.choose(
        parts.validation.targets(),
        fitted_calibration.probabilities(fitted.validation_logits),
        names,
        config.target_sensitivity,
    )
    save_classifier.save(
        classifier,
        eval_ops,
        name=pathlib.Path(os.path.abspath(run.path)).name,
        provenance=_provenance(config, started.provenance, parts.train),
        directory=run / "export",
        thresholds=chosen.to_json(),
        calibration=fitted_calibration.to_json(),
        seen=seen.extended(parts.learnt_from()),
        overwrite=True,
    )

    def evaluated(split: str) -> dict[str, Any]:
        return evaluate_table(
            predicted,
            names,
            split,
            task=config.task,
            thresholds=chosen,
            seed=config.seed,
            resamples=config.resamples,
        )

    results = {
        "random_weights": started.provenance.random,
        "checkpoint": started.provenance.to_json(),
        "task": config.task,
        "data": parts.summary,
        "preprocess": {"train": train_ops.specification, "evaluation": eval_ops.specification},
        **fitted.summary,
        "calibration": fitted_calibration.to_json(),
        "thresholds": chosen.to_json(),
        "validation": evaluated("validation"),
        "test": evaluated("test"),
    }
    # Last of all: the run is finished once this file is there.
    files.write_json(run / "results.json", results)


def _check(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError for what would otherwise fail late, after hours of training."""
    bounds = {
        "resamples": (MIN_RESAMPLES, None),
        "seed": (0, 2**31 - 1),
        "momentum": (0, 1),
        "weight_decay": (0, None),
        "clip_norm": (0, None),
        "mixup": (0, None),
        "max_bad_images": (0, 1),
        "cache_gb": (0, None),
        "target_sensitivity": (0.01, 1),
    }
    checks.within(config, bounds)
    choices = {"method": METHODS, "task": TASKS, "calibration": calibration.METHODS}
    for key, names in choices.items():
        if config[key] not in names:
            raise unknown_choice(f"value of config.{key}", config[key], names)


def _provenance(
    config: ml_collections.ConfigDict, start: Provenance, train: Manifest
) -> Provenance:
    """Returns the provenance of the trained model."""
    what = "A linear probe" if config.method == "probe" else "Fine-tuned"
    rates = f", learning rates {config.learning_rates}" if config.learning_rates else ""
    return Provenance(
        origin="training",
        description=(
            f"{what} on {len(train):,} images of {train.table['patient_id'].nunique():,} patients "
            f"from {config.source}{rates}."
        ),
        command=shlex.join(sys.argv),
        details={"labels": list(config.labels), "method": config.method},
        parent=start,
    )
