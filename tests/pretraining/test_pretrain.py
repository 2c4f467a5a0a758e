"""A pretraining from unlabelled images to a checkpoint for everything that takes one."""

import json
import logging
import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from job_processes import metric_rows, run_alone_and_together, run_killed

from remedis.data import leave_out
from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.pretraining.online_probe import OnlineProbe
from remedis.pretraining.pretrain import make_schedule, pretrain
from remedis.pretraining.settings import PretrainingSettings
from remedis.pretraining.two_view_objective import features
from remedis.training.run_directory import RunDirectory
from remedis.zoo import checkpoint, random_weights, resolve, save_backbone
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages

METHODS = {
    "simclr": "widths=(64, 32)",
    "micle": "widths=(64, 32)",
    "moco": "queue=24; widths=(64, 32); momentum=0.9",
    "relic": "widths=(64, 32)",
    "barlow_twins": "widths=(64, 64)",
}


@pytest.fixture(scope="session")
def pretraining(squares, tiny_checkpoint):
    """Returns a function that makes the config of `pretrain_own.py` for the squares."""
    from configs import pretrain_own

    def make(method="simclr", **changes):
        config = pretrain_own.get_config(method)
        config.probe.update(source="csv", data_dir=str(squares), labels=("square",))
        config.update(
            checkpoint=str(tiny_checkpoint),
            data=f"csv={squares}",
            image_size=32,
            preprocess="random_resized_crop({size}, area=(0.3, 1.0)) | brightness(0.4)",
            method_options=METHODS[method],
            batch_size=16,
            epochs=0.0,
            steps=20,
            warmup=0,
            warmup_epochs=0.0,
            optimizer="adamw",
            learning_rate=0.0003,
            learning_rate_batch=0,
            learning_rates="",
            evaluate_every=10,
            checkpoint_every=5,
            log_every=2,
            # Little can be learnt from 60 noisy squares.
            stop_on_collapse=False,
        )
        config.update(changes)
        return config

    return make


@pytest.fixture(scope="session")
def pretrained(pretraining, tmp_path_factory):
    run = tmp_path_factory.mktemp("pretrained") / "mine"
    return run, pretrain(pretraining(), run)


def test_ends_with_a_checkpoint(pretrained, squares, tiny_checkpoint):
    run, results = pretrained
    assert results["name"] == "mine"
    assert results["method"] == "simclr"
    assert results["steps"] == 20
    assert [row["step"] for row in results["probe"]] == [0, 10, 20]
    assert results["best_step"] in (10, 20)
    logged = [row for row in metric_rows(run) if "train/loss" in row]
    assert [row["step"] for row in logged] == [1, *range(2, 21, 2)]
    assert set(logged[0]) >= {f"train/{key}" for key in ("alignment", "embedding_std")}

    loaded = hub.load(str(run / "export"))
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert loaded(images).shape == (2, 1, 1, 1024)
    assert loaded.endpoints(images)["pre_logits"].shape == (2, 1024)  # the final norm is kept
    initial = checkpoint.load_backbone(tiny_checkpoint).named_variables()
    trained = checkpoint.load_backbone(run / "export").named_variables()
    unchanged = [n for n in initial if np.array_equal(initial[n].numpy(), trained[n].numpy())]
    assert not unchanged  # the whole backbone was trained, with its final norm

    described = checkpoint.describe(run / "export")
    assert described.name == "mine"
    assert not described.provenance.random
    assert described.provenance.parent.random
    assert described.provenance.description.startswith("Self-supervised by simclr, "), (
        described.provenance.description
    )
    assert described.provenance.description.endswith(
        "it started from: RANDOM WEIGHTS (seed 0): never trained on anything."
    )
    assert SeenImages.read(run / "export").count(hashes_of(run)) == 60


def hashes_of(run):
    """Returns the hashes of the images that a run has seen."""
    return pd.read_parquet(run / "scan.parquet")["sha256"]


def test_a_finished_run_is_not_repeated(pretrained, pretraining, caplog):
    caplog.set_level(logging.INFO, logger="remedis")
    run, results = pretrained
    assert pretrain(pretraining(), run) == results
    assert "is finished" in caplog.text


