"""Drift: what an export keeps of its run, and what an evaluation finds beside it."""

import dataclasses
import json
import shutil
import types

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis.data import manifest
from remedis.errors import UserError
from remedis.evaluation import results_record
from remedis.evaluation.calibration import Calibration
from remedis.evaluation.evaluate import evaluate_table
from remedis.inference import exported, recalibrate, rescore
from remedis.inference.drift import Before, drift
from remedis.reporting import drift_table, run_report
from remedis.zoo import reference_sample, run_record
from remedis.zoo.reference_sample import ReferenceSample

LABELS = ("square", "sometimes")


def test_an_export_holds_the_settings_checks_and_results_of_its_run(finished, squares):
    run, results = finished
    record = run_record.read(run / "export")
    assert record["test"] == {**json.loads((run / "results.json").read_text())["test"]}
    assert record["data"] == f"the test split of {squares.name}/manifest.csv"
    assert record["config"]["learning_rate"] == 1.0
    assert record["config"]["labels"] == list(LABELS)
    assert record["config"]["data_dir"] == squares.name
    assert record["leaks"]["ok"]
    assert record["leaks"]["counts"]["test"]["images"] == results["test"]["images"]
    assert str(squares.parent) not in (run / "export/run.json").read_text()


@pytest.fixture(scope="module")
def model(finished):
    return exported.load(finished[0])


@pytest.fixture(scope="module")
def whole(model, squares):
    """Manifest, predictions, embeddings and logits of all squares."""
    data = manifest.read_csv(squares / "manifest.csv", LABELS)
    return data, *model.score_and_embed(data, 60, np.arange(len(data)))


def test_the_sample_is_that_of_random_test_patients_as_the_export_sees_them(finished, model, whole):
    table = pd.read_parquet(finished[0] / "predictions.parquet")
    paths = set(table.loc[table["split"] == "test", "path"])
    data, _, embeddings, logits = whole
    tested = data.table["path"].isin(paths).to_numpy()
    embeddings, logits = embeddings[tested], logits[tested]
    sample = Before.of_export(model).sample
    patients = data.table["patient_id"].to_numpy()[tested]
    assert len(sample) == sample.population == len(set(patients))
    rows = [int(np.abs(embeddings - one).max(axis=1).argmin()) for one in sample.embeddings]
    assert len(set(patients[rows])) == len(sample)  # one image of each patient
    np.testing.assert_allclose(embeddings[rows], sample.embeddings, atol=1e-4)
    np.testing.assert_allclose(logits[rows], sample.logits, atol=1e-3)
    assert rows != sorted(rows)  # the order of the table is not told
    with np.load(finished[0] / "export/reference.npz") as arrays:
        assert set(arrays) == {"embedding", "logits", "data", "population"}


def test_embeddings_of_some_rows_do_not_depend_on_the_batches(model, squares, whole):
    data = manifest.read_csv(squares / "manifest.csv", LABELS[:1])
    rows = np.array([0, 6, 7, 13, 59])
    table, embeddings, logits = model.score_and_embed(data, 7, rows)
    # Of the largest value: batches of other sizes are summed in another order.
    np.testing.assert_allclose(embeddings, whole[2][rows], atol=1e-5 * np.abs(whole[2]).max())
    np.testing.assert_allclose(logits, whole[3][rows], atol=1e-4)
    np.testing.assert_allclose(logits[:, 0], table["logit/square"].to_numpy()[rows])
    assert logits.shape == (5, 2)  # of all labels of the model


@pytest.fixture(scope="module")
def changed(squares, tmp_path_factory):
    """The squares of another scanner: darker, with more noise."""
    root = shutil.copytree(squares, tmp_path_factory.mktemp("changed") / "data")
    rng = np.random.default_rng(1)
    for file in root.glob("*.png"):
        pixels = np.asarray(Image.open(file)) * 0.5 + rng.normal(0, 30, (32, 32))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)
    return root


