"""What a study's config says of single arms: settings of memory, and what makes a missing one."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from remedis import files, options
from remedis.errors import UserError, unknown_choice
from remedis.finetuning.settings import FinetuneSettings

# These change memory and time, and numbers by rounding alone. Arms have everything else in common,
# such as precision: a difference between them could else be one of the settings.
_KINDS: Mapping[str, type[int]] = {"accumulate": int, "gradient_checkpointing": bool}
_EXPECTED = (
    "ARM: KEY=VALUE, KEY=VALUE, several separated by ';', such as "
    "'remedis: gradient_checkpointing=True, accumulate=16'"
)
_EXPECTED_PRETRAININGS = (
    "FOLDER=CONFIG, several separated by ';', such as "
    "'runs/pretrain-cxr-moco=configs/pretrain_cxr.py:moco'"
)


@dataclasses.dataclass(frozen=True)
class ArmOptions:
    """Settings of memory that an arm has instead of those of `config.id` and `config.ood`.

    Attributes:
      accumulate: micro-batches per step; None for that of the side.
      gradient_checkpointing: whether activations are computed again; None for that of the side.
    """

    accumulate: int | None = None
    gradient_checkpointing: bool | None = None

    def of(self, base: FinetuneSettings) -> FinetuneSettings:
        """Returns the settings with those of the arm in place of theirs."""
        optimization, model = base.optimization, base.model
        if self.accumulate is not None:
            optimization = dataclasses.replace(optimization, accumulate=self.accumulate)
        if self.gradient_checkpointing is not None:
            asked = self.gradient_checkpointing
            model = dataclasses.replace(model, gradient_checkpointing=asked)
        return dataclasses.replace(base, optimization=optimization, model=model)


def parse(text: str, arms: Collection[str]) -> dict[str, ArmOptions]:
    """Returns the options by arm of a text such as `remedis: accumulate=16`.

    Args:
      text: `config.arm_options`.
      arms: names of the arms.

    Raises:
      UserError: the text is not of that form, or names no arm, no such key or no such value.
    """
    what = "config.arm_options"
    named = options.values_by_name(text, what=what, expected=_EXPECTED)
    for arm, values in named.items():
        if arm not in arms:
            raise unknown_choice(f"arm in {what}", arm, arms)
        for key, value in values.items():
            if key not in _KINDS:
                raise unknown_choice(f"key of {arm!r} in {what}", key, _KINDS)
            _check(arm, key, value)
    return {arm: ArmOptions(**values) for arm, values in named.items()}


def _check(arm: str, key: str, value: Any) -> None:
    kind = _KINDS[key]
    if type(value) is not kind or (kind is int and value < 1):
        expected = "True or False" if kind is bool else "a whole number from 1"
        raise UserError(f"config.arm_options has {arm}: {key}={value}; expected {expected}.")


@contextlib.contextmanager
def naming(arm: str, checkpoint: str) -> Iterator[None]:
    """Names an arm in errors on its checkpoint."""
    try:
        yield
    except UserError as error:
        raise UserError(f"config.arms has {arm}={checkpoint}: {error}") from None


def pretrainings(text: str) -> dict[str, str]:
    """Returns the config of the pretraining that makes a folder, by the folder.

    Args:
      text: `config.pretrained_by`.

    Raises:
      UserError: the text is not of its form.
    """
    return dict(options.pairs(text, what="config.pretrained_by", expected=_EXPECTED_PRETRAININGS))


def missing(
    arms: Mapping[str, str], pretrained_by: Mapping[str, str], workdir: files.Path
) -> dict[str, str]:
    """Returns a sentence for each arm whose pretraining has not been run, by name of the arm.

    Args:
      arms: checkpoint by name of the arm.
      pretrained_by: config of the pretraining by folder.
      workdir: directory of the study, whose test images a pretraining leaves out.
    """
    return {
        name: f"config.arms has {name}={checkpoint}, which is not there yet; make it by "
        f"pretrain/pretrain.py --config={pretrained_by[checkpoint]} --workdir={checkpoint} "
        f"--config.leave_out={os.fspath(workdir)} and the data that this config asks for, or name "
        "another folder in config.arms."
        for name, checkpoint in arms.items()
        if checkpoint in pretrained_by and not pathlib.Path(checkpoint).is_dir()
    }
