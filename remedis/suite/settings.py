"""Settings of a suite, in a frozen dataclass made from its config."""

import dataclasses
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any

import ml_collections

from remedis import options
from remedis.errors import UserError, unknown_choice
from remedis.label_budget import thumbnail_arm
from remedis.label_budget.settings import StudySettings
from remedis.models import applications
from remedis.suite import imported
from remedis.zoo import resolve

# Names of the arms that every suite has.
RANDOM = "random"
FLOOR = "thumbnails"
_USUAL = "50x1"  # where no arm tells the architecture
_NAME = re.compile(r"[A-Za-z]\w*")  # names of sets are keys of the config and names of folders


@dataclasses.dataclass(frozen=True)
class SuiteSettings:
    """All settings of a suite; `configs/common_suite.py` explains each key.

    Attributes:
      title: of the leaderboard.
      arms: checkpoint by name of the arm, with those that every suite has.
      baseline: name of the arm that the others are compared with in each study.
      modes: ways to adapt an arm.
      pretrained_by: the config of the pretraining that makes an arm's folder, by folder.
      predictions: directories of others' predictions, by name of the row and of the set.
      sets: the settings of the study of each set, by its name.
      values: plain values of the config of each of these studies, by the name of the set.
    """

    title: str
    arms: Mapping[str, str]
    baseline: str
    modes: tuple[str, ...]
    pretrained_by: Mapping[str, str]
    predictions: Mapping[str, Mapping[str, pathlib.Path]]
    sets: Mapping[str, StudySettings]
    values: Mapping[str, dict[str, Any]]

    @classmethod
    def from_config(cls, config: ml_collections.ConfigDict) -> "SuiteSettings":
        """Returns the settings of a config as `configs.common_suite.suite` makes it.

        Raises:
          UserError: a value is not of its form or out of its bounds, here or in a set.
        """
        configs = study_configs(config)
        sets = {}
        for name, study in configs.items():
            try:
                sets[name] = StudySettings.from_config(study)
                if sets[name].further:
                    raise UserError(
                        "config.further_ood is set; a suite takes each data set as a set of its "
                        "own, so move it to another name in config.sets."
                    )
            except UserError as error:
                name_set(error, name, config)
                raise
        first = next(iter(sets.values()))
        return cls(
            config.title or f"Which checkpoint for {', '.join(sets)}?",
            first.arms,
            first.baseline,
            first.modes,
            first.pretrained_by,
            _predictions(config, first.arms),
            sets,
            {name: study.to_dict() for name, study in configs.items()},
        )


def _predictions(
    config: ml_collections.ConfigDict, arms: Collection[str]
) -> dict[str, dict[str, pathlib.Path]]:
    rows = imported.rows(config.predictions, list(config.sets))
    for name in rows:
        if name in arms:
            raise UserError(
                f"config.predictions names {name!r}, which is the name of an arm, too; name "
                "others' predictions otherwise."
            )
    return rows


def study_configs(config: ml_collections.ConfigDict) -> dict[str, ml_collections.ConfigDict]:
    """Returns the config of the study of each set that is asked for, by its name.

    Raises:
      UserError: there are no sets, `config.only` names none of them, a name cannot be that of a
        folder, or `config.arms` is at fault.
    """
    names = list(config.sets)
    if not names:
        raise UserError(
            "config.sets is empty; name at least one data set, as configs/suite_own.py does."
        )
    for name in names:
        if not _NAME.fullmatch(name):
            raise UserError(
                f"config.sets has {name!r}; expected a name of letters, digits and underscores "
                "that begins with a letter."
            )
    if len({name.casefold() for name in names}) < len(names):
        raise UserError(
            "config.sets has two names that differ in letter case alone; names become folders, so "
            "let them differ in more."
        )
    asked = options.items(config.only, ",")
    for name in asked:
        if name not in names:
            raise unknown_choice("set in config.only", name, names)
    arms = with_floors(config.arms, config.modes)
    studies = {}
    for name in names:
        if not asked or name in asked:
            study = ml_collections.ConfigDict(config.sets[name].copy_and_resolve_references())
            study.unlock().arms = arms
            studies[name] = study
    return studies


def with_floors(arms: str, modes: Collection[str]) -> str:
    """Returns `config.arms` with an arm of random weights and one of thumbnails.

    An arm of the kind that is there already is not added. The architecture of random weights is
    that of the first arm whose architecture is known. Thumbnails have the mode `probe` alone.

    Args:
      arms: `config.arms`.
      modes: `config.modes`.

    Raises:
      UserError: the name of an added arm is taken by other weights.
    """
    listed = options.items(arms)
    named = {name.strip(): of.strip() for name, _, of in (arm.partition("=") for arm in listed)}
    added = {}
    if not any(map(_is_random, named.values())):
        known = filter(None, map(_architecture, named.values()))
        architecture = next(known, _USUAL)
        scheme = "keras" if architecture in applications.names() else "scratch"
        added[RANDOM] = f"{scheme}:{architecture}"
    if "probe" in modes and not any(map(_is_floor, named.values())):
        added[FLOOR] = f"{thumbnail_arm.SCHEME}:{thumbnail_arm.SIDE}"
    for name, checkpoint in added.items():
        if name in named:
            raise UserError(
                f"config.arms has {name}={named[name]}, and a suite gives this name to "
                f"{checkpoint}; name the arm otherwise."
            )
    return "; ".join([*listed, *(f"{name}={checkpoint}" for name, checkpoint in added.items())])


def _is_random(checkpoint: str) -> bool:
    try:
        return resolve.is_random(checkpoint)
    except UserError:
        return False  # said later, with the name of the arm


def _is_floor(checkpoint: str) -> bool:
    return checkpoint.startswith(f"{thumbnail_arm.SCHEME}:")


def _architecture(checkpoint: str) -> str:
    try:
        return resolve.named_architecture(checkpoint)
    except UserError:
        return ""


def name_set(error: UserError, name: str, config: ml_collections.ConfigDict) -> None:
    """Puts the name of a set before the error of its study, and has its keys as the suite has them.

    The study knows `config.ood_data_dir`; the user writes `config.sets.north.ood_data_dir`.
    """
    own = [key for key in config.sets[name] if key not in config]
    keys = "|".join(sorted(map(re.escape, own), key=len, reverse=True))
    text = re.sub(rf"\bconfig\.(?=(?:{keys})\b)", f"config.sets.{name}.", str(error))
    error.args = (f"Set {name}: {text}",)  # of its own kind still
