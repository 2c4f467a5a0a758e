"""What a run records about performance: metrics, intervals, thresholds, calibration, subgroups."""

from collections.abc import Sequence

from remedis.evaluation.thresholds import KINDS
from remedis.reporting.checklists import data_facts, training_facts
from remedis.reporting.checklists.answers import (
    Answer,
    Part,
    counted,
    estimate,
    name,
    say,
    several,
    table,
    together,
    write,
)
from remedis.reporting.checklists.cited_records import (
    DESCRIPTION,
    EXPORT,
    RESULTS,
    Field,
    Keys,
    Records,
    place,
)
from remedis.reporting.run_info import STUDY

_MOST_ROWS = 40  # of a table in the document; the file has all
_NAMES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "calibration_error": "calibration error (ECE)",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
    "balanced_accuracy": "balanced accuracy",
}
_RATES = ("sensitivity", "specificity", "ppv", "npv")
_HEADS = ("sensitivity", "specificity", "PPV", "NPV")
_THRESHOLDS = {"youden": "Youden's", "target_sensitivity": "the target-sensitivity"}
NO_TEST = (
    "The run holds no results on labelled test images: evaluate the model (`remedis evaluate`), "
    "and fill the checklist from that evaluation."
)


def where(records: Records, metric: str, label: str | None = None) -> tuple[str, Keys]:
    """Returns file and keys of the estimate of a label, or of the mean if it is None."""
    if records.kind == EXPORT:
        mean: Keys = ("performance", "mean", metric)
        return DESCRIPTION, mean if label is None else ("performance", "labels", label, metric)
    split: Keys = (records.split,) if metric == "auroc" else (records.split, "metrics", metric)
    return RESULTS, (*split, "mean") if label is None else (*split, "labels", label)


def labels_of(records: Records) -> list[str]:
    """Returns the labels that were evaluated; none without an evaluation."""
    if records.kind == EXPORT:
        return list(records.value(DESCRIPTION, "performance", "labels") or ())
    return list(records.evaluated.get("labels") or ())


def has(records: Records, metric: str) -> bool:
    """Returns whether a metric was computed for labels."""
    labels = labels_of(records)
    if not labels:
        return False
    file, keys = where(records, metric, labels[0])
    return records.field(file, *keys) is not None


def estimates(
    records: Records, metrics: Sequence[str], heads: Sequence[str], *caption: Part | None
) -> Answer:
    """Returns a table of metrics with intervals: a row per label, and one of the mean."""
    metrics_heads = [(m, h) for m, h in zip(metrics, heads, strict=True) if has(records, m)]
    labels = labels_of(records)
    if not metrics_heads:
        return Answer()
    rows: list[list[Part | None]] = []
    for label in labels[:_MOST_ROWS]:
        file, keys = where(records, metrics_heads[0][0], label)
        at = keys if records.kind != EXPORT else keys[:-1]
        rows.append([name(file, *at), *_cells(records, [m for m, _ in metrics_heads], label)])
    if len(labels) > 1:
        rows.append(["mean", *_cells(records, [m for m, _ in metrics_heads], None)])
    top = "performance" if records.kind == EXPORT else records.split
    file, _ = where(records, "auroc")
    header: list[Part] = ["label", *(head for _, head in metrics_heads)]
    found = table(header, rows, [place(file, (top,))], *caption)
    if len(labels) > _MOST_ROWS:
        found += write(f"The table is cut; {place(file, (top,))} has every label.")
    return found


def _cells(records: Records, metrics: Sequence[str], label: str | None) -> list[Part]:
    cells: list[Part] = []
    for metric in metrics:
        file, keys = where(records, metric, label)
        cells.append(estimate(records, file, *keys))
    return cells


def _tested_on(records: Records) -> Answer:
    """Returns on what the numbers below are, and every warning about them."""
    if records.kind == EXPORT:
        data = records.field(DESCRIPTION, "performance", "data")
        known = data_facts.with_known_label(records)
        found = say(
            "Numbers with their 95 % intervals, on ",
            data,
            ": ",
            counted(records.field(DESCRIPTION, "performance", "images"), "image"),
            *known,
            ", of " if known else " of ",
            counted(records.field(DESCRIPTION, "performance", "patients"), "patient"),
            ".",
        )
        warnings = list(records.each(DESCRIPTION, "performance", "warnings"))
    else:
        found = say(
            "Numbers with their 95 % intervals, on ",
            counted(records.field(RESULTS, records.split, "images"), "image"),
            " of ",
            *data_facts.tested_place(records),
            *data_facts.with_known_label(records),
            ".",
        )
        warnings = list(records.each(RESULTS, records.split, "warnings"))
    found = together([found, *(say("WARNING: ", warning) for warning in warnings)])
    return together([data_facts.made_up(records), training_facts.random_weights(records), found])


