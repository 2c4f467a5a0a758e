"""Fine-tuning on small images from their manifest to a model that TensorFlow alone can run."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.finetuning.finetune import finetune
from remedis.reporting import run_report
from remedis.zoo import checkpoint

LABELS = ["square", "sometimes"]

# Runs where `remedis` cannot be imported; prints the outputs as JSON.
ALONE = """
import json, pathlib, sys
sys.modules["remedis"] = None
import numpy as np, tensorflow as tf
from PIL import Image

model = tf.saved_model.load(sys.argv[1])
folder = pathlib.Path(sys.argv[2])
scores = {}
for path in sorted(folder.glob("*.png")):
    pixels = np.asarray(Image.open(path))[..., None]
    assert pixels.dtype == np.uint8
    images = model.preprocess(pixels)
    scores[path.name] = model(images)["probabilities"].numpy()[0].tolist()
    prepared = model.signatures["preprocess"](image=tf.constant(pixels))["images"]
    served = model.signatures["serving_default"](images=prepared)["probabilities"]
    assert np.array_equal(served.numpy()[0], np.float32(scores[path.name]))

for floats in (pixels.astype(np.float32), pixels / 255):
    try:
        model.preprocess(floats)
    except tf.errors.InvalidArgumentError as error:
        assert f"image is {floats.dtype}; expected a decoded image [H, W, channels]" in str(error)
    else:
        raise AssertionError("an image of floats is taken")

def loss():
    return -tf.reduce_mean(tf.math.log_sigmoid(model(images, training=True)["logits"]))

with tf.GradientTape() as tape:
    before = loss()
gradients = tape.gradient(before, model.trainable_variables)
for variable, gradient in zip(model.trainable_variables, gradients):
    variable.assign_sub(1e-3 * gradient)
