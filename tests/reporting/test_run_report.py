"""The reports of finished runs: one run, and the comparison of two."""

import io
import json

import pandas as pd
import pytest
from rich.console import Console
from written_run import NAMES, run

from remedis.errors import UserError
from remedis.evaluation import calibration
from remedis.inference import rescore
from remedis.reporting import run_report
from remedis.reporting.comparison_report import compare_runs, comparison_report


def printed(report):
    stream = io.StringIO()
    Console(file=stream, width=100).print(report, highlight=False, crop=False)
    return stream.getvalue()


def compared(*runs):
    comparison = compare_runs(*runs)
    return comparison.comparison, printed(comparison_report(comparison))


def test_a_report_has_tables_and_figures(tmp_path):
    finished = run(tmp_path / "run")
    text = printed(run_report.report(finished))
    assert text.startswith("Test split")
    assert "RANDOM WEIGHTS" in text
    place = f"Results, predictions, plots and the exported model are in {finished}; "
    assert text.endswith(place + "read report.html.\n")
    figures = {path.name for path in finished.glob("*.png")}
    assert figures == {"roc.png", "reliability.png", "subgroups.png", "training.png"}


def test_without_subgroups_and_steps_there_are_no_figures_of_them(tmp_path):
    finished = run(tmp_path / "run", names=NAMES[:1], subgroups=False)
    (finished / "metrics.jsonl").unlink()
    text = printed(run_report.report(finished))
    assert {path.name for path in finished.glob("*.png")} == {"roc.png", "reliability.png"}
    assert "Subgroups" not in text


def test_two_runs_are_compared(tmp_path):
    better = run(tmp_path / "better", random_weights=False)
    worse = run(tmp_path / "worse", noise=3.0)
    comparison, text = compared(better, worse)
    assert comparison.mean.difference < 0
    assert max(map(len, text.splitlines())) <= 100 + len(str(tmp_path))
    assert "…" not in text
    for name, of in (*comparison.labels.items(), ("mean of 2", comparison.mean)):
        row = next(line for line in text.splitlines() if line.strip().startswith(name))
        areas = f"{of.first:.3f}   {of.second:.3f}"
        cells = f"{areas}   {of.difference:+.3f} [{of.low:+.3f}, {of.high:+.3f}]"
        assert cells in row
    brier = compare_runs(better, worse).metrics["brier"].mean
    assert brier.difference > 0
    row = next(line for line in text.splitlines() if "Brier score, lower" in line).split()
    assert row[5:8] == [f"{brier.first:.3f}", f"{brier.second:.3f}", f"{brier.difference:+.3f}"]
    assert "B: RANDOM WEIGHTS" in text
    assert "A: RANDOM WEIGHTS" not in text


def test_a_run_evaluated_on_validation_is_named_and_compared_so(tmp_path, caplog):
    finished = run(tmp_path / "run")
    results = json.loads((finished / "results.json").read_text())
    results["task"] = "multi_label"
    (finished / "results.json").write_text(json.dumps(results))
    rescore.reevaluate(finished, tmp_path / "again", "validation", resamples=60)
    warning = "the calibration and the thresholds were chosen on the validation split"
    assert warning in caplog.text
    again = json.loads((tmp_path / "again" / "results.json").read_text())
    assert again["split"] == "validation"
    assert "test" not in again
    assert again["validation"]["mean"]["value"] == results["validation"]["mean"]["value"]
    assert warning in again["data"]["warning"]
    table = pd.read_parquet(tmp_path / "again" / "predictions.parquet")
    assert set(table["split"]) == {"validation"}

    # It can be compared on its own split, reported, and evaluated again, as any finished run.
    for pair in ((tmp_path / "again", finished), (finished, tmp_path / "again")):
        comparison, text = compared(*pair)
        assert comparison.mean.difference == 0
        assert "AUROC on the validation split" in text
        assert "no fair comparison" in text
    assert printed(run_report.report(tmp_path / "again")).startswith("Validation split")
    third = rescore.reevaluate(tmp_path / "again", tmp_path / "third", "validation", resamples=60)
    assert third["validation"] == again["validation"]
    caplog.clear()
    rescore.reevaluate(finished, tmp_path / "tested", "test", resamples=60)
    assert not caplog.messages
    with pytest.raises(UserError, match=r"again holds results on the validation split, .*tested"):
        compared(tmp_path / "again", tmp_path / "tested")


def test_a_run_and_itself_do_not_differ(tmp_path):
    finished = run(tmp_path / "run")
    comparison, text = compared(finished, finished)
    mean = comparison.mean
    assert (mean.difference, mean.p, mean.bootstrap_p) == (0, None, None)
    assert mean.low == pytest.approx(-mean.high)
    assert mean.high > 0.02
    assert f"+0.000 [{mean.low:+.3f}, {mean.high:+.3f}]" in text


def test_a_directory_without_a_finished_run_is_refused(tmp_path):
    finished = run(tmp_path / "run")
    with pytest.raises(UserError, match="other holds no finished run"):
        compared(finished, tmp_path / "other")
    with pytest.raises(UserError, match="The labels differ"):
        compared(finished, run(tmp_path / "one", names=NAMES[:1]))


def test_nested_intervals_of_a_finished_run_are_in_results_and_report(tmp_path):
    finished = run(tmp_path / "run")
    results = json.loads((finished / "results.json").read_text())
    names = list(results["test"]["labels"])
    none = calibration.Calibration("none", (1.0,) * len(names), (0.0,) * len(names), {}, ())
    results |= {"task": "multi_label", "calibration": none.to_json()}
    (finished / "results.json").write_text(json.dumps(results))
    with pytest.raises(UserError, match="nested_resamples chooses calibration and thresholds"):
        rescore.reevaluate(finished, tmp_path / "no", "validation", nested_resamples=50)
    again = rescore.reevaluate(
        finished, tmp_path / "again", "test", resamples=50, nested_resamples=50
    )
    nested = again["test"]["nested"]
    assert nested["resamples"] == 50
    name = "youden/sensitivity"
    conditional = again["test"]["metrics"][name]["mean"]
    assert nested["metrics"][name]["mean"]["value"] == conditional["value"]
    assert nested["metrics"][name]["mean"]["low"] <= conditional["low"]
    text = printed(run_report.report(tmp_path / "again"))
    assert "The same, intervals with the choice of thresholds and calibration" in text
    assert "those of the other tables are conditional on that choice" in text
    assert "Mean calibration slope (1 if calibrated)" in text or "Calibration slope" in text


def test_results_on_validation_say_that_they_look_better(tmp_path):
    finished = run(tmp_path / "run")
    results = json.loads((finished / "results.json").read_text())
    results["task"] = "multi_label"
    results["selection"] = {"note": "The checkpoint was selected by the mean AUROC of a."}
    (finished / "results.json").write_text(json.dumps(results))
    again = rescore.reevaluate(finished, tmp_path / "again", "validation", resamples=50)
    assert again["validation"]["warnings"][0].startswith("Chosen on this data: looks better than")
    text = printed(run_report.report(tmp_path / "again"))
    assert "Chosen on this data: looks better than it is." in text
    assert "The checkpoint was selected by the mean AUROC of a." in text
