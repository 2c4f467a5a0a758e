"""The settings of a pretraining as frozen dataclasses, read from its config.

A field without a description has the meaning of the config's key of the same name; see
`configs/common_pretraining.py`.
"""

import dataclasses
from typing import Any

import ml_collections

from remedis import options
from remedis.finetuning.settings import DataSettings
from remedis.preprocess import Preprocess
from remedis.preprocess.operations.bounds import MAX_SIDE
from remedis.training import checks
from remedis.training.run_directory import RunDirectory
from remedis.training.schedules import ScheduleSettings
from remedis.zoo import licences


@dataclasses.dataclass(frozen=True)
class UnlabelledSettings:
    """The images to learn from."""

    data: str
    source_options: str
    leave_out: str
    leave_out_splits: tuple[str, ...]
    allow_missing_patient_ids: bool
    allow_similar_ids: bool
    max_bad_images: float
    method: str
    partners: str
    data_terms: str = ""

    def __post_init__(self) -> None:
        licences.check_terms(self.data_terms)


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
    """The backbone to start from and the method to train it by."""

    checkpoint: str
    architecture: str
    method: str
    method_options: str
    precision: str
    gradient_checkpointing: bool
    learning_rates: str
    batch_size: int
    seed: int


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """The training loop and the optimizer."""

    batch_size: int
    accumulate: int
    optimizer: str
    momentum: float
    weight_decay: float
    clip_norm: float
    precision: str
    seed: int
    cache_gb: float
    evaluate_every: int
    checkpoint_every: int
    log_every: int
    stop_on_collapse: bool
    fit_to_data: bool = False  # as in a config of an earlier version


@dataclasses.dataclass(frozen=True)
class ProbeSettings:
    """The online probe.

    Attributes:
      data: the labelled images.
      task: of their labels, as in a fine-tuning run.
      eval_preprocess: specification of the evaluation's operations.
      image_size: that of the pretraining, pixels.
      batch_size: number of images per forward pass.
    """

    data: DataSettings
    task: str
    eval_preprocess: str
    image_size: int
    batch_size: int

    def operations(self) -> Preprocess:
        """Returns the operations of evaluation.

        Raises:
          UserError: the specification is wrong, or random.
        """
        return checks.operations(
            self.eval_preprocess, self.image_size, "probe.eval_preprocess", deterministic=True
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings under their keys in `config.probe`."""
        data = dataclasses.asdict(self.data)
        del data["data_terms"]  # no label of the probe enters the model
        del data["leave_out"]  # that of the pretraining holds for the probe, too
        return {**data, "task": self.task, "eval_preprocess": self.eval_preprocess}


@dataclasses.dataclass(frozen=True)
class PretrainingSettings:
    """All settings of a pretraining.

    Attributes:
      name: name of the exported checkpoint; empty for the name of the run's directory.
      rehearsal: layout of the made-up images; empty for real ones.
      image_size: height and width of a view, pixels.
      preprocess: specification of the operations that make a view.
      unlabelled: the images to learn from.
      network: backbone and method.
      schedule: length and learning rate.
      training: loop and optimizer.
      probe: the online probe; None without one.
    """

    name: str
    rehearsal: str
    image_size: int
    preprocess: str
    unlabelled: UnlabelledSettings
    network: NetworkSettings
    schedule: ScheduleSettings
    training: TrainingSettings
    probe: ProbeSettings | None

    @classmethod
    def from_config(cls, config: ml_collections.ConfigDict) -> "PretrainingSettings":
        """Returns the settings of a config as `configs.common_pretraining` makes it.

        Raises:
          UserError: a value is out of its bounds.
        """
        checks.within(config, _BOUNDS)
        return options.settings(
            cls,
            config,
            unlabelled=options.settings(UnlabelledSettings, config),
            network=options.settings(NetworkSettings, config),
            # Batches never have more images than there are.
            schedule=options.settings(ScheduleSettings, config, drops=(), fit_to_data=False),
            training=options.settings(TrainingSettings, config),
            probe=_probe(config),
        )

    def as_begun(self, run: RunDirectory) -> "PretrainingSettings":
        """Returns the settings that a run of an earlier version began with, where it lacks keys."""
        if "fit_to_data" not in run.later_keys():
            return self
        training = dataclasses.replace(self.training, fit_to_data=False)
        return dataclasses.replace(self, training=training)

    def operations(self) -> Preprocess:
        """Returns the operations that make a view of an image.

        Raises:
          UserError: the specification is wrong.
        """
        return checks.operations(self.preprocess, self.image_size, "preprocess")


# Checked at the start: values outside would fail late, after hours of training.
_BOUNDS: dict[str, tuple[float, float | None]] = {
    "seed": (0, 2**31 - 1),
    "momentum": (0, 1),
    "weight_decay": (0, None),
    "clip_norm": (0, None),
    "max_bad_images": (0, 1),
    "cache_gb": (0, None),
    "image_size": (1, MAX_SIDE),
}


def _probe(config: ml_collections.ConfigDict) -> ProbeSettings | None:
    if not config.probe.source:
        return None
    return options.settings(
        ProbeSettings,
        config.probe,
        data=options.settings(DataSettings, config.probe),
        image_size=config.image_size,
        # As many as fit into the memory of a training step.
        batch_size=max(1, config.batch_size // max(1, config.accumulate)),
    )
