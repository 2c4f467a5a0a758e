"""The comparison of two finished runs: differences of their metrics, intervals and p."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis import files
from remedis.errors import UserError
from remedis.evaluation import predictions_file, results_record
from remedis.evaluation.accuracy_difference import accuracy_differences
from remedis.evaluation.aligned_tables import align
from remedis.evaluation.auroc_difference import Comparison, Difference, compare_tables
from remedis.evaluation.evaluate import top_k_of
from remedis.evaluation.metric_differences import MetricDifference, metric_differences
from remedis.evaluation.thresholds import Thresholds
from remedis.evaluation.unpaired_difference import compare_unpaired
from remedis.models.tasks import MULTI_CLASS, MULTI_LABEL
from remedis.reporting.notes import NOT_OURS, RANDOM_WEIGHTS, RESEARCH_USE
from remedis.reporting.results_table import effective_notes, empty


@dataclasses.dataclass(frozen=True)
class RunComparison:
    """Two finished runs, A and B, and the differences of their AUROCs, B minus A.

    Attributes:
      runs: the directories.
      random_weights: whether each run started from random weights.
      split: the compared split.
      comparison: the differences.
      accuracies: differences of accuracies of exclusive classes, by name; empty for labels.
      metrics: other differences, see `remedis.evaluation.metric_differences`; empty if unpaired.
      paired: whether both have scored the same images.
      why: a sentence: whether the comparison is paired, and why.
      not_ours: whether each has predictions of others.
    """

    runs: tuple[files.Path, files.Path]
    random_weights: tuple[bool, bool]
    split: str
    comparison: Comparison
    accuracies: Mapping[str, Difference] = dataclasses.field(default_factory=dict)
    metrics: Mapping[str, MetricDifference] = dataclasses.field(default_factory=dict)
    paired: bool = True
    why: str = ""
    not_ours: tuple[bool, bool] = (False, False)

    @property
    def main(self) -> Difference:
        """The difference of the mean AUROCs, or of the only label."""
        labels = self.comparison.labels
        return self.comparison.mean if len(labels) > 1 else next(iter(labels.values()))

    def to_json(self) -> dict[str, Any]:
        """Returns the comparison as JSON takes it."""
        return {
            "runs": [str(run) for run in self.runs],
            "random_weights": list(self.random_weights),
            "not_ours": list(self.not_ours),
            "split": self.split,
            "paired": self.paired,
            "why": self.why,
            "auroc": self.comparison.to_json(),
            "accuracies": {name: dataclasses.asdict(of) for name, of in self.accuracies.items()},
            "metrics": {
                name: {**dataclasses.asdict(of), "averaged": list(of.averaged)}
                for name, of in self.metrics.items()
            },
        }


def compare_runs(run_a: files.Path, run_b: files.Path, unpaired: bool = False) -> RunComparison:
    """Compares two finished runs on the split of their results, which is usually `test`.

    Args:
      run_a: the directory of a run, an evaluation or imported predictions.
      run_b: another's.
      unpaired: take all images and patients of both as different; by default they are matched, and
        the comparison is paired if the images are the same.

    Raises:
      UserError: a directory holds no finished run, the runs' results are of different splits, or
        the same images have other patients or labels.
    """
    results_a, results_b = (_results(pathlib.Path(run)) for run in (run_a, run_b))
    # A finished run has results on `validation` and `test`. A run that was evaluated again names
    # its only split.
    splits = list(dict.fromkeys(r["split"] for r in (results_a, results_b) if "split" in r))
    if len(splits) > 1:
        raise UserError(
            f"{run_a} holds results on the {splits[0]} split, {run_b} on the {splits[1]} split; "
            "compare two runs with results on the same split."
        )
    split = splits[0] if splits else "test"
    table_a, table_b = (predictions_file.read(run) for run in (run_a, run_b))
    drawn = results_a[split] if split in results_a else results_b[split]
    task = drawn.get("task", MULTI_LABEL)
    aligned = align(table_a, table_b, split, unpaired)
    random_weights = (results_a["random_weights"], results_b["random_weights"])
    not_ours = ("imported" in results_a, "imported" in results_b)
    if not aligned.paired:
        comparison = compare_unpaired(aligned, task)
        return RunComparison(
            (run_a, run_b),
            random_weights,
            split,
            comparison,
            paired=False,
            why=aligned.why,
            not_ours=not_ours,
        )
    table_a, table_b = aligned.first, aligned.second
    comparison = compare_tables(
        table_a,
        table_b,
        split,
        task=task,
        seed=drawn["seed"],
        resamples=drawn["resamples"],
    )
    accuracies = {}
    if task == MULTI_CLASS:
        accuracies = accuracy_differences(table_a, table_b, split, top_k_of(drawn))
    chosen_a, chosen_b = (
        Thresholds.from_json(of[split]["thresholds"])
        if split in of and of[split]["thresholds"]
        else None
        for of in (results_a, results_b)
    )
    metrics = metric_differences(
        table_a,
        table_b,
        split,
        (chosen_a, chosen_b),
        task=task,
        seed=drawn["seed"],
        resamples=drawn["resamples"],
    )
    return RunComparison(
        (run_a, run_b),
        random_weights,
        split,
        comparison,
        accuracies,
        metrics,
        why=aligned.why,
        not_ours=not_ours,
    )


def comparison_report(compared: RunComparison) -> RenderableType:
    """Returns the table of a comparison, and the notes that a reader must not miss."""
    split = compared.split
    notes = []
    if split != "test":
        notes.append(Text(f"Checkpoints were chosen on the {split} split: no fair comparison."))
    notes.append(Text(compared.why))
    notes.append(Text(_PAIRED if compared.paired else _UNPAIRED))
    labels = compared.comparison.labels
    notes += [
        Text(f"{name}: not estimable ({of.reason}).") for name, of in labels.items() if of.reason
    ]
    fields = {name: {"value": of.difference, **vars(of)} for name, of in labels.items()}
    notes += map(Text, effective_notes(fields))
    if any(of.difference is not None and of.p is None for of in labels.values()):
        notes.append(
            Text("No p: both models rank the images of a label alike, as two perfect ones do.")
        )
    for name, random, not_ours in zip(
        "AB", compared.random_weights, compared.not_ours, strict=True
    ):
        if random:
            notes.append(Text(f"{name}: {RANDOM_WEIGHTS}", style="bold red"))
        if not_ours:
            notes.append(Text(f"{name}: {NOT_OURS}"))
    run_a, run_b = compared.runs
    return Group(
        Text(f"A: {run_a}"),
        Text(f"B: {run_b}"),
        comparison_table(compared.comparison, f"AUROC on the {split} split"),
        *([accuracy_table(compared.accuracies, split)] if compared.accuracies else []),
        *metric_tables(compared.metrics),
        *notes,
        Text(RESEARCH_USE, style="dim"),
    )


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

    for name, difference in comparison.labels.items():
        add(name, difference)
    if len(comparison.labels) > 1:
        table.add_section()
        add(f"mean of {len(comparison.averaged)}", comparison.mean, "bold")
    return table


def metric_tables(metrics: Mapping[str, MetricDifference]) -> list[Table]:
    """Returns the means of all metrics; with several labels, also some metrics of each label."""
    if not metrics:
        return []
    names = list(next(iter(metrics.values())).labels)
    of_what = names[0] if len(names) == 1 else "mean of the labels that are estimable"
    title = f"Calibration, and rates at each model's own thresholds: {of_what}"
    table = empty(title, "metric")
    for column in ("A", "B", "B - A [95 % interval]", "p", "patients"):
        justify: Any = "left" if column.startswith("B -") else "right"
        table.add_column(column, justify=justify, no_wrap=True)
    for name, of in metrics.items():
        cells = _cells(of.mean)
        table.add_row(
            Text(_METRICS[name]), *cells, str(of.mean.patients), style="" if cells[1] else "dim"
        )
    if len(names) == 1:
        return [table]
    shown = [name for name in _BY_LABEL if name in metrics]
    by_label = empty("B - A of each label", "label")
    for name in shown:
        by_label.add_column(_METRICS[name].partition(",")[0], min_width=20)
    for label in names:
        found = [metrics[name].labels[label] for name in shown]
        by_label.add_row(Text(label), *(_signed(of, 2) for of in found))
    return [table, by_label]


_PAIRED = (
    "AUROC by patient: interval and p of DeLong, and the p of resamples. Other metrics are paired "
    "by patient; their intervals do not include the choice of thresholds and calibration. "
    "Two-sided, not corrected for the number of labels. Positive: patients."
)
_UNPAIRED = (
    "AUROC by patient: interval and p of DeLong for two samples. The difference is that of models "
    "and of patients: which of them is the cause, unpaired numbers cannot tell. Two-sided, not "
    "corrected for the number of labels. Positive: patients of both."
)
# What the metrics are called, and which value is the best.
_METRICS = {
    "youden/sensitivity": "sensitivity (Youden)",
    "youden/specificity": "specificity (Youden)",
    "target_sensitivity/sensitivity": "sensitivity (target)",
    "target_sensitivity/specificity": "specificity (target)",
    "brier": "Brier score, lower is better",
    "calibration_error": "ECE, lower is better",
    "calibration_slope": "calibration slope, 1 is best",
    "calibration_intercept": "calibration intercept, 0 is best",
}
_BY_LABEL = (
    "target_sensitivity/sensitivity",
    "target_sensitivity/specificity",
    "brier",
    "calibration_slope",
)


def _cells(of: Difference) -> list[str]:
    """Returns A, B, their difference and p."""
    if of.difference is None:
        return ["not estimable", "", "", ""]
    return [f"{of.first:.3f}", f"{of.second:.3f}", _signed(of, 3), p_value(of.p)]


def _signed(of: Difference, digits: int) -> str:
    """Returns the difference with its interval: `+0.031 [+0.010, +0.052]`."""
    if of.difference is None:
        return "not estimable"
    value, low, high = (
        f"{round(number or 0.0, digits) + 0.0:+.{digits}f}"
        for number in (of.difference, of.low, of.high)
    )
    return f"{value} [{low}, {high}]"


def accuracy_table(accuracies: Mapping[str, Difference], split: str) -> Table:
    """Returns accuracy of A and of B, B minus A with interval, p, and patients."""
    table = empty(f"Accuracy of exclusive classes on the {split} split", "accuracy")
    for name in ("A", "B", "B - A [95 % interval]", "p", "patients"):
        table.add_column(name, justify="left" if name.startswith("B -") else "right", no_wrap=True)
    for name, of in accuracies.items():
        words = "top-1" if name == "accuracy" else name.removesuffix("_accuracy").replace("_", "-")
        if of.difference is None:
            table.add_row(words, "not estimable", "", "", "", str(of.patients), style="dim")
            continue
        table.add_row(
            words,
            f"{of.first:.3f}",
            f"{of.second:.3f}",
            f"{of.difference:+.3f} [{of.low:+.3f}, {of.high:+.3f}]",
            p_value(of.p),
            str(of.patients),
        )
    return table


def p_value(value: float | None) -> str:
    """Returns three decimals, or `<0.001`; `none` if there is no p-value."""
    if value is None:
        return "none"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _results(run: pathlib.Path) -> Any:
    if not all(os.path.lexists(run / name) for name in ("results.json", "predictions.parquet")):
        raise UserError(
            f"{run} holds no finished run: results.json or predictions.parquet is missing; name "
            "the directory that --workdir named."
        )
    return results_record.read(run)
