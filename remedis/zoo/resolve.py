"""Backbones to put a head on, whatever they come from.

A specification is one of

- a checkpoint folder: one of ours, the release's as downloaded, or an exported classifier;
- `bit:FILE.npz`: one of BiT's published files, trained on natural images;
- `scratch:50x1`: a BiT backbone with weights drawn from the run's seed;
- `keras:DenseNet121:FILE`: a network of `keras.applications` with the user's weights, or without a
  file, with weights drawn from the run's seed.
"""

import dataclasses
import pathlib

from remedis.errors import UserError, unknown_choice
from remedis.models.applications import ApplicationNetwork, names
from remedis.models.architectures import Architecture
from remedis.models.backbone import Backbone
from remedis.models.bit import BiTResNet
from remedis.zoo import applications, bit_npz, checkpoint, random_weights
from remedis.zoo.export import Description
from remedis.zoo.provenance import Provenance
from remedis.zoo.weights import Weights

BIT = "bit:"
KERAS = "keras:"
SCRATCH = "scratch:"


@dataclasses.dataclass(frozen=True)
class LoadedBackbone:
    """A backbone with its weights, and where they come from."""

    backbone: Backbone
    provenance: Provenance


def load(spec: str, seed: int, architecture: str = "") -> LoadedBackbone:
    """Returns the backbone a specification names.

    Args:
      spec: see above.
      seed: of weights that are drawn.
      architecture: such as `50x1` or `DenseNet121`: what the backbone must be; empty for any.

    Raises:
      UserError: there is no such folder, network or file, it holds something else, or the backbone
      is
        of another architecture.
    """
    if spec.startswith(KERAS):
        name, _, file = spec.removeprefix(KERAS).partition(":")
        _check(spec, name, architecture)
        return LoadedBackbone(
            *(applications.read(name, file) if file else applications.draw(name, seed))
        )
    if spec.startswith(SCRATCH):
        parsed = Architecture.parse(spec.removeprefix(SCRATCH))
        _check(spec, parsed.name, architecture)
        return _bit(random_weights.draw(str(seed), parsed))
    if spec.startswith(BIT):
        file = spec.removeprefix(BIT)
        wanted = Architecture.parse(architecture) if architecture else bit_npz.architecture_of(file)
        return _bit(bit_npz.read(file, wanted))
    description = checkpoint.describe(spec)
    if description is not None and (name := application_of(description)):
        _check(spec, name, architecture)
        return LoadedBackbone(application(spec, name), description.provenance)
    weights = checkpoint.read(spec)
    _check(spec, weights.architecture.name, architecture)
    return _bit(weights)


def check(spec: str) -> None:
    """Raises a UserError if a specification names what is not there, without reading weights."""
    if spec.startswith(KERAS):
        name, _, file = spec.removeprefix(KERAS).partition(":")
        if name not in names():
            raise unknown_choice("network of keras.applications", name, names())
        if file and not pathlib.Path(file).is_file():
            raise UserError(f"{file} is not a file; expected the weights of a {name}.")
    elif spec.startswith(SCRATCH):
        Architecture.parse(spec.removeprefix(SCRATCH))
    elif spec.startswith(BIT):
        bit_npz.architecture_of(spec.removeprefix(BIT))
    else:
        checkpoint.describe(spec)


def name_of(backbone: Backbone) -> str:
    """Returns what `Description.backbone` says of a backbone: `50x1`, or `keras:DenseNet121`."""
    if isinstance(backbone, BiTResNet):
        return backbone.architecture.name
    assert isinstance(backbone, ApplicationNetwork)
    return f"{KERAS}{backbone.application}"


def application_of(description: Description) -> str:
    """Returns the network of `keras.applications` that a folder of ours holds; "" for any other."""
    keras = description.backbone.startswith(KERAS)
    return description.backbone.removeprefix(KERAS) if keras else ""


def application(folder: str, name: str) -> ApplicationNetwork:
    """Returns the network of `keras.applications` in an exported folder.

    Raises:
      UserError: the folder is no SavedModel, or lacks some of the network's variables.
    """
    network = ApplicationNetwork(name)
    network.assign(checkpoint.arrays(folder, network.named_variables(), name))
    return network


def _bit(weights: Weights) -> LoadedBackbone:
    return LoadedBackbone(checkpoint.build_backbone(weights), weights.provenance)


def _check(spec: str, found: str, expected: str) -> None:
    if expected and found != expected:
        raise UserError(
            f"config.architecture is {expected}, but config.checkpoint={spec} is of the "
            f"architecture {found}; name another checkpoint, or leave config.architecture empty."
        )
