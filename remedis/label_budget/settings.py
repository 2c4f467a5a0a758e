"""Settings of a label-budget study, in frozen dataclasses made from its config."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import ml_collections

from remedis import options
from remedis.errors import UserError, unknown_choice
from remedis.evaluation.evaluate import TOP_K
from remedis.evaluation.intervals import MAX_RESAMPLES, MIN_RESAMPLES
from remedis.evaluation.label_budget import StudyMetric, check_levels
from remedis.finetuning import losses
from remedis.finetuning.settings import FinetuneSettings
from remedis.finetuning.tuning_grid import KEYS, LENGTHS, Grid
from remedis.label_budget import arm_options, further_sets, thumbnail_arm
from remedis.label_budget.arm_options import ArmOptions
from remedis.label_budget.stated_comparison import StatedComparison
from remedis.models.tasks import TASKS
from remedis.training import checks, optimizers, schedules
from remedis.training.run_directory import RunDirectory

MODES = ("probe", "finetune")
HOSPITALS = ("id", "ood")  # keys of the config, and names of folders
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")  # names of arms are parts of file names


@dataclasses.dataclass(frozen=True)
class Shard:
    """The cells of one process: the `number`-th of `count` parts, from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Returns the shard of a text such as `1/4`.

        Raises:
          UserError: the text is not of that form.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or not 1 <= shard.number <= shard.count:
            raise UserError(
                f"--shard={text}: expected K/N with K from 1 to N, such as 1/4 for the first of "
                "four processes."
            )
        return shard


@dataclasses.dataclass(frozen=True)
class HospitalSettings:
    """The data of one hospital, and fine-tuning on them.

    Attributes:
      name: in the report; that of the folder of the data if the config has none.
      sites: images of these sites only, split again; empty for all.
      finetuning: of a model on these data, with an empty checkpoint; `StudySettings.finetuning`
        sets one.
    """

    name: str
    sites: str
    finetuning: FinetuneSettings

    def with_data(self, **changes: Any) -> "HospitalSettings":
        """Returns the settings with fields of `DataSettings` changed."""
        data = dataclasses.replace(self.finetuning.data, **changes)
        return dataclasses.replace(self, finetuning=dataclasses.replace(self.finetuning, data=data))


