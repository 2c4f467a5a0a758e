"""The table that compares two runs."""

import pathlib
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from remedis import files
from remedis.errors import UserError
from remedis.evaluation.auroc_difference import Comparison, Difference, compare_tables
from remedis.reporting import terminal
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.reporting.tables import empty


def print_comparison(
    run_a: files.Path, run_b: files.Path, *, console: Console | None = None
) -> Comparison:
    """Prints and returns how the AUROCs of two finished runs differ on the test split.

    Where one was evaluated anew on another split, it is that one.

    Raises:
      UserError: a directory holds no finished run, or the two did not score the same cases.
    """
    runs = [pathlib.Path(run) for run in (run_a, run_b)]
    results = [_results(run) for run in runs]
    first, second = (pd.read_parquet(run / "predictions.parquet") for run in runs)
    splits = list(dict.fromkeys(result["split"] for result in results if "split" in result))
    if len(splits) > 1:
        raise UserError(
            f"{run_a} holds results on the {splits[0]} split, {run_b} on the {splits[1]} split; "
            "compare two of one."
        )
    split = splits[0] if splits else "test"
    drawn = next(result[split] for result in results if split in result)
    found = compare_tables(first, second, split, seed=drawn["seed"], resamples=drawn["resamples"])
    out = console or terminal.console()
    out.print(Text(f"A: {run_a}\nB: {run_b}"))
    out.print(comparison_table(found, f"AUROC on the {split} split"), highlight=False)
    if split != "test":
        out.print(Text(f"Checkpoints were chosen on the {split} split: no fair comparison."))
    note = "By patient: interval and p of DeLong, and the p of resamples. Two-sided, not corrected "
    out.print(Text(f"{note}for the number of labels. Positive: patients."))
    for name, result in zip("AB", results, strict=True):
        if result["random_weights"]:
            out.print(Text(f"{name}: {RANDOM_WEIGHTS}", style="bold red"))
    out.print(Text(RESEARCH_USE, style="dim"))
    return found


def comparison_table(comparison: Comparison, title: str = "AUROC on the test split") -> Table:
    """Returns label, AUROC of A and of B, B minus A with interval, both p, and patients."""
    table = empty(title, "label")
    for name in ("A", "B", "B - A [95 % interval]", "p", "bootstrap p", "positive"):
        table.add_column(name, justify="left" if name.startswith("B -") else "right", no_wrap=True)

    def add(name: str, of: Difference, style: str = "") -> None:
        cells = ["not estimable", "", "", "", ""]
        if of.difference is not None:
            cells = [
                f"{of.first:.3f}",
                f"{of.second:.3f}",
                f"{of.difference:+.3f} [{of.low:+.3f}, {of.high:+.3f}]",
                p_value(of.p),
                p_value(of.bootstrap_p),
            ]
        else:
            style = style or "dim"
        table.add_row(Text(name), *cells, f"{of.positives} of {of.patients}", style=style)

    for name, of in comparison.labels.items():
        add(name, of)
    if len(comparison.labels) > 1:
        table.add_section()
        add(f"mean of {len(comparison.averaged)}", comparison.mean, "bold")
    return table


def p_value(value: float | None) -> str:
    """Returns three decimals, or `<0.001`; `none` if there is none."""
    if value is None:
        return "none"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _results(run: pathlib.Path) -> Any:
    """Returns the results of a finished run."""
    if not (run / "results.json").is_file() or not (run / "predictions.parquet").is_file():
        raise UserError(
            f"{run} holds no finished run: results.json or predictions.parquet is missing; name "
            "the directory that --workdir named."
        )
    return files.read_json(run / "results.json")
