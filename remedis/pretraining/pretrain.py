"""Self-supervised pretraining: from unlabelled images and a config to a checkpoint."""

import dataclasses
import logging
import os
import pathlib
from typing import Any

import ml_collections

from remedis import files, invocation, limits
from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import training_batches
from remedis.data.batches.used_images import UsedImages
from remedis.errors import UserError
from remedis.models import backbone as backbones
from remedis.options import spelled_for
from remedis.preprocess import Preprocess, parse
from remedis.pretraining import networks
from remedis.pretraining import unlabelled as unlabelled_data
from remedis.pretraining.collapse import CollapseDetector
from remedis.pretraining.networks import Network
from remedis.pretraining.observer import CollapseObserver
from remedis.pretraining.online_probe import OnlineProbe
from remedis.pretraining.settings import PretrainingSettings, TrainingSettings
from remedis.pretraining.unlabelled import Unlabelled
from remedis.training import checks, durations, loop, optimizers, schedules
from remedis.training.checkpoints import TrainingState
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.training.run_once import run_once
from remedis.training.step import Learner, Trainer
from remedis.zoo import licences, names, resolve, save_backbone
from remedis.zoo.provenance import FROZEN, RANDOM, SELF_SUPERVISION, Provenance
from remedis.zoo.seen_images import SeenImages

_LOG = logging.getLogger(__name__)


@spelled_for("config")
@limits.of_config
def pretrain(config: ml_collections.ConfigDict, workdir: files.Path) -> dict[str, Any]:
    """Trains a backbone on unlabelled images and writes it as a checkpoint folder, `export`.

    A killed run resumes when called again with the same config and directory, and ends with the
    same numbers, as that of `finetuning.finetune` does.

    Args:
      config: as `configs.common_pretraining` makes it.
      workdir: the run's directory.

    Returns:
      The content of `results.json`.

    Raises:
      UserError: the config, the data or the checkpoint are not as expected, or the training
        diverged or collapsed.
      WorkerLost: another worker has ended.
    """
    settings = PretrainingSettings.from_config(config)
    return run_once(
        workdir,
        config.to_dict(),
        config.distribution,
        lambda run, distribution: _pretrain(settings, run, distribution),
    )


def _pretrain(settings: PretrainingSettings, run: RunDirectory, distribution: Distribution) -> None:
    if settings.rehearsal:
        with distribution.chief_first():
            settings = unlabelled_data.rehearsed(settings, run)
    settings = settings.as_begun(run)
    views = settings.operations()
    _check(settings, run, distribution)
    unlabelled = unlabelled_data.prepare(settings.unlabelled, run)
    schedule = make_schedule(settings.schedule, len(unlabelled.manifest))
    online_probe = None
    if settings.probe is not None:
        online_probe = OnlineProbe.from_settings(settings.probe, run, unlabelled.left_out)
    plan = _plan(settings.training, schedule, online_probe)
    images, size = len(unlabelled.manifest), settings.training.batch_size
    _LOG.info(durations.sentence(plan.steps, size, images, plan.evaluate_every))
    if warning := durations.warning(plan.steps, size, images):
        _LOG.warning(warning)
    network = networks.build(settings.network, distribution.strategy)
    random = _first(network.provenance).origin == RANDOM
    name = _export_name(settings, run, network.backbone.architecture.name, random)
    run.write_environment(network.provenance.to_json())
    inputs = {"data": unlabelled.digest(), "weights": backbones.digest(network.backbone)}
    if online_probe is not None:
        inputs["probe"] = online_probe.splits.digest()
    run.pin(inputs)
    state = _train(
        settings.training, run, distribution, network, unlabelled, online_probe, views, schedule
    )
    if not distribution.chief:
        return
    unlabelled.manifest.check_unchanged()
    best_step = int(state.best_step)
    # The initial weights may have seen more images, and the labels of the probe chose the step.
    seen = SeenImages.from_checkpoint(settings.network.checkpoint)
    seen = seen.extended(*unlabelled.fingerprints)
    if online_probe is not None:
        seen = seen.extended(online_probe.splits.learnt_from())
    save_backbone.save(
        network.backbone,
        name=name,
        provenance=_provenance(settings, network, unlabelled, best_step),
        directory=run / "export",
        preprocess=parse(f"resize({settings.image_size})", deterministic=True),
        beside=(network.write_projection, seen.write),
        overwrite=True,
    )
    rows = [row for row in run.read_metrics() if "probe/linear_auroc" in row]
    # Written last: with this file the run is finished.
    files.write_json(
        run / "results.json",
        {
            "name": name,
            "method": settings.network.method,
            "checkpoint": network.provenance.to_json(),
            "data": unlabelled.summary,
            "preprocess": views.specification,
            "steps": int(state.step),
            "best_step": best_step,
            "probe": rows,
        },
    )


def _check(settings: PretrainingSettings, run: RunDirectory, distribution: Distribution) -> None:
    """Raises a UserError for settings that would otherwise fail after hours of work."""
    training = settings.training
    checks.known(training, {"optimizer": optimizers.NAMES})
    checks.known(settings.schedule, {"schedule": schedules.KINDS})
    distribution.check_batch(training.batch_size, training.accumulate)
    settings.schedule.check()
    loop.Plan(1, training.evaluate_every, training.checkpoint_every, training.log_every)
    networks.check(settings.network)
    if settings.probe is not None:
        settings.probe.operations()
    checkpoint = settings.network.checkpoint
    architecture = resolve.named_architecture(checkpoint, settings.network.architecture)
    _export_name(settings, run, architecture, resolve.is_random(checkpoint))


