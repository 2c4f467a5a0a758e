"""`remedis evaluate`, `calibrate` and `compare`."""

import dataclasses
import json
import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis import cli, locks
from remedis.errors import UserError


def _run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run(small_export):
    return small_export


@pytest.fixture
def site(data):
    """Data with both labels of the run."""
    table = pd.read_csv(data / "manifest.csv")
    table["well"] = 1 - table["ill"]
    table.to_csv(data / "manifest.csv", index=False)
    return data


def test_evaluate_scores_a_manifest_as_the_classifier_does(run, site, tmp_path, capsys):
    import tensorflow as tf

    out = tmp_path / "out"
    assert _run("evaluate", run, site, f"--out={out}", "--resamples=50") == 0
    printed = capsys.readouterr().out
    assert "RANDOM WEIGHTS" in printed
    assert "Warning" not in printed
    table = pd.read_parquet(out / "predictions.parquet")
    model = tf.saved_model.load(str(run / "export"))
    for row in (0, 17):
        pixels = np.array(Image.open(site / f"{row}.png"))[..., None]
        want = model(model.preprocess(pixels))
        for i, name in enumerate(("ill", "well")):
            assert table[f"logit/{name}"][row] == pytest.approx(
                float(want["logits"][0, i]), abs=1e-5
            )
            score = float(want["probabilities"][0, i])
            assert table[f"score/{name}"][row] == pytest.approx(score, abs=1e-5)
    results = json.loads((out / "results.json").read_text())
    assert results["test"]["images"] == 40
    assert results["test"]["thresholds"]["youden"] == {"ill": 0.5, "well": None}
    assert _run("evaluate", run, site, "--out=nested", "--nested-resamples=200") == 1
    assert "only a run's stored predictions hold the validation" in capsys.readouterr().err
    assert _run("evaluate", run, site, f"--out={out}") == 1
    assert "holds results already; name another directory" in capsys.readouterr().err

    # The result is a finished run: it can be evaluated again, and compared.
    assert _run("evaluate", out, f"--out={tmp_path / 'again'}", "--resamples=60") == 0
    second = json.loads((tmp_path / "again" / "results.json").read_text())["test"]
    assert (second["resamples"], second["mean"]["value"]) == (60, results["test"]["mean"]["value"])
    # The weighting of the AUROC is recorded, and kept when a result is evaluated again.
    assert second["weighting"] == "images"
    for weighting, folder, source in (("patients", "equal", "again"), ("", "kept", "equal")):
        named = [f"--weighting={weighting}"] if weighting else []
        arguments = [f"--out={tmp_path / folder}", "--resamples=60", *named]
        assert _run("evaluate", tmp_path / source, *arguments) == 0
        third = json.loads((tmp_path / folder / "results.json").read_text())["test"]
        assert third["weighting"] == "patients"
    assert _run("evaluate", out, f"--out={tmp_path / 'other'}", "--weighting=patient") == 1
    assert "value of --weighting 'patient': did you mean 'patients'" in capsys.readouterr().err
    capsys.readouterr()
    assert _run("compare", out, tmp_path / "again") == 0
    assert "+0.000" in capsys.readouterr().out


def test_evaluate_of_some_labels_and_of_images_the_run_has_seen(run, data, tmp_path, capsys):
    from remedis.data.checks import scan
    from remedis.data.manifest import read_csv
    from remedis.zoo.seen_images import SeenImages

    out = tmp_path / "out"
    assert _run("evaluate", run, data, f"--out={out}") == 1
    error = capsys.readouterr().err
    assert "no column 'well'" in error
    assert "The model scores ill, well; if the data lack some of these" in error
    scanned = scan.scan(read_csv(data / "manifest.csv", ("ill",)), tmp_path / "scan.parquet")
    # A copy far from its run knows as much.
    copied = shutil.copytree(run / "export", tmp_path / "copied")
    SeenImages.from_hashes(scanned["sha256"]).write(copied)
    arguments = ["--labels=ill", "--split=test", f"--out={out}", "--resamples=50"]
    assert _run("evaluate", copied, f"--manifest={data / 'manifest.csv'}", *arguments) == 0
    assert (
        "warning: 10 of the 10 scored images are among those that trained"
        in capsys.readouterr().err
    )
    assert json.loads((out / "results.json").read_text())["data"]["warning"]
    (copied / "seen.json").unlink()
    arguments[2] = f"--out={tmp_path / 'unknown'}"
    assert _run("evaluate", copied, f"--manifest={data / 'manifest.csv'}", *arguments) == 0
    assert "has no seen.json: it is not known whether" in capsys.readouterr().err


