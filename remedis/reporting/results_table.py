"""The tables of a result: metrics by label, operating points and subgroups."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.evaluation.choice_sentences import has_thresholds, threshold_data
from remedis.evaluation.intervals import Estimate
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE

_MEANS = {
    "accuracy": "Mean accuracy at a threshold of 0.5",
    "brier": "Mean Brier score",
    "calibration_error": "Mean calibration error (ECE)",
    "calibration_slope": "Mean calibration slope (1 if calibrated)",
    "calibration_intercept": "Mean calibration intercept (0 if calibrated)",
}
PATIENTS_OF_EQUAL_WEIGHT = (
    "AUROC: every patient of a class has the same weight, however many images it has."
)
# Effective numbers of patients are shown if they are below this share of the patients. With 1 to 3
# images per patient, the share is 0.86.
_UNEVEN = 0.8
Row = tuple[str, Mapping[str, Any], str]  # first cell, column -> fields of an estimate, style


def results_table(results: Mapping[str, Any], title: str = "Results") -> Table:
    """Returns label, AUROC and average precision with intervals, patients and positives.

    Args:
      results: of one split in `results.json`: a `remedis.evaluation.evaluation_result.Result`
        as JSON.
      title: text above the table.
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


def operating_table(results: Mapping[str, Any], nested: bool = False) -> Table:
    """Returns sensitivity and specificity at both thresholds, one row per label.

    Args:
      results: as for `results_table`, with thresholds.
      nested: whether intervals are those of `results["nested"]`, which include the choice of the
        thresholds.
    """
    data = threshold_data(results["thresholds"], list(results["labels"]))
    title = f"At thresholds{data and f' chosen on {data}'} (Youden; target sensitivity)"
    if nested:
        title = "The same, intervals with the choice of thresholds and calibration"
        results = {**results, "metrics": results["nested"]["metrics"]}
    table = empty(title, "label")
    columns = _points(results)
    for name in columns.values():
        # The column of a specificity follows its sensitivity, which names the threshold.
        first = name.endswith("sensitivity")
        table.add_column(
            name if first else "specificity", no_wrap=not first, min_width=17 if first else None
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
      results: of `evaluate_table`, with at least one column of subgroups. The numbers of several
        labels are means over the labels that are estimable in every group.
    """
    several = any("mean" in labels for labels in results["subgroups"].values())
    averaged = ", mean of the labels estimable in every group" if several else ""
    table = empty(f"Subgroups{averaged} (sensitivity and specificity at Youden)", "group")
    table.add_column("AUROC [95 % interval]", no_wrap=True)
    for name in ("sensitivity", "specificity"):
        table.add_column(name, no_wrap=True)
    table.add_column("patients", justify="right", no_wrap=True)
    table.add_column("positive", justify="right", no_wrap=True)
    for column, labels in results["subgroups"].items():
        values = labels["mean"] if "mean" in labels else next(iter(labels.values()))
        for group, metrics in values["groups"].items():
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
        gaps = [values["gaps"].get(name) for name in ("auroc", "sensitivity", "specificity")]
        if any(gap is not None for gap in gaps):
            cells = ["" if gap is None else _gap(gap) for gap in gaps]
            table.add_row(Text(f"{column}: gap"), *cells, "", "", style="bold")
        table.add_section()
    return table


def uncertain_table(ways: Mapping[str, Any]) -> Table:
    """Returns the AUROC with uncertain labels ignored, as negative and as positive.

    Args:
      ways: `uncertain_labels` of `results.json`, see `remedis.evaluation.uncertain_labels`.
    """
    table = empty("AUROC [95 % interval] by what uncertain labels count as", "label")
    for name in ("ignored", "negative", "positive"):
        table.add_column(name, no_wrap=True)
    table.add_column("uncertain patients", justify="right")
    rows = [(name, of, str(of["patients"]), "") for name, of in ways["labels"].items()]
    if len(ways["averaged"]) > 1:
        rows.append((f"mean of {len(ways['averaged'])}", ways["mean"], "", "bold"))
    for name, of, patients, style in rows:
        cells = [Estimate.from_json(of[way]).interval for way in ("ignore", "zeros", "ones")]
        table.add_row(Text(name), *cells, patients, style=style)
    return table


def results_report(
    results: Mapping[str, Any], *, random_weights: bool, title: str = "Results"
) -> RenderableType:
    """Returns the tables of a result, and the notes that a reader must not miss.

    Args:
      results: as for `results_table`; thresholds and subgroups are in the report if they are there.
      random_weights: whether the run started from random weights.
      title: text above the first table.
    """
    report: list[RenderableType] = [results_table(results, title)]
    report += [Text(warning, style="bold") for warning in results.get("warnings", [])]
    if results["left_out"]:
        left_out = "; ".join(_with_reason(name, results) for name in results["left_out"])
        report.append(Text(f"Not in the mean AUROC (not estimable): {left_out}."))
    report += map(Text, effective_notes(results["labels"]))
    if results.get("weighting") == "patients":
        report.append(Text(PATIENTS_OF_EQUAL_WEIGHT))
    report += map(Text, other_means(results, {"average_precision": "average precision"}))
    report += map(Text, results.get("label_notes", ()))
    report += map(Text, results.get("choice_notes", ()))
    if "uncertain_labels" in results:
        report += ["", uncertain_table(results["uncertain_labels"])]
    of_classes = _of_classes(results)
    for name, text in (of_classes | _MEANS | of_classes).items():  # in the order of the first two
        if name in results["metrics"]:
            metric = results["metrics"][name]
            other = f" ({_apart(results, metric)})" if _apart(results, metric) else ""
            mean = Estimate.from_json(metric["mean"])
            why = f" ({mean.reason})" if mean.reason else ""
            report.append(Text(f"{text}: {mean.interval}{other}{why}"))
    if has_thresholds(results["thresholds"], results["labels"]):
        report += ["", operating_table(results)]
        names = {name: text.replace(":", "") for name, text in _points(results).items()}
        report += map(Text, other_means(results, names))
    if nested := results.get("nested"):
        report += ["", operating_table(results, nested=True)]
        for name, text in _MEANS.items():
            if name in nested["metrics"]:
                mean = Estimate.from_json(nested["metrics"][name]["mean"])
                report.append(Text(f"{text}: {mean.interval}"))
        report.append(Text(nested["note"], style="dim"))
    if results.get("subgroups"):
        report += ["", subgroup_table(results)]
        for column, labels in results["subgroups"].items():
            values = labels["mean"] if "mean" in labels else next(iter(labels.values()))
            report += map(Text, group_reasons(column, values["groups"]))
    report.append(Text(results["note"], style="dim"))
    if random_weights:
        report.append(Text(RANDOM_WEIGHTS, style="bold red"))
    report.append(Text(RESEARCH_USE, style="dim"))
    return Group(*report)


def effective_notes(labels: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a sentence for each label of which a few patients have many images.

    Args:
      labels: name -> fields of its AUROC, or of a difference of AUROCs, of any version.
    """
    notes = []
    for name, fields in labels.items():
        counts = (
            (fields.get("effective_patients"), fields["patients"], "patients"),
            (fields.get("effective_positives"), fields["positives"], "positive patients"),
        )
        uneven = [
            f"{counted} {kind} count as {effective:.1f}"
            for effective, counted, kind in counts
            if effective is not None and effective < _UNEVEN * counted
        ]
        if uneven:
            images = fields["largest_patient_images"]
            notes.append(f"{name}: {', '.join(uneven)}; one patient has {images} images.")
    return notes


def group_reasons(column: str, groups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns why groups have no AUROC; groups with the same reason share a sentence.

    Args:
      column: of the subgroups, such as `sex`.
      groups: name -> metric -> fields of its estimate.
    """
    reasons: dict[str, list[str]] = {}
    for group, metrics in groups.items():
        if metrics["auroc"]["value"] is None and metrics["auroc"].get("reason"):
            reasons.setdefault(metrics["auroc"]["reason"], []).append(str(group))
    return [
        f"Not estimable for {column} {', '.join(names)}: {reason}."
        for reason, names in reasons.items()
    ]


def other_means(results: Mapping[str, Any], metrics: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each set of labels that differs from the mean AUROC's.

    Args:
      results: as for `results_table`.
      metrics: the words for each metric's name.
    """
    means: dict[str, list[str]] = {}
    for name, text in metrics.items():
        if apart := _apart(results, results["metrics"][name]):
            means.setdefault(apart, []).append(text)
    return [f"Mean {apart}: {', '.join(texts)}." for apart, texts in means.items()]


def _of_classes(results: Mapping[str, Any]) -> dict[str, str]:
    """Returns the words for each accuracy of exclusive classes in a result, by name."""
    metrics = results["metrics"]
    if "accuracy" not in metrics or metrics["accuracy"]["labels"]:  # of labels: a mean over them
        return {}
    matches = (re.fullmatch(r"top_(\d+)_accuracy", name) for name in metrics)
    return {
        "accuracy": "Accuracy of the most probable class",
        **{
            match[0]: f"Top-{match[1]} accuracy (true class among the {match[1]} most probable)"
            for match in matches
            if match
        },
        "balanced_accuracy": "Balanced accuracy (mean share of each class that is ranked first)",
    }


def _with_reason(name: str, results: Mapping[str, Any]) -> str:
    reason = results["labels"][name].get("reason")
    return f"{name} ({reason})" if reason else name


def empty(title: str, first: str) -> Table:
    """Returns a table in the style of all results; its first column wraps long names."""
    # Text, not str: a label named "[x]" must not be read as markup.
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold", min_width=10)
    return table


def brief(estimate: Estimate) -> str:
    """Returns the numbers with two decimals: `0.81 [0.72, 0.88]` or `not estimable`."""
    if estimate.value is None:
        return "not estimable"
    # Adding 0 makes 0 of a rounded -0.
    value, low, high = (
        round(number or 0.0, 2) + 0.0 for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _gap(gap: Mapping[str, float]) -> str:
    return f"{gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}]"


def _points(results: Mapping[str, Any]) -> dict[str, str]:
    """Returns the metrics of `operating_table`: the words for each name."""
    target = results["thresholds"]["target"]
    return {
        f"{kind}/{rate}": f"{text}: {rate}"
        for kind, text in (("youden", "Youden"), ("target_sensitivity", f"target {target:g}"))
        for rate in ("sensitivity", "specificity")
    }


def _apart(results: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    """Returns how the labels of a metric's mean differ from those of the mean AUROC.

    Returns:
      `with A, B; without C`; empty if the labels are the same, if the metric has no mean, or if
      there is one label, which is not the mean of others.
    """
    of_metric, of_auroc = metric["averaged"], results["averaged"]
    if not of_metric or len(results["labels"]) == 1:
        return ""
    differences = {
        "with": [name for name in of_metric if name not in of_auroc],
        "without": [name for name in of_auroc if name not in of_metric],
    }
    return "; ".join(f"{word} {', '.join(names)}" for word, names in differences.items() if names)


def _rows(results: Mapping[str, Any], metrics: Iterable[str]) -> Iterable[Row]:
    """Yields the rows of labels, and that of the mean if there are several.

    Each metric's mean is over that metric's `averaged` labels. The name of the row has their number
    if it is the same for all metrics.
    """
    chosen = {name: results if name == "auroc" else results["metrics"][name] for name in metrics}
    for label in results["labels"]:
        yield label, {name: of["labels"][label] for name, of in chosen.items()}, ""
    if len(results["labels"]) > 1:
        mean = {name: of["mean"] for name, of in chosen.items()}
        numbers = {len(of["averaged"]) for of in chosen.values()} - {0}
        yield f"mean of {numbers.pop()}" if len(numbers) == 1 else "mean", mean, "bold"
