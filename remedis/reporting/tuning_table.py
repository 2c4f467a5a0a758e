"""The table of a grid of settings: the score of every candidate on validation, and the choice."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from remedis.reporting.results_table import empty


def tuning_table(tuning: Mapping[str, Any]) -> Table:
    """Returns one row per candidate.

    Args:
      tuning: of `results.json`: `names` and `scores` of the candidates of `config.select`, where a
        score that is null means that the training diverged, and the index that was `chosen`. A
        higher score is better: the mean AUROC, or the negative loss if no label has one.
    """
    table = empty("Candidates of config.select; the best on validation was chosen", "candidate")
    table.add_column("validation score", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    rows = zip(tuning["names"], tuning["scores"], strict=True)
    for index, (name, score) in enumerate(rows):
        chosen = index == tuning["chosen"]
        table.add_row(
            Text(name),
            "diverged" if score is None else f"{score:.4f}",
            "chosen" if chosen else "",
            style="bold" if chosen else "",
        )
    return table