@pytest.fixture(scope="module")
def evaluated(model, whole, squares, changed, tmp_path_factory):
    """Results on the squares again and on those of the other scanner, with a larger sample."""
    data, _, embeddings, logits = whole
    first = data.table.groupby("patient_id").head(1).index.to_numpy()
    sample = ReferenceSample(embeddings[first], logits[first], "the run", 40)
    before = Before(run_record.read(model.folder), sample)
    rows = before.rows(data.table["patient_id"])
    others = manifest.read_csv(changed / "manifest.csv", LABELS)
    again = (data, whole[1], embeddings[rows], logits[rows])
    found = {}
    for root, (data, table, embeddings, logits) in {
        squares: again,
        changed: (others, *model.score_and_embed(others, 60, rows)),
    }.items():
        scored = rescore.Scored(data, table, "", None)
        scored = dataclasses.replace(scored, before=before, embeddings=embeddings, logits=logits)
        out = tmp_path_factory.mktemp("evaluated")
        rescore.evaluate(model, scored, out, resamples=50)
        found[root] = out
    return found


def test_drift_is_found_on_another_scanner_and_not_on_the_same(evaluated, squares, changed):
    same, other = (results_record.read(evaluated[root])["drift"] for root in (squares, changed))
    assert same["patients"] == other["patients"] == same["reference_patients"] == 30
    assert other["embeddings"]["p_value"] == 0.001
    assert other["embeddings"]["distance"] > 2 * other["embeddings"]["chance"]
    assert same["embeddings"]["p_value"] > 0.05
    # Of the same patients, the distance is below that of others who are alike.
    assert same["embeddings"]["distance"] < same["embeddings"]["chance"]
    assert all(of["p_value"] > 0.05 for of in same["scores"].values())
    assert set(other["scores"]) == set(other["metrics"]) == set(LABELS)


def test_metrics_stand_beside_those_of_the_run(evaluated, changed, finished):
    results = results_record.read(evaluated[changed])
    of = results["drift"]["metrics"]["square"]["auroc"]
    assert of["before"] == finished[1]["test"]["labels"]["square"]
    assert of["now"] == results["test"]["labels"]["square"]
    difference = of["now"]["value"] - of["before"]["value"]
    assert of["difference"]["value"] == pytest.approx(difference)


def test_the_report_has_a_section_on_drift(evaluated, changed):
    run_report.write(evaluated[changed])
    page = (evaluated[changed] / "report.html").read_text()
    assert "Drift: what the model was, and what it is on these data" in page
    assert "scores of square" in page
    assert "square: AUROC" in page


def test_the_same_data_evaluated_again_have_no_drift_of_other_settings(
    evaluated, changed, tmp_path
):
    rescore.reevaluate(evaluated[changed], tmp_path, "test", weighting="patients", resamples=50)
    assert "drift" not in results_record.read(tmp_path)


def classifier(calibration):
    return types.SimpleNamespace(
        labels=("a", "b"), calibration=lambda: calibration, folder="unused"
    )


def calibration(scale=1.0, offset=0.0):
    pair = {"scale": (scale, scale), "offset": (offset, offset)}
    return Calibration("platt", fitted_on={}, left_out=(), task="multi_label", **pair)


def evaluation(rng, noise, weighting="images"):
    labels = rng.random((200, 2)) < 0.5
    table = pd.DataFrame({"patient_id": [f"p{i // 2}" for i in range(200)], "split": "test"})
    for i, name in enumerate("ab"):
        table[f"label/{name}"] = labels[:, i].astype(float)
        table[f"log_odds/{name}"] = rng.normal(size=200) * noise + 2 * labels[:, i] - 1
        table[f"score/{name}"] = 1 / (1 + np.exp(-table[f"log_odds/{name}"]))
    return evaluate_table(table, ("a", "b"), "test", resamples=50, weighting=weighting)


def record(test=None):
    return {"format": 1, "config": {}, "leaks": None, "data": "then", "test": test}


def found(before, embeddings=None, logits=None, labels=("b",), of=None, test=None):
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(40, 3)) if embeddings is None else embeddings
    logits = rng.normal(size=(len(embeddings), 2)) if logits is None else logits
    test = test or evaluation(np.random.default_rng(3), 1.0)
    return drift(classifier(of or calibration()), before, labels, test, embeddings, logits)


