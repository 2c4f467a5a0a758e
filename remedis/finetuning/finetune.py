"""Fine-tuning: from a checkpoint, data and a config to results and a model to deploy."""

import dataclasses
import functools
import logging
import os
import pathlib
from typing import Any

import ml_collections
import pandas as pd

from remedis import files, invocation, limits
from remedis.data import judged_images
from remedis.data.manifest import Manifest
from remedis.errors import counted
from remedis.evaluation import calibration, choice_sentences, thresholds
from remedis.evaluation.estimates import WEIGHTINGS
from remedis.evaluation.evaluate import check_top_k, evaluate_table
from remedis.evaluation.evaluation_result import images_of_patients
from remedis.evaluation.intervals import MAX_RESAMPLES, MIN_RESAMPLES
from remedis.evaluation.nested_bootstrap import nested_intervals
from remedis.evaluation.performance_summary import performance_summary
from remedis.finetuning import (
    best_candidate,
    drift_reference,
    gradient,
    head_only,
    losses,
    model,
    rehearsal,
    scratch_rates,
)
from remedis.finetuning import data as finetuning_data
from remedis.finetuning.data import RunData
from remedis.finetuning.settings import FinetuneSettings
from remedis.finetuning.tuning_grid import Grid
from remedis.inference import predict
from remedis.models import backbone, precision
from remedis.models.classifier import check_labels
from remedis.models.tasks import TASKS
from remedis.options import spelled_for
from remedis.training import checks, optimizers, schedules
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.training.run_once import run_once
from remedis.zoo import licences, resolve, run_record, save_classifier, shared_names
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages

_LOG = logging.getLogger(__name__)

METHODS = {"finetune": best_candidate, "probe": head_only}


@spelled_for("config")
@limits.of_config
def finetune(config: ml_collections.ConfigDict, workdir: files.Path) -> dict[str, Any]:
    """Trains a classifier and writes all files of the run into `workdir`.

    A killed run resumes when it is called again with the same config and directory. It ends with
    the numbers of an undisturbed run, bit for bit within `determinism.prepared`. A finished run is
    not repeated. The first of several workers writes; all return the same.

    Args:
      config: as the files in `configs/` make them.
      workdir: the run's directory.

    Returns:
      The content of `results.json`.

    Raises:
      UserError: config, data or checkpoint are at fault, or the checkpoint was trained on some of
        the test images.
      WorkerLost: another worker is gone.
    """
    settings = FinetuneSettings.from_config(config)
    return run_once(
        workdir,
        # Runs of version 0.1 resume: they lack the key.
        {k: v for k, v in config.to_dict().items() if k != "select" or v},
        settings.distribution,
        lambda run, distribution: _finetune(settings, run, distribution),
        lambda run: _list_judged(settings, run),
    )


def _list_judged(settings: FinetuneSettings, run: RunDirectory) -> None:
    """Writes the `judged.json` that a run finished by version 0.1 lacks."""
    if not (run / judged_images.FILE).is_file():
        if settings.rehearsal:
            settings = rehearsal.prepared(settings, run)
        data = finetuning_data.prepare(settings.data.as_begun(run), settings.model.task, run)
        judged_images.write(run.path, data.judged())


