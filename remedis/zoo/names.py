"""Checkpoint names: `<cxr|path>-<50x1|152x2>-remedis-<s|m>`, parsed and formatted here only."""

import dataclasses
import itertools

from remedis.errors import unknown_choice

DATA_TYPES = ("cxr", "path")
ARCHITECTURES = ("50x1", "152x2")
SIZES = ("m", "s")  # BiT-M (ImageNet-21k) or BiT-S (ImageNet-1k) to start from


@dataclasses.dataclass(frozen=True)
class CheckpointName:
    """The parts of a checkpoint's name; `str()` puts them together."""

    data_type: str
    architecture: str
    size: str

    def __str__(self) -> str:
        return f"{self.data_type}-{self.architecture}-remedis-{self.size}"


NAMES = tuple(
    str(CheckpointName(*parts)) for parts in itertools.product(DATA_TYPES, ARCHITECTURES, SIZES)
)


def parse(name: str) -> CheckpointName:
    """Returns the parts of `name`.

    Raises:
      UserError: there is no such checkpoint; names the eight and the nearest.
    """
    if name not in NAMES:
        raise unknown_choice("model", name, NAMES)
    data_type, architecture, _, size = name.split("-")
    return CheckpointName(data_type, architecture, size)