def sample(patients=30):
    rng = np.random.default_rng(0)
    embeddings, logits = (rng.normal(size=(patients, n)).astype(np.float32) for n in (3, 2))
    return ReferenceSample(embeddings, logits, "the test split of x", 99)


def test_what_an_export_lacks_is_said():
    nothing = found(Before())
    assert (nothing["before"], nothing["reference"], nothing["embeddings"]) == ("", "", None)
    assert "no results of its own (run.json)" in nothing["notes"][0]
    assert "no patients to compare with (reference.npz)" in nothing["notes"][1]
    few = found(Before(record(), sample()), np.zeros((9, 3)))
    assert few["embeddings"] is None
    assert few["scores"] == {}
    assert (
        "Embeddings and scores of 9 patients cannot be compared with those of 30: 10 or more"
        in (few["notes"][-1])
    )
    assert list(drift_table.drift_tables(nothing))
    assert drift_table.page_tables(nothing) == []


def test_scores_are_those_of_the_label_and_a_calibration_does_not_move_them():
    logits = np.random.default_rng(5).normal(size=(40, 2)) + np.array([0, 3])
    raw, calibrated = (
        found(Before(record(), sample()), logits=logits, labels=("b", "a"), of=of)["scores"]
        for of in (calibration(), calibration(0.5, -2.0))
    )
    assert raw["b"]["p_value"] == 0.001
    assert raw["a"]["p_value"] > 0.05
    for label in "ab":
        assert raw[label]["distance"] == calibrated[label]["distance"]
        assert raw[label]["p_value"] == calibrated[label]["p_value"]
        assert raw[label]["now"] > calibrated[label]["now"]


def test_a_worse_model_is_below_what_it_was():
    good, bad = (evaluation(np.random.default_rng(3), noise) for noise in (1.0, 4.0))
    of = found(Before(record(good), sample()), test=bad)["metrics"]["b"]
    for metric in ("auroc", "calibration_slope"):
        assert of[metric]["difference"]["high"] < 0
    same = found(Before(record(good), sample()), test=good)["metrics"]["b"]
    for metric in same.values():
        assert metric["difference"]["value"] == 0
        assert metric["difference"]["low"] < 0 < metric["difference"]["high"]


def test_patients_that_nobody_knows_are_said():
    """Their images are no independent patients: the permutation test then finds what is not there.

    15 patients with 10 images each, of the population of the reference.
    """
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(100, 8)).astype(np.float32)
    images = np.repeat(rng.normal(size=(15, 8)), 10, axis=0) + 0.2 * rng.normal(size=(150, 8))
    before = Before(None, ReferenceSample(reference, reference[:, :2], "then", 100))
    p_values = {}
    for ids in (pd.Series([f"p{i // 10}" for i in range(150)]), pd.Series([None] * 150)):
        rows = before.rows(ids)
        unknown = int(ids.iloc[rows].isna().sum())
        of = drift(
            classifier(calibration()), before, ("b",), evaluation(rng, 1.0), images[rows],
            images[rows, :2], unknown,
        )  # fmt: skip
        p_values[unknown] = of["embeddings"]["p_value"]
        said = [note for note in of["notes"] if "150 images have no patient id" in note]
        assert len(said) == (unknown > 0)
    assert p_values[150] < 0.05 < p_values[0]