@dataclasses.dataclass(frozen=True)
class StudySettings:
    """All settings of a study; `configs/common_study.py` explains each key.

    Attributes:
      arms: checkpoint by name of the arm.
      arm_options: settings of memory that differ between arms, by name of the arm.
      pretrained_by: the config of the pretraining that makes an arm's folder, by folder.
      select: settings of fine-tuning to choose from on validation, the same for every arm.
      id: the in-distribution hospital.
      ood: the out-of-distribution hospital, the first set of several.
      further: further out-of-distribution sets, by name.
      unfinished: arms and modes without all of their cells, in a merge while others run.
    """

    title: str
    rehearsal: str
    arms: Mapping[str, str]
    arm_options: Mapping[str, ArmOptions]
    pretrained_by: Mapping[str, str]
    baseline: str
    modes: tuple[str, ...]
    budgets: str
    seeds: int
    validation_share: float
    seed: int
    task: str
    metric: StudyMetric
    levels: tuple[float, ...]
    select: Grid
    id_trainings: int
    target: float | None
    primary: StatedComparison | None
    minutes: float | None
    price: float | None
    extrapolate: bool
    resamples: int
    caveats: tuple[str, ...]
    id: HospitalSettings
    ood: HospitalSettings
    further: Mapping[str, HospitalSettings]
    unfinished: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def from_config(cls, config: ml_collections.ConfigDict) -> "StudySettings":
        """Returns the settings of a config as `configs.common_study.ood` makes it.

        Raises:
          UserError: a value is not of its form or out of its bounds.
        """
        _check_form(config)
        values = config.copy_and_resolve_references().to_dict()
        arms = _arms(config.arms)
        settings = options.settings(
            cls,
            config,
            arms=arms,
            arm_options=arm_options.parse(values["arm_options"], arms),
            pretrained_by=arm_options.pretrainings(values["pretrained_by"]),
            primary=StatedComparison.parse(config.primary, arms, config.baseline, config.modes),
            select=Grid.parse(config.select),
            metric=StudyMetric.parse(config.metric),
            id=_hospital(values, "id"),
            ood=_hospital(values, "ood"),
            further={
                name: _hospital(alone, "ood")
                for name, alone in further_sets.studies(values).items()
            },
            unfinished=frozenset(),
        )
        _check(settings)
        return settings

    def as_begun(self, run: RunDirectory) -> "StudySettings":
        """Returns the settings that a study of an earlier version began with."""

        def begun(hospital: HospitalSettings) -> HospitalSettings:
            return dataclasses.replace(hospital, finetuning=hospital.finetuning.as_begun(run))

        return dataclasses.replace(self, id=begun(self.id), ood=begun(self.ood))

    @property
    def targets(self) -> tuple[float, ...]:
        """Values of the metric that are further levels: `target`, if it is given."""
        return () if self.target is None else (self.target,)

    def of_further_set(self, name: str) -> "StudySettings":
        """Returns the settings of the study of a further out-of-distribution set alone.

        The primary comparison is that of the first set.
        """
        title = self.title and f"{self.title}: {name}"
        return dataclasses.replace(
            self, title=title, ood=self.further[name], primary=None, further={}
        )

    def modes_of(self, arm: str) -> tuple[str, ...]:
        """Returns the modes in which an arm has cells; a floor has no layers to fine-tune."""
        modes = thumbnail_arm.modes_of(self.arms[arm], self.modes)
        return tuple(mode for mode in modes if (arm, mode) not in self.unfinished)

    def hospital(self, key: str) -> HospitalSettings:
        """Returns the settings of `id` or `ood`."""
        return self.id if key == "id" else self.ood

    def trainings(self, mode: str) -> int:
        """Returns the number of in-distribution trainings per arm.

        A probe is solved exactly: another training on the same images gives the same probe.
        """
        return self.id_trainings if mode == "finetune" else 1

    def finetuning(
        self, key: str, checkpoint: str, seed: int = 0, arm: str = ""
    ) -> FinetuneSettings:
        """Returns the settings of a fine-tuning run on one hospital's data.

        Args:
          key: `id` or `ood`.
          checkpoint: the weights to start from.
          seed: added to that of the study.
          arm: its name, if its own `config.arm_options` count.
        """
        base = self.hospital(key).finetuning
        model = dataclasses.replace(base.model, checkpoint=checkpoint)
        settings = dataclasses.replace(base, model=model, seed=self.seed + seed)
        own = self.arm_options.get(arm)
        return settings if own is None else own.of(settings)


def _hospital(values: Mapping[str, Any], key: str) -> HospitalSettings:
    """Returns one hospital's settings; a study has only one value for the keys set here."""
    finetuning = FinetuneSettings.from_config(
        values[key]
        | {
            "checkpoint": "",
            "architecture": "",
            "rehearsal": "",
            "data_dir": values[f"{key}_data_dir"],
            "task": values["task"],
            "method": "finetune",
            "select": "",
            "seed": values["seed"],
            "distribution": "none",
            "embeddings_dir": "",
            "calibration": "none",
            "target_sensitivity": 0.9,
            "resamples": values["resamples"],
            "top_k": TOP_K,
        }
    )
    name = values[f"{key}_name"] or _folder_name(key, values)
    return HospitalSettings(name, values[f"{key}_sites"], finetuning)


def _folder_name(key: str, values: Mapping[str, Any]) -> str:
    """Returns the end of a hospital's data directory, as much as tells it from the other's.

    The directories `/a/images` and `/b/images` are named `a/images` and `b/images`. Two hospitals
    in one directory differ in their sites, which follow in brackets.
    """
    ours, theirs = (
        pathlib.Path(os.path.abspath(values[f"{of}_data_dir"])).parts
        for of in (key, *(other for other in HOSPITALS if other != key))
    )
    if ours == theirs:
        sites = values[f"{key}_sites"]
        return f"{ours[-1]} ({f'sites {sites}' if sites else key.upper()})"
    parts = next(n for n in range(1, len(ours) + 1) if ours[-n:] != theirs[-n:])
    return "/".join(ours[-parts:])