print(json.dumps({
    "scores": scores,
    "label_names": [name.decode() for name in model.label_names().numpy()],
    "signature_names": [
        name.decode() for name in model.signatures["label_names"]()["label_names"].numpy()
    ],
    "images": list(images.shape),
    "before": float(before),
    "after": float(loss()),
    "variables": [len(model.variables), len(model.trainable_variables)],
}))
"""


def predictions(run: pathlib.Path) -> pd.DataFrame:
    return pd.read_parquet(run / "predictions.parquet")


def test_learns_what_can_be_seen(finished):
    _, results = finished
    for split in ("validation", "test"):
        for label in LABELS:
            estimate = results[split]["labels"][label]
            assert estimate["value"] > 0.9
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
            assert 0 < estimate["positives"] <= estimate["patients"]
        assert results[split]["mean"]["value"] > 0.9
        assert results[split]["averaged"] == LABELS


def test_the_directory_holds_everything_and_nothing_half_written(finished):
    run, results = finished
    run_report.report(run)
    names = {path.name for path in run.iterdir()}
    assert names == {
        "config.json",
        "environment.json",
        "judged.json",
        "leaks.json",
        "inputs.json",
        "scan.parquet",
        "metrics.jsonl",
        "tensorboard",
        "checkpoints",
        "predictions.parquet",
        "results.json",
        "export",
        "report.html",
        "roc.png",
        "reliability.png",
        "training.png",
    }
    assert json.loads((run / "results.json").read_text()) == results
    environment = json.loads((run / "environment.json").read_text())
    assert environment["versions"]["tensorflow"] == tf.__version__
    assert environment["checkpoint"]["origin"] == "random"
    leaks = json.loads((run / "leaks.json").read_text())
    assert leaks["ok"]
    assert results["data"]["unchecked"] == leaks["unchecked"]


def test_counts_are_those_of_the_predictions(finished):
    run, results = finished
    table = predictions(run)
    for split in ("validation", "test"):
        part = table[table["split"] == split]
        assert results[split]["images"] == len(part) == results["data"]["counts"][split]["images"]
        for label in LABELS:
            known = part[part[f"label/{label}"].notna()]
            positive = known[known[f"label/{label}"] == 1]
            estimate = results[split]["labels"][label]
            assert estimate["patients"] == known["patient_id"].nunique()
            assert estimate["positives"] == positive["patient_id"].nunique()
    assert set(table["split"]) == {"validation", "test"}
    assert results["test"]["ranked_by"] == "log odds"
    for i, label in enumerate(LABELS):
        scale, offset = (results["calibration"][key][i] for key in ("scale", "offset"))
        want = scale * table[f"logit/{label}"].astype(float) + offset
        np.testing.assert_allclose(table[f"log_odds/{label}"], want)
        np.testing.assert_allclose(table[f"score/{label}"], 1 / (1 + np.exp(-want)), rtol=1e-5)
        np.testing.assert_array_equal(table[f"found/{label}"], table[f"label/{label}"])
    assert results["data"]["evaluation_policies"]["uncertain"] == "ignore"
    assert results["test"]["label_notes"] == []
    assert "uncertain_labels" not in results["test"]
    recorded = json.loads((run / "export" / "remedis.json").read_text())["label_policies"]
    assert (recorded["source"], recorded["eval_unlabelled"]) == ("csv", "ignore")
    assert table["label/sometimes"].isna().sum() > 0
    assert table["label/square"].notna().all()


def test_metrics_have_the_loss_the_rate_and_the_validation(finished):
    run, results = finished
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    training = [row for row in rows if "train/loss" in row]
    validation = [row for row in rows if "validation/auroc" in row]
    assert [row["step"] for row in training] == [1, *range(2, 21, 2)]
    assert [row["step"] for row in validation] == [10, 20]
    best = max(validation, key=lambda row: row["validation/auroc"])
    assert results["best_step"] == best["step"]
    assert results["validation"]["mean"]["value"] == pytest.approx(best["validation/auroc"])
    assert results["selection"]["labels"] == results["validation"]["averaged"] == LABELS
    assert results["selection"]["left_out"] == []
    warning = results["validation"]["warnings"][0]
    assert warning.startswith("Chosen on this data: looks better than it is.")
    assert not any(text.startswith("Chosen") for text in results["test"]["warnings"])
    # The rate of each step: 4 steps of warm-up, a tenth after 6, 12 and 18 of 20.
    factors = {2: 0.5, 4: 1, 6: 1, 8: 0.1, 12: 0.1, 14: 0.01, 18: 0.01, 20: 0.001}
    rates = {row["step"]: row["train/learning_rate"] for row in training}
    for step, factor in factors.items():
        assert rates[step] == pytest.approx(8 / 512 * factor)


def test_tensorboard_shows_what_metrics_hold(finished):
    run, _ = finished
    tags = {
        (event.step, value.tag)
        for file in (run / "tensorboard").glob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {(20, "train/loss"), (2, "train/learning_rate"), (10, "validation/auroc")} <= tags


def test_random_weights_are_flagged_wherever_one_looks(finished):
    run, results = finished
    assert results["random_weights"] is True
    assert "RANDOM WEIGHTS" in results["checkpoint"]["description"]
    description = json.loads((run / "export" / "remedis.json").read_text())
    assert description["kind"] == "classifier"
    assert description["labels"] == LABELS
    assert description["preprocess"] == "resize(32)"
    assert description["provenance"]["origin"] == "training"
    assert description["provenance"]["parent"]["origin"] == "random"
    card = (run / "export" / "MODEL_CARD.md").read_text()
    assert "Started from RANDOM WEIGHTS" in card
    assert "square, sometimes" in card


@pytest.mark.guarantee
def test_the_export_gives_the_predictions_with_tensorflow_alone(finished, squares, tmp_path):
    run, _ = finished
    command = [sys.executable, "-c", ALONE, str(run / "export"), str(squares)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    alone = json.loads(done.stdout)
    table = predictions(run)
    expected = table[[f"score/{label}" for label in LABELS]].to_numpy()
    got = np.array([alone["scores"][path] for path in table["path"]])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 0.3
    assert alone["label_names"] == alone["signature_names"] == LABELS
    assert alone["images"] == [1, 32, 32, 3]
    assert alone["variables"][0] == alone["variables"][1]
    assert alone["after"] < alone["before"]


def test_all_layers_were_trained(finished, tiny_checkpoint):
    run, _ = finished
    before, after = checkpoint.read(tiny_checkpoint), checkpoint.read(run / "export")
    for name, array in before.arrays.items():
        assert not np.array_equal(array, after.arrays[name]), name


@pytest.mark.guarantee
def test_frozen_by_name_from_a_fine_tuned_export_the_backbone_stays(
    finished, configured, tmp_path, caplog
):
    export = finished[0] / "export"
    config = configured(
        checkpoint=str(export), learning_rates="head/.*=1; .*=0", steps=6, checkpoint_every=6
    )
    results = finetune(config, tmp_path / "run")
    assert_backbone_is_that_of(export, tmp_path / "run" / "export")
    assert results["test"]["mean"]["value"] > 0.9  # the backbone knows squares
    assert results["random_weights"] is True
    assert results["checkpoint"]["origin"] == "training"
    assert "Training 2 variables" in caplog.text


def assert_backbone_is_that_of(export, other):
    before, after = checkpoint.load_backbone(export), checkpoint.load_backbone(other)
    for name, variable in before.named_variables().items():
        np.testing.assert_array_equal(variable, after.named_variables()[name])


@pytest.mark.guarantee
def test_a_probe_is_solved_on_stored_embeddings_and_exported(
    finished, configured, squares, tmp_path, caplog
):
    export, store = finished[0] / "export", tmp_path / "store"
    changes = {"checkpoint": str(export), "method": "probe", "embeddings_dir": str(store)}
    run = tmp_path / "run"
    results = finetune(configured(**changes), run)
    assert_backbone_is_that_of(export, run / "export")
    assert results["test"]["mean"]["value"] > 0.9
    assert results["probe"]["converged"]
    prepared = results["preprocess"]
    assert prepared["train"] == prepared["evaluation"] != finished[1]["preprocess"]["train"]
    assert "Fitting the head; the backbone does not change." in caplog.messages
    assert "Training " not in caplog.text
    assert not (run / "checkpoints").exists()
    # The export computes from pixels the same as the probe from embeddings.
    model = tf.saved_model.load(str(run / "export"))
    table = predictions(run)
    for path in table["path"][:5]:
        pixels = tf.io.decode_image(tf.io.read_file(str(squares / path)))
        outputs = model(model.preprocess(pixels))
        expected = table.loc[table["path"] == path, [f"score/{label}" for label in LABELS]]
        np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-5)
    stored = {path: path.stat().st_mtime_ns for path in store.rglob("*.npz")}
    again = finetune(configured(**changes, seed=1), tmp_path / "again")
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.npz")} == stored
    assert again["test"]["labels"]["square"]["value"] == pytest.approx(
        results["test"]["labels"]["square"]["value"]
    )


@pytest.mark.slow
def test_everything_at_once_on_two_classes(configured, squares, tmp_path):
    table = pd.read_csv(squares / "manifest.csv")
    table["plain"] = 1 - table["square"]
    table["path"] = [str(squares / path) for path in table["path"]]
    table["sex"] = ["F", "M"] * (len(table) // 2)
    table.to_csv(tmp_path / "manifest.csv", index=False)
    changes = {
        "data_dir": str(tmp_path),
        "labels": ("square", "plain"),
        "task": "multi_class",
        "precision": "bfloat16",
        "gradient_checkpointing": True,
        "epochs": 6.0,
        "steps": None,
        "accumulate": 2,
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "learning_rate_batch": 0,
        "learning_rates": "head/.*=3; root_block/.*=0",
        "schedule": "cosine",
        "weight_decay": 1e-4,
        "clip_norm": 1.0,
        "ema": 0.5,
        "class_weights": "balanced",
        "focal_gamma": 1.0,
        "mixup": 0.1,
    }
    run = tmp_path / "run"
    results = finetune(configured(**changes), run)
    assert results["test"]["mean"]["value"] > 0.9
    assert results["schedule"]["steps"] == results["steps"] == 14  # 6 x 18 / 8
    predicted = predictions(run)
    scores = predicted[["score/square", "score/plain"]].to_numpy()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert results["calibration"]["scale"][0] == results["calibration"]["scale"][1]
    assert set(predicted["sex"]) == {"F", "M"}
    # Export and scores are float32.
    model = tf.saved_model.load(str(run / "export"))
    pixels = tf.io.decode_image(tf.io.read_file(predicted["path"][0]))
    outputs = model(model.preprocess(pixels))
    np.testing.assert_allclose(outputs["probabilities"][0], scores[0], atol=1e-5)
    np.testing.assert_allclose(
        outputs["logits"][0], predicted.loc[0, ["logit/square", "logit/plain"]].astype(float), 1e-4
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"optimizer": "relased_lars"},
            "Unknown value of config.optimizer 'relased_lars': did you mean 'released_lars'? ",
        ),
        ({"schedule": "cosin"}, "Unknown value of config.schedule 'cosin': did you mean 'cosine'?"),
        (
            {"class_weights": "balance"},
            "Unknown value of config.class_weights 'balance': did you mean 'balanced'?",
        ),
    ],
)
def test_a_misspelt_choice_is_a_sentence_before_any_image_is_read(
    configured, tmp_path, changes, message
):
    with pytest.raises(UserError) as caught:
        finetune(configured(**changes, data_dir=str(tmp_path / "none")), tmp_path / "run")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "finetuen"}, "Unknown value of config.method 'finetuen': did you mean"),
        ({"task": "multiclass"}, "Unknown value of config.task 'multiclass': did you mean"),
        ({"calibration": "plat"}, "Unknown value of config.calibration 'plat': did you mean"),
        ({"epochs": 1.0}, "The duration is given by config.steps (20) and config.epochs (1.0)"),
        ({"batch_size": 0, "method": "probe"}, "config.batch_size is 0; expected at least 1."),
        ({"mixup": -1.0}, "config.mixup is -1.0; expected at least 0."),
        ({"method": "probe", "class_weights": "balanced"}, "config.class_weights is 'balanced', "),
        ({"batch_size": 9, "accumulate": 2}, "config.batch_size is 9, which config.accumulate=2"),
        ({"learning_rates": ".*=0"}, "config.learning_rates is '.*=0', which freezes every"),
        ({"target_sensitivity": 0.0}, "config.target_sensitivity is 0.0; expected"),
        ({"weight_decay": -1.0}, "config.weight_decay is -1.0; expected at least 0."),
        ({"task": "multi_class"}, "config.task is 'multi_class', but"),
        ({"task": "multi_class", "labels": ("square",)}, "config.task is multi_class, but"),
        ({"precision": "float8"}, "Unknown value of config.precision 'float8'"),
        ({"architecture": "152x2"}, ""),
        ({"checkpoint": "keras:DenseNet112"}, ""),
        (
            {"checkpoint": "keras:MobileNetV2", "accumulate": 2},
            "config.checkpoint is keras:MobileNetV2, whose batch norms normalise by the images",
        ),
    ],
)
def test_a_wrong_recipe_is_a_sentence_before_any_training(configured, tmp_path, changes, message):
    with pytest.raises(UserError) as caught:
        finetune(configured(**changes), tmp_path / "run")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_finished_run_is_not_repeated(finished, configured, caplog):
    run, results = finished
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.suffix != ".png"}
    assert finetune(configured(), run) == results
    assert "is finished" in caplog.text
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.suffix != ".png"}
    assert {p: t for p, t in after.items() if p.is_file()} == {
        p: t for p, t in before.items() if p.is_file()
    }


@pytest.mark.slow
def test_a_run_does_not_resume_with_other_data(configured, squares, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(squares, data)
    table = pd.read_csv(data / "manifest.csv")
    table["split"] = ["train", "test", "validation"] * (len(table) // 3)
    table["patient_id"] = table.index
    table.to_csv(data / "manifest.csv", index=False)
    changes = {"data_dir": str(data), "steps": 2, "evaluate_every": 1, "checkpoint_every": 1}
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("remedis.finetuning.finetune.calibration.fit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finetune(configured(**changes), run)
    swapped = {"train": "test", "test": "train", "validation": "validation"}
    table["split"] = table["split"].map(swapped)
    table.to_csv(data / "manifest.csv", index=False)
    with pytest.raises(UserError) as caught:
        finetune(configured(**changes), run)
    assert str(caught.value) == (
        f"--workdir={run} holds a run that began with other data: to resume would mix the two, and "
        "training images might be tested on; bring the old ones back, or name another directory."
    )
    table["split"] = table["split"].map(swapped)
    table.to_csv(data / "manifest.csv", index=False)
    # With less memory it may resume.
    assert (
        finetune(configured(**changes, gradient_checkpointing=True, cache_gb=0.0), run)["steps"]
        == 2
    )


def test_a_finished_run_refuses_another_config(finished, configured):
    run, _ = finished
    with pytest.raises(UserError) as caught:
        finetune(configured(seed=1, batch_size=4), run)
    assert str(caught.value) == (
        f"--workdir={run} holds a run with another config: batch_size, seed differ (batch_size was "
        "8, is 4); name another directory."
    )


def test_a_diverged_training_keeps_the_last_good_checkpoint(configured, tmp_path):
    run = tmp_path / "run"
    config = configured(learning_rate=1e30, checkpoint_every=1, log_every=100)
    with pytest.raises(UserError, match="The training diverged: after step") as caught:
        finetune(config, run)
    assert "\n" not in str(caught.value)
    kept = tf.train.latest_checkpoint(run / "checkpoints" / "last")
    assert kept is not None
    assert f"the last good checkpoint is {kept}" in str(caught.value)
    reader = tf.train.load_checkpoint(kept)
    names = [n for n in reader.get_variable_to_shape_map() if n.startswith("variables/")]
    assert len(names) > 20
    assert all(np.isfinite(reader.get_tensor(name)).all() for name in names)
    assert not (run / "results.json").exists()
    assert not (run / "export").exists()