def not_tested(records: Records) -> Answer:
    """Returns that there are no results on labelled test images, if so."""
    if records.kind == STUDY:
        return write(
            "A study chooses no thresholds: take sensitivity and specificity from a run of the arm "
            "that you report."
        )
    return Answer() if labels_of(records) else write(NO_TEST)


def performance(records: Records) -> Answer:
    """Returns AUROC and average precision of each label, with intervals and counts."""
    if not labels_of(records):
        return write(NO_TEST)
    rows = _tested_on(records) + estimates(
        records, ("auroc", "average_precision"), ("AUROC", "average precision")
    )
    return together([rows, _of_classes(records), _behind(records), _left_out(records)])


def _of_classes(records: Records) -> Answer:
    """Returns accuracies that are one number for all classes."""
    found = []
    for metric, of in (records.evaluated.get("metrics") or {}).items():
        if not of["labels"]:
            keys: Keys = (records.split, "metrics", metric)
            shown = name(RESULTS, *keys)
            found.append(say(shown, ": ", estimate(records, RESULTS, *keys, "mean"), "."))
    return together(found)


def _behind(records: Records) -> Answer:
    """Returns the patients behind each AUROC."""
    rows: list[list[Part | None]] = []
    for label in labels_of(records)[:_MOST_ROWS]:
        file, keys = where(records, "auroc", label)
        at = keys if records.kind != EXPORT else keys[:-1]
        counts = (records.field(file, *keys, key) for key in ("patients", "positives"))
        rows.append([name(file, *at), *counts])
    file, keys = where(records, "auroc")
    top = keys[0] if records.kind != EXPORT else "performance"
    header = ["label", "patients", "of them positive"]
    caption = "Patients behind the AUROC of each label:"
    return table(header, rows, [place(file, (top,))], caption)


def _left_out(records: Records) -> Answer:
    left = [
        name(RESULTS, records.split, "labels", str(label.value))
        for label in records.each(RESULTS, records.split, "left_out")
    ]
    return say("Not in the mean, since not estimable: ", several(left) if left else None, ".")


def operating_points(records: Records) -> Answer:
    """Returns sensitivity, specificity, PPV and NPV at each kind of threshold."""
    found = []
    for kind, words in _THRESHOLDS.items():
        metrics = [f"{kind}/{rate}" for rate in _RATES]
        caption: list[Part] = [f"At {words} threshold, ", _chosen_on(records), ":"]
        numbers = estimates(records, metrics, _HEADS, *caption)
        found += [numbers] if numbers.said else []
    if not found:
        return Answer()
    return together([_tested_on(records), *found])


def _chosen_on(records: Records) -> Part:
    """Returns the data on which thresholds were chosen, as far as it is recorded."""
    data = {str(f.value): f for f in reversed(_origins(records))}
    return ["chosen on ", several(data.values())] if data else "whose origin is not recorded"


def _origins(records: Records) -> list[Field]:
    for keys in ((RESULTS, "thresholds", "chosen_on"), (DESCRIPTION, "thresholds", "chosen_on")):
        chosen = records.value(*keys) or {}
        if found := [f for label in chosen if (f := records.field(*keys, label, "data"))]:
            return found
    return []


def thresholds(records: Records) -> Answer:
    """Returns the thresholds themselves, how each kind was chosen, and on which data."""
    at: tuple[str, Keys] = (RESULTS, ("thresholds",))
    if records.kind == EXPORT:
        at = (DESCRIPTION, ("thresholds",))
    elif records.value(RESULTS, records.split, "thresholds"):
        at = (RESULTS, (records.split, "thresholds"))
    file, keys = at
    if not records.value(file, *keys):
        return Answer()
    found = [
        say(
            "There are two thresholds per label. Youden's maximises sensitivity + specificity. The "
            "other is the highest that reaches a sensitivity of ",
            records.field(file, *keys, "target"),
            ". Both were ",
            _chosen_on(records),
            ".",
        )
    ]
    labels = list(records.value(file, *keys, KINDS[0]))
    rows: list[list[Part | None]] = []
    for label in labels[:_MOST_ROWS]:
        cells: list[Part] = []
        for kind in KINDS:
            value = records.field(file, *keys, kind, label)
            cells.append("none" if value is None else value.decimals(3))
        rows.append([name(file, *keys, KINDS[0], label), *cells])
    header = ["label", "Youden's threshold", "target-sensitivity threshold"]
    found.append(table(header, rows, [place(file, keys)], "Thresholds, as probabilities:"))
    return together(found)


