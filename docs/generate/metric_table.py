"""The metrics of `results.json` as tables, with the interval that the code makes of each."""

import re
from typing import Any

import numpy as np
import pandas as pd

from docs.generate.json_kinds import Undocumented
from remedis.evaluation import estimates
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.thresholds import choose_by_log_odds

# name, without `youden/` or `target_sensitivity/` -> meaning, range, best value.
MEANINGS = {
    "auroc": (
        "Share of the pairs of a positive and a negative image that the scores order rightly. 0.5 "
        "is chance. It stands in `labels` and `mean` themselves, not in `metrics`.",
        "0 to 1",
        "1",
    ),
    "average_precision": (
        "Precision, averaged over the positive images. Chance is the share of positives, so it "
        "compares only among data of equal prevalence.",
        "0 to 1",
        "1",
    ),
    "brier": ("Mean squared distance of the probability from the label.", "0 to 1", "0"),
    "calibration_error": (
        "Expected calibration error: the distance of the mean probability from the share of "
        "positives in bins of equal size, averaged over images. Few images make it larger.",
        "0 to 1",
        "0",
    ),
    "calibration_slope": (
        "Slope of the labels' log odds over the predicted ones. Below 1, probabilities are too "
        "extreme; above 1, too moderate.",
        "any number",
        "1",
    ),
    "calibration_intercept": (
        "Shift of the labels' log odds from the predicted ones. Below 0, probabilities are too "
        "high on the whole; above 0, too low.",
        "any number",
        "0",
    ),
    "accuracy": (
        "Share of images that are called rightly: of a label, at a probability of 0.5; of classes, "
        "by the most probable class.",
        "0 to 1",
        "1",
    ),
    "balanced_accuracy": (
        "Of classes: share of each class that is called rightly, and the mean over classes.",
        "0 to 1",
        "1",
    ),
    "top_K_accuracy": (
        "Of classes: share of images whose class is among the K most probable ones, such as "
        "`top_3_accuracy` (`config.top_k`). One number for all classes, in `mean`.",
        "0 to 1",
        "1",
    ),
    "sensitivity": ("Share of the positive images that reach the threshold.", "0 to 1", "1"),
    "specificity": ("Share of the negative images below the threshold.", "0 to 1", "1"),
    "ppv": (
        "Positive predictive value: share of positives among the images that reach the threshold. "
        "It falls with the prevalence.",
        "0 to 1",
        "1",
    ),
    "npv": (
        "Negative predictive value: share of negatives among the images below the threshold.",
        "0 to 1",
        "1",
    ),
}
# Names of methods in `estimates` -> how the interval is made.
METHODS = {
    estimates.DELONG: "The variance is DeLong's, summed over patients. The interval is Wilson's, "
    "with the number of patients that has this variance.",
    estimates.DELONG_OF_PATIENTS: "The same, where every patient of a class has the same weight "
    "(`config.weighting=patients`).",
    estimates.RESAMPLED: "The variance is that of resamples, each of which draws patients with all "
    "of their images (`config.resamples`, 1,000). The interval is Wilson's.",
    estimates.LINEAR: "The variance of the mean over images, summed over patients. The interval is "
    "Wilson's.",
    estimates.LINE: "The variance is a sandwich by patient, and the interval that of Student's t.",
    estimates.NORM: "Resamples of patients. The value is biased upwards by noise, and the interval "
    "corrects for this. It is made to hold the truth in at least 95 % of samples where patients "
    "have similar numbers of images; measured: 86.5 % where a few patients have very many.",
}
LABELS = ("pneumonia", "effusion", "fracture")


def example(task: str = "multi_label", weighting: str = "images") -> dict[str, Any]:
    """Returns the evaluation of made-up predictions of 150 patients; `fracture` is too rare."""
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(150), rng.integers(1, 4, 150))
    shares = (0.3, 0.2, 0.0) if task == "multi_label" else (0.5, 0.3, 0.2)
    drawn = rng.random(len(ids))
    if task == "multi_label":
        labels = np.stack([rng.random(len(ids)) < share for share in shares], axis=1)
        labels[:3, 2] = True
    else:
        labels = np.searchsorted(np.cumsum(shares), drawn)[:, None] == np.arange(3)
    odds = 1.6 * labels + rng.normal(-1.4, 1.0, labels.shape)
    table = pd.DataFrame(
        {"split": "test", "patient_id": ids.astype(str), "sex": np.where(ids % 2, "F", "M")}
    )
    for i, name in enumerate(LABELS):
        table[f"label/{name}"] = labels[:, i].astype(float)
        table[f"score/{name}"] = 1 / (1 + np.exp(-odds[:, i]))
        table[f"log_odds/{name}"] = odds[:, i]
    chosen = choose_by_log_odds(labels.astype(float), odds, LABELS, 0.9)
    return evaluate_table(
        table, LABELS, "test", task=task, thresholds=chosen, weighting=weighting, resamples=100
    )


def metrics() -> str:
    """Returns the table of metrics: meaning, range, best value and the name of the interval.

    Raises:
      Undocumented: the code computes a metric without a meaning here, or the other way round.
    """
    methods: dict[str, str] = {}
    for task in ("multi_label", "multi_class"):
        made = example(task)
        for name, metric in {"auroc": made, **made["metrics"]}.items():
            of_any = re.sub(r"top_\d+", "top_K", name.rpartition("/")[2])
            methods[of_any] = _method(metric)
    _same("metric", methods, MEANINGS)
    used = dict.fromkeys([*methods.values(), _method(example(weighting="patients"))], "")
    _same("interval", used, METHODS)
    rows = [
        f"| `{name}` | {meaning} | {span} | {best} | {methods[name]} |"
        for name, (meaning, span, best) in MEANINGS.items()
    ]
    head = ["| Metric | Meaning | Range | Best | Interval |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _method(metric: dict[str, Any]) -> str:
    name: str = metric["interval"].partition(", ")[2]
    return name


def intervals() -> str:
    """Returns the list of methods of intervals."""
    return "\n".join(f"- *{name}*. {text}" for name, text in METHODS.items())


def _same(what: str, of_code: dict[str, str], described: dict[str, Any]) -> None:
    if of_code.keys() != described.keys():
        different = sorted(of_code.keys() ^ described.keys())
        raise Undocumented(
            f"docs/generate/metric_table.py and the code differ in the {what} {different[0]!r}; "
            "write its meaning there, or remove it."
        )
