"""Speed and memory of this project beside what a user would pick instead, in one run.

    python benchmarks/bench.py --peer-python=.venv-peers/bin/python --out=docs/benchmarks.md
    python benchmarks/bench.py --only='224 px, batch 8' --peer-python=...

`make bench` runs it, `make bench-peers` makes the environment of the peers. All contenders of a
line work in turns, A B C A B C, each in a process of its own; see `turns.py`. A ratio is the median
over the rounds of the peer's seconds per unit divided by ours, so that above 1 this project is
faster. Without `--peer-python` lines have no peers of other environments. `--out` writes the
document; `--quick` takes a tiny network, for a test.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import bench_page
import bench_profile
from bench_lines import ATTAINABLE, OURS, Programs, lines
from bench_ours import HUB
from turns import BUSY, Turn, alternate, quiet


def main() -> None:
    """Measures the lines, prints them and writes the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", default="", help="interpreter of the peers' environment")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender; 7")
    parser.add_argument("--only", action="append", help="name of a line; may be repeated")
    parser.add_argument("--out", type=pathlib.Path, help="Markdown document to write")
    parser.add_argument("--quick", action="store_true", help="a tiny network, for a test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(pathlib.Path(folder), options.peer_python, options.quick)
        every = lines(programs)
        names = [line.name for line in every]
        if unknown := [name for name in options.only or [] if name not in names]:
            parser.error(f"--only={unknown[0]}: expected one of: {'; '.join(names)}")
        chosen = [line for line in every if line.name in (options.only or names)]
        prepare(programs)
        if (share := quiet()) > BUSY:
            print(f"warning: other programs take {share:.0%} of the processors.", file=sys.stderr)
        found, begun = [], time.monotonic()
        where: list[str] = []
        for number, line in enumerate(chosen, 1):
            measured = alternate(
                line.contenders, min(options.rounds, line.rounds or options.rounds)
            )
            found.append((line, measured))
            print("\n".join([*bench_page.table(line, measured), ""]), flush=True)
            left = (time.monotonic() - begun) / number * (len(chosen) - number) / 60
            print(f"{number} of {len(chosen)} works, about {left:.0f} min left", file=sys.stderr)
            if ATTAINABLE in measured.turns:
                where = profile(programs, measured.turns[ATTAINABLE])
            if options.out:  # after every line: a later one may be interrupted
                bench_page.write(
                    options.out, found, len(every), options.peer_python, options.rounds, where
                )


def profile(programs: Programs, product: Sequence[Turn]) -> list[str]:
    """Returns the section about where the time of the heaviest works goes.

    Args:
      programs: commands.
      product: turns of the matrix product.
    """
    size = ["--size=32"] if programs.quick else ["--size=224", "--batch=8"]
    pixels, batch = (32, 8) if programs.quick else (224, 8)
    graph = str(programs.folder / "openvino" / "model.xml")
    works = [
        (name, bench_profile.by_onednn(programs.ours(work, *size)))
        for name, work in ((HUB, HUB), ("frozen", "frozen"), (f"training, {OURS}", "training"))
    ]
    works.insert(2, ("openvino", bench_profile.by_openvino(graph, pixels, batch)))
    return bench_profile.table(works, 1000 * bench_page.median(product, "seconds"))


def prepare(programs: Programs) -> None:
    """Writes what contenders read."""
    for contender in (programs.ours("make"), *programs.peers("make")):
        subprocess.run(contender.command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