@pytest.fixture
def doubtful(site):
    """The site: image 0 has an uncertain label, 2 an empty one beside another, 4 none at all."""
    table = pd.read_csv(site / "manifest.csv", dtype={"ill": "Int64", "well": "Int64"})
    table.loc[0, "ill"] = -1
    table.loc[[2, 4], "ill"] = pd.NA
    table.loc[4, "well"] = pd.NA
    table.to_csv(site / "manifest.csv", index=False)
    return site


REPORTS = {"source": "csv", "uncertain": "zeros; ill=ones", "unmentioned": "zeros"}
OWN = {"eval_uncertain": "ignore", "eval_unmentioned": "", "eval_unlabelled": "ignore"}
NAN = np.nan


@pytest.mark.parametrize(
    ("recorded", "named", "expected", "sentence"),
    [
        # Inherited from the run, whose test split is judged alike.
        (REPORTS | OWN, [], [NAN, 0, NAN], None),
        (REPORTS | OWN, ["--unmentioned=zeros", "--uncertain=ignore"], [NAN, 0, NAN], None),
        # A run of an earlier version judged by the policies of its training.
        (REPORTS, [], [1, 0, 0], None),
        pytest.param(
            REPORTS | OWN,
            ["--uncertain=ones"],
            [1, 0, NAN],
            "than in the run of this model: uncertain labels 'ones' here, 'ignore' there.",
            marks=pytest.mark.guarantee,
        ),
        pytest.param(
            REPORTS | OWN,
            ["--unlabelled=zeros", "--unmentioned=ignore"],
            [NAN, NAN, 0],
            "empty labels 'ignore' here, 'zeros' there; images without any labels 'zeros' here",
            marks=pytest.mark.guarantee,
        ),
        # In another source an empty label is unknown.
        (
            REPORTS | OWN | {"source": "chexpert"},
            [],
            [NAN, NAN, NAN],
            "empty labels 'ignore' here, 'zeros' there",
        ),
        ({}, [], [NAN, NAN, NAN], "It is not recorded what such labels counted as in the run"),
    ],
)
def test_evaluate_inherits_the_label_policies_of_the_run_or_says_that_they_differ(
    run, doubtful, tmp_path, capsys, recorded, named, expected, sentence
):
    (run / "config.json").write_text(json.dumps(recorded))
    try:
        out = tmp_path / "out"
        assert _run("evaluate", run, doubtful, f"--out={out}", "--resamples=50", *named) == 0
    finally:
        (run / "config.json").write_text("{}")
    table = pd.read_parquet(out / "predictions.parquet")
    np.testing.assert_array_equal(table["label/ill"][[0, 2, 4]], expected)
    np.testing.assert_array_equal(table["found/ill"][[0, 2, 4]], [-1, NAN, NAN])
    results = json.loads((out / "results.json").read_text())
    notes = " ".join(results["test"]["label_notes"])
    assert (sentence or "") in notes
    assert ("run of this model" in notes) == (sentence is not None)
    printed = " ".join(capsys.readouterr().out.split())
    assert notes in printed
    assert "what uncertain labels count as" in printed
    assert results["test"]["uncertain_labels"]["labels"]["ill"]["images"] == 1
    # Evaluated again, it says the same.
    assert _run("evaluate", out, f"--out={tmp_path / 'again'}", "--resamples=50") == 0
    again = json.loads((tmp_path / "again" / "results.json").read_text())
    assert again["test"] == results["test"]


