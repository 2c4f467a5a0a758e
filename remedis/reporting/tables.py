"""The table a run ends with."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.evaluation.intervals import Estimate
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE


def results_table(results: Mapping[str, Any], title: str = "Results") -> Table:
    """Returns the table of a result: label, AUROC with interval, patients, positives.

    Args:
      results: what `remedis.evaluation.evaluate.Result.to_json` gives, as kept in `results.json`.
      title: printed above.
    """
    # Text, not str: a label named "[x]" must not be read as markup.
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("label", overflow="fold")
    table.add_column("AUROC [95 % interval]", no_wrap=True)
    table.add_column("patients", justify="right", no_wrap=True)
    table.add_column("positive", justify="right", no_wrap=True)

    def add(name: str, fields: Mapping[str, Any], style: str | None = None) -> None:
        estimate = Estimate.from_json(fields)
        table.add_row(
            Text(name),
            Text(estimate.interval),
            str(estimate.patients),
            str(estimate.positives),
            style=style or ("" if estimate.estimable else "dim"),
        )

    for name, fields in results["labels"].items():
        add(name, fields)
    table.add_section()
    add(f"mean of {len(results['averaged'])}", results["mean"], style="bold")
    return table


def print_results(
    results: Mapping[str, Any],
    *,
    random_weights: bool,
    title: str = "Results",
    console: Console | None = None,
) -> None:
    """Prints the table of a result, and what a reader must not miss.

    Args:
      results: as for `results_table`.
      random_weights: whether the run started from weights that were never trained.
      title: printed above.
      console: where to; standard output by default, without colours if it is not a terminal.
    """
    parts: list[RenderableType] = [results_table(results, title)]
    if results["left_out"]:
        parts.append(Text(f"Not in the mean (not estimable): {', '.join(results['left_out'])}."))
    if random_weights:
        parts.append(Text(RANDOM_WEIGHTS, style="bold red"))
    parts.append(Text(RESEARCH_USE, style="dim"))
    (console or Console()).print(Group(*parts), highlight=False)
