"""What a study's config says in words, read and checked before any work is done."""

import dataclasses
import re

import ml_collections

from remedis import options
from remedis.errors import UserError, unknown_choice
from remedis.evaluation.intervals import MIN_RESAMPLES
from remedis.training import checks

MODES = ("probe", "finetune")
PARTS = ("id", "ood")  # of the config, and of the data
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")  # arms are part of file names


@dataclasses.dataclass(frozen=True)
class Shard:
    """Which of the cells a process sees to: the `number`-th of `count` parts, from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Returns the shard of a text such as `1/4`.

        Raises:
          UserError: it is not of that form.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or not 1 <= shard.number <= shard.count:
            raise UserError(
                f"--shard={text}: expected K/N with K from 1 to N, such as 1/4 for the first of "
                "four processes."
            )
        return shard


def arms(config: ml_collections.ConfigDict) -> dict[str, str]:
    """Returns the checkpoint of every arm, by the arm's name.

    Raises:
      UserError: `config.arms` is not of its form, or names an arm twice.
    """
    found: dict[str, str] = {}
    expected = (
        "NAME=CHECKPOINT, several separated by ';', such as "
        "'remedis=saved_models/cxr-50x1-remedis-m; scratch=scratch:50x1', names of letters, "
        "digits, '.', '_' and '-'"
    )
    for name, checkpoint in options.pairs(config.arms, what="config.arms", expected=expected):
        if not _NAME.fullmatch(name):
            raise UserError(f"config.arms has {f'{name}={checkpoint}'!r}; expected {expected}.")
        if name in found:
            raise UserError(f"config.arms names {name!r} twice; give each arm a name of its own.")
        found[name] = checkpoint
    return found


def check(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError for what would otherwise fail late."""
    named = arms(config)
    if not named:
        raise UserError(
            "config.arms is not set: name the checkpoints to compare, such as "
            "'remedis=saved_models/cxr-50x1-remedis-m; scratch=scratch:50x1'."
        )
    if not config.baseline:
        raise UserError(
            "config.baseline is not set: name the arm that the others are held against, one of "
            f"{', '.join(named)}."
        )
    if config.baseline not in named:
        raise unknown_choice("value of config.baseline", config.baseline, named)
    if not config.modes or isinstance(config.modes, str):
        raise UserError(
            f"config.modes is {config.modes!r}; expected one or both of {', '.join(MODES)}, as in "
            "'(\"probe\",)'."
        )
    for mode in config.modes:
        if mode not in MODES:
            raise unknown_choice("mode in config.modes", mode, MODES)
    if isinstance(config.caveats, str) or not all(isinstance(c, str) for c in config.caveats):
        raise UserError(
            f"config.caveats is {config.caveats!r}; expected sentences in a tuple, as in "
            "'(\"Labels were mined from reports.\",)'."
        )
    bounds = {
        "seeds": (1, None),
        "resamples": (MIN_RESAMPLES, None),
        "seed": (0, 2**30),
        "validation_share": (0.05, 0.5),
        "minutes": (0, None),
        "price": (0, None),
    }
    checks.within(config, bounds)
    if config.target is not None and not 0.5 < config.target < 1:
        raise UserError(
            f"config.target is {config.target}; expected an AUROC between 0.5 (chance) and 1."
        )


def recipe(
    config: ml_collections.ConfigDict, part: str, checkpoint: str = "", seed: int = 0
) -> ml_collections.ConfigDict:
    """Returns the whole config of a fine-tuning run on one part of the data.

    Args:
      config: the study's.
      part: `id` or `ood`.
      checkpoint: what it starts from.
      seed: added to that of the study.
    """
    made = config.copy_and_resolve_references()[part]
    with made.unlocked():
        made.update(
            checkpoint=checkpoint,
            architecture="",
            rehearsal="",
            data_dir=config[f"{part}_data_dir"],
            task="multi_label",
            method="finetune",
            seed=config.seed + seed,
            distribution="none",
            embeddings_dir="",
            calibration="none",
            target_sensitivity=0.9,
            resamples=config.resamples,
        )
    return made
