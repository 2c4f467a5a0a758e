"""Settings of a fine-tuning run, in small frozen dataclasses made from its config."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import ml_collections

from remedis import options
from remedis.data.label_policies import EVALUATION_KEYS, LabelPolicies
from remedis.evaluation.evaluate import TOP_K
from remedis.preprocess import Preprocess
from remedis.training import checks, optimizers, trained_layers
from remedis.training.run_directory import RunDirectory
from remedis.training.schedules import ScheduleSettings
from remedis.zoo import licences

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """The images, the meaning of their labels, and their splits; see `configs/common.py`."""

    source: str
    source_options: str
    data_dir: str
    labels: tuple[str, ...]
    uncertain: str
    unmentioned: str
    splits: Mapping[str, float]
    split_seed: int
    split_unit: str
    stratify: tuple[str, ...]
    complete_splits: bool
    allow_missing_patient_ids: bool
    refuse_near_duplicates: bool
    max_bad_images: float
    # With the defaults for a config of an earlier version, in which evaluation follows training.
    data_terms: str = ""
    allow_similar_ids: bool = False
    allow_similar_images: bool = False
    eval_uncertain: str = ""
    eval_unmentioned: str = ""
    eval_unlabelled: str = ""
    leave_out: str = ""

    def __post_init__(self) -> None:
        licences.check_terms(self.data_terms)

    @property
    def policies(self) -> LabelPolicies:
        """The label policies of training and of evaluation."""
        return LabelPolicies.from_config(dataclasses.asdict(self))

    def as_begun(self, run: RunDirectory) -> "DataSettings":
        """Returns the settings with the label policies that a run of an earlier version began with.

        Before evaluation had policies of its own, validation and test followed those of training.
        """
        if not set(EVALUATION_KEYS) & run.later_keys():
            return self
        begun = dataclasses.replace(
            self, eval_uncertain="", eval_unmentioned="", eval_unlabelled=""
        )
        if begun.policies.evaluation != self.policies.evaluation:
            _LOG.warning(
                f"{run.shared} is older than label policies for evaluation: labels of its "
                "validation and test splits follow the policies of training. A new directory has "
                "the new ones."
            )
        return begun


@dataclasses.dataclass(frozen=True)
class ImageSettings:
    """Size and preprocessing of the images, and the memory for decoded ones."""

    image_size: int
    train_preprocess: str
    eval_preprocess: str
    cache_gb: float

    def operations(self) -> tuple[Preprocess, Preprocess]:
        """Returns the operations of training and of evaluation.

        Raises:
          UserError: a specification is wrong.
        """
        return (
            checks.operations(self.train_preprocess, self.image_size, "train_preprocess"),
            checks.operations(
                self.eval_preprocess, self.image_size, "eval_preprocess", deterministic=True
            ),
        )


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """The backbone, the task of the head, and how both are computed."""

    checkpoint: str
    architecture: str
    task: str
    head_norm: bool
    precision: str
    gradient_checkpointing: bool
    head_stddev: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizationSettings(ScheduleSettings):
    """Length, batches, learning rates and evaluations of a training."""

    accumulate: int
    optimizer: str
    learning_rates: str
    momentum: float
    weight_decay: float
    clip_norm: float
    ema: float
    patience: int
    evaluate_every: int
    checkpoint_every: int
    log_every: int
    # Of a config of an earlier version.
    layers: str = trained_layers.ALL
    decay_to: str = optimizers.TO_ZERO


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """The loss, and the examples that it is computed on."""

    class_weights: str
    focal_gamma: float
    mixup: float | None
    balance: str


@dataclasses.dataclass(frozen=True)
class ReportSettings:
    """Calibration, thresholds, top-k accuracies and intervals of the reported numbers."""

    calibration: str
    target_sensitivity: float
    resamples: int
    weighting: str = "images"
    nested_resamples: int = 0
    top_k: tuple[int, ...] = TOP_K
    reference_patients: int = 0  # of a config of an earlier version


@dataclasses.dataclass(frozen=True)
class FinetuneSettings:
    """All settings of a fine-tuning run.

    The fields of the parts have the names of the config's keys; `configs/common.py` explains each.
    """

    data: DataSettings
    images: ImageSettings
    model: ModelSettings
    optimization: OptimizationSettings
    loss: LossSettings
    report: ReportSettings
    method: str
    rehearsal: str
    seed: int
    distribution: str
    embeddings_dir: str
    select: str = ""

    @classmethod
    def from_config(
        cls, config: ml_collections.ConfigDict | Mapping[str, Any]
    ) -> "FinetuneSettings":
        """Returns the settings of a config as `configs.common.finetuning` makes it."""
        # Runs of version 0.1 lack `select`, `warmup_epochs` and `head_stddev`: the same as unset.
        model = options.settings(ModelSettings, config, head_stddev=config.get("head_stddev"))
        optimization = options.settings(
            OptimizationSettings, config, warmup_epochs=config.get("warmup_epochs")
        )
        return options.settings(
            cls,
            config,
            select=config.get("select", ""),
            data=options.settings(DataSettings, config),
            images=options.settings(ImageSettings, config),
            model=model,
            optimization=optimization,
            loss=options.settings(LossSettings, config),
            report=options.settings(ReportSettings, config),
        )

    def as_begun(self, run: RunDirectory) -> "FinetuneSettings":
        """Returns the settings that a run of an earlier version began with, where it lacks keys.

        Its label policies, length and rate are as before.
        """
        settings = dataclasses.replace(self, data=self.data.as_begun(run))
        if "fit_to_data" in run.later_keys():
            optimization = dataclasses.replace(self.optimization, fit_to_data=False)
            settings = dataclasses.replace(settings, optimization=optimization)
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings under the keys of the config that they came from."""
        values: dict[str, Any] = {}
        for name, value in dataclasses.asdict(self).items():
            values |= value if name in _PARTS else {name: value}
        return values


_PARTS = ("data", "images", "model", "optimization", "loss", "report")
