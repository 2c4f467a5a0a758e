"""Depths, widths and variable shapes of BiT's ResNetV2 family, without building a network.

Kolesnikov et al. 2020, "Big Transfer (BiT)", arXiv 1912.11370, section 3. Names and layout of the
variables are those of the released `BiT-{S,M}-R*.npz` files, without their leading `resnet/`.
"""

import dataclasses
import math
import re
from collections.abc import Iterator

from remedis.errors import UserError, unknown_choice

UNITS_OF_DEPTH = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BIT_NAMES = ("50x1", "50x3", "101x1", "101x3", "152x2", "152x4")
GROUPS = 32  # in every group normalisation, at every width

# Bounds far above BiT's 36 units of a block and its width of 4. They keep names and files from
# asking for networks that no machine holds.
MAX_UNITS = 256
MAX_WIDTH = 16
MAX_PARAMETERS = 4_000_000_000  # 16 GB; BiT's largest, 152x4, has 0.9 thousand million

# Numbers of up to nine digits: thousands of digits take long to read.
_NUMBER = r"[0-9]{1,9}"
_NAME = rf"({_NUMBER}|{_NUMBER}-{_NUMBER}-{_NUMBER}-{_NUMBER})x({_NUMBER}(?:\.{_NUMBER})?)"

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Depth and width of a pre-activation bottleneck ResNet.

    Attributes:
      units: bottleneck units in each of the four blocks.
      width: multiplier of all channel counts. 64 * width is a multiple of 32.
    """

    units: tuple[int, int, int, int]
    width: float = 1

    def __post_init__(self) -> None:
        if len(self.units) != 4 or min(self.units) < 1:
            raise UserError(f"An architecture has four blocks of units >= 1; got {self.units}.")
        if max(self.units) > MAX_UNITS or not self.width <= MAX_WIDTH:
            raise UserError(
                f"An architecture has up to {MAX_UNITS} units per block and a width of up to "
                f"{MAX_WIDTH}; got units {'-'.join(map(str, self.units))} and width "
                f"{self.width:g}."
            )
        if self.width <= 0 or (64 * self.width) % GROUPS:
            raise UserError(
                f"Width {self.width} gives {64 * self.width:g} channels; group normalisation needs "
                f"a multiple of {GROUPS}: use a width of 0.5, 1, 1.5, ..."
            )
        if (count := self.parameters(final_norm=True)) > MAX_PARAMETERS:
            raise UserError(
                f"The architecture {self.name} has {count:,} parameters, more than the "
                f"{MAX_PARAMETERS:,} that are supported; name a smaller one."
            )

    @classmethod
    def parse(cls, name: str) -> "Architecture":
        """Returns the architecture of a name such as `50x1`, `152x2` or the narrow `50x0.5`.

        Other depths are written as the units of their blocks: `1-1-1-1x0.5`.

        Raises:
          UserError: the name is not of this form, or the depth or width does not exist.
        """
        match = re.fullmatch(_NAME, name)
        if match is None:
            raise _unknown(name)
        depth = match[1]
        if "-" in depth:
            a, b, c, d = map(int, depth.split("-"))
            return cls((a, b, c, d), float(match[2]))
        if int(depth) not in UNITS_OF_DEPTH:
            raise _unknown(name)
        return cls(UNITS_OF_DEPTH[int(depth)], float(match[2]))

    @property
    def name(self) -> str:
        """`50x1` and the like. A depth without a name is written as its units: `1-1-1-1x0.5`."""
        depths = {units: str(depth) for depth, units in UNITS_OF_DEPTH.items()}
        depth = depths.get(self.units, "-".join(map(str, self.units)))
        return f"{depth}x{self.width:g}"

    @property
    def root_channels(self) -> int:
        """Channels after the root convolution."""
        return round(64 * self.width)

    def block_channels(self, block: int) -> int:
        """Returns the output channels of block 1, 2, 3 or 4."""
        return 4 * self.root_channels * 2 ** (block - 1)

    @property
    def map_channels(self) -> int:
        """Channels of the unpooled map: those of block 4."""
        return self.block_channels(4)

    def shapes(self, final_norm: bool) -> dict[str, Shape]:
        """Returns the shape of every variable by name. Kernels are HWIO.

        Args:
          final_norm: whether the group normalisation before the head is part of the backbone. It is
            in BiT's files and not in the REMEDIS release.
        """
        return dict(self._shapes(final_norm))

    def _shapes(self, final_norm: bool) -> Iterator[tuple[str, Shape]]:
        yield "root_block/standardized_conv2d/kernel", (7, 7, 3, self.root_channels)
        inputs = self.root_channels
        for block in range(1, 5):
            outputs = self.block_channels(block)
            inner = outputs // 4
            for unit in range(1, self.units[block - 1] + 1):
                prefix = f"block{block}/unit{unit:02d}"
                stages = {
                    "a": (1, 1, inputs, inner),
                    "b": (3, 3, inner, inner),
                    "c": (1, 1, inner, outputs),
                }
                for stage, kernel in stages.items():
                    yield f"{prefix}/{stage}/group_norm/gamma", kernel[2:3]
                    yield f"{prefix}/{stage}/group_norm/beta", kernel[2:3]
                    yield f"{prefix}/{stage}/standardized_conv2d/kernel", kernel
                if unit == 1:
                    yield (
                        f"{prefix}/a/proj/standardized_conv2d/kernel",
                        (1, 1, inputs, outputs),
                    )
                inputs = outputs
        if final_norm:
            yield "group_norm/gamma", (self.map_channels,)
            yield "group_norm/beta", (self.map_channels,)

    def parameters(self, final_norm: bool) -> int:
        """Returns the number of scalars in all variables."""
        return sum(math.prod(shape) for shape in self.shapes(final_norm).values())


def _unknown(name: str) -> UserError:
    listed = str(unknown_choice("architecture", name, BIT_NAMES)).removesuffix(".")
    return UserError(f"{listed}, or units per block and width, such as 1-1-1-1x0.5.")


def infer(shapes: dict[str, Shape]) -> tuple[Architecture, bool]:
    """Returns the architecture that variables of these names and shapes belong to.

    It reads depth and width only. A caller compares the shapes with `Architecture.shapes` to find
    a single missing or misshapen variable.

    Args:
      shapes: by name, without `resnet/`.

    Returns:
      The architecture, and whether the final norm is among the variables.

    Raises:
      UserError: the names are not those of a BiT backbone.
    """
    units = [0, 0, 0, 0]
    for name in shapes:
        if match := re.match(r"block([1-4])/unit(\d+)/", name):
            block = int(match[1]) - 1
            units[block] = max(units[block], int(match[2]))
    root = shapes.get("root_block/standardized_conv2d/kernel")
    if root is None or min(units) < 1:
        raise UserError(
            "These variables are not a BiT ResNet's: expected "
            "root_block/standardized_conv2d/kernel and block1..4/unit01.. among "
            f"{len(shapes)} names such as {sorted(shapes)[:3]}."
        )
    architecture = Architecture((units[0], units[1], units[2], units[3]), root[-1] / 64)
    return architecture, "group_norm/gamma" in shapes