def _arms(text: str) -> dict[str, str]:
    """Returns the checkpoint of every arm, by the arm's name.

    Raises:
      UserError: `config.arms` is not of its form, or names an arm twice.
    """
    arms: dict[str, str] = {}
    expected = (
        "NAME=CHECKPOINT, several separated by ';', such as "
        "'remedis=saved_models/cxr-50x1-remedis-m; scratch=scratch:50x1', names of letters, "
        "digits, '.', '_' and '-'"
    )
    for name, checkpoint in options.pairs(text, what="config.arms", expected=expected):
        if not _NAME.fullmatch(name):
            named = f"{name}={checkpoint}"
            raise UserError(f"config.arms has {named!r}; expected {expected}.")
        if name in arms:
            raise UserError(f"config.arms names {name!r} twice; give each arm a name of its own.")
        arms[name] = checkpoint
    if not arms:
        raise UserError(
            "config.arms is not set: name the checkpoints to compare, such as "
            "'remedis=saved_models/cxr-50x1-remedis-m; scratch=scratch:50x1'."
        )
    return arms


def _check_form(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError for a text where the config needs a tuple of texts."""
    if not config.modes or isinstance(config.modes, str):
        raise UserError(
            f"config.modes is {config.modes!r}; expected one or both of {', '.join(MODES)}, as in "
            "'(\"probe\",)'."
        )
    if not config.levels or not all(isinstance(level, float) for level in config.levels):
        raise UserError(
            f"config.levels is {config.levels!r}; expected shares of the baseline's gain in a "
            "tuple, as in '(0.8, 0.5, 0.9)'."
        )
    if isinstance(config.caveats, str) or not all(isinstance(c, str) for c in config.caveats):
        raise UserError(
            f"config.caveats is {config.caveats!r}; expected sentences in a tuple, as in "
            "'(\"Labels were mined from reports.\",)'."
        )


def _check(settings: StudySettings) -> None:
    """Raises a UserError for settings that would otherwise fail late."""
    if not settings.baseline:
        raise UserError(
            "config.baseline is not set: name the arm that the others are compared with, one of "
            f"{', '.join(settings.arms)}."
        )
    if settings.baseline not in settings.arms:
        raise unknown_choice("value of config.baseline", settings.baseline, settings.arms)
    for name in settings.further:
        if name.casefold() == settings.ood.name.casefold():
            raise UserError(
                f"config.further_ood names {name!r}, which is the name of the first set, too; name "
                "it otherwise, or set config.ood_name."
            )
    for mode in settings.modes:
        if mode not in MODES:
            raise unknown_choice("mode in config.modes", mode, MODES)
    for key in HOSPITALS:
        side = settings.hospital(key).finetuning
        side.data.policies.check(f"config.{key}")
        checks.known(
            side.optimization,
            {"optimizer": optimizers.NAMES, "schedule": schedules.KINDS},
            f"config.{key}",
        )
        checks.known(side.loss, {"class_weights": losses.CLASS_WEIGHTS}, f"config.{key}")
    checks.within(
        settings,
        {
            "seeds": (1, 1000),
            "resamples": (MIN_RESAMPLES, MAX_RESAMPLES),
            "seed": (0, 2**30),
            "validation_share": (0.05, 0.5),
            "id_trainings": (1, 1000),
            "minutes": (0, None),
            "price": (0, None),
        },
    )
    checks.known(settings, {"task": TASKS})
    settings.metric.check(settings.task, len(settings.id.finetuning.data.labels))
    check_levels(settings.levels, settings.targets, settings.metric)
    thumbnail_arm.check_arms(settings.arms, settings.modes, settings.baseline, settings.primary)
    _check_select(settings)
    if "finetune" in settings.modes and settings.id_trainings > settings.seeds:
        raise UserError(
            f"config.id_trainings is {settings.id_trainings} and config.seeds is {settings.seeds}; "
            "expected at least one seed per training, since each seed starts from one of them."
        )


def _check_select(settings: StudySettings) -> None:
    """Raises a UserError unless each key of the grid is set in one place."""
    grid = settings.select.values
    length = next((key for key in grid if key in LENGTHS), None)
    for side in HOSPITALS:
        asked = settings.hospital(side).finetuning.optimization
        for key in (*grid, *(LENGTHS if length else ())):
            value, kind = getattr(asked, key), KEYS[key]
            if value != kind[0] if isinstance(kind, tuple) else value:
                raise UserError(
                    f"config.{side}.{key} is {value}, and config.select has "
                    f"{key if key in grid else length}, too; name the values in config.select "
                    f"alone, which all arms share, or take them out of it."
                )
        if asked.learning_rate is None and "learning_rate" not in grid:
            raise UserError(
                f"config.{side}.learning_rate is not set; name rates in config.select, such as "
                "'learning_rate=0.003,0.025,0.2,1.6', or one rate for each side, such as "
                f"--config.{side}.learning_rate=0.003."
            )