@pytest.mark.parametrize(("known", "expected"), [(True, 0), (False, 40)])
def test_an_evaluation_counts_the_patients_that_nobody_knows(
    known, expected, monkeypatch, tmp_path
):
    found = []
    monkeypatch.setattr(rescore, "drift", lambda *arguments: found.append(arguments[-1]))
    monkeypatch.setattr(rescore, "evaluate_table", lambda *_, **__: {})
    monkeypatch.setattr(rescore, "_write", lambda *_: None)
    plain = types.SimpleNamespace(to_json=dict, random=False)
    description = types.SimpleNamespace(
        name="m", provenance=plain, task="multi_label", preprocess="", calibration=None,
        thresholds=None,
    )  # fmt: skip
    exported = types.SimpleNamespace(
        description=description, labels=("b",), folder="e", thresholds=lambda labels: None
    )
    ids = [f"p{i // 2}" if known else None for i in range(40)]
    data = types.SimpleNamespace(
        table=pd.DataFrame({"patient_id": ids}), labels=("b",), source="x", policies={},
        counts=pd.DataFrame,
    )  # fmt: skip
    before = Before(None, sample())
    scored = rescore.Scored(data, pd.DataFrame(), "", None, meaning=plain, before=before)
    rescore.evaluate(exported, scored, tmp_path)
    assert found == [expected]


def test_an_auroc_of_patients_does_not_stand_beside_one_of_images():
    images, patients = (
        evaluation(np.random.default_rng(3), 1.0, weighting) for weighting in ("images", "patients")
    )
    of = found(Before(record(images), sample()), test=patients)
    assert set(of["metrics"]["b"]) == {"calibration_slope", "calibration_intercept"}
    assert "AUROC then has equal weights of images, the AUROC now of patients" in of["notes"][0]
    old = {name: value for name, value in images.items() if name != "weighting"}
    for test in (images, old):  # of a version without weightings
        of = found(Before(record(test), sample()), test=images)
        assert "auroc" in of["metrics"]["b"]
        assert not any("weights of" in note for note in of["notes"])


def test_metrics_that_are_not_estimable_have_no_difference():
    good = evaluation(np.random.default_rng(3), 1.0)
    one_class = json.loads(json.dumps(good))
    one_class["labels"]["b"] |= {"value": None, "low": None, "high": None}
    of = found(Before(record(good), sample()), test=one_class)
    assert of["metrics"]["b"]["auroc"]["difference"] is None
    assert "not estimable" in str(drift_table.page_tables(of)[0].rows[0])


def test_a_calibration_to_a_site_keeps_the_run_and_forgets_its_results(tmp_path):
    before = Before(record(evaluation(np.random.default_rng(3), 1.0)), sample())
    for judged, data in (({}, "then"), ({"after": evaluation(np.random.default_rng(4), 1.0)}, "")):
        for write in recalibrate._bundle(before, data, judged):
            write(tmp_path)
        kept = run_record.read(tmp_path)
        assert (kept["test"] is None) == (not judged)
        assert kept["data"] == data
        copy = ReferenceSample.read(tmp_path, 2, 3)
        np.testing.assert_array_equal(copy.embeddings, before.sample.embeddings)
    assert recalibrate._bundle(Before(), "", {}) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", b"{", r"run\.json is damaged \(it is not JSON.*; copy the export again"),
        ("run.json", b'{"config": {}}', r"run\.json is damaged \(it has no key"),
        ("reference.npz", b"PK", r"reference\.npz is damaged \(.*; copy the export again"),
    ],
)
def test_a_damaged_bundle_is_a_sentence(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    of_folder = types.SimpleNamespace(
        folder=tmp_path, description=types.SimpleNamespace(labels=("a", "b"), map_channels=3)
    )
    with pytest.raises(UserError, match=message):
        Before.of_export(of_folder)


def test_a_sample_of_another_model_is_refused(tmp_path):
    assert ReferenceSample.read(tmp_path, 2, 3) is None
    sample().write(tmp_path)
    assert ReferenceSample.read(tmp_path, 2, None).population == 99
    for labels, channels in ((3, 3), (2, 4)):
        with pytest.raises(UserError, match=r"reference\.npz is damaged \((embedding|logits) has"):
            ReferenceSample.read(tmp_path, labels, channels)
    bad = sample()
    bad.embeddings[3, 1] = np.nan
    bad.write(tmp_path)
    with pytest.raises(UserError, match=r"embedding has NaN or infinity"):
        ReferenceSample.read(tmp_path, 2, 3)
    assert reference_sample.FILE == "reference.npz"
