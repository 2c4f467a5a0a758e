"""Checkpoint names `<cxr|path>-<50x1|152x2>-remedis-<s|m>`, parsed and formatted here only."""

import dataclasses
import itertools

from remedis.errors import unknown_choice

DATA_TYPES = ("cxr", "path")
ARCHITECTURES = ("50x1", "152x2")
SIZES = ("m", "s")  # of the BiT it starts from: BiT-M (ImageNet-21k), BiT-S (ImageNet-1k)


@dataclasses.dataclass(frozen=True)
class CheckpointName:
    """The fields of a checkpoint's name. `str()` formats the name."""

    data_type: str
    architecture: str
    size: str

    def __str__(self) -> str:
        return f"{self.data_type}-{self.architecture}-remedis-{self.size}"


NAMES = tuple(
    str(CheckpointName(*fields)) for fields in itertools.product(DATA_TYPES, ARCHITECTURES, SIZES)
)


def parse(name: str) -> CheckpointName:
    """Returns the fields of a checkpoint's name.

    Raises:
      UserError: there is no such checkpoint. The message names all eight and the nearest.
    """
    if name not in NAMES:
        raise unknown_choice("model", name, NAMES)
    data_type, architecture, _, size = name.split("-")
    return CheckpointName(data_type, architecture, size)