def _plan(
    settings: TrainingSettings, schedule: schedules.Schedule, online_probe: OnlineProbe | None
) -> loop.Plan:
    plan = loop.Plan(
        schedule.steps, settings.evaluate_every, settings.checkpoint_every, settings.log_every
    )
    if not settings.fit_to_data or online_probe is None:
        return plan
    interval = durations.fitted_interval(
        plan.evaluate_every, plan.steps, 2 * settings.batch_size, online_probe.images
    )
    return dataclasses.replace(plan, evaluate_every=interval)


def _train(
    settings: TrainingSettings,
    run: RunDirectory,
    distribution: Distribution,
    network: Network,
    unlabelled: Unlabelled,
    online_probe: OnlineProbe | None,
    views: Preprocess,
    schedule: schedules.Schedule,
) -> TrainingState:
    """Trains the network, which then has the weights of the best step; returns the final state."""
    cache = ImageCache(int(settings.cache_gb * 1e9))
    with distribution.strategy.scope():
        optimizer = optimizers.make(
            settings.optimizer,
            schedules.Rate(schedule),
            {network.trained[name].path: factor for name, factor in network.factors.items()},
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            loss_scale=settings.precision == "float16",
        )
    plan = _plan(settings, schedule, online_probe)
    scorer = None if online_probe is None else online_probe.scorer(network.backbone, distribution)
    if scorer is not None and TrainingState.latest(run.shared / "checkpoints") is None:
        score, values = scorer()
        _LOG.info(f"Before training the probe has a mean AUROC of {score:.3f}.")
        run.rewrite_metrics([{"step": 0, **values}])
    learner = Learner(
        network.trained,
        network.statistics,
        optimizer,
        network.objective,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
    )
    constant_loss = network.objective.method.constant_loss(settings.batch_size)
    detector = CollapseDetector(settings.batch_size, constant_loss)
    return loop.train(
        run,
        plan,
        Trainer(learner, distribution),
        lambda first, last: training_batches(
            unlabelled.manifest,
            views,
            settings.batch_size,
            settings.seed,
            first,
            last,
            views=2,
            partners=unlabelled.partners,
            shard=(distribution.worker, distribution.workers),
            cache=cache,
        ),
        scorer,
        CollapseObserver(run, detector, settings.stop_on_collapse),
        # A step has two views per image, and a backward pass of twice the time of the forward pass.
        evaluation_steps=0
        if online_probe is None
        else online_probe.images / (2 * settings.batch_size) / 3,
        images=UsedImages(unlabelled.manifest, all_rows=unlabelled.partners is not None),
    )


def _export_name(
    settings: PretrainingSettings, run: RunDirectory, architecture: str, random: bool
) -> str:
    """Returns the name of the export.

    Args:
      settings: of the pretraining.
      run: its directory.
      architecture: of the backbone; empty if it is not known yet.
      random: whether the first weights of all were random.

    Raises:
      UserError: it is the name of a REMEDIS checkpoint of another architecture or origin.
    """
    name = settings.name or pathlib.Path(os.path.abspath(run.shared)).name
    if name in names.NAMES:
        checkpoint = settings.network.checkpoint
        expected = names.parse(name).architecture
        if expected != (architecture or expected):
            raise UserError(
                f"config.name is {name}, but config.checkpoint={checkpoint} is a {architecture}; "
                f"name a {expected} to start from, or give the export another name."
            )
        if random:
            raise UserError(
                f"config.name is {name}, a name for weights that began with BiT, but "
                f"config.checkpoint={checkpoint} began with random weights; start from "
                "bit:FILE.npz or a checkpoint, or give the export another name."
            )
    return name


def _first(provenance: Provenance) -> Provenance:
    """Returns the provenance at the start of the chain of trainings."""
    return provenance if provenance.parent is None else _first(provenance.parent)


def _provenance(
    settings: PretrainingSettings, network: Network, unlabelled: Unlabelled, steps: int
) -> Provenance:
    """Returns the provenance of the weights after some steps."""
    method, images = settings.network.method, len(unlabelled.manifest)
    patients = unlabelled.patients
    return Provenance(
        origin=SELF_SUPERVISION,
        description=(
            f"Self-supervised by {method}, {steps:,} steps of {settings.training.batch_size} "
            f"images, on {images:,} unlabelled images of "
            f"{format(patients, ',') if patients else 'unknown'} patients"
            f"{', in a rehearsal' if settings.rehearsal else ''}; it started from: "
            f"{network.provenance.description}"
        ),
        command=invocation.command(),
        details={
            "method": method,
            "images": images,
            "patients": patients,
            licences.DATA: [
                licences.data_record(name, settings.unlabelled.data_terms)
                for name in unlabelled.summary["sources"]
            ],
            FROZEN: len(set(network.backbone.named_variables()) - set(network.trained)),
        },
        parent=network.provenance,
    )


def make_schedule(settings: schedules.ScheduleSettings, images: int) -> schedules.Schedule:
    """Returns the schedule of a training on so many images.

    Raises:
      UserError: length, warm-up or learning rate are not as expected, or a batch would need more
        images than there are.
    """
    size = settings.batch_size
    if size > images:
        raise UserError(
            f"config.batch_size is {size:,}, but there are {images:,} images, so that a batch has "
            "to repeat some; expected at most the number of images, better far fewer."
        )
    return settings.for_images(images)
