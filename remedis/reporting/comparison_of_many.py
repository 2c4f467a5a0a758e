"""The comparison of several finished runs: all with the first, or all pairs."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from remedis import files
from remedis.errors import UserError
from remedis.evaluation.label_budget.quantities import holm
from remedis.reporting.comparison_report import RunComparison, compare_runs, p_value
from remedis.reporting.notes import NOT_OURS, RANDOM_WEIGHTS, RESEARCH_USE
from remedis.reporting.results_table import empty

# Beyond, the number of pairs makes a table that nobody reads.
MOST = 26


@dataclasses.dataclass(frozen=True)
class ManyCompared:
    """Several runs and the differences of their AUROCs.

    Attributes:
      runs: the directories; A, B and so on in tables.
      comparisons: (row of the first, row of the second) -> comparison, the second minus the first.
      adjusted: p of the mean AUROC of each, adjusted by Holm's method; None without a p.
    """

    runs: tuple[files.Path, ...]
    comparisons: dict[tuple[int, int], RunComparison]
    adjusted: dict[tuple[int, int], float | None]

    def to_json(self) -> dict[str, Any]:
        """Returns the comparisons as JSON takes them."""
        return {
            "runs": [str(run) for run in self.runs],
            "comparisons": [
                {"first": i, "second": j, "p_adjusted": self.adjusted[i, j], **of.to_json()}
                for (i, j), of in self.comparisons.items()
            ],
        }


def compare_many(
    runs: Sequence[files.Path], all_pairs: bool = False, unpaired: bool = False
) -> ManyCompared:
    """Compares every run with the first, or all pairs; p-values are adjusted for their number.

    Args:
      runs: two directories or more, as for `compare_runs`.
      all_pairs: compare every two.
      unpaired: as for `compare_runs`.

    Raises:
      UserError: as `compare_runs`; or a directory is named twice, or there are too many.
    """
    named = [str(run) for run in runs]
    if twice := [name for name in named if named.count(name) > 1]:
        raise UserError(f"{twice[0]} is named twice; name each run once.")
    if len(named) > MOST:
        raise UserError(f"{len(named)} runs are named; expected at most {MOST} in one table.")
    pairs = list(itertools.combinations(range(len(runs)), 2))
    if not all_pairs:
        pairs = [(0, j) for j in range(1, len(runs))]
    found = {(i, j): compare_runs(runs[i], runs[j], unpaired) for i, j in pairs}
    known = {pair: of.main.p for pair, of in found.items()}
    tested = {pair: p for pair, p in known.items() if p is not None}
    by_holm = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
    adjusted = {pair: by_holm.get(pair) for pair in found}
    return ManyCompared(tuple(runs), found, adjusted)


def report_of_many(compared: ManyCompared) -> RenderableType:
    """Returns the table of the differences, and the notes that a reader must not miss."""
    first = next(iter(compared.comparisons.values()))
    names = list(first.comparison.labels)
    what = names[0] if len(names) == 1 else "mean of the labels that are estimable"
    table = empty(f"AUROC on the {first.split} split: {what}", "difference")
    for column in ("first", "second", "[95 % interval]", "p", "adjusted p", "images", "patients"):
        justify: Any = "left" if column.startswith("[") or column == "images" else "right"
        table.add_column(column, justify=justify, no_wrap=True)
    for (i, j), of in compared.comparisons.items():
        main, name = of.main, f"{letter(j)} - {letter(i)}"
        pairing = "paired" if of.paired else "unpaired"
        if main.difference is None:
            cells = ["not estimable", "", "", "", ""]
        else:
            cells = [
                f"{main.first:.3f}",
                f"{main.second:.3f}",
                f"{main.difference:+.3f} [{main.low:+.3f}, {main.high:+.3f}]",
                p_value(main.p),
                p_value(compared.adjusted[i, j]),
            ]
        table.add_row(name, *cells, pairing, str(main.patients))
    tested = len(compared.comparisons)
    notes = [
        f"Adjusted p: Holm's method for the {tested} comparisons of this table. Intervals are not "
        "adjusted. --json has every label.",
        *dict.fromkeys(
            f"{letter(j)} - {letter(i)}: {of.why}" for (i, j), of in compared.comparisons.items()
        ),
    ]
    flags = {}
    for (i, j), of in compared.comparisons.items():
        for place, random, not_ours in zip((i, j), of.random_weights, of.not_ours, strict=True):
            flags[place] = (random, not_ours)
    runs = [Text(f"{letter(i)}: {run}") for i, run in enumerate(compared.runs)]
    warnings = [
        Text(f"{letter(i)}: {text}", style=style)
        for i, (random, not_ours) in sorted(flags.items())
        for said, text, style in ((random, RANDOM_WEIGHTS, "bold red"), (not_ours, NOT_OURS, ""))
        if said
    ]
    research = Text(RESEARCH_USE, style="dim")
    return Group(*runs, table, *map(Text, notes), *warnings, research)


def letter(place: int) -> str:
    """Returns the letter of a run in tables: `A` for the first."""
    return chr(ord("A") + place)
