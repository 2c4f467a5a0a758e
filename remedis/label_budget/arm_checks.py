"""Checks of a study's arms for faults that would otherwise show hours later."""

from collections.abc import Sequence

from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.finetuning import gradient, scratch_rates
from remedis.label_budget import arm_options
from remedis.label_budget.settings import HOSPITALS, StudySettings
from remedis.label_budget.study import Study
from remedis.training.distribution import Distribution
from remedis.zoo import resolve


def check_arms(study: Study, cells: Sequence[Cell]) -> None:
    """Raises a UserError for faults of arms that would otherwise show hours later."""
    missing = study.missing_arms()
    cells = [cell for cell in cells if cell.arm not in missing]
    for name in dict.fromkeys(cell.arm for cell in cells):
        checkpoint = study.settings.arms[name]
        with arm_options.naming(name, checkpoint):
            resolve.check(checkpoint)
    if not any(cell.mode == "finetune" for cell in cells):
        return
    finetuned = list(dict.fromkeys(cell.arm for cell in cells if cell.mode == "finetune"))
    for key, train in (("id", study.data.inside.train), ("ood", study.data.pool)):
        base = study.settings.finetuning(key, checkpoint="")
        base.images.operations()
        try:
            for candidate in study.settings.select.candidates():
                gradient.check(candidate.of(base), train)
        except UserError as error:
            raise UserError(study.sentence(f"Fine-tuning by config.{key}: {error}")) from None
        for name in finetuned:
            asked = study.settings.finetuning(key, "", arm=name).optimization
            try:
                Distribution.from_name("none").check_batch(asked.batch_size, asked.accumulate)
            except UserError as error:
                what = f"Fine-tuning the arm {name} by config.{key}: {error}"
                raise UserError(study.sentence(what)) from None
    for name in finetuned:
        _check_memory(study.settings, name)
        _check_rates(study.settings, name)


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