def choice_notes(records: Records) -> Answer:
    """Returns how probabilities were calibrated and thresholds chosen, and on which data."""
    found = [say(note) for note in records.each(RESULTS, records.split, "choice_notes")]
    if records.kind == EXPORT:
        method = records.field(DESCRIPTION, "calibration", "method")
        data = records.field(DESCRIPTION, "calibration", "data")
        on: Part = ["on ", data] if data is not None else "on the validation split of its run"
        found.append(say("Probabilities: calibration ", method, ", fitted ", on, "."))
    return together(found)


def calibration(records: Records) -> Answer:
    """Returns Brier score, calibration error, slope and intercept."""
    metrics = ("brier", "calibration_error", "calibration_slope", "calibration_intercept")
    numbers = estimates(records, metrics, [_NAMES[m] for m in metrics], "Calibration:")
    return numbers + (choice_notes(records) if numbers.said else Answer())


def metrics(records: Records) -> Answer:
    """Returns the names of all metrics with the method of their intervals."""
    rows: list[list[Part | None]] = []
    if records.evaluated:
        interval = records.field(RESULTS, records.split, "interval")
        rows.append(["AUROC", interval])
    for metric in records.evaluated.get("metrics") or ():
        interval = records.field(RESULTS, records.split, "metrics", metric, "interval")
        rows.append([_words(metric, name(RESULTS, records.split, "metrics", metric)), interval])
    if not rows:
        return _metric_names(records)
    caption = "Metrics, and how the interval of each is computed:"
    found = table(["metric", "interval"], rows, [place(RESULTS, (records.split,))], caption)
    if records.value(RESULTS, records.split, "weighting") == "patients":
        weighting = records.field(RESULTS, records.split, "weighting")
        found += say("Every patient has the same weight in the AUROC.", cites=[weighting])
    return found


def _words(metric: str, as_named: Field) -> Part:
    """Returns the name of a metric as a reader says it; the run's own name of an unknown one."""
    kind, _, rate = metric.rpartition("/")
    if kind in _THRESHOLDS and rate in _RATES:
        return f"{_HEADS[_RATES.index(rate)]} at {_THRESHOLDS[kind]} threshold"
    return _NAMES.get(metric) or as_named


def _metric_names(records: Records) -> Answer:
    if records.kind != EXPORT:
        return say("Metric: ", records.field("summary.json", "metric"), ".")
    keys = ("performance", "mean")
    mean = records.value(DESCRIPTION, *keys) or ()
    names = [_words(metric, name(DESCRIPTION, *keys, metric)) for metric in mean]
    cites = [records.field(DESCRIPTION, *keys)] if names else [None]
    return say("Metrics: ", several(names), ".", cites=cites)


def uncertainty(records: Records) -> Answer:
    """Returns what intervals contain and what they do not."""
    split = records.split
    found = [
        say(
            "Intervals are of 95 % and count patients, not images; resamples: ",
            records.field(RESULTS, split, "resamples"),
            ", seed ",
            records.field(RESULTS, split, "seed"),
            ".",
        ),
        say(records.field(RESULTS, split, "note")),
        say(records.field(RESULTS, split, "nested", "note")),
        say("Intervals: ", records.field("summary.json", "interval"), "."),
        say("Adjustment of p-values: ", records.field("summary.json", "adjustment"), "."),
        say(records.field(DESCRIPTION, "performance", "note")),
    ]
    return together(found)


def recalibration(records: Records) -> Answer:
    """Returns that an exported model was calibrated to a place, if so."""
    data = records.field(DESCRIPTION, "calibration", "data")
    return say(
        "The exported model was calibrated again (",
        records.field(DESCRIPTION, "calibration", "method"),
        ") on ",
        data,
        "; its logits did not change.",
    )
