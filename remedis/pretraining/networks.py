"""The networks of a pretraining: the trained backbone, the method's head, and a teacher."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from remedis import files
from remedis.errors import UserError
from remedis.models import applications, precision
from remedis.models.bit import BiTResNet
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.options import literals
from remedis.pretraining import methods
from remedis.pretraining.methods.method import Method
from remedis.pretraining.settings import NetworkSettings
from remedis.pretraining.two_view_objective import Contrastive
from remedis.training import checks, learning_rate_factors
from remedis.zoo import resolve
from remedis.zoo.provenance import Provenance

_LOG = logging.getLogger(__name__)

PROJECTION = "projection.npz"  # a method's head, in the folder of the backbone it was trained with


@dataclasses.dataclass(frozen=True)
class Network:
    """The networks of a pretraining and their variables.

    Attributes:
      objective: backbone, method and teacher.
      trained: variables that the optimizer updates, by name.
      statistics: variables that change without gradients, by name.
      factors: factor of the learning rate per trained variable, by name.
      provenance: of the backbone's initial weights.
    """

    objective: Contrastive
    trained: dict[str, keras.Variable]
    statistics: dict[str, keras.Variable]
    factors: dict[str, float]
    provenance: Provenance

    @property
    def backbone(self) -> BiTResNet:
        """The trained backbone."""
        return self.objective.backbone

    def write_projection(self, folder: pathlib.Path) -> None:
        """Writes the method's head into a folder, so that another training can start from it."""
        method = self.objective.method
        arrays: dict[str, Any] = {name: np.asarray(v) for name, v in _head(method).items()}
        with files.whole_file(folder / PROJECTION) as temporary:
            np.savez(temporary, method=method.name, **arrays)


def check(settings: NetworkSettings) -> None:
    """Raises a UserError for settings that `build` would fail on with any weights."""
    if not settings.checkpoint:
        raise UserError(
            "config.checkpoint is not set: name the initial weights: bit:FILE.npz, a checkpoint "
            "folder, or scratch:50x1 for random ones."
        )
    checks.known(settings, {"precision": precision.POLICIES})
    options = literals(settings.method_options.split(";"), "config.method_options")
    few_channels = 64  # a head for them is made in no time
    method = methods.make(settings.method, options, few_channels, settings.seed)
    method.check_batch(settings.batch_size)
    learning_rate_factors.parse(settings.learning_rates)
    resolve.check(settings.checkpoint, settings.architecture)
    if (
        resolve.named_architecture(settings.checkpoint, settings.architecture)
        in applications.names()
    ):
        raise _no_bit(settings.checkpoint)


def build(settings: NetworkSettings, strategy: tf.distribute.Strategy) -> Network:
    """Returns the networks; their variables are made under a strategy's scope.

    A backbone without the final norm, as in the REMEDIS release, gets a new one. The head in the
    checkpoint's folder is loaded if it has the layers of the method's head.

    Raises:
      UserError: there is no such checkpoint or method, or they do not support the settings.
    """
    options = literals(settings.method_options.split(";"), "config.method_options")
    with strategy.scope(), precision.policy(settings.precision):
        backbone, provenance = _backbone(settings)
        backbone.gradient_checkpointing = settings.gradient_checkpointing
        method = methods.make(settings.method, options, backbone.map_channels, settings.seed)
        teacher = None
        if method.teacher_views:
            teacher = _copy_with_norm(backbone)
    _LOG.info(f"Checkpoint: {settings.checkpoint}: {provenance.description}")
    _load_head(method, settings.checkpoint)
    trained = {**backbone.named_variables(), **method.trained()}
    statistics = dict(method.statistics())
    if teacher is not None:
        statistics |= {f"teacher/{name}": v for name, v in teacher.named_variables().items()}
    factors = learning_rate_factors.factors_of_trained(settings.learning_rates, trained)
    trained = {name: trained[name] for name in factors}
    return Network(Contrastive(backbone, method, teacher), trained, statistics, factors, provenance)


def _backbone(settings: NetworkSettings) -> tuple[BiTResNet, Provenance]:
    start = resolve.load_backbone(settings.checkpoint, settings.seed, settings.architecture)
    backbone = start.backbone
    if not isinstance(backbone, BiTResNet):
        raise _no_bit(settings.checkpoint)
    return backbone if backbone.final_norm else _copy_with_norm(backbone), start.provenance


def _no_bit(checkpoint: str) -> UserError:
    return UserError(
        f"config.checkpoint is {checkpoint}; self-supervision is for BiT backbones: bit:FILE.npz, "
        "a checkpoint folder, or scratch:50x1."
    )


def _copy_with_norm(backbone: BiTResNet) -> BiTResNet:
    """Returns a backbone of the same weights with a final norm, a new one if there is none."""
    copy = BiTResNet(backbone.architecture, True, backbone.backbone_range)
    variables = copy.named_variables()
    for name, variable in backbone.named_variables().items():
        variables[name].assign(variable.numpy())
    return copy


def _head(method: Method) -> Mapping[str, keras.Variable]:
    """Returns the variables of a method's head: weights and moving averages of its batch norms."""
    variables = {**method.trained(), **method.statistics()}
    return {name: v for name, v in variables.items() if name.startswith("projection/")}


def _load_head(method: Method, checkpoint: str) -> None:
    """Loads a method's head, and that of its teacher, from a checkpoint's folder if it has one.

    The head stays as it is if the folder has none or one of other layers.

    Raises:
      UserError: the file is damaged.
    """
    folder = resolve.parse(checkpoint).folder
    if folder is None or not os.path.lexists(folder / PROJECTION):
        return
    file = folder / PROJECTION
    head = _head(method)
    try:
        with NpzFile(file) as content:
            trained_by = content.text("method")
            shapes = {name: header.shape for name, header in content.headers.items()}
            del shapes["method"]
            # Heads of equal layers are interchangeable: MICLe continues with SimCLR's.
            fits = shapes == {name: tuple(variable.shape) for name, variable in head.items()}
            arrays = {name: content.expect(name, "f", shapes[name]) for name in shapes if fits}
    except (OSError, DamagedNpz) as error:
        raise UserError(
            f"{file} is damaged ({error}); copy the folder again, or remove the file to begin with "
            "a new head."
        ) from error
    if not fits:
        _LOG.info(
            f"The head in {os.fspath(checkpoint)}, of {trained_by}, has other layers or widths; "
            "beginning with a new one."
        )
        return
    for name, variable in head.items():
        variable.assign(arrays[name])
    for student, average in method.averaged():
        average.assign(student.numpy())
    _LOG.info(f"Continuing with the head in {os.fspath(checkpoint)}.")
