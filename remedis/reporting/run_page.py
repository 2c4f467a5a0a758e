"""The HTML page of a fine-tuning run or an evaluation: its numbers, plots, data and weights."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from remedis.errors import counted
from remedis.evaluation.choice_sentences import has_thresholds
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.thresholds import KINDS
from remedis.reporting import drift_table, page_template, results_table
from remedis.reporting.figures import RED
from remedis.reporting.leak_receipt import receipt
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.reporting.page_content import Drawing, Table
from remedis.zoo import shared_names

_KINDS = {"youden": "Youden", "target_sensitivity": "target"}
_CALIBRATION = {
    "brier": "Brier score",
    "calibration_error": "calibration error (ECE)",
    "calibration_slope": "slope, 1 is best",
    "calibration_intercept": "intercept, 0 is best",
}


class Plot(NamedTuple):
    """A section of the page with one figure.

    Attributes:
      heading: of the section.
      text: what the figure shows and how to read it.
      drawing: the figure.
    """

    heading: str
    text: str
    drawing: Drawing


def page(
    results: Mapping[str, Any], name: str, plots: Sequence[Plot], leaks: Mapping[str, Any] | None
) -> str:
    """Returns the page: self-contained HTML without scripts, also well-formed as XML.

    Args:
      results: the content of `results.json`, of any version.
      name: of the run.
      plots: in their order.
      leaks: the content of `leaks.json`; None without one.
    """
    split = results.get("split", "test")
    evaluated = results[split]
    data = results.get("data", {})
    tested = f"the {split} split"
    if (results.get("model") or "imported" in results) and data.get("source"):
        # All images of the data were scored, whatever split they are assigned to.
        tested = shared_names.of_absolute(data["source"])
    labelled = evaluated.get("labelled_images", evaluated["images"])
    known = "" if labelled == evaluated["images"] else f", {labelled:,} with a known label"
    seen = [*data.get("seen_by_checkpoint", ()), data.get("warning", "")]
    warnings = [
        *([f"{RANDOM_WEIGHTS}."] if results["random_weights"] else []),
        *dict.fromkeys([*evaluated.get("warnings", ()), *filter(None, seen)]),
    ]
    rendered = (
        page_template.environment()
        .get_template("run.html.jinja")
        .render(
            red=RED,
            research_use=RESEARCH_USE,
            title=results.get("title") or f"{name}: results on {tested}",
            what=f"{counted(evaluated['images'], 'image')} of {tested}{known}. Brackets hold 95 % "
            "intervals, which count patients, not images.",
            warnings=warnings,
            headline=_headline(evaluated, tested),
            performance=_performance(evaluated),
            performance_notes=_performance_notes(results, evaluated),
            calibration=_calibration(evaluated),
            not_estimable=_not_estimable(evaluated),
            choice_notes=evaluated.get("choice_notes") or ["Not recorded by this version."],
            thresholds=_thresholds(evaluated),
            target=f"{(evaluated['thresholds'] or {}).get('target', 0):g}",
            plots=plots,
            drift=drift_table.page_tables(results["drift"]) if "drift" in results else [],
            drift_notes=drift_table.notes(results["drift"]) if "drift" in results else [],
            subgroups=_subgroups(evaluated),
            subgroup_notes=_subgroup_notes(evaluated),
            counts=_counts(data),
            data_notes=_data_notes(data, evaluated),
            has_receipt=leaks is not None,
            receipt=receipt(leaks),
            weights=_weights(results),
        )
    )
    return page_template.unbroken(rendered)


def _interval(fields: Mapping[str, Any]) -> str:
    return Estimate.from_json(fields).interval


def _in_words(fields: Mapping[str, Any]) -> str:
    """Returns `0.812 (95 % interval 0.780 to 0.840)`."""
    of = Estimate.from_json(fields)
    return f"{of.value:.3f} (95 % interval {of.low:.3f} to {of.high:.3f})"


def _headline(evaluated: Mapping[str, Any], tested: str) -> list[str]:
    """Returns the answer in sentences: AUROC, and what the thresholds achieve."""
    labels = list(evaluated["labels"])
    alone = len(labels) == 1
    mean = evaluated["labels"][labels[0]] if alone else evaluated["mean"]
    what = f"The AUROC of {labels[0]}" if alone else "The mean AUROC"
    of_labels = "" if alone else f" of {len(evaluated['averaged'])} of {len(labels)} labels"
    if mean["value"] is None:
        return [f"{what} is not estimable on {tested}: {mean.get('reason') or 'no data'}."]
    sentences = [
        f"{what}{of_labels} on {tested} is {_in_words(mean)}, from {mean['patients']:,} "
        f"patients, {mean['positives']:,} of them positive."
    ]
    for kind, word in _KINDS.items():
        rates = {
            rate: evaluated["metrics"].get(f"{kind}/{rate}")
            for rate in ("sensitivity", "specificity")
        }
        if any(of is None or of["mean"]["value"] is None for of in rates.values()):
            continue
        texts = [f"{rate} {_in_words(of['mean'])}" for rate, of in rates.items() if of]
        place = "threshold" if alone else "thresholds, mean of the labels that are estimable"
        sentences.append(f"At the {word} {place}: {' and '.join(texts)}.")
    return sentences


def _rows(
    evaluated: Mapping[str, Any], columns: Mapping[str, str], counts: bool
) -> list[list[str]]:
    """Returns one row per label and one of the mean: intervals, and counts of patients."""
    chosen = {key: evaluated if key == "auroc" else evaluated["metrics"][key] for key in columns}
    rows = []
    for label, area in evaluated["labels"].items():
        cells = [_interval(of["labels"][label]) for of in chosen.values()]
        rows.append([label, *cells])
        if counts:
            rows[-1] += [f"{area['patients']:,}", f"{area['positives']:,}"]
    if len(rows) > 1:
        cells = [_interval(of["mean"]) for of in chosen.values()]
        rows.append(["mean", *cells, *(["", ""] if counts else [])])
    return rows


def _performance(evaluated: Mapping[str, Any]) -> Table:
    columns = {"auroc": "AUROC", "average_precision": "average precision"}
    return Table(
        "Discrimination: AUROC and average precision with 95 % intervals, and the patients behind "
        "them.",
        ["label", *columns.values(), "patients", "positive"],
        _rows(evaluated, columns, True),
        "estimates",
    )


def _performance_notes(results: Mapping[str, Any], evaluated: Mapping[str, Any]) -> list[str]:
    found = evaluated["metrics"]
    notes = [
        *evaluated.get("label_notes", ()),
        *results_table.effective_notes(evaluated["labels"]),
        results.get("selection", {}).get("note", ""),
        evaluated["note"],
    ]
    if evaluated.get("weighting") == "patients":
        notes.append(results_table.PATIENTS_OF_EQUAL_WEIGHT)
    of_labels = {name: _metric_words(name) for name, of in found.items() if of["labels"]}
    notes += results_table.other_means(evaluated, of_labels)
    for name, of in found.items():
        if not of["labels"]:  # of exclusive classes: one number for all
            notes.append(f"{name.replace('_', ' ')}: {_interval(of['mean'])}.")
    return [note for note in notes if note]


def _calibration(evaluated: Mapping[str, Any]) -> Table | None:
    found = evaluated["metrics"]
    columns = {k: text for k, text in _CALIBRATION.items() if k in found and found[k]["labels"]}
    if not columns:
        return None
    return Table(
        "Calibration: Brier score and calibration error, lower is better; slope and intercept of "
        "the calibration line.",
        ["label", *columns.values()],
        _rows(evaluated, columns, False),
        "estimates",
    )


def _not_estimable(evaluated: Mapping[str, Any]) -> list[str]:
    """Returns a sentence for each label and reason, with the metrics that it concerns."""
    found: dict[tuple[str, str], list[str]] = {}
    metrics = {"AUROC": evaluated, **evaluated["metrics"]}
    for name, metric in metrics.items():
        for label, fields in metric["labels"].items():
            if fields["value"] is None:
                reason = fields.get("reason") or "no reason recorded"
                found.setdefault((label, reason), []).append(_metric_words(name))
    return [f"{label}: {', '.join(of)} ({reason})." for (label, reason), of in found.items()]


def _metric_words(name: str) -> str:
    """Returns the name of a metric as a reader says it: `youden/ppv` is `PPV at Youden`."""
    kind, _, rate = name.rpartition("/")
    rate = rate.upper() if rate in ("ppv", "npv") else rate.replace("_", " ")
    if not kind:
        return rate
    return f"{rate} at {'Youden' if kind == 'youden' else kind.replace('_', ' ')}"


def _thresholds(evaluated: Mapping[str, Any]) -> Table | None:
    chosen = evaluated["thresholds"]
    if not has_thresholds(chosen, evaluated["labels"]):
        return None
    rows = []
    for label in evaluated["labels"]:
        row = [label]
        for kind in KINDS:
            value = chosen[kind].get(label)
            row.append("none" if value is None else f"{value:#.4g}")
            row += [
                _interval(evaluated["metrics"][f"{kind}/{rate}"]["labels"][label])
                for rate in ("sensitivity", "specificity")
            ]
        rows.append(row)
    header = [f"{word}: {of}" for word in _KINDS.values() for of in ("threshold", *_RATES)]
    return Table(
        "Thresholds as probabilities, and the rates at them with 95 % intervals.",
        ["label", *header],
        rows,
        "estimates",
    )


_RATES = ("sensitivity", "specificity")


def _subgroups(evaluated: Mapping[str, Any]) -> list[Table]:
    """Returns one table per column of subgroups: of the mean, or of the only label."""
    tables = []
    for column, labels in (evaluated.get("subgroups") or {}).items():
        label = "mean" if "mean" in labels else next(iter(labels))
        values = labels[label]
        metrics = list(next(iter(values["groups"].values())))
        rows = [
            [group, *(_interval(of[name]) for name in metrics), f"{of['auroc']['patients']:,}"]
            for group, of in values["groups"].items()
        ]
        gaps = [values["gaps"].get(name) for name in metrics]
        cells = [
            "" if gap is None else f"{gap['value']:.3f} [{gap['low']:.3f}, {gap['high']:.3f}]"
            for gap in gaps
        ]
        if any(cells):
            rows.append(["gap, largest minus smallest", *cells, ""])
        names = ["AUROC" if name == "auroc" else name for name in metrics]
        caption = f"By {column}, {label}; sensitivity and specificity at the Youden threshold."
        tables.append(Table(caption, [column, *names, "patients"], rows, "estimates"))
    return tables


def _subgroup_notes(evaluated: Mapping[str, Any]) -> list[str]:
    """Returns why groups of these tables are not estimable."""
    return [
        note
        for column, labels in (evaluated.get("subgroups") or {}).items()
        for note in results_table.group_reasons(
            column, labels["mean" if "mean" in labels else next(iter(labels))]["groups"]
        )
    ]


def _counts(data: Mapping[str, Any]) -> Table:
    """Returns the counts of each split, as recorded."""
    counts = data.get("counts", {})
    columns = list(dict.fromkeys(name for row in counts.values() for name in row))
    rows = [
        [str(split), *(f"{row[name]:,}" if name in row else "" for name in columns)]
        for split, row in counts.items()
    ]
    source = shared_names.of_absolute(data.get("source", "not recorded"))
    return Table(
        f"Source {source}: images, patients and positive images by split.",
        ["split", *columns],
        rows,
        "numbers",
    )


_ONE_OR_MORE = (("image", "was"), ("images", "were"))


def _data_notes(data: Mapping[str, Any], evaluated: Mapping[str, Any]) -> list[str]:
    notes = []
    if bad := data.get("bad_images"):
        ends = (f"{of} could not be read and {verb} left out" for of, verb in _ONE_OR_MORE)
        notes.append(f"{counted(bad, *ends)}.")
    if ties := {n: of for n, of in evaluated.get("ties", {}).items() if of["images"]}:
        places = ", ".join(f"{n}: {counted(of['images'], 'image')}" for n, of in ties.items())
        notes.append(f"Images whose score another image of the other class has, too: {places}.")
    return notes


def _weights(results: Mapping[str, Any]) -> dict[str, str]:
    """Returns what the weights are, what they started from, and how images are prepared."""
    found: dict[str, str] = {}
    step: Mapping[str, Any] | None = results.get("checkpoint")
    name = "checkpoint"
    while step:
        found[name] = step["description"]
        if step.get("sha256"):
            found[f"{name}, file"] = f"{step.get('file')}, SHA-256 {step['sha256']}"
        step, name = step.get("parent"), f"{name}, started from"
    if results.get("model"):
        found["model"] = shared_names.of_absolute(str(results["model"]))
    if "best_step" in results:
        found["training"] = (
            f"{results['steps']:,} steps; the weights of step {results['best_step']:,} were kept"
        )
    prepared = dict(results.get("preprocess", {}))
    if results.get("probe") and "evaluation" in prepared:
        # Older runs name operations that a probe does not use.
        prepared["train"] = prepared["evaluation"]
    for stage, text in prepared.items():
        found[f"preprocessing, {stage}"] = text
    return found