@pytest.mark.guarantee
def test_an_interrupted_run_with_a_probe_resumes(pretraining, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    config = pretraining(steps=2, evaluate_every=2)
    with monkeypatch.context() as patch:
        patch.setattr(save_backbone, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretrain(config, tmp_path / "run")
    pinned = json.loads((tmp_path / "run" / "inputs.json").read_text())
    assert set(pinned) == {"data", "weights", "probe"}
    results = pretrain(config, tmp_path / "run")
    assert [row["step"] for row in results["probe"]] == [0, 2]


@pytest.mark.slow
def test_continues_from_a_checkpoint_with_its_head(pretrained, pretraining, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="remedis")
    run, _ = pretrained
    config = pretraining(checkpoint=str(run / "export"), steps=2, evaluate_every=2)
    config.probe.source = ""
    results = pretrain(config, tmp_path / "more")
    assert "Continuing with the head in" in caplog.text
    assert results["probe"] == []
    assert results["best_step"] == 2  # without a probe the last
    described = checkpoint.describe(tmp_path / "more" / "export")
    assert described.provenance.parent.origin == "self_supervision"
    assert SeenImages.read(tmp_path / "more" / "export").count(hashes_of(run)) == 60
    steps = {"steps": 1, "evaluate_every": 1, "checkpoint": str(run / "export")}
    for method, line in (("moco", "has other layers or widths"), ("micle", "Continuing with")):
        caplog.clear()
        other = pretraining(method, **steps)
        other.probe.source = ""
        pretrain(other, tmp_path / method)
        assert line in caplog.text


def test_a_damaged_head_is_a_sentence(pretrained, pretraining, tmp_path):
    run, _ = pretrained
    export = shutil.copytree(run / "export", tmp_path / "export")
    (export / "projection.npz").write_bytes((run / "export" / "projection.npz").read_bytes()[:999])
    with pytest.raises(UserError, match=r"projection\.npz is damaged .* remove the file to begin"):
        pretrain(pretraining(checkpoint=str(export)), tmp_path / "run")


def test_the_probe_does_without_patients_left_out(pretraining, squares, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="remedis")
    patients = pd.read_csv(squares / "manifest.csv")["patient_id"]
    judged = squares.parent / "judged.csv"
    first = sorted(patients.unique())[::4]
    table = pd.read_csv(squares / "manifest.csv")
    listed = table[patients.isin(first)].drop_duplicates("patient_id")
    listed["path"] = [str(squares / path) for path in listed["path"]]
    listed[["path"]].to_csv(judged, index=False)
    config = pretraining(leave_out=str(judged))
    settings = PretrainingSettings.from_config(config)
    left_out = leave_out.read(settings.unlabelled.leave_out, tmp_path / "scan.parquet")
    run = RunDirectory(tmp_path / "run", {})
    splits = OnlineProbe.from_settings(settings.probe, run, left_out).splits
    # One image of each patient is listed: the patient's other images are left out too.
    for images in (splits.train, splits.validation):
        assert not images.table["patient_id"].isin(first).any()
    written = json.loads((tmp_path / "run" / "probe" / "config.json").read_text())
    assert written == json.loads(json.dumps(config.probe.to_dict()))
    counts = json.loads((tmp_path / "run" / "probe" / "left_out.json").read_text())
    assert sum(counts.values()) > 0
    assert f"{counts['train']:,} images of train and" in caplog.text
    assert len(splits.learnt_from()) == len(splits.train) + len(splits.validation)
    table["path"] = [str(squares / path) for path in table["path"]]
    table[["path"]].to_csv(judged, index=False)
    everyone = leave_out.read(str(judged), tmp_path / "scan.parquet")
    run = RunDirectory(tmp_path / "all", {})
    with pytest.raises(UserError, match=r"config\.leave_out names all .* of the train split of co"):
        OnlineProbe.from_settings(settings.probe, run, everyone)


@pytest.mark.slow
def test_a_backbone_without_the_final_norm_gets_one(pretraining, tmp_path):
    weights = random_weights.draw(0, Architecture((1, 1, 1, 1), 0.5))
    backbone = checkpoint.build_backbone(weights)
    bare = type(backbone)(backbone.architecture, final_norm=False)
    bare.assign({n: v.numpy() for n, v in backbone.named_variables().items() if "block" in n})
    save_backbone.save(
        bare, name="bare", provenance=weights.provenance, directory=tmp_path / "bare"
    )
    config = pretraining(checkpoint=str(tmp_path / "bare"), steps=1, evaluate_every=1)
    config.probe.source = ""
    pretrain(config, tmp_path / "run")
    assert checkpoint.load_backbone(tmp_path / "run" / "export").final_norm


def test_malformed_settings_are_a_sentence(pretraining, squares, tmp_path):
    manifest = pd.read_csv(squares / "manifest.csv")
    nameless = tmp_path / "nameless"
    nameless.mkdir()
    for path in squares.glob("*.png"):
        (nameless / path.name).symlink_to(path)
    manifest.drop(columns="patient_id").to_csv(nameless / "manifest.csv", index=False)
    braced = pretraining()
    braced.probe.eval_preprocess = "resize({sise})"
    cases = {
        "micle": (
            pretraining("micle", data=f"csv={nameless}", allow_missing_patient_ids=True),
            "has a patient_id, by which the method micle finds two images of one patient",
        ),
        "batch": (pretraining("barlow_twins", batch_size=4), "config.batch_size is 4; barlow"),
        "batches": (
            pretraining(batch_size=61),
            "config.batch_size is 61, but there are 60 images, so that a batch has to repeat some",
        ),
        "braces": (
            braced,
            "config.probe.eval_preprocess is 'resize({sise})'; the only thing in braces may be",
        ),
        "random": (
            pretraining(checkpoint="scratch:50x1", name="cxr-50x1-remedis-m"),
            "config.name is cxr-50x1-remedis-m, a name for weights that began with BiT, but",
        ),
        "keras": (
            pretraining(checkpoint="keras:MobileNetV2"),
            "config.checkpoint is keras:MobileNetV2; self-supervision is for BiT backbones",
        ),
        "none": (pretraining(checkpoint=""), "config.checkpoint is not set"),
        "name": (
            pretraining(name="cxr-50x1-remedis-m"),
            "config.name is cxr-50x1-remedis-m, but config.checkpoint=",
        ),
        "method": (
            pretraining(method_options="temprature=1"),
            "Unknown key of config.method_options for simclr 'temprature'",
        ),
        "warmup": (
            pretraining(warmup=5, warmup_epochs=1.0),
            "config.warmup (5) and config.warmup_epochs (1.0); set one of them to 0.",
        ),
        "optimizer": (
            pretraining(optimizer="relased_lars", data="csv=/none"),
            "Unknown value of config.optimizer 'relased_lars': did you mean 'released_lars'?",
        ),
        "schedule": (
            pretraining(schedule="cosin", data="csv=/none"),
            "Unknown value of config.schedule 'cosin': did you mean 'cosine'?",
        ),
        "option": (
            pretraining(method_options="temperature"),
            "config.method_options has 'temperature'; expected KEY=VALUE.",
        ),
    }
    for name, (config, sentence) in cases.items():
        with pytest.raises(UserError) as caught:
            pretrain(config, tmp_path / name)
        assert sentence in str(caught.value), name


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_is_a_sentence(pretraining, tmp_path):
    config = pretraining(learning_rate=1e30, optimizer="sgd")
    with pytest.raises(UserError, match=r"The training diverged: after step \d+"):
        pretrain(config, tmp_path / "run")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("rate", marks=pytest.mark.slow),
        pytest.param("constant", marks=pytest.mark.guarantee),
    ],
)
def test_a_planted_collapse_is_reported_within_50_steps(pretraining, tmp_path, how):
    changes = {"steps": 50, "evaluate_every": 50, "checkpoint_every": 10, "stop_on_collapse": True}
    if how == "rate":
        # A usual rate of MoCo's times 1,000. Batch norms keep SimCLR from collapsing.
        options = "queue=32; widths=(64, 32); momentum=0.99"
        config = pretraining("moco", learning_rate=1.0, method_options=options, **changes)
    else:
        backbone = checkpoint.build_backbone(
            random_weights.draw(0, Architecture((1, 1, 1, 1), 0.5))
        )
        backbone.norm.gamma.assign(np.zeros(backbone.map_channels))
        constant = save_backbone.save(
            backbone,
            name="constant",
            provenance=Provenance(origin="random", description="constant"),
            directory=tmp_path / "constant",
        )
        config = pretraining(checkpoint=str(constant), learning_rates="group_norm/.*=0", **changes)
    config.probe.source = ""
    with pytest.raises(UserError, match=r"^(Collapsed|Diverged) since step \d+") as caught:
        pretrain(config, tmp_path / "run")
    assert str(caught.value).endswith("set config.stop_on_collapse=False to continue.")
    assert max(row["step"] for row in metric_rows(tmp_path / "run")) <= 50


