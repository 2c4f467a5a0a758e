"""The tables a run ends with."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.evaluation.intervals import Estimate
from remedis.reporting import terminal
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE

_MEANS = {
    "accuracy": "Mean accuracy",
    "brier": "Mean Brier score",
    "calibration_error": "Mean calibration error (ECE)",
}
Row = tuple[str, Mapping[str, Any], str]  # first cell, column -> fields of an estimate, style


def results_table(results: Mapping[str, Any], title: str = "Results") -> Table:
    """Returns label, AUROC and average precision with intervals, patients and positives.

    Args:
      results: what `remedis.evaluation.evaluate.Result.to_json` gives, as kept in `results.json`.
      title: printed above.
    """
    table = empty(title, "label")
    table.add_column("AUROC [95 % interval]", no_wrap=True)
    table.add_column("average precision", no_wrap=True)
    table.add_column("patients", justify="right", no_wrap=True)
    table.add_column("positive", justify="right", no_wrap=True)
    for name, fields, style in _rows(results, ("auroc", "average_precision")):
        area = Estimate.from_json(fields["auroc"])
        cells = [area.interval, Estimate.from_json(fields["average_precision"]).interval]
        table.add_row(
            Text(name),
            *map(Text, cells),
            str(area.patients),
            str(area.positives),
            style=style or ("" if area.estimable else "dim"),
            end_section=name == list(results["labels"])[-1],
        )
    return table


def operating_table(results: Mapping[str, Any]) -> Table:
    """Returns sensitivity and specificity at both thresholds, label by label.

    Args:
      results: as for `results_table`, with thresholds.
    """
    table = empty("At thresholds chosen on validation (Youden; target sensitivity)", "label")
    columns = _points(results)
    for said in columns.values():
        first = said.endswith("sensitivity")
        table.add_column(
            said if first else "specificity", no_wrap=not first, min_width=17 if first else None
        )
    for name, fields, style in _rows(results, columns):
        estimates = [Estimate.from_json(fields[column]) for column in columns]
        table.add_row(
            Text(name),
            *(Text(brief(estimate)) for estimate in estimates),
            style=style or ("" if any(e.estimable for e in estimates) else "dim"),
            end_section=name == list(results["labels"])[-1],
        )
    return table


def subgroup_table(results: Mapping[str, Any]) -> Table:
    """Returns the AUROC, sensitivity and specificity of every group, and the gaps.

    Args:
      results: of `evaluate_table`, with at least one column of subgroups. Of several labels the
        mean is shown, over those that are estimable in every group.
    """
    several = any("mean" in labels for labels in results["subgroups"].values())
    of = ", mean of the labels estimable in every group" if several else ""
    table = empty(f"Subgroups{of} (sensitivity and specificity at Youden)", "group")
    table.add_column("AUROC [95 % interval]", no_wrap=True)
    for name in ("sensitivity", "specificity"):
        table.add_column(name, no_wrap=True)
    table.add_column("patients", justify="right", no_wrap=True)
    table.add_column("positive", justify="right", no_wrap=True)
    for column, labels in results["subgroups"].items():
        shown = labels["mean"] if "mean" in labels else next(iter(labels.values()))
        for group, metrics in shown["groups"].items():
            area = Estimate.from_json(metrics["auroc"])
            cells = [brief(Estimate.from_json(fields)) for fields in list(metrics.values())[1:]]
            table.add_row(
                Text(f"{column}: {group}"),
                area.interval,
                *(cells or ["", ""]),
                str(area.patients),
                str(area.positives),
                style="" if area.estimable else "dim",
            )
        gaps = [shown["gaps"].get(name) for name in ("auroc", "sensitivity", "specificity")]
        cells = ["" if gap is None else _gap(gap) for gap in gaps]
        table.add_row(Text(f"{column}: gap"), *cells, "", "", style="bold", end_section=True)
    return table


def print_results(
    results: Mapping[str, Any],
    *,
    random_weights: bool,
    title: str = "Results",
    console: Console | None = None,
) -> None:
    """Prints the tables of a result, and what a reader must not miss.

    Args:
      results: as for `results_table`; with thresholds and subgroups, their tables are printed too.
      random_weights: whether the run started from weights that were never trained.
      title: printed above.
      console: where to; standard output by default, without colours if it is not a terminal.
    """
    parts: list[RenderableType] = [results_table(results, title)]
    if results["left_out"]:
        left_out = ", ".join(results["left_out"])
        parts.append(Text(f"Not in the mean AUROC (not estimable): {left_out}."))
    parts += map(Text, _other_means(results, {"average_precision": "average precision"}))
    for name, said in _MEANS.items():
        if name in results["metrics"]:
            metric = results["metrics"][name]
            other = f" ({_apart(results, metric)})" if _apart(results, metric) else ""
            # Of classes there is one accuracy, no mean of theirs.
            said = said if metric["labels"] else said.removeprefix("Mean ").capitalize()
            parts.append(Text(f"{said}: {Estimate.from_json(metric['mean']).interval}{other}"))
    if results["thresholds"] is not None:
        parts += ["", operating_table(results)]
        words = {name: said.replace(":", "") for name, said in _points(results).items()}
        parts += map(Text, _other_means(results, words))
    if results.get("subgroups"):
        parts += ["", subgroup_table(results)]
    parts.append(Text(results["note"], style="dim"))
    if random_weights:
        parts.append(Text(RANDOM_WEIGHTS, style="bold red"))
    parts.append(Text(RESEARCH_USE, style="dim"))
    (console or terminal.console()).print(Group(*parts), highlight=False)


def empty(title: str, first: str) -> Table:
    """Returns a table in the one look, with its first column, which folds what is too long."""
    # Text, not str: a label named "[x]" must not be read as markup.
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold", min_width=10)  # whatever else has to give way
    return table


def brief(estimate: Estimate) -> str:
    """Returns the numbers with two decimals: `0.81 [0.72, 0.88]` or `not estimable`."""
    if estimate.value is None:
        return "not estimable"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _gap(gap: Mapping[str, float]) -> str:
    return f"{gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}]"


def _points(results: Mapping[str, Any]) -> dict[str, str]:
    """Returns the metrics of `operating_table`, by name, in words."""
    target = results["thresholds"]["target"]
    return {
        f"{kind}/{what}": f"{said}: {what}"
        for kind, said in (("youden", "Youden"), ("target_sensitivity", f"target {target:g}"))
        for what in ("sensitivity", "specificity")
    }


def _apart(results: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    """Returns which labels are in a metric's mean and not in that of the AUROC, or the reverse.

    `with A, B; without C`, or nothing where the labels are the same or there is no mean of labels.
    """
    own, area = metric["averaged"], results["averaged"]
    more, less = ([n for n in one if n not in two] for one, two in ((own, area), (area, own)))
    said = {"with": more if own else [], "without": less if own else []}
    return "; ".join(f"{word} {', '.join(names)}" for word, names in said.items() if names)


def _other_means(results: Mapping[str, Any], metrics: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each set of labels, other than the AUROC's, that means are over.

    Args:
      results: as for `results_table`.
      metrics: names, and how they are called.
    """
    if len(results["labels"]) == 1:
        return []
    found: dict[str, list[str]] = {}
    for name, said in metrics.items():
        if apart := _apart(results, results["metrics"][name]):
            found.setdefault(apart, []).append(said)
    return [f"Mean {apart}: {', '.join(said)}." for apart, said in found.items()]


def _rows(results: Mapping[str, Any], metrics: Iterable[str]) -> Iterable[Row]:
    """Yields the rows of labels, and that of the mean if there are several.

    The mean of each metric is over its own `averaged` labels; the row counts them if all have as
    many.
    """
    chosen = {name: results if name == "auroc" else results["metrics"][name] for name in metrics}
    for label in results["labels"]:
        yield label, {name: of["labels"][label] for name, of in chosen.items()}, ""
    if len(results["labels"]) > 1:
        mean = {name: of["mean"] for name, of in chosen.items()}
        numbers = {len(of["averaged"]) for of in chosen.values()} - {0}
        yield f"mean of {numbers.pop()}" if len(numbers) == 1 else "mean", mean, "bold"
