"""Checks of a study's arms for faults that would otherwise show hours later."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

from remedis import files
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.finetuning import gradient, scratch_rates
from remedis.label_budget import arm_options, thumbnail_arm
from remedis.label_budget.settings import HOSPITALS, StudySettings
from remedis.label_budget.study import Study
from remedis.training.distribution import Distribution
from remedis.zoo import resolve


def check_arms(study: Study, cells: Sequence[Cell]) -> None:
    """Raises a UserError for faults of arms that would otherwise show hours later."""
    missing = study.missing_arms()
    cells = [cell for cell in cells if cell.arm not in missing]
    finetuned = list(dict.fromkeys(cell.arm for cell in cells if cell.mode == "finetune"))
    try:
        _check(study.settings, list(dict.fromkeys(cell.arm for cell in cells)), finetuned)
        if finetuned:
            for key, train in (("id", study.data.inside.train), ("ood", study.data.pool)):
                base = study.settings.finetuning(key, checkpoint="")
                with _naming(f"Fine-tuning by config.{key}"):
                    for candidate in study.settings.select.candidates():
                        gradient.check(candidate.of(base), train)
    except UserError as error:
        error.args = (study.sentence(str(error)),)  # of its own kind still
        raise


def check_settings(settings: StudySettings, workdir: files.Path) -> None:
    """Raises a UserError for faults of arms and of fine-tuning that are known without the data.

    A study with finished cells is left to `check_arms`: it may need some arms no more.
    """
    if any(pathlib.Path(workdir, "cells").glob("[!.]*")):
        return
    missing = arm_options.missing(settings.arms, settings.pretrained_by, workdir)
    names = [name for name in settings.arms if name not in missing]
    finetuned = [name for name in names if "finetune" in settings.modes_of(name)]
    _check(settings, names, finetuned)
    for further in settings.further:
        try:
            _check(settings.of_further_set(further), [], finetuned)
        except UserError as error:
            error.args = (f"{further}: {error}",)
            raise


def _check(settings: StudySettings, names: Sequence[str], finetuned: Sequence[str]) -> None:
    for name in names:
        if not thumbnail_arm.is_floor(settings.arms[name]):
            with arm_options.naming(name, settings.arms[name]):
                resolve.check(settings.arms[name])
    for key in HOSPITALS:
        settings.finetuning(key, checkpoint="").images.operations()
    for key in HOSPITALS if finetuned else ():
        with _naming(f"Fine-tuning by config.{key}"):
            for candidate in settings.select.candidates():
                gradient.check_settings(candidate.of(settings.finetuning(key, checkpoint="")))
        for name in finetuned:
            asked = settings.finetuning(key, "", arm=name).optimization
            with _naming(f"Fine-tuning the arm {name} by config.{key}"):
                Distribution.from_name("none").check_batch(asked.batch_size, asked.accumulate)
    for name in finetuned:
        _check_memory(settings, name)
        _check_rates(settings, name)


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    """Says in an error what would be done."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error}") from None


def _check_memory(settings: StudySettings, name: str) -> None:
    """Raises a UserError if gradients of an arm are to be checkpointed that cannot be."""
    asked = any(
        settings.finetuning(key, "", arm=name).model.gradient_checkpointing for key in HOSPITALS
    )
    if asked and resolve.parse(settings.arms[name]).scheme == "keras":
        raise UserError(
            f"config.arms has {name}={settings.arms[name]}, and gradient_checkpointing works for "
            "BiT backbones only; set "
            f"config.arm_options='{name}: gradient_checkpointing=False, accumulate=1'."
        )


def _check_rates(settings: StudySettings, name: str) -> None:
    """Raises a UserError if an untrained arm would be trained at rates of pretrained ones only."""
    if not resolve.is_random(settings.arms[name]):
        return
    asked = settings.finetuning("id", "").optimization
    rates = settings.select.values.get("learning_rate") or (asked.learning_rate,)
    if fault := scratch_rates.fault(asked, rates):
        named = "config.select" if settings.select.values else "config.id.learning_rate"
        raise UserError(
            f"config.arms has {name}={settings.arms[name]}, whose weights are random, but {fault}; "
            f"add such a rate to {named}, from which validation chooses for every arm alike."
        )