@pytest.mark.guarantee
def test_a_killed_run_resumes_exactly(pretraining, tmp_path):
    # MoCo has all kinds of state: a teacher and a queue.
    config = pretraining("moco")
    config.probe.source = ""
    (alone,), log = run_killed(tmp_path / "a" / "run", config, "end", job="pretrain")
    assert alone["ended"] == 0, log
    moments = ("between_checkpoints", "while_a_checkpoint_is_written", "during_the_export", "end")
    lives, log = run_killed(tmp_path / "b" / "run", config, *moments, job="pretrain")
    assert [life["ended"] for life in lives] == ["SIGKILL"] * 3 + [0], log
    undisturbed, killed = tmp_path / "a" / "run", tmp_path / "b" / "run"
    for name in ("metrics.jsonl", "results.json", "leaks.json"):
        assert (undisturbed / name).read_text() == (killed / name).read_text(), name
    first, second = (
        checkpoint.load_backbone(run / "export").named_variables() for run in (undisturbed, killed)
    )
    for name, variable in first.items():
        np.testing.assert_array_equal(variable, second[name], err_msg=name)


@pytest.mark.guarantee
@pytest.mark.parametrize("method", ["simclr", "moco"])
def test_two_workers_pretrain_as_one_does(pretraining, tmp_path, method):
    # SGD: AdamW divides by the size of the gradients and so turns differences in rounding into
    # steps. At ten times the rate, one worker alone differs by up to 4e-4 at step 4 if only
    # `accumulate` differs.
    changes = {"optimizer": "sgd", "learning_rate": 0.001, "clip_norm": 1.0, "accumulate": 2}
    config = pretraining(method, steps=6, log_every=1, evaluate_every=6, **changes)
    alone, together = run_alone_and_together("pretrain", config, tmp_path, within=1e-4)
    first, second = (row["train/loss"] for row in (metric_rows(alone)[1], metric_rows(together)[1]))
    assert second == pytest.approx(first, abs=1e-5)
    assert json.loads((together / "results.json").read_text())["best_step"] == 6


