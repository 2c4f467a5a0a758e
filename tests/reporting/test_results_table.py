"""The tables of a result: numbers, widths, means and notes."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.special import expit, softmax

from remedis.evaluation.evaluate import evaluate, evaluate_table
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.thresholds import choose
from remedis.reporting import report_text, results_table
from remedis.reporting.results_table import brief, results_report

LONG = "A finding with a name far longer than any column of a table could ever hold [x/y]"


def _results(names=("Edema", "Fracture", LONG)):
    rng = np.random.default_rng(0)
    labels = (rng.random((150, 3)) < [0.4, 0.01, 0.5]).astype(float)
    scores = rng.normal(size=labels.shape) + labels
    return evaluate(labels, scores, names, np.arange(150) // 2)


def _printed(results, terminal=False, **options):
    stream = io.StringIO()
    colours = {"force_terminal": True, "color_system": "standard"} if terminal else {}
    report = results_report(results.to_json(), **options)
    Console(file=stream, width=80, **colours).print(report, highlight=False)
    return stream.getvalue()


def test_every_number_is_there_within_80_columns():
    results = _results()
    text = _printed(results, random_weights=False)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    edema = results.labels["Edema"]
    assert edema.interval in rows["Edema"]
    assert rows["Edema"].split()[-2:] == [str(edema.patients), str(edema.positives)]
    assert "not estimable" in rows["Fracture"]
    assert rows["mean"].startswith(" mean of 2 ")
    assert results.mean.interval in rows["mean"]
    few = results.labels["Fracture"].reason
    assert few == f"{results.labels['Fracture'].positives} positive patients, 5 are needed"
    sentence = f"Not in the mean AUROC (not estimable): Fracture ({few})."
    assert sentence in " ".join(text.split())
    assert "count as" not in text
    assert text.rstrip().endswith("Research software, not a diagnostic device.")
    # Without thresholds nothing was chosen.
    assert "Thresholds were chosen" not in text
    assert "[x/y]" in "".join(text.split("\n")), "a label's brackets were read as markup"


@pytest.mark.parametrize("random_weights", [False, True])
def test_random_weights_are_noted_in_bold_red(random_weights):
    text = _printed(_results(), terminal=True, random_weights=random_weights)
    noted = "\x1b[1;31mRANDOM WEIGHTS: nothing here was pretrained\x1b[0m" in text
    assert noted == random_weights


def _split_results(names=("Edema", "Fracture", LONG)):
    """Returns results of one split as in `results.json`, with thresholds and subgroups."""
    rng = np.random.default_rng(0)
    patients = np.arange(200) // 2
    labels = (rng.random((200, 3)) < [0.4, 0.01, 0.5]).astype(float)[:, : len(names)]
    scores = expit(rng.normal(size=labels.shape) + labels)
    table = pd.DataFrame({"patient_id": patients, "split": "test"})
    table["sex"] = np.array(["F", "M"])[patients % 2]
    table["age"] = np.where(patients < 5, 12.0, 50.0)
    for i, name in enumerate(names):
        table[f"label/{name}"], table[f"score/{name}"] = labels[:, i], scores[:, i]
    chosen = choose(labels, scores, names)
    return evaluate_table(table, names, "test", thresholds=chosen, resamples=40)


def _shown(results, width=100):
    stream = io.StringIO()
    report = results_report(results, random_weights=False)
    Console(file=stream, width=width).print(report, highlight=False)
    return stream.getvalue()


def test_the_only_label_is_no_part_of_a_mean():
    """Its AUROC is not estimable and its Brier score is: there is nothing else to average."""
    labels, scores = np.zeros((20, 1)), np.full((20, 1), 0.1)
    labels[:2] = 1
    table = pd.DataFrame(
        {"patient_id": np.arange(20), "split": "test", "label/Edema": labels[:, 0]}
    )
    table["score/Edema"] = scores[:, 0]
    text = _shown(evaluate_table(table, ["Edema"], "test", resamples=40))
    assert "Mean Brier score: 0." in text
    assert "(with Edema)" not in text


def test_a_narrow_terminal_shows_every_name_and_number():
    stream = io.StringIO()
    report = results_report(_split_results(), random_weights=False)
    report_text.print_report(Console(file=stream, width=60), report)
    narrow = stream.getvalue()
    assert "…" not in narrow
    for name in ("sex: F", "sex: M", "sex: gap"):
        (row,) = (line for line in narrow.splitlines() if name in line)
        assert row.count("[") == row.count("]") == 3


@pytest.mark.parametrize("names", [("Edema",), ("Edema", "Fracture"), ("Edema", "Fracture", LONG)])
def test_all_tables_within_100_columns(names):
    results = _split_results(names)
    text = _shown(results)
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    result = Result.from_json(results)
    rows = [line for line in text.splitlines() if line.strip().startswith("Edema")]
    precision, *points = (
        result.metrics[name].labels["Edema"]
        for name in (
            "average_precision",
            "youden/sensitivity",
            "youden/specificity",
            "target_sensitivity/sensitivity",
            "target_sensitivity/specificity",
        )
    )
    assert precision.interval in rows[0]
    assert [cell for cell in map(brief, points) if cell in rows[1]] == list(map(brief, points))
    brier = result.metrics["brier"]
    # Fracture is too rare for an AUROC, but not for a Brier score.
    other = " (with Fracture)" if "Fracture" in names else ""
    assert f"Mean Brier score: {brier.mean.interval}{other}\n" in re.sub(" +\n", "\n", text)
    assert ("mean of" in text) == (len(names) > 1)
    assert "not that of another training run. Intervals of numbers at thresholds" in " ".join(
        text.split()
    )


def test_a_mean_over_other_labels_than_the_aurocs_names_them():
    results = _split_results()
    metrics = results["metrics"]
    assert results["averaged"] == ["Edema", LONG]
    assert metrics["youden/specificity"]["averaged"] == ["Edema", "Fracture", LONG]
    assert metrics["youden/sensitivity"]["averaged"] == ["Edema", LONG]
    text = _shown(results, width=160)
    rows = [line for line in text.splitlines() if line.strip().startswith("mean")]
    assert rows[0].strip().startswith("mean of 2 ")
    # The columns are means over two and over three labels, so that the row has no number.
    assert re.match(r"mean  +\d", rows[1].strip())
    assert "Mean with Fracture: Youden specificity, target 0.9 specificity." in text
    for name in ("youden/sensitivity", "youden/specificity"):
        values = [metrics[name]["labels"][label]["value"] for label in metrics[name]["averaged"]]
        assert f"{np.mean(values):.2f} [" in rows[1]
    metrics["average_precision"]["averaged"] = ["Edema"]
    text = _shown(results, width=160)
    assert f"Mean without {LONG}: average precision." in text
    assert "mean of 2" not in text


def test_exclusive_classes_have_one_accuracy():
    rng = np.random.default_rng(3)
    labels = np.eye(3)[rng.integers(3, size=120)]
    scores = softmax(rng.normal(size=labels.shape) + labels, axis=1)
    result = evaluate(labels, scores, ("a", "b", "c"), range(120), task="multi_class", resamples=40)
    text = _printed(result, random_weights=False)
    assert (
        f"Accuracy of the most probable class: {result.metrics['accuracy'].mean.interval}\n"
        in re.sub(" +\n", "\n", text)
    )
    assert "Mean accuracy" not in text
    text = " ".join(text.split())
    assert (
        "Top-3 accuracy (true class among the 3 most probable): not estimable (of 3 classes, the "
        "true one is always among 3)" in text
    )
    assert "Balanced accuracy (mean share of each class that is ranked first): 0." in text


def test_patients_with_many_images_are_named():
    rng = np.random.default_rng(4)
    rows = np.repeat(np.arange(150), [60, *[1] * 149])
    labels = (rng.random((150, 2)) < [0.4, 0.5])[rows].astype(float)
    labels[rows == 0] = [0, 1]
    scores = expit(rng.normal(size=labels.shape) + labels)
    result = evaluate(labels, scores, ("Edema", "Mass"), rows, weighting="patients", resamples=40)
    text = " ".join(_printed(result, random_weights=False).split())
    area = result.labels["Mass"]
    assert (
        f"Mass: 150 patients count as {area.effective_patients:.1f}, {area.positives} positive "
        f"patients count as {area.effective_positives:.1f}; one patient has 60 images."
    ) in text
    # The patient with many images is negative for Edema.
    assert f"Edema: 150 patients count as {area.effective_patients:.1f}; one patient" in text
    assert "every patient of a class has the same weight" in text
    assert "Mean accuracy at a threshold of 0.5: " in text
    earlier = result.to_json()
    for fields in earlier["labels"].values():
        del fields["effective_patients"], fields["effective_positives"]
    assert "count as" not in "".join(results_table.effective_notes(earlier["labels"]))


def test_subgroups_show_the_mean_the_gap_and_what_is_not_estimable():
    results = _split_results()
    text = _shown(results)
    rows = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    mean = results["subgroups"]["sex"]["mean"]
    assert Estimate.from_json(mean["groups"]["F"]["auroc"]).interval in rows["sex: F"]
    gap = mean["gaps"]["auroc"]
    assert f"{gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}]" in rows["sex: gap"]
    assert "not estimable" in rows["age: 0-19"]
    reason = results["subgroups"]["age"]["mean"]["groups"]["0-19"]["auroc"]["reason"]
    assert f"Not estimable for age 0-19: {reason}" in " ".join(text.split())
    assert "mean of the labels estimable in every group" in text
    for labels in results["subgroups"].values():
        for name in labels["mean"]["gaps"]:
            labels["mean"]["gaps"][name] = None
    assert "gap" not in _shown(results)
    assert "Subgroups (" in _shown(_split_results(("Edema",)))
    assert "Subgroups" not in _shown({**results, "subgroups": {}})


def test_uncertain_labels_three_ways_and_what_labels_count_as():
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 2)) < 0.4).astype(float)
    table = pd.DataFrame({"patient_id": np.arange(200) // 2, "split": "test"})
    for i, name in enumerate(("Edema", "Mass")):
        table[f"found/{name}"] = labels[:, i]
        table[f"score/{name}"] = expit(labels[:, i] + rng.normal(size=200))
    table.loc[:20, "found/Edema"] = -1.0
    for name in ("Edema", "Mass"):
        table[f"label/{name}"] = table[f"found/{name}"].replace(-1.0, np.nan)
    notes = ["Uncertain labels, of 21 images of 11 patients, are ignored."]
    results = evaluate_table(table, ("Edema", "Mass"), "test", resamples=40, label_notes=notes)
    text = _shown(results)
    assert notes[0] in text
    ways = results["uncertain_labels"]
    (row,) = (
        line
        for line in text.split("what uncertain labels count")[1].splitlines()
        if "Edema" in line
    )
    numbers = [
        Estimate.from_json(ways["labels"]["Edema"][way]) for way in ("ignore", "zeros", "ones")
    ]
    assert [n.interval for n in numbers] == re.findall(r"\d\.\d+ \[[^]]+\]", row)
    assert row.split()[-1] == "11"
    mean = re.escape(Estimate.from_json(ways["mean"]["ones"]).interval)
    assert re.search(rf"mean of 2 .*  {mean} *\n", text)
    earlier = {k: v for k, v in results.items() if k not in ("uncertain_labels", "label_notes")}
    assert "what uncertain labels count" not in _shown(earlier)
