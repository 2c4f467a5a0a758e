"""Self-supervised pretraining: unlabelled images and a config to a checkpoint."""

import os
import pathlib
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import ml_collections

from remedis import files
from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import training_batches
from remedis.errors import UserError
from remedis.models import backbone as networks
from remedis.preprocess import Preprocess
from remedis.pretraining import networks as ssl_networks
from remedis.pretraining import unlabelled as unlabelled_data
from remedis.pretraining.collapse import Collapse
from remedis.pretraining.methods.method import Method
from remedis.pretraining.online_probe import OnlineProbe
from remedis.training import checks, durations, loop, optimizers, schedules
from remedis.training.checkpoints import TrainingState
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.training.run_once import run_once
from remedis.training.step import Learner, Trainer
from remedis.zoo import names, save_backbone
from remedis.zoo.provenance import FROZEN, RANDOM, SELF_SUPERVISION, Provenance
from remedis.zoo.seen_images import SeenImages


def pretrain(config: ml_collections.ConfigDict, workdir: files.Path) -> dict[str, Any]:
    """Trains a backbone on unlabelled images and writes it as a checkpoint folder, `export`.

    A run that was killed goes on when called again with the same config and directory, as one of
    `training.finetune` does.

    Args:
      config: as `configs.common_pretraining` makes it.
      workdir: the run's directory.

    Returns:
      What `results.json` holds.

    Raises:
      UserError: anything about config, data or checkpoint that the user can mend; or the training
        diverged or collapsed.
      WorkerLost: another worker is gone.
    """
    return run_once(
        workdir,
        config.to_dict(),
        config.distribution,
        lambda run, distribution: _pretrain(config, run, distribution),
    )


def _pretrain(
    config: ml_collections.ConfigDict, run: RunDirectory, distribution: Distribution
) -> None:
    if config.rehearsal:
        with distribution.chief_first():
            config = unlabelled_data.rehearsed(config, run)
    _check(config)
    views = checks.operations(config.preprocess, config.image_size, "preprocess")
    distribution.check_batch(config.batch_size, config.accumulate)
    started = ssl_networks.build(config, distribution.strategy)
    name = _name(config, run, started)
    run.write_environment(started.provenance.to_json())
    unlabelled = unlabelled_data.prepare(config, run)
    online_probe = OnlineProbe.of(config, run, unlabelled.left_out)
    run.pin({"data": unlabelled.digest(), "weights": networks.digest(started.backbone)})
    if online_probe is not None:
        run.pin({"probe": online_probe.parts.digest()})
    schedule = _schedule(config, len(unlabelled.manifest))
    state = _train(config, run, distribution, started, unlabelled, online_probe, views, schedule)
    if not distribution.chief:
        return
    images, patients = len(unlabelled.manifest), unlabelled.patients
    steps = int(state.best_step)
    # What it started from may have seen more, and the labels of the probe have chosen.
    seen = SeenImages.from_checkpoint(config.checkpoint).extended(unlabelled.hashes)
    if online_probe is not None:
        seen = seen.extended(online_probe.parts.learnt_from())
    save_backbone.save(
        started.backbone,
        name=name,
        provenance=Provenance(
            origin=SELF_SUPERVISION,
            description=(
                f"Self-supervised by {config.method}, {steps:,} steps of {config.batch_size} "
                f"images, on {images:,} unlabelled images of {patients or 'unknown'} patients"
                f"{', in a rehearsal' if config.rehearsal else ''}; it started from: "
                f"{started.provenance.description}"
            ),
            command=shlex.join(sys.argv),
            details={
                "method": config.method,
                "images": images,
                "patients": patients,
                FROZEN: len(set(started.backbone.named_variables()) - set(started.trained)),
            },
            parent=started.provenance,
        ),
        directory=run / "export",
        beside=(started.write_projection, seen.write),
        overwrite=True,
    )
    rows = [row for row in run.read_metrics() if "probe/linear_auroc" in row]
    # Last of all: the run is finished once this file is there.
    files.write_json(
        run / "results.json",
        {
            "name": name,
            "method": config.method,
            "checkpoint": started.provenance.to_json(),
            "data": unlabelled.summary,
            "preprocess": views.specification,
            "steps": int(state.step),
            "best_step": steps,
            "probe": rows,
        },
    )