def test_a_bit_file_of_another_architecture_is_a_sentence(pretraining, tmp_path):
    file = tmp_path / "BiT-M-R50x1.npz"
    narrow = Architecture((1, 1, 1, 1), 0.5)
    weights = random_weights.draw(0, narrow)
    np.savez(file, **{f"resnet/{name}": weights.arrays[name] for name in weights.arrays})
    assert resolve.load_backbone(f"bit:{file}", 0).backbone.architecture_name == narrow.name
    with pytest.raises(UserError, match=r"is of the architecture 1-1-1-1x0\.5, but"):
        pretrain(pretraining(checkpoint=f"bit:{file}", architecture="50x1"), tmp_path / "run")


def test_the_features_are_those_of_the_export(pretrained):
    run, _ = pretrained
    images = tf.constant(np.random.default_rng(1).random((3, 32, 32, 3), np.float32))
    backbone = checkpoint.load_backbone(run / "export")
    # A reference, since the model's functions refer to its variables weakly.
    model = hub.load(str(run / "export"))
    exported = model.endpoints(images)["pre_logits"]
    np.testing.assert_allclose(features(backbone, images), exported, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("steps", "warmup", "line"),
    [
        (13, 1, "Warm-up is 1 step: it is limited to a tenth of the 13 steps."),
        (40, 4, "Warm-up is 4 steps: it is limited to a tenth of the 40 steps."),
        (2_000, 63, ""),
    ],
)
def test_the_warm_up_is_limited_to_a_tenth(pretraining, caplog, steps, warmup, line):
    caplog.set_level(logging.INFO, logger="remedis")
    config = pretraining(steps=steps, warmup_epochs=1.0, warmup=None)
    schedule = make_schedule(PretrainingSettings.from_config(config).schedule, 1_000)
    assert (schedule.steps, schedule.warmup) == (steps, warmup)
    assert [record.getMessage() for record in caplog.records] == ([line] if line else [])
