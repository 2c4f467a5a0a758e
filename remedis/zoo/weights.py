"""The weights of a BiT backbone by name, and the check that they are complete."""

import dataclasses
import re
from collections.abc import Iterable, Mapping

import numpy as np

from remedis import files
from remedis.errors import UserError
from remedis.models import architectures
from remedis.models.architectures import Architecture, Shape
from remedis.zoo.provenance import Provenance

BIT_RANGE = (-1.0, 1.0)  # pixel values that BiT's networks were trained on
RELEASE_RANGES = {"[-1, 1]": BIT_RANGE, "[0, 1]": (0.0, 1.0)}


@dataclasses.dataclass(frozen=True)
class Weights:
    """The variables of a BiT backbone, and the facts needed to build it.

    Attributes:
      arrays: every variable by its BiT name. A mapping may read them from disk on access.
      architecture: of the backbone.
      final_norm: whether the group norm before the head is among the variables.
      backbone_range: values that pixel values 0 and 1 are mapped to before the first convolution.
      provenance: of the weights.
    """

    arrays: Mapping[str, np.ndarray]
    architecture: Architecture
    final_norm: bool
    backbone_range: tuple[float, float]
    provenance: Provenance


def normalise_name(name: str) -> str:
    """Returns the name of a BiT variable without `resnet/`, `:0`, and the `_<n>` of some files."""
    name = name.removeprefix("resnet/").removesuffix(":0")
    return re.sub(r"(standardized_conv2d|group_norm)_\d+", r"\1", name)


def infer(shapes: Mapping[str, Shape], where: files.Path) -> tuple[Architecture, bool]:
    """Returns the architecture of variables, and whether the final norm is among them.

    Args:
      shapes: of the variables by their BiT names.
      where: the file or folder, for the message.

    Raises:
      UserError: the variables are not those of a BiT backbone.
    """
    try:
        return architectures.infer(dict(shapes))
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def check_shapes(
    found: Mapping[str, Shape], expected: Mapping[str, Shape], where: str, what: str
) -> None:
    """Raises a UserError that names missing, unexpected and misshapen arrays.

    Args:
      found: shapes by name, as read.
      expected: shapes by name, as required.
      where: the file or folder, for the message.
      what: the content that was expected there, for the message.
    """
    faults = []
    if missing := [name for name in expected if name not in found]:
        faults.append(f"missing {_listed(missing)}")
    if extra := [name for name in found if name not in expected]:
        faults.append(f"unexpected {_listed(extra)}")
    misshapen = [
        f"{name} {_shape(found[name])} instead of {_shape(expected[name])}"
        for name in expected
        if name in found and tuple(found[name]) != tuple(expected[name])
    ]
    if misshapen:
        faults.append(f"misshapen {_listed(misshapen)}")
    if faults:
        raise UserError(f"{where} does not hold {what}: {'; '.join(faults)}.")


def _shape(shape: Iterable[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
