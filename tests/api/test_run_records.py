"""Finished runs and studies as the public API returns them."""

import json

import pytest
from ood_example import make_study
from written_run import NAMES, run

import remedis
from remedis import files
from remedis.cli import main
from remedis.evaluation import label_budget
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE

PROBES = [
    {"step": 0, "probe/linear_auroc": 0.6, "probe/knn_auroc": 0.5},
    {"step": 20, "probe/linear_auroc": 0.7, "probe/knn_auroc": None},
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = run(tmp_path_factory.mktemp("runs") / "mine")
    results = json.loads((folder / "results.json").read_text())
    files.write_json(folder / "results.json", {**results, "task": "multi_label"})
    return folder


def test_a_run_has_every_number_of_its_result(finished):
    loaded = remedis.load_run(finished)
    result = json.loads((finished / "results.json").read_text())
    assert loaded.results == result
    assert (loaded.split, loaded.random_weights, loaded.export, loaded.report) == (
        *("test", True),
        *(None, None),
    )
    table = loaded.table().set_index(["metric", "label"])
    assert set(table.index.get_level_values("metric")) == {"auroc", *result["test"]["metrics"]}
    for metric, of in {"auroc": result["test"], **result["test"]["metrics"]}.items():
        for label, estimate in {**of["labels"], "mean": of["mean"]}.items():
            row = table.loc[(metric, label)]
            assert (row["value"], row["low"], row["high"]) == pytest.approx(
                [estimate[key] for key in ("value", "low", "high")]
            )
            assert row["patients"] == estimate["patients"]
    assert list(loaded.predictions["split"].unique()) == ["validation", "test"]
    assert loaded.metrics["train/loss"].tolist() == [0.5]


def test_a_run_shows_what_its_command_prints(finished, tmp_path, capsys):
    again = remedis.evaluate(finished, None, tmp_path / "api", resamples=50)
    arguments = ["evaluate", str(finished), f"--out={tmp_path / 'command'}", "--resamples=50"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{again}\n")
    assert again.results == remedis.load_run(tmp_path / "command").results
    assert again.kind == "evaluation of predictions"
    assert again.report == tmp_path / "api" / "report.html"
    shown = again._repr_html_()
    assert shown.startswith("<pre style=")
    for text in (*NAMES, RANDOM_WEIGHTS, RESEARCH_USE):
        assert text in shown
    assert repr(again) == f"<Run {tmp_path / 'api'}: evaluation of predictions>"


def test_a_number_that_is_not_estimable_is_missing_with_its_reason(finished, tmp_path):
    results = json.loads((finished / "results.json").read_text())
    area = results["test"]["labels"][NAMES[0]]
    area.update(value=None, low=None, high=None, reason="no positive patient")
    files.write_json(tmp_path / "results.json", results)
    row = remedis.load_run(tmp_path).table().iloc[0]
    assert (row["metric"], row["label"], row["reason"]) == ("auroc", NAMES[0], area["reason"])
    assert row[["value", "low", "high"]].isna().all()


def test_a_pretraining_has_its_probes(tmp_path):
    given = {"origin": "random", "description": "RANDOM WEIGHTS (seed 0)."}
    results = {"name": "mine", "method": "simclr", "steps": 20, "best_step": 20, "probe": PROBES}
    files.write_json(tmp_path / "results.json", {**results, "checkpoint": given})
    files.write_json(tmp_path / "config.json", {"method_options": ""})
    rows = [{"step": 10, "train/loss": 4.0}, {"step": 20, "train/loss": 3.0}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = remedis.load_run(tmp_path)
    assert (loaded.kind, loaded.split, loaded.random_weights) == ("pretraining run", None, True)
    assert loaded.table()["probe/linear_auroc"].tolist() == [0.6, 0.7]
    assert "0.600 before, 0.700 at step 20, which is kept." in str(loaded)
    with pytest.raises(remedis.UserError, match="a pretraining run predicts nothing"):
        loaded.predictions  # noqa: B018


def test_a_study_has_its_curves_and_its_answers_in_words(tmp_path):
    summary = make_study()
    files.write_json(tmp_path / "summary.json", summary)
    study = remedis.load_study(tmp_path)
    assert study.curves.equals(label_budget.curves_table(study.summary))
    assert set(study.curves["arm"]) == set(summary["arms"])
    answers = study.answers()
    assert answers[-1] == RESEARCH_USE
    assert any(answer.startswith("Linear probe: ") for answer in answers)
    assert "Placebo" in "".join(answers)
    assert answers[-2].startswith("Primary comparison, as stated in the config: ")
    assert str(study) == "\n".join(answers)
    assert study._repr_html_().count("<p>") == len(answers)
    assert study.report is None
