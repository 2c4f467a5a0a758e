"""A backbone's weights by name, wherever they come from, and the check that they are complete."""

import dataclasses
import re
from collections.abc import Iterable, Mapping

import numpy as np

from remedis import files
from remedis.errors import UserError
from remedis.models import architectures
from remedis.models.architectures import Architecture, Shape
from remedis.zoo.provenance import Provenance

BIT_RANGE = (-1.0, 1.0)  # what BiT's networks were trained on
RELEASE_RANGES = {"[-1, 1]": BIT_RANGE, "[0, 1]": (0.0, 1.0)}


@dataclasses.dataclass(frozen=True)
class Weights:
    """A backbone's variables and what one must know to use them.

    Attributes:
      arrays: every variable by its BiT name; may read from disk on access.
      architecture: of the backbone they belong to.
      final_norm: whether the group norm before the head is among them.
      backbone_range: what pixel values 0 and 1 must be mapped to before the first convolution.
      provenance: their origin.
    """

    arrays: Mapping[str, np.ndarray]
    architecture: Architecture
    final_norm: bool
    backbone_range: tuple[float, float]
    provenance: Provenance


def normalise_name(name: str) -> str:
    """Returns a BiT variable's name without `resnet/`, `:0`, or the `_<n>` some files carry."""
    name = name.removeprefix("resnet/").removesuffix(":0")
    return re.sub(r"(standardized_conv2d|group_norm)_\d+", r"\1", name)


def infer(shapes: Mapping[str, Shape], where: files.Path) -> tuple[Architecture, bool]:
    """Returns architecture and presence of the final norm of the variables found at `where`.

    Raises:
      UserError: they are no BiT backbone's.
    """
    try:
        return architectures.infer(dict(shapes))
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def check_shapes(
    found: Mapping[str, Shape], expected: Mapping[str, Shape], where: str, what: str
) -> None:
    """Raises a UserError naming what is missing, extra or misshapen among `found`.

    Args:
      found: shapes by name, as read.
      expected: shapes by name, as they should be.
      where: the file or folder, for the message.
      what: what it was expected to be, for the message.
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
