"""Growth of time and memory with batch, side, width and depth, here and in timm.

    python benchmarks/growth.py [--peer-python=PYTHON] [--out=docs/growth.md]

Embeddings by TensorFlow, as `remedis embed` computes them, and a training step, with random
weights. Both sides of a point work in turns, each in a process of its own. PYTHON is that of the
peers' environment (`make bench-peers`).
"""

import argparse
import dataclasses
import datetime
import math
import os
import pathlib
import tempfile
from collections.abc import Sequence

import bench_page
from bench_lines import Programs
from turns import Measured, alternate

from remedis import files
from remedis.models.architectures import Architecture

# By title: the work of `bench_ours.py` and that of `bench_peers.py`.
WORKS = {"Embedding": ("pooled", "network"), "A training step": ("training", "training")}
ROOT = "root_block"


@dataclasses.dataclass(frozen=True)
class Point:
    """One place on an axis.

    Attributes:
      architecture: such as `50x1`.
      side: of the images in pixels.
      batch: images.
    """

    architecture: str = "50x1"
    side: int = 224
    batch: int = 8

    @property
    def multiply_adds(self) -> float:
        """Of one image, in thousand millions."""
        return multiply_adds(Architecture.parse(self.architecture), self.side) / 1e9

    def options(self) -> list[str]:
        """Returns it as options of `bench_ours.py` and `bench_peers.py`."""
        return [
            f"--architecture={self.architecture}",
            f"--size={self.side}",
            f"--batch={self.batch}",
        ]


AXES = {
    "batch": tuple(Point(batch=batch) for batch in (1, 2, 8, 32)),
    "side": tuple(Point(side=side, batch=4) for side in (96, 160, 224, 352, 512)),
    "architecture": tuple(Point(name, batch=2) for name in ("50x1", "101x1", "50x3", "152x2")),
}


def multiply_adds(architecture: Architecture, side: int) -> int:
    """Returns the multiply-adds of the convolutions for one square image.

    Args:
      architecture: of the network.
      side: of the image in pixels.
    """
    total = 0
    for name, shape in architecture.shapes(final_norm=False).items():
        if not name.endswith("kernel"):
            continue
        place, _, rest = name.partition("/")
        stride = 2 if place == ROOT else 2 * 2 ** int(place.removeprefix("block"))
        # The second convolution of a block's first unit, and its projection, halve the sides.
        if place not in (ROOT, "block1") and rest == "unit01/a/standardized_conv2d/kernel":
            stride //= 2
        total += math.prod(shape) * math.ceil(side / stride) ** 2
    return total


def measure(
    programs: Programs, works: tuple[str, str], axis: Sequence[Point], rounds: int
) -> list[Measured]:
    """Returns the turns at every point; two networks at a time, as memory is limited."""
    found = []
    for point in axis:
        ours, peers = works
        contenders = [programs.ours(ours, *point.options())]
        contenders += programs.peers(peers, *point.options())
        found.append(alternate(contenders, rounds))
    return found


def table(axis: Sequence[Point], measured: Sequence[Measured]) -> list[str]:
    """Returns the points of an axis in Markdown."""
    who = list(measured[0].turns)
    head = ["network", "side", "batch", "multiply-adds"]
    for name in who:
        head += [f"{name} ms", "per multiply-add", "GB"]
    rows = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    firsts: dict[str, float] = {}
    for point, found in zip(axis, measured, strict=True):
        cells = [point.architecture, f"{point.side}", f"{point.batch}"]
        cells.append(f"{point.multiply_adds:.2f}")
        for name in who:
            turns = found.turns[name]
            milliseconds = 1000 * bench_page.median(turns, "seconds")
            cost = milliseconds / point.multiply_adds
            first = firsts.setdefault(name, cost)
            gigabytes = bench_page.median(turns, "gigabytes")
            cells += [f"{milliseconds:.1f}", f"{cost / first:.2f}", f"{gigabytes:.2f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def page(parts: Sequence[str], rounds: int) -> str:
    """Returns the document around tables."""
    return "\n".join(
        [
            "# Growth of time and memory",
            "",
            f"Written by `python benchmarks/growth.py` on {datetime.date.today():%Y-%m-%d}, "
            f"{os.cpu_count()} threads. Both sides of a row work in turns, {rounds} times, each in "
            "a process of its own with random weights. Milliseconds are per image, and "
            "multiply-adds those of one image, in thousand millions. `per multiply-add` is the "
            "time per multiply-add as a multiple of that of the first row: 1 is growth in "
            "proportion to the work, more is worse. GB is the peak memory of the process.",
            *parts,
        ]
    )


def main() -> None:
    """Measures all axes; writes the document after each, or prints tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", default="", help="interpreter of the peers' environment")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each point; 3")
    parser.add_argument("--out", type=pathlib.Path, help="Markdown document to write")
    options = parser.parse_args()
    parts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(pathlib.Path(folder), options.peer_python, quick=False)
        for title, works in WORKS.items():
            parts += ["", f"## {title}"]
            for name, axis in AXES.items():
                rows = table(axis, measure(programs, works, axis, options.rounds))
                print("\n".join([f"{title}, by {name}", *rows, ""]), flush=True)
                parts += ["", f"By {name}:", "", *rows]
                if options.out:  # after every table: a later one may be interrupted
                    files.write_text(options.out, page(parts, options.rounds) + "\n")


if __name__ == "__main__":
    main()