def test_a_run_of_an_earlier_version_says_whose_policies_its_labels_follow(
    run, site, tmp_path, capsys
):
    out = tmp_path / "out"
    assert _run("evaluate", run, site, f"--out={out}", "--resamples=50") == 0
    results = json.loads((out / "results.json").read_text())
    del results["test"]["label_notes"], results["data"]["evaluation_policies"]
    for label, uncertain in (("ill", "ones"), ("well", "zeros")):
        results["data"]["policies"][label] = {"uncertain": uncertain, "unmentioned": "zeros"}
    (out / "results.json").write_text(json.dumps(results))
    table = pd.read_parquet(out / "predictions.parquet")
    table.drop(columns=["found/ill", "found/well"]).to_parquet(out / "predictions.parquet")
    assert _run("evaluate", out, f"--out={tmp_path / 'again'}", "--resamples=50") == 0
    again = json.loads((tmp_path / "again" / "results.json").read_text())
    assert again["test"]["label_notes"] == [
        "Labels count as in training, uncertain ones as 'ones', unmentioned ones as 'zeros' (ill); "
        "uncertain ones as 'zeros', unmentioned ones as 'zeros' (well): the run is older than "
        "policies for evaluation."
    ]
    assert again["test"]["mean"] == results["test"]["mean"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{run}", "{data}", "--labels=il"], "Unknown label of"),
        (["{run}", "{data}", "--labels=ill", "--unlabelled=zero"], "did you mean 'zeros'?"),
        (["{data}", "{data}"], "it has no saved_model.pb"),
        (["{checkpoint}", "{data}"], "holds no classifier; expected a run"),
        (["{run}"], "has no results.json: it is no finished run"),
        (["{run}", "{data}", "--manifest={data}"], "name one."),
    ],
)
def test_evaluate_refuses_in_one_line(
    arguments, sentence, run, data, tiny_checkpoint, tmp_path, capsys
):
    names = {"run": run, "data": data, "checkpoint": tiny_checkpoint}
    written = [argument.format(**names) for argument in arguments]
    assert _run("evaluate", *written, f"--out={tmp_path / 'out'}") == 1
    error = capsys.readouterr().err.splitlines()
    assert sentence in error[-1]
    assert len(error) == 1


