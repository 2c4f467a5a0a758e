"""Tables of the leaderboard, for the page, for Markdown and for CSV."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from remedis.errors import counted
from remedis.reporting.label_budget_report.number_format import difference, three_decimals
from remedis.reporting.label_budget_report.study_summary import mode_name
from remedis.reporting.page_content import Table
from remedis.suite.board_record import (
    BoardRecord,
    Contest,
    Difference,
    OverallContest,
)

ALL = "all sets"  # in the place of a set
HEADER = (
    *("set", "mode", "budget", "patients", "arm", "random_weights", "floor", "metric"),
    *("value", "low", "high", "rank", "rank_high", "mean_rank", "mean_rank_low"),
    *("mean_rank_high", "better_than"),
)


def name_of(board: BoardRecord, arm: str) -> str:
    """Returns the name of an arm with its mark: a floor, random weights, or not ours."""
    of = board["arms"][arm]
    mark = " (FLOOR, no network)" if of["floor"] else " (NOT OURS)" if of["imported"] else ""
    return arm + (" (RANDOM WEIGHTS)" if of["random_weights"] else mark)


def budget_in_words(budget: str) -> str:
    """Returns such as `all labelled patients` or `10% of the labelled patients`."""
    if budget == "0":
        return "no labelled patient (zero-shot)"
    if budget == "100%":
        return "all labelled patients"
    return f"{budget} of the labelled patients" if "%" in budget else f"{budget} labelled patients"


def headline(board: BoardRecord, mode: str) -> str:
    """Returns the budget that a mode is judged at: the largest that has a comparison."""
    budgets = [of["budget"] for of in (board["overall"] or board["contests"]) if of["mode"] == mode]
    return budgets[-1] if budgets else "100%"


def overall_of(board: BoardRecord, mode: str, budget: str) -> OverallContest | None:
    """Returns the comparison over sets; None if no set has all arms."""
    for of in board["overall"]:
        if (of["mode"], of["budget"]) == (mode, budget):
            return of
    return None


def contests_of(board: BoardRecord, mode: str, budget: str) -> dict[str, Contest]:
    """Returns the comparison of each set that has one, by its name."""
    return {
        of["set"]: of for of in board["contests"] if (of["mode"], of["budget"]) == (mode, budget)
    }


def entrants(board: BoardRecord, mode: str) -> list[str]:
    """Returns the arms of a mode, the best first: by the mean over the sets, else by mean rank."""
    budget = headline(board, mode)
    of = overall_of(board, mode, budget)
    if of is not None:
        standings = sorted(of["standings"], key=lambda s: (s["mean_rank"], -(s["value"] or 0)))
        if all(s["value"] is not None for s in standings):
            standings.sort(key=lambda s: -(s["value"] or 0))
        ordered = [s["arm"] for s in standings]
        return [*ordered, *(arm for arm in _in_a_set(board, mode) if arm not in ordered)]
    return _in_a_set(board, mode)


def _in_a_set(board: BoardRecord, mode: str) -> list[str]:
    """Returns the arms that take part in some set, in the order of the config."""
    found = {s["arm"] for c in board["contests"] if c["mode"] == mode for s in c["standings"]}
    return [arm for arm in board["arms"] if arm in found]


def metric_in_words(board: BoardRecord) -> str:
    """Returns the name of the metric, or of all metrics."""
    return " or ".join(dict.fromkeys(of["metric"] for of in board["sets"]))


def overall_table(board: BoardRecord, mode: str) -> Table | None:
    """Returns the arms over the sets at the headline budget; None if no set has all arms.

    Sets of several metrics have no mean, and arms no rank by it.
    """
    budget = headline(board, mode)
    of = overall_of(board, mode, budget)
    if of is None:
        return None
    rows = []
    standings = {s["arm"]: s for s in of["standings"]}
    has_means = all(s["value"] is not None for s in of["standings"])
    for arm in filter(standings.__contains__, entrants(board, mode)):
        s = standings[arm]
        by_mean = []
        if has_means:
            by_mean = [rank_text(s["rank"] or 1, s["rank_high"] or 1), three_decimals(s)]
        mean_rank = f"{s['mean_rank']:.1f} [{s['mean_rank_low']:.1f}, {s['mean_rank_high']:.1f}]"
        unbeaten = f"{s['unbeaten']} of {len(of['sets'])}"
        rows.append([name_of(board, arm), *by_mean, mean_rank, unbeaten])
    over = ", ".join(of["sets"])
    caption = f"{mode_name(mode)}, {budget_in_words(budget)}: over {over}."
    header = ["mean rank [interval]", "sets in which it is unbeaten"]
    if has_means:
        caption += " A rank is 1 plus the number of arms that are better beyond a tie."
        metric = f"{metric_in_words(board)}, mean over sets [95 % interval]"
        header = ["rank [interval]", metric, *header]
    return Table(caption, ["arm", *header], rows, "estimates")


def rank_text(rank: int, high: int) -> str:
    """Returns for example `1 [1, 3]`, or `2` if no other rank is possible."""
    return str(rank) if rank == high else f"{rank} [{rank}, {high}]"


def set_tables(board: BoardRecord, mode: str, cell: Callable[[str, str, str], str]) -> list[Table]:
    """Returns one table per budget, the largest first: arms by sets.

    Args:
      board: content of `board.json`.
      mode: how arms adapt.
      cell: makes a cell of the name of a set, the metric and the rank.
    """
    tables = []
    budgets = dict.fromkeys(of["budget"] for of in board["contests"] if of["mode"] == mode)
    sets = [of["name"] for of in board["sets"]]
    for budget in reversed(budgets):
        contests = contests_of(board, mode, budget)
        of_set = {
            name: {s["arm"]: s for s in contest["standings"]} for name, contest in contests.items()
        }
        rows: list[list[str]] = []
        for arm in entrants(board, mode):
            cells = []
            for name in sets:
                s = of_set.get(name, {}).get(arm)
                rank = "" if s is None else f"rank {rank_text(s['rank'], s['rank_high'])}"
                cells.append("-" if s is None else cell(name, three_decimals(s), rank))
            rows.append([name_of(board, arm), *cells])
        caption = f"{mode_name(mode)}, {budget_in_words(budget)}"
        if budget != "0":
            patients = [f"{n}: {contests[n]['patients']:,}" for n in sets if n in contests]
            caption += f" ({', '.join(patients)})"
        caption += f": {metric_in_words(board)} [95 % interval] and rank."
        tables.append(Table(caption, ["arm", *sets], rows, "estimates"))
    return tables


def linked(text: str, address: str | None) -> str:
    """Returns a text as a link of HTML; without an address as it is."""
    if address is None:
        return text
    return Markup('<a href="{}">{}</a>').format(address, text)


def two_lines(first: str, second: str) -> str:
    """Returns two lines of a cell of HTML, the second in small letters."""
    return Markup("{}<br/><small>{}</small>").format(first, second)


def difference_table(board: BoardRecord, mode: str, links: Mapping[str, str]) -> Table | None:
    """Returns the differences of all pairs at the headline budget; None for a single arm."""
    budget = headline(board, mode)
    order = entrants(board, mode)
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    if not pairs:
        return None
    contests = contests_of(board, mode, budget)
    overall = overall_of(board, mode, budget)
    sources: dict[str, Sequence[Difference]] = {}
    if overall is not None and len(overall["sets"]) > 1 and overall["differences"]:
        sources["mean over the sets"] = overall["differences"]
    sources |= {
        of["name"]: contests[of["name"]]["differences"]
        for of in board["sets"]
        if of["name"] in contests
    }
    rows: list[list[str]] = []
    for first, second in pairs:
        cells = []
        for name, differences in sources.items():
            found = signed(differences, first, second)
            cells.append("-" if found is None else linked(_difference(found), links.get(name)))
        rows.append([f"{first} minus {second}", *cells])
    caption = (
        f"{mode_name(mode)}, {budget_in_words(budget)}: differences, paired by patient and draw. "
        "The intervals of a column hold at once with 95 %."
    )
    return Table(caption, ["arms", *sources], rows, "estimates")


def _difference(found: Difference) -> str:
    return difference(found) + (", tied" if found["tied"] else "")


def signed(differences: Sequence[Difference], first: str, second: str) -> Difference | None:
    """Returns the first arm minus the second, in whichever order it is recorded."""
    for one in differences:
        if (one["arm"], one["against"]) == (first, second):
            return one
        if (one["arm"], one["against"]) == (second, first):
            return {
                "arm": first,
                "against": second,
                "value": -one["value"],
                "low": -one["high"],
                "high": -one["low"],
                "tied": one["tied"],
            }
    return None


def budget_table(board: BoardRecord, mode: str) -> Table | None:
    """Returns the mean over the sets by budget; None without means."""
    overall = [of for of in board["overall"] if of["mode"] == mode]
    if not overall or any(s["value"] is None for of in overall for s in of["standings"]):
        return None
    rows = []
    for arm in entrants(board, mode):
        means = [s for of in overall for s in of["standings"] if s["arm"] == arm]
        if means:
            rows.append([name_of(board, arm), *map(three_decimals, means)])
    header = [of["budget"] for of in overall]
    if len({tuple(of["sets"]) for of in overall}) > 1:
        header = [f"{of['budget']} ({', '.join(of['sets'])})" for of in overall]
    caption = (
        f"{mode_name(mode)}: {metric_in_words(board)}, mean over sets [95 % interval], by labelled "
        "patients."
    )
    return Table(caption, ["arm", *header], rows, "estimates")


def tuning_table(board: BoardRecord) -> Table:
    """Returns what was tried for every arm, over all sets."""
    rows = [
        [
            name_of(board, of["arm"]),
            mode_name(of["mode"]),
            f"{of['candidates']:,} in {counted(of['cells'], 'cell')}",
            f"{of['models'] * of['per_model']:,} in {counted(of['models'], 'model')}",
        ]
        for of in board["tuning"]
    ]
    header = ["arm", "mode", "candidates per budget and draw", "in-distribution candidates"]
    return Table("Number of settings that validation chose among, over all sets.", header, rows)


def long_table(board: BoardRecord) -> list[list[Any]]:
    """Returns the rows of `leaderboard.csv`: one per set, mode, budget and arm, then all sets."""
    metrics = {of["name"]: of["metric"] for of in board["sets"]}
    rows: list[list[Any]] = [list(HEADER)]

    def add(of: Contest | OverallContest, name: str, patients: int | None, metric: str) -> None:
        for s in of["standings"]:
            values: Callable[[str], Any] = dict(s).get
            arm = board["arms"][s["arm"]]
            rows.append(
                [
                    *(name, of["mode"], of["budget"], patients, s["arm"]),
                    *(arm["random_weights"], arm["floor"], metric),
                    *map(values, HEADER[8:-1]),
                    "; ".join(better_than(of["differences"], s["arm"])),
                ]
            )

    for contest in board["contests"]:
        add(contest, contest["set"], contest["patients"], metrics[contest["set"]])
    for overall in board["overall"]:
        found = dict.fromkeys(metrics[name] for name in overall["sets"])
        add(overall, f"{ALL}: {', '.join(overall['sets'])}", None, " or ".join(found))
    return rows


def better_than(differences: Sequence[Difference], arm: str) -> list[str]:
    """Returns the arms that an arm beats beyond a tie."""
    beaten = []
    for one in differences:
        if not one["tied"] and arm in (one["arm"], one["against"]):
            other = one["against"] if one["arm"] == arm else one["arm"]
            if (one["value"] > 0) == (one["arm"] == arm):
                beaten.append(other)
    return beaten
