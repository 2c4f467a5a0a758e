"""The networks of a pretraining: a backbone to train, a method's head on it, an averaged copy."""

import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import keras
import ml_collections
import numpy as np
import tensorflow as tf

from remedis import files
from remedis.errors import UserError
from remedis.models import precision
from remedis.models.bit import BiTResNet
from remedis.options import literals
from remedis.pretraining import methods
from remedis.pretraining.methods.method import Method
from remedis.pretraining.objective import Contrastive
from remedis.training import learning_rates
from remedis.zoo import resolve
from remedis.zoo.provenance import Provenance

PROJECTION = "projection.npz"  # a method's head, beside the backbone it was trained with


@dataclasses.dataclass(frozen=True)
class Network:
    """What a pretraining trains.

    Attributes:
      objective: backbone, method and teacher.
      trained: variables the optimizer moves, by name.
      kept: variables that move without gradients, by name.
      factors: of the learning rate, by name of the trained ones.
      provenance: of the weights the backbone started from.
    """

    objective: Contrastive
    trained: dict[str, keras.Variable]
    kept: dict[str, keras.Variable]
    factors: dict[str, float]
    provenance: Provenance

    @property
    def backbone(self) -> BiTResNet:
        """The backbone that is trained."""
        return self.objective.backbone

    def write_projection(self, folder: pathlib.Path) -> None:
        """Writes the method's head into a folder, for a training that goes on from there."""
        method = self.objective.method
        arrays: dict[str, Any] = {name: np.asarray(v) for name, v in _head(method).items()}
        with files.whole_file(folder / PROJECTION) as temporary:
            np.savez(temporary, method=method.name, **arrays)


def build(config: ml_collections.ConfigDict, strategy: tf.distribute.Strategy) -> Network:
    """Returns the networks, their variables made under a strategy's scope.

    A backbone without the final norm, as the REMEDIS release has them, gets a fresh one. The head
    beside a checkpoint is taken on if its layers are the method's.

    Raises:
      UserError: there is no such checkpoint or method, or they cannot do what the config asks.
    """
    options = literals(config.method_options.split(";"), "config.method_options")
    with strategy.scope(), precision.policy(config.precision):
        backbone, provenance = _backbone(config)
        backbone.gradient_checkpointing = config.gradient_checkpointing
        method = methods.make(config.method, options, backbone.map_channels, config.seed)
        teacher = None
        if method.teacher_views:
            teacher = _twin(backbone)
    print(f"Checkpoint: {config.checkpoint}: {provenance.description}", flush=True)
    method.check_batch(config.batch_size)
    _take_on(method, config.checkpoint)
    trained = {**backbone.named_variables(), **method.trained()}
    kept = dict(method.statistics())
    if teacher is not None:
        kept |= {f"teacher/{name}": v for name, v in teacher.named_variables().items()}
    factors = learning_rates.factors_of_trained(config.learning_rates, trained)
    trained = {name: trained[name] for name in factors}
    return Network(Contrastive(backbone, method, teacher), trained, kept, factors, provenance)


def _backbone(config: ml_collections.ConfigDict) -> tuple[BiTResNet, Provenance]:
    if not config.checkpoint:
        raise UserError(
            "config.checkpoint is not set: name what to start from: bit:FILE.npz, a checkpoint "
            "folder, or scratch:50x1 for nothing."
        )
    found = resolve.load_backbone(config.checkpoint, config.seed, config.architecture)
    if not isinstance(found.backbone, BiTResNet):
        raise UserError(
            f"config.checkpoint is {config.checkpoint}; self-supervision is for BiT backbones: "
            "bit:FILE.npz, a checkpoint folder, or scratch:50x1."
        )
    return (
        found.backbone if found.backbone.final_norm else _twin(found.backbone)
    ), found.provenance


def _twin(backbone: BiTResNet) -> BiTResNet:
    """Returns a backbone with the same weights, and a final norm whether or not it has one."""
    twin = BiTResNet(backbone.architecture, True, backbone.backbone_range)
    variables = twin.named_variables()
    for name, variable in backbone.named_variables().items():
        variables[name].assign(variable.numpy())
    return twin


def _head(method: Method) -> Mapping[str, keras.Variable]:
    """Returns the variables of a method's head: trained ones, and averages of its batch norms."""
    both = {**method.trained(), **method.statistics()}
    return {name: variable for name, variable in both.items() if name.startswith("projection/")}


def _take_on(method: Method, checkpoint: str) -> None:
    """Sets a method's head, and that of its teacher, to what stands beside a checkpoint."""
    folder = resolve.parse(checkpoint).folder
    if folder is None or not (folder / PROJECTION).is_file():
        return
    file = folder / PROJECTION
    head = _head(method)
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        trained_by = arrays.pop("method")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{file} is damaged ({error}); copy the folder again, or remove the file to begin with "
            "a fresh head."
        ) from error
    # Heads of the same layers will do for each other: MICLe goes on with SimCLR's.
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != {name: tuple(variable.shape) for name, variable in head.items()}:
        print(
            f"The head beside {os.fspath(checkpoint)}, of {trained_by}, has other layers or "
            "widths; beginning with a fresh one.",
            flush=True,
        )
        return
    for name, variable in head.items():
        variable.assign(arrays[name])
    for student, average in method.averaged():
        average.assign(student.numpy())
    print(f"Going on with the head beside {os.fspath(checkpoint)}.", flush=True)