@pytest.mark.parametrize("command", ["evaluate", "calibrate"])
def test_an_output_that_another_process_writes_is_left_to_it(command, run, data, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    with locks.held(locks.file_beside(out), out):
        assert _run(command, run, data, f"--out={out}") == 1
    assert f"error: --out={out} is in use by process {os.getpid()} on" in capsys.readouterr().err
    assert not out.parent.exists()


@pytest.mark.guarantee
def test_calibrate_writes_an_export_with_the_calibration_inside(
    run, site, tmp_path, capsys, monkeypatch
):
    from scipy.special import expit

    from remedis.zoo import serving

    monkeypatch.setattr(serving, "REFUSED", ())
    monkeypatch.setattr(serving, "WIDENED", ())
    out = tmp_path / "calibrated"
    assert _run("calibrate", run, site, "--method=temperature", f"--out={out}") == 1
    assert "but ill has an offset, which it would drop; use platt" in capsys.readouterr().err
    assert _run("calibrate", run, site, "--keep-thresholds", f"--out={out}") == 0  # by platt
    printed = capsys.readouterr().out
    assert "Thresholds were kept: the same images reach them as before." in printed
    assert "calibrated by Platt's method on 40 patients" in printed
    calibration = json.loads((out / "remedis.json").read_text())["calibration"]
    assert calibration["method"] == "platt"
    of_ill = calibration["fitted_on"]["labels"]["ill"]
    assert (of_ill["cases"], of_ill["positives"], of_ill["prevalence"]) == (40, 20, 0.5)
    assert "| ill | " in (out / "MODEL_CARD.md").read_text()
    tables = []
    for model in (run, out):
        scored = tmp_path / f"scored-{model.name}"
        assert _run("evaluate", model, site, f"--out={scored}", "--resamples=50") == 0
        tables.append(pd.read_parquet(scored / "predictions.parquet"))
        seen = "40 of the 40 scored images and 40 of the 40 patients" in capsys.readouterr().err
        assert seen == (model == out)
    before, after = tables
    np.testing.assert_allclose(after["logit/ill"], before["logit/ill"], atol=1e-5)
    want = expit(calibration["scale"][0] * before["logit/ill"] + calibration["offset"][0])
    np.testing.assert_allclose(after["score/ill"], want, atol=1e-5)
    brier = [np.mean((table["score/ill"] - table["label/ill"]) ** 2) for table in tables]
    assert (
        f"ill: scale {calibration['scale'][0]:.3f}, offset {calibration['offset'][0]:.3f}; Brier "
        f"score {brier[0]:.4f} -> {brier[1]:.4f} on these patients; "
        "20 patients with a positive image, 20 with a negative one."
    ) in printed
    if calibration["scale"][0] > 0:
        moved = json.loads((out / "remedis.json").read_text())["thresholds"]["youden"]["ill"]
        reached = [before["score/ill"] >= 0.5, after["score/ill"] >= moved]
        np.testing.assert_array_equal(*reached)
    chosen = tmp_path / "chosen"
    options = ("--judge-share=0.5", "--target-sensitivity=0.8", "--resamples=50")
    assert _run("calibrate", run, site, *options, f"--out={chosen}") == 0
    printed = capsys.readouterr().out
    assert "Thresholds were chosen on " in printed
    assert "sensitivity (target 0.8)" in printed
    assert re.search(r"ill +AUROC \(unchanged\) +0\.\d\d \[", printed)
    share = re.search(r"other patients, ([\d.]+)% are positive; .* of (0\.\d+)\.", printed)
    p = float(share[1]) / 100
    assert float(share[2]) == pytest.approx(p * (1 - p), abs=1e-3)
    thresholds = json.loads((chosen / "remedis.json").read_text())["thresholds"]
    assert thresholds["target"] == 0.8
    assert thresholds["chosen_on"]["ill"]["positives"] < 20
    assert "## Performance\n\nOn images of " in (chosen / "MODEL_CARD.md").read_text()
    assert _run("calibrate", run, site, "--method=plat", f"--out={tmp_path / 'no'}") == 1
    assert "did you mean 'platt'?" in capsys.readouterr().err
    assert _run("calibrate", run, site, f"--out={out}") == 1
    assert "exists already" in capsys.readouterr().err


def test_a_label_with_too_few_cases_keeps_its_fit_and_says_whose_it_is(run, monkeypatch):
    from remedis.data.fingerprints import Fingerprints
    from remedis.data.manifest import Manifest
    from remedis.evaluation import choice_sentences
    from remedis.inference import exported as exported_classifier
    from remedis.inference import recalibrate, rescore
    from remedis.zoo import save_classifier

    exported = exported_classifier.load(run)
    labels = exported.labels
    own = {"method": "platt", "cases": 900, "positives": 90, "negatives": 810, "prevalence": 0.1}
    before = {
        "method": "platt",
        "fitted_on": {"cases": 900, "labels": dict.fromkeys(labels, own)},
        "left_out": [],
    }
    exported = dataclasses.replace(
        exported, description=dataclasses.replace(exported.description, calibration=before)
    )
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient_id": [f"p{i}" for i in range(40)]})
    table["path"] = [f"{i}.png" for i in range(40)]
    table[["study_id", "site", "split", *labels]] = ""
    for label in labels:
        table[f"logit/{label}"] = rng.normal(size=40)
        table[f"score/{label}"] = 0.5
        table[f"label/{label}"] = (table[f"logit/{label}"] + rng.normal(size=40) > 0).astype(float)
    table.loc[4:, "label/well"] = np.nan
    manifest = Manifest(table, labels, ".", "hospital C")
    saved = {}
    monkeypatch.setattr(save_classifier, "save", lambda *_, **given: saved.update(given))
    known = table.assign(sha256="a", original_sha256="b", look=None)
    scored = rescore.Scored(manifest, table, "", Fingerprints(known, "hospital C"))
    lines = recalibrate.recalibrate(exported, scored, "platt", "out").lines
    assert "well: unchanged, too few patients: " in lines[2]
    calibration = saved["calibration"]
    assert (calibration["scale"][1], calibration["offset"][1]) == (2.0, 0.0)
    assert calibration["fitted_on"]["labels"]["well"] == own | {"data": "the validation split"}
    ill = calibration["fitted_on"]["labels"]["ill"]
    assert (ill["cases"], ill["data"], ill["method"]) == (40, "hospital C", "platt")
    assert choice_sentences.calibration_sentence(calibration, labels) == (
        "The probabilities of ill are calibrated by Platt's method on 40 patients of hospital C; "
        "those of well are calibrated by Platt's method on 900 patients of the validation split."
    )
    assert saved["seen"].count(["a", "b", "c"]) == 2


@pytest.mark.parametrize(
    ("task", "asked", "method"),
    [
        ("multi_label", None, "platt"),
        ("multi_class", None, "temperature"),
        ("multi_label", "temperature", "temperature"),
    ],
)
def test_the_method_of_calibration_suits_the_task(task, asked, method):
    from remedis.inference.recalibrate import method_for

    assert method_for(task, asked) == method
    with pytest.raises(UserError, match=r"method is platt, .* use temperature"):
        method_for("multi_class", "platt")
