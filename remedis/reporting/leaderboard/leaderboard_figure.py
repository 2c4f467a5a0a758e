"""The figure of the leaderboard: the metric of every arm per set, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remedis.reporting.figures import BLUE, GREY, RED, columns_of, panels
from remedis.reporting.label_budget_report.study_summary import mode_name
from remedis.reporting.leaderboard.leaderboard_tables import (
    budget_in_words,
    contests_of,
    entrants,
    headline,
    metric_in_words,
    overall_of,
)
from remedis.suite.board_record import BoardRecord

_STYLES: Mapping[str, dict[str, Any]] = {
    "probe": {"marker": "o", "markerfacecolor": "white"},
    "finetune": {"marker": "s"},
}
_APART = 0.26  # between two modes of one arm, in rows
MOST_SETS = 11


def figure(board: BoardRecord) -> Figure:
    """Returns a panel of the means over the sets and one per set, at the headline budget.

    An arm is a row, the best first; a mode is a marker. Arms of random weights are red, a floor is
    grey.
    """
    modes = [mode for mode in board["modes"] if entrants(board, mode)]
    order = list(dict.fromkeys(arm for mode in reversed(modes) for arm in entrants(board, mode)))
    means = {
        mode: of["standings"]
        for mode in modes
        if (of := overall_of(board, mode, headline(board, mode))) is not None
        and all(s["value"] is not None for s in of["standings"])
    }
    names = [of["name"] for of in board["sets"]][:MOST_SETS]
    counted = len(board["sets"])
    first = int(bool(means) and counted > 1)
    budgets = dict.fromkeys(budget_in_words(headline(board, mode)) for mode in modes)
    note = "" if len(names) == counted else f" The first {len(names)} of {counted} sets."
    drawn, grid = panels(
        first + len(names),
        columns_of(first + len(names)) if first + len(names) < 5 else 3,
        (3.9, 0.95 + 0.3 * len(order)),
        title=board["title"],
        subtitle=f"{metric_in_words(board)}, {' or '.join(budgets)}: 95 % intervals.{note}",
        random_weights=False,
    )
    if first:
        grid[0].set_title(f"mean over {counted} sets", fontsize=10, loc="left", weight="bold")
        _rows(grid[0], board, order, {m: list(s) for m, s in means.items()})
    for axes, name in zip(grid[first:], names, strict=True):
        of_modes = {
            mode: contests[name]["standings"]
            for mode in modes
            if name in (contests := contests_of(board, mode, headline(board, mode)))
        }
        axes.set_title(name, fontsize=10, loc="left")
        _rows(axes, board, order, of_modes)
        chance = next(of["chance"] for of in board["sets"] if of["name"] == name)
        axes.axvline(chance, color="black", linewidth=0.9)
    _share_limits(grid)
    _legend(drawn, modes)
    return drawn


def _rows(
    axes: Axes, board: BoardRecord, order: Sequence[str], of_modes: Mapping[str, Sequence[Any]]
) -> None:
    for number, (mode, standings) in enumerate(of_modes.items()):
        shift = _APART * (number - (len(of_modes) - 1) / 2) * (len(of_modes) > 1)
        for s in standings:
            arm = board["arms"][s["arm"]]
            colour = RED if arm["random_weights"] else GREY if arm["floor"] else BLUE
            place = order.index(s["arm"]) + shift
            axes.plot([s["low"], s["high"]], [place, place], color=colour, linewidth=1.4)
            axes.plot([s["value"]], [place], color=colour, markersize=5, **_STYLES.get(mode, {}))
    axes.set_yticks(range(len(order)), list(order), fontsize=9)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e2e2e2", linewidth=0.7)
    axes.set_axisbelow(True)


def _share_limits(grid: Sequence[Axes]) -> None:
    """Gives all panels one axis, so that they compare."""
    ends = [axes.get_xlim() for axes in grid]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    for axes in grid:
        axes.set_xlim(max(low, -0.02), min(high, 1.02))


def _legend(drawn: Figure, modes: Sequence[str]) -> None:
    if len(modes) < 2:
        return
    axes = drawn.axes[0]
    for mode in modes:
        axes.plot([], [], color=BLUE, linestyle="none", label=mode_name(mode), **_STYLES[mode])
    axes.legend(fontsize=8, frameon=False, loc="best")
