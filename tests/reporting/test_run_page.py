"""The HTML page of a run: self-contained, with every number, banner and reason."""

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from test_run_report import NAMES, run

from remedis.cli import output
from remedis.evaluation.intervals import Estimate
from remedis.inference import rescore
from remedis.reporting import run_page, run_report
from remedis.visible_text import visible


def results_of(folder, **changes):
    results = json.loads((folder / "results.json").read_text()) | changes
    (folder / "results.json").write_text(json.dumps(results))
    return results


def text_of(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    root = ElementTree.fromstring(page.partition("<!DOCTYPE html>")[2].strip())
    return page, " ".join(" ".join(root.itertext()).split()).replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = run(tmp_path_factory.mktemp("page") / "run")
    results = results_of(folder)
    results["test"]["choice_notes"] = ["The probabilities are not calibrated."]
    results["test"]["labels"]["Edema"] |= {"value": None, "low": None, "high": None}
    results["test"]["labels"]["Edema"]["reason"] = "3 positive patients, 5 are needed"
    results["test"]["averaged"] = [NAMES[1]]
    results_of(
        folder,
        task="multi_label",
        test=results["test"],
        checkpoint={
            "origin": "random",
            "description": "RANDOM WEIGHTS (seed 0).",
            "sha256": "ab" * 32,
            "file": "x",
        },
        data={
            "source": "chexpert",
            "counts": {"train": {"images": 2000, "patients": 900, "Edema": 40}},
            "bad_images": 2,
        },
    )
    leaks = {"ok": True, "overlaps": [], "unchecked": ["No image has a study id."]}
    (folder / "leaks.json").write_text(json.dumps(leaks))
    run_report.write(folder)
    return folder


def test_the_page_is_alone_and_without_scripts(finished):
    page, _ = text_of(finished)
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "@import" not in page
    assert "url(http" not in page
    assert page.count("<svg") == 4
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_the_page_has_numbers_caveats_data_and_weights(finished):
    results = results_of(finished)["test"]
    _, text = text_of(finished)
    assert "RANDOM WEIGHTS: nothing here was pretrained." in text
    effusion = Estimate.from_json(results["labels"][NAMES[1]])
    assert effusion.interval in text
    assert f"from {results['mean']['patients']:,} patients" in text
    for name in ("youden/sensitivity", "target_sensitivity/specificity", "brier"):
        assert Estimate.from_json(results["metrics"][name]["labels"]["Edema"]).interval in text
    assert "Edema: AUROC (3 positive patients, 5 are needed)." in text
    assert "The probabilities are not calibrated." in text
    assert f"{results['thresholds']['youden']['Edema']:#.4g}" in text
    assert "2 images could not be read and were left out." in text
    assert "2,000" in text
    assert "Leak gate passed" in text
    assert "No image has a study id." in text
    assert f"SHA-256 {'ab' * 32}" in text
    assert "gap, largest minus smallest" in text
    assert "Research software, not a diagnostic device." in text


def test_a_gap_that_is_not_estimable_has_no_row(tmp_path):
    folder = run(tmp_path / "run")
    test = results_of(folder)["test"]
    for labels in test["subgroups"].values():
        for values in labels.values():
            values["gaps"] = dict.fromkeys(values["gaps"])
    results_of(folder, test=test)
    run_report.write(folder)
    assert "gap, largest minus smallest" not in text_of(folder)[1]


def test_a_name_of_a_label_cannot_break_the_page(tmp_path):
    folder = run(tmp_path / "run", names=("<b>&",), subgroups=False, random_weights=False)
    run_report.write(folder)
    page, text = text_of(folder)
    assert "The AUROC of <b>& on the test split is" in text
    assert "<b>&" not in page
    assert "RANDOM WEIGHTS" not in text


def test_a_hostile_name_of_a_label_is_visible_in_page_figures_and_tables(tmp_path, capsys):
    name = 'a\x1b[31m\x00\ufffe $x^{$ \\frac \u202eb <i>|"'
    folder = run(tmp_path / "run", names=(name, "[/x]"), subgroups=False)
    report = run_report.report(folder)
    page, text = text_of(folder)
    assert visible(page, lines=True) == page
    assert visible(name) in text
    output.show(report)
    assert visible(name)[:20] in capsys.readouterr().out


def test_an_evaluation_has_the_page_of_its_split(finished, tmp_path):
    rescore.reevaluate(finished, tmp_path / "again", "validation", resamples=60)
    run_report.write(tmp_path / "again")
    _, text = text_of(tmp_path / "again")
    assert text.startswith("run, validation split")
    assert "Chosen on this data: looks better than it is." in text


def test_results_of_an_earlier_version_have_a_page(tmp_path):
    folder = run(tmp_path / "run", subgroups=False)
    results = results_of(folder)
    for split in ("validation", "test"):
        for key in ("choice_notes", "label_notes", "ties", "warnings", "weighting", "subgroups"):
            del results[split][key]
        for key in ("calibration_slope", "calibration_intercept"):
            del results[split]["metrics"][key]
        results[split]["metrics"]["brier"]["labels"] = {}  # one number for all
    assert "Not recorded by this version." in run_page.page(results, "run", [], None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AUROC", "AUROC"),
        ("calibration_slope", "calibration slope"),
        ("youden/ppv", "PPV at Youden"),
        ("target_sensitivity/sensitivity", "sensitivity at target sensitivity"),
    ],
)
def test_metrics_are_named_in_words(name, words):
    assert run_page._metric_words(name) == words