def _finetune(settings: FinetuneSettings, run: RunDirectory, distribution: Distribution) -> None:
    if settings.rehearsal:
        with distribution.chief_first():
            settings = rehearsal.prepared(settings, run)
    settings = settings.as_begun(run)
    _check(settings)
    method = METHODS[settings.method]
    method.check(settings, distribution)
    grid = Grid.parse(settings.select)
    if len(grid) > 1:
        _LOG.info(f"Tuning: {grid.budget()}.")
    train_ops, eval_ops = settings.images.operations()
    distribution.check_batch(settings.optimization.batch_size, settings.optimization.accumulate)
    model.check(settings)
    rate_warning = _rate_warning(settings)
    if rate_warning:
        _LOG.warning(rate_warning)
    data = finetuning_data.prepare(settings.data, settings.model.task, run)
    judged_images.write(run.path, data.judged())
    if settings.method == "finetune":
        _check_length(settings, grid, data)
    seen = SeenImages.from_checkpoint(settings.model.checkpoint)
    warnings = seen.refuse_seen(
        data.fingerprints("test"),
        model=f"config.checkpoint is {settings.model.checkpoint}",
        tests="test",
        workdir=run.shared,
        allow_similar_images=settings.data.allow_similar_images,
    )
    for sentence in warnings:
        _LOG.warning(f"config.checkpoint is {settings.model.checkpoint}. {sentence}")
    trainable = model.build(settings, distribution.strategy)
    start = trainable.provenance
    run.write_environment(start.to_json())
    run.pin({"data": data.digest(), "weights": backbone.digest(trainable.classifier.backbone)})
    result = method.fit(settings, run, distribution, trainable, data, train_ops, eval_ops)
    if not distribution.chief:
        return
    for split in (data.train, data.validation, data.test):
        split.check_unchanged()
    classifier, labels = result.classifier, result.classifier.labels
    fitted_calibration = calibration.fit(
        result.validation_logits,
        data.validation.targets(),
        labels,
        settings.report.calibration,
        settings.model.task,
        data.validation.table["patient_id"],
    )
    classifier.calibrate(fitted_calibration.scale, fitted_calibration.offset)
    predictions = pd.concat(
        [
            predict.table(
                split,
                logits,
                fitted_calibration.probabilities(logits),
                fitted_calibration.log_odds(logits),
            )
            for split, logits in (
                (data.validation, result.validation_logits),
                (data.test, result.test_logits),
            )
        ],
        ignore_index=True,
    )
    with files.whole_file(run / "predictions.parquet") as temporary:
        predictions.to_parquet(temporary, index=False)
    chosen_thresholds = thresholds.choose_by_log_odds(
        data.validation.targets(),
        fitted_calibration.log_odds(result.validation_logits),
        labels,
        settings.report.target_sensitivity,
    )
    chosen_thresholds = dataclasses.replace(
        chosen_thresholds,
        chosen_on=thresholds.origin(
            data.validation.targets(),
            labels,
            choice_sentences.VALIDATION,
            data.validation.table["patient_id"],
        ),
    )
    chosen = fitted_calibration.to_json(), chosen_thresholds.to_json(), labels
    choice_notes = choice_sentences.choice_notes(*chosen)

    def evaluated(split: str) -> dict[str, Any]:
        return evaluate_table(
            predictions,
            labels,
            split,
            task=settings.model.task,
            thresholds=chosen_thresholds,
            seed=settings.seed,
            resamples=settings.report.resamples,
            weighting=settings.report.weighting,
            top_k=settings.report.top_k,
            label_notes=data.summary["label_notes"][split],
            choice_notes=choice_notes,
        )

    of_validation = evaluated("validation")
    of_validation["warnings"].insert(0, choice_sentences.chosen_on_this_data(*chosen))
    of_test = evaluated("test")
    of_test["warnings"] += [rate_warning] if rate_warning else []
    if settings.report.nested_resamples:
        of_test["nested"] = nested_intervals(
            predictions,
            labels,
            of_test,
            fitted_calibration,
            seed=settings.seed,
            resamples=settings.report.nested_resamples,
        )
    tested = f"the test split of {shared_names.base_name(data.summary['source'])}"
    sample = drift_reference.sampled(
        classifier, result.test_logits, data.test, eval_ops, settings, tested
    )
    record = run_record.of_run(run.shared, settings.to_dict(), tested, of_test)
    save_classifier.save(
        classifier,
        eval_ops,
        name=pathlib.Path(os.path.abspath(run.path)).name,
        provenance=_provenance(settings, start, data.train),
        directory=run / "export",
        thresholds=chosen_thresholds.to_json(),
        calibration=fitted_calibration.to_json(),
        seen=seen.extended(data.learnt_from()),
        label_policies={"source": settings.data.source, **settings.data.policies.to_json()},
        performance=performance_summary(
            of_test,
            tested,
            licences.published(settings.data.source, settings.data.data_terms),
        ),
        overwrite=True,
        beside=[functools.partial(run_record.write, record), *([sample.write] if sample else [])],
    )
    results = {
        "random_weights": start.random,
        "checkpoint": start.to_json(),
        "task": settings.model.task,
        "data": {**data.summary, "seen_by_checkpoint": list(warnings)},
        "preprocess": {
            # A probe embeds training images as they are evaluated.
            "train": (eval_ops if settings.method == "probe" else train_ops).specification,
            "evaluation": eval_ops.specification,
        },
        **result.summary,
        "calibration": fitted_calibration.to_json(),
        "thresholds": chosen_thresholds.to_json(),
        "validation": of_validation,
        "test": of_test,
    }
    # Written last: this file marks the run as finished.
    files.write_json(run / "results.json", results)