def _train(
    config: ml_collections.ConfigDict,
    run: RunDirectory,
    distribution: Distribution,
    started: ssl_networks.Network,
    unlabelled: unlabelled_data.Unlabelled,
    online_probe: OnlineProbe | None,
    views: Preprocess,
    schedule: schedules.Schedule,
) -> TrainingState:
    cache = ImageCache(int(config.cache_gb * 1e9))
    with distribution.strategy.scope():
        optimizer = optimizers.make(
            config.optimizer,
            schedules.Rate(schedule),
            {started.trained[name].path: factor for name, factor in started.factors.items()},
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            loss_scale=config.precision == "float16",
        )
    plan = loop.Plan(
        schedule.steps, config.evaluate_every, config.checkpoint_every, config.log_every
    )
    scorer = None if online_probe is None else online_probe.scorer(started.backbone, distribution)
    if scorer is not None and TrainingState.latest(run.shared / "checkpoints") is None:
        score, values = scorer()
        print(f"Before training the probe has a mean AUROC of {score:.3f}.", flush=True)
        run.rewrite_metrics([{"step": 0, **values}])
    learner = Learner(
        started.trained,
        started.kept,
        optimizer,
        started.objective,
        accumulate=config.accumulate,
        clip_norm=config.clip_norm,
    )
    return loop.train(
        run,
        plan,
        Trainer(learner, distribution),
        lambda first, last: training_batches(
            unlabelled.manifest,
            views,
            config.batch_size,
            config.seed,
            first,
            last,
            views=2,
            partners=unlabelled.partners,
            shard=(distribution.worker, distribution.workers),
            cache=cache,
        ),
        scorer,
        _observer(run, config, started.objective.method),
    )


def _observer(run: RunDirectory, config: ml_collections.ConfigDict, method: Method) -> Any:
    """Returns what looks at every logged step: says what is wrong, once, or ends the run."""
    size = config.batch_size
    collapse, begun = Collapse(size, method.constant_loss(size)), False
    said: set[str] = set()

    def observe(step: int, values: Mapping[str, float]) -> None:
        nonlocal begun
        if not begun:  # a run that goes on has been looked at before
            begun = True
            for row in run.read_metrics():
                if "train/loss" in row and row["step"] < step:
                    before = {key.removeprefix("train/"): value for key, value in row.items()}
                    collapse.look(row["step"], before)
        found = collapse.look(step, values)
        if found is None or found.kind in said:
            return
        said.add(found.kind)
        if not (found.certain and config.stop_on_collapse):
            print(found.sentence, flush=True)
            return
        kept = TrainingState.latest(run.shared / "checkpoints")
        where = f"the last checkpoint is {kept}" if kept else "no checkpoint was written yet"
        raise UserError(
            f"{found.sentence} Stopped ({where}); config.stop_on_collapse=False goes on."
        )

    return observe


def _name(
    config: ml_collections.ConfigDict, run: RunDirectory, started: ssl_networks.Network
) -> str:
    """Returns the name of the export; a checkpoint's name must be that of such a backbone."""
    name = config.name or pathlib.Path(os.path.abspath(run.shared)).name
    if name in names.NAMES:
        expected, found = names.parse(name).architecture, started.backbone.architecture.name
        if expected != found:
            raise UserError(
                f"config.name is {name}, but config.checkpoint={config.checkpoint} is a {found}; "
                f"name a {expected} to start from, or give the export another name."
            )
        if _began(started.provenance).origin == RANDOM:
            raise UserError(
                f"config.name is {name}, which is for weights that began with BiT, but "
                f"config.checkpoint={config.checkpoint} began with random ones; start from "
                "bit:FILE.npz or a checkpoint, or give the export another name."
            )
    return str(name)


def _began(provenance: Provenance) -> Provenance:
    """Returns the provenance of the weights at the beginning of all trainings."""
    return provenance if provenance.parent is None else _began(provenance.parent)


def _schedule(config: ml_collections.ConfigDict, images: int) -> schedules.Schedule:
    size = config.batch_size
    if size > images:
        raise UserError(
            f"config.batch_size is {size:,}, but there are {images:,} images: one would be held "
            "against itself; expected no more than there are, better far fewer."
        )
    steps = durations.steps(config.steps, config.epochs, config.examples, images, size)
    warmup = config.warmup
    if config.warmup_epochs:
        if warmup:
            raise UserError(
                f"The warm-up is given by config.warmup ({warmup}) and config.warmup_epochs "
                f"({config.warmup_epochs}); set one of them to 0."
            )
        asked = durations.steps(None, config.warmup_epochs, None, images, size)
        # Of a training cut short, such as a rehearsal, the warm-up is at most a tenth.
        warmup = min(asked or 0, (steps or 0) // 10)
        if warmup < (asked or 0):
            print(f"Of {steps:,} steps {warmup:,} warm up, not {asked:,}: a tenth.", flush=True)
    return schedules.Schedule.from_settings(
        config.schedule,
        images,
        size,
        steps,
        config.learning_rate,
        config.learning_rate_batch,
        warmup,
        (),
    )


def _check(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError for what would otherwise fail late, after hours of training."""
    bounds = {
        "seed": (0, 2**31 - 1),
        "momentum": (0, 1),
        "weight_decay": (0, None),
        "clip_norm": (0, None),
        "max_bad_images": (0, 1),
        "cache_gb": (0, None),
        "image_size": (1, None),
    }
    checks.within(config, bounds)
