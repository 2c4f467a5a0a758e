"""The document of `bench.py`: goals and what was reached, a picture, and all numbers."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import statistics
import subprocess
from collections.abc import Sequence

from bench_lines import Goal, Line
from turns import BUSY, Measured, Turn

from remedis import files

HERE = ("tensorflow", "keras", "tensorflow-hub", "onnxruntime", "openvino", "scikit-learn")
PEERS = ("torch", "torchvision", "timm", "lightly")
PLOT = "benchmarks.svg"
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)  # ratios
Found = Sequence[tuple[Line, Measured]]


def ratios(goal: Goal, turns: dict[str, list[Turn]], of: str) -> list[float]:
    """Returns the peer's costs divided by ours in every round; none if one has not taken part.

    Of several contenders on a side, the one with the least median takes part.
    """
    ours, peer = best(goal.ours, turns, of), best(goal.peers, turns, of)
    if not ours or not peer:
        return []
    costs = ([getattr(turn, of) for turn in turns[name]] for name in (peer, ours))
    return [theirs / own for theirs, own in zip(*costs, strict=True)]


def best(names: Sequence[str], turns: dict[str, list[Turn]], of: str) -> str:
    """Returns the name of the contender with the least median; empty if none has taken part."""
    here = [name for name in names if name in turns]
    return min(here, key=lambda name: median(turns[name], of), default="")


def median(turns: Sequence[Turn], of: str) -> float:
    """Returns the median of an attribute of turns."""
    return statistics.median(getattr(turn, of) for turn in turns)


def verdict(goal: Goal, line: Line, measured: Measured) -> list[str]:
    """Returns the cells of a goal: ours, the peer, what was reached, the goal, and whether."""
    ours = best(goal.ours, measured.turns, line.of)
    if not goal.peers:
        seconds = median(measured.turns[ours], line.of)
        reached = "yes" if seconds <= goal.least else "no"
        return [ours, "", f"{seconds:.2f} s", f"at most {goal.least:g} s", reached]
    found = ratios(goal, measured.turns, line.of)
    if not found:
        return [ours, "not measured", "", f"{goal.least:.2f}", ""]
    ratio = statistics.median(found)
    shown = f"{ratio:.2f} ({min(found):.2f} to {max(found):.2f})"
    peer = best(goal.peers, measured.turns, line.of)
    return [ours, peer, shown, f"{goal.least:.2f}", "yes" if ratio >= goal.least else "no"]


def table(line: Line, measured: Measured) -> list[str]:
    """Returns the numbers of a line in Markdown."""
    rows = [
        f"| {line.name} | {line.unit}s per second | processor s per {line.unit} | peak GB |",
        "|---|---:|---:|---:|",
    ]
    for contender in line.contenders:
        turns = measured.turns[contender.name]
        rates = sorted(1 / turn.seconds for turn in turns)
        rows.append(
            f"| {contender.name} | {1 / median(turns, 'seconds'):.3g} ({rates[0]:.3g} to "
            f"{rates[-1]:.3g}) | {median(turns, 'processor'):.3g} | "
            f"{median(turns, 'gigabytes'):.2f} |"
        )
    if measured.others > BUSY:
        rows.append(f"\nOther programs took {measured.others:.0%} of the processors meanwhile.")
    return rows


def write(
    document: pathlib.Path,
    found: Found,
    works: int,
    peer_python: str,
    rounds: int,
    where: Sequence[str] = (),
) -> None:
    """Writes the document, and beside it the picture of the ratios.

    Args:
      document: Markdown file.
      found: the lines that were measured.
      works: number of all lines.
      peer_python: interpreter of the peers' environment; empty if there is none.
      rounds: turns of each contender.
      where: section about where the time goes.
    """
    goals = [
        f"| {' | '.join([line.name, *verdict(goal, line, measured)])} |"
        for line, measured in found
        for goal in line.goals
    ]
    numbers = [row for line, measured in found for row in ["", *table(line, measured)]]
    text = [
        "# Speed beside other tools",
        "",
        f"Written by `make bench` on {datetime.date.today():%Y-%m-%d}, on {_processor()}, "
        f"{os.cpu_count()} threads. {_versions(peer_python)}",
        "",
        f"All contenders of a line work in turns, {rounds} times, each in a process of its own. A "
        "ratio is the median of the peer's seconds per unit divided by ours, with its range over "
        "the rounds: above 1 this project is faster. Where several engines are ours, the fastest "
        "is compared. Lines of memory have gigabytes in place of seconds, and two turns. Weights "
        "are random, which changes no time. Other machines give other numbers: `make bench` writes "
        "this page again.",
        *(["", f"{len(found)} of {works} works were measured."] if len(found) < works else []),
        "",
        "| work | ours | peer | ratio | goal | reached |",
        "|---|---|---|---:|---:|---|",
        *goals,
        "",
        f"![Ratios to the peers, and the goals]({PLOT})",
        "",
        *([*where, ""] if where else []),
        "## All numbers",
        *numbers,
    ]
    plot(document.with_name(PLOT), found)
    files.write_text(document, "\n".join(text) + "\n")


def plot(path: pathlib.Path, found: Found) -> None:
    """Draws the ratio of every goal with its range, on a scale of powers, and the goals."""
    import matplotlib.pyplot as plt

    rows = []
    for line, measured in found:
        for goal in line.goals:
            if values := ratios(goal, measured.turns, line.of):
                sides = (best(names, measured.turns, line.of) for names in (goal.ours, goal.peers))
                rows.append((f"{line.name}: {' v '.join(sides)}", values, goal.least))
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.36 * max(1, len(rows))), layout="constrained")
    for place, (_, values, least) in enumerate(reversed(rows)):
        axes.plot([min(values), max(values)], [place, place], color="tab:blue", linewidth=2)
        axes.plot(statistics.median(values), place, "o", color="tab:blue")
        axes.plot(least, place, "|", color="tab:red", markersize=14, markeredgewidth=2)
    axes.axvline(1, color="0.7", linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)])
    axes.set_xlabel("times as fast as the peer (red: the goal)")
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _versions(peer_python: str) -> str:
    here = [f"{name} {importlib.metadata.version(name)}" for name in HERE]
    sentence = f"Here: Python {platform.python_version()}, {', '.join(here)}."
    if peer_python:
        program = (
            "import importlib.metadata as m, sys\n"
            "print(*(f'{name} {m.version(name)}' for name in sys.argv[1:]), sep=', ')"
        )
        command = [peer_python, "-c", program, *PEERS]
        theirs = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        sentence += f" Peers: {theirs.strip()}."
    return sentence


def _processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