def _rate_warning(settings: FinetuneSettings) -> str | None:
    """Returns a sentence if untrained weights are trained at a rate of pretrained ones."""
    asked, checkpoint = settings.optimization, settings.model.checkpoint
    if settings.method != "finetune" or not resolve.is_random(checkpoint):
        return None
    rates = Grid.parse(settings.select).values.get("learning_rate", (asked.learning_rate,))
    fault = scratch_rates.fault(asked, rates)
    return fault and (
        # A base name: the card of the export repeats the sentence.
        f"config.checkpoint is {shared_names.base_name(checkpoint)}, whose weights are random, but "
        f"{fault}; raise "
        "config.learning_rate or those of config.select, or take the result for that of a model "
        "that hardly trained."
    )


def _check(settings: FinetuneSettings) -> None:
    """Raises a UserError for settings that would otherwise fail after hours of training."""
    checks.within(settings.report, {"resamples": (MIN_RESAMPLES, MAX_RESAMPLES)})
    if settings.report.nested_resamples:
        checks.within(settings.report, {"nested_resamples": (MIN_RESAMPLES, MAX_RESAMPLES)})
    checks.within(settings.report, {"reference_patients": (0, drift_reference.MOST)})
    checks.within(settings, {"seed": (0, 2**31 - 1)})
    checks.within(
        settings.optimization,
        {"momentum": (0, 1), "weight_decay": (0, None), "clip_norm": (0, None)},
    )
    checks.within(settings.model, {"head_stddev": (0, None)})
    checks.within(settings.loss, {"mixup": (0, None)})
    checks.within(settings.data, {"max_bad_images": (0, 1)})
    settings.data.policies.check()
    checks.within(settings.images, {"cache_gb": (0, None)})
    checks.within(settings.report, {"target_sensitivity": (0.01, 1)})
    check_top_k(settings.report.top_k)
    checks.known(settings, {"method": METHODS})
    checks.known(settings.model, {"task": TASKS, "precision": precision.POLICIES})
    check_labels(settings.data.labels, settings.model.task)
    checks.known(
        settings.optimization, {"optimizer": optimizers.NAMES, "schedule": schedules.KINDS}
    )
    checks.known(settings.loss, {"class_weights": losses.CLASS_WEIGHTS})
    checks.known(settings.report, {"calibration": calibration.METHODS, "weighting": WEIGHTINGS})


def _check_length(settings: FinetuneSettings, grid: Grid, data: RunData) -> None:
    """Says how long the trainings are, in steps and epochs.

    Raises:
      UserError: the settings do not fit the data.
    """
    images, size = len(data.train), settings.optimization.batch_size
    candidates = grid.candidates()
    for candidate in candidates:
        gradient.check(candidate.of(settings), data.train)
    lengths = gradient.length(settings, candidates, images, len(data.validation))
    for sentence, warning in lengths.items():
        _LOG.info(sentence)
        if warning:
            _LOG.warning(warning)
    if size > images:
        _LOG.warning(
            f"config.batch_size is {size:,}, and there are {images:,} training images: every batch "
            "repeats some; a batch of at most that many takes less time per step."
        )


def _provenance(settings: FinetuneSettings, start: Provenance, train: Manifest) -> Provenance:
    """Returns the provenance of the trained model."""
    what = "A linear probe" if settings.method == "probe" else "Fine-tuned"
    rates = settings.optimization.learning_rates
    known = train.with_known_label()
    ids = known.table["patient_id"]
    patients = counted(ids.nunique(), "patient") if ids.notna().all() else "unknown patients"
    return Provenance(
        origin="training",
        description=(
            f"{what} on {images_of_patients(len(train), len(known), patients)} "
            f"from {settings.data.source}{f', learning rates {rates}' if rates else ''}."
        ),
        command=invocation.command(),
        details={
            "labels": list(settings.data.labels),
            "method": settings.method,
            licences.DATA: [licences.data_record(settings.data.source, settings.data.data_terms)],
        },
        parent=start,
    )
