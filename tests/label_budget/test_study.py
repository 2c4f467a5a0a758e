import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import bit_weights
import numpy as np
import pandas as pd
import pytest
from json_file import read_json
from small_study import PATIENTS, run_killed, summary_of
from zoo_helpers import TINY

from remedis import files, label_budget
from remedis.data.checks.leaks import LeakError
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.finetuning.model import FitResult
from remedis.finetuning.tuning_grid import Choice
from remedis.label_budget import finetune_arm, run_study
from remedis.label_budget.arm import Adapted, InDistributionScores, scores_file
from remedis.label_budget.run_study import studies_of
from remedis.label_budget.settings import Shard, StudySettings
from remedis.models import bit
from remedis.reporting import label_budget_report
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages


def test_a_study_from_nothing_to_its_report(study_config, tmp_path, caplog):
    caveats = ("Films of hospital B are darker.",)
    assert label_budget.run(study_config(caveats=caveats), tmp_path)
    assert "Budget 1 is left out: no patient is left to validate on" in caplog.text
    found = summary_of(tmp_path)
    assert found["cells"] == {"done": 10, "planned": 10}
    assert [b["patients"] for b in found["budgets"]] == [0, 1, 12, 24]
    assert [bool(b["left_out"]) for b in found["budgets"]] == [False, True, False, False]
    assert {(p["arm"], p["patients"]) for p in found["points"]} == {
        (arm, n) for arm in ("one", "two") for n in (0, 12, 24)
    }
    assert found["reference"][0]["patients"] == 24
    assert found["arms"]["one"]["random_weights"]
    assert found["data"]["ood"]["counts"]["pool"]["patients"] == 24
    assert found["data"]["ood"]["counts"]["test"]["patients"] == 20
    assert found["data"]["id"]["leaks"]["ok"]
    assert found["between"] == read_json(tmp_path / "data" / "leaks.json")
    assert found["between"]["ok"]
    said = found["caveats"]
    assert "Films of hospital B are darker." in said
    assert any("Patients could not be compared, since the ids of two hospitals" in c for c in said)
    baseline = f"A multiple of labelled patients here is against {found['baseline']}, the baseline"
    assert [c for c in said if "BiT-L" in c and c.startswith(baseline)]
    # Both arms are the same network under two names.
    one, two = ([p for p in found["points"] if p["arm"] == arm] for arm in ("one", "two"))
    assert [p["mean"] for p in one] == [p["mean"] for p in two]
    assert all(p["difference"]["value"] == 0 for p in found["paired"])
    assert {a["target"] for a in found["answers"]} == {
        *("80 % of the gain", "50 % of the gain", "90 % of the gain"),
        *("reference", "AUROC 0.9"),
    }
    assert len(pd.read_csv(tmp_path / "curves.csv")) == len(found["points"]) * 3
    assert label_budget_report.write(tmp_path).is_file()
    assert not any((tmp_path / "work").glob("*"))
    assert "step 0 and 5 penalties per cell, the same for every arm." in caplog.text
    check_tuning(found)

    # Cells of version 0.1 have no record of their choice.
    for file in (tmp_path / "cells").glob("one-*-24-0.npz"):
        with np.load(file) as content:
            kept = {name: content[name] for name in ("scores", "seconds")}
        np.savez(file, **kept)
    # Finished cells are not repeated, and may be evaluated differently.
    before = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "cells").iterdir()}
    assert label_budget.run(study_config(target=0.7, baseline="one"), tmp_path)
    assert before == {f.name: f.stat().st_mtime_ns for f in (tmp_path / "cells").iterdir()}
    found = summary_of(tmp_path)
    assert found["baseline"] == "one"
    one = found["tuning"]["probe"]["arms"]["one"]
    assert (one["cells"], one["unrecorded"]) == (3, 1)
    assert "10 of 10 cells are finished, 0 to do." in label_budget.list_cells(
        study_config(), tmp_path
    )
    with pytest.raises(UserError, match=r"holds a run with another config: primary"):
        label_budget.run(study_config(primary="one, probe, 100%"), tmp_path)
    with pytest.raises(UserError, match=r"holds a run with another config: validation_share"):
        label_budget.run(study_config(validation_share=0.4), tmp_path)
    config = study_config()
    config.ood.cache_gb = 0.5  # memory, not numbers
    assert label_budget.run(config, tmp_path)
    config.ood.batch_size = 4
    with pytest.raises(UserError, match=r"config: ood\.batch_size differ \(ood\.batch_size was 8,"):
        label_budget.run(config, tmp_path)


@pytest.mark.guarantee
def test_killed_or_shared_out_it_is_the_same_study(study_config, tmp_path, monkeypatch):
    alone, killed, shared = (tmp_path / name for name in ("alone", "killed", "shared"))
    config = study_config()
    label_budget.run(config, alone)
    run_killed(config, killed, 3, monkeypatch)
    assert "3 of 10 cells are finished, 7 to do here: about" in label_budget.list_cells(
        config, killed
    )
    label_budget.run(config, killed)
    assert summary_of(killed) == summary_of(alone)

    shutil.copytree(alone / "embeddings", shared / "embeddings")
    files.write_json(shared / "config.json", {})
    assert not label_budget.run(config, shared, Shard(2, 2))
    assert len(list((shared / "cells").iterdir())) == 5
    assert not label_budget.run(config, shared, Shard(1, 2))
    assert len(list((shared / "cells").iterdir())) == 10
    assert not (shared / "summary.json").exists()
    assert label_budget.run(config, shared)
    assert summary_of(shared) == summary_of(alone)


@pytest.mark.guarantee
def test_two_processes_at_once_make_the_same_study(two_hospitals, tiny_checkpoint, tmp_path):
    """As on two machines that share one directory: each finds the files of the other."""
    keys = {
        "arms": f"one={tiny_checkpoint}",
        "baseline": "one",
        "labels": "('square', 'noise')",
        "id_data_dir": two_hospitals[0],
        "ood_data_dir": two_hospitals[1],
        "image_size": 32,
        "modes": "('probe', 'finetune')",
        "budgets": "0",
        "seeds": 2,
        "select": "learning_rate=0.2,1.6",
        "id_trainings": 2,
        "resamples": 50,
    }
    for part in ("id", "ood"):
        keys |= {f"{part}.{key}": 2 for key in ("steps", "evaluate_every", "checkpoint_every")}
        keys |= {f"{part}.batch_size": 8, f"{part}.splits.train": 0.4}
        keys |= {f"{part}.splits.validation": 0.1, f"{part}.splits.test": 0.5}
    root = pathlib.Path(__file__).parents[2]

    def started(workdir, *more):
        command = [sys.executable, "finetune/ood_curves.py", "--config=configs/ood_own.py"]
        command += [f"--config.{key}={value}" for key, value in keys.items()]
        return subprocess.Popen(
            [*command, f"--workdir={tmp_path / workdir}", *more],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def said(process):
        output = process.communicate()[0]
        assert process.returncode == 0, output
        return output

    both = [started("shared", f"--shard={k}/2") for k in (1, 2)]
    for process in both:
        assert "is done; " in said(process).splitlines()[-1]
    assert "7 of 7 cells are finished, 0 to do." in said(started("shared", "--list"))
    merged = said(started("shared"))
    assert "7 of 7 cells are finished; 0 to do here." in merged
    *answers, report = merged.splitlines()
    assert report == f"Report: {tmp_path / 'shared' / 'report.html'}"
    assert answers[-1] == "Research software, not a diagnostic device."
    assert any(line.startswith("TOO FEW: 2 seeds are too few, so that") for line in answers)
    said(started("alone"))
    assert summary_of(tmp_path / "shared") == summary_of(tmp_path / "alone")
    shared, alone = (tmp_path / name / "curves.csv" for name in ("shared", "alone"))
    assert shared.read_bytes() == alone.read_bytes()
    assert not any((tmp_path / "shared" / "work").iterdir())


@pytest.mark.guarantee
def test_fine_tuning_resumes_where_it_was_killed(
    study_config, two_hospitals, tiny_checkpoint, tmp_path, monkeypatch
):
    config = study_config(
        arms=f"one={tiny_checkpoint}", baseline="one", modes=("finetune",), budgets="0", seeds=1
    )
    config.select = "learning_rate=0.2,1.6"
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    assert label_budget.run(config, alone)
    assert {p.name for p in (alone / "id" / "one").iterdir()} >= {"export", "scores.npz"}
    assert not any((alone / "work").iterdir())
    found = summary_of(alone)
    assert [p["patients"] for p in found["points"]] == [0, 24]
    assert found["gap"][0]["mode"] == "finetune"
    # The in-distribution model records the images that trained it.
    inside, outside = (list(map(files.sha256, root.glob("*.png"))) for root in two_hospitals)
    seen = SeenImages.read(alone / "id" / "one" / "export")
    assert seen.count(inside) == len(inside) - found["data"]["id"]["counts"]["test"]["images"]
    assert seen.count(outside) == 0

    shutil.copytree(alone / "id", killed / "id")
    files.write_json(killed / "config.json", read_json(alone / "config.json"))
    original, calls = finetune_arm.gradient.exportable, []

    def dying(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(finetune_arm.gradient, "exportable", dying)
        with pytest.raises(KeyboardInterrupt):
            label_budget.run(config, killed)
    work = killed / "work" / "one-finetune-24-0"
    assert (work / "candidate-0" / "candidate.json").is_file()
    assert (work / "candidate-1" / "checkpoints" / "last").is_dir()
    assert not (work / "candidate-1" / "candidate.json").exists()
    assert label_budget.run(config, killed)
    assert summary_of(killed) == found
    assert not any((killed / "work").iterdir())


@pytest.mark.slow
def test_a_cell_starts_from_the_in_distribution_model(study_config, tiny_checkpoint, tmp_path):
    config = study_config(
        arms=f"one={tiny_checkpoint}", baseline="one", modes=("finetune",), budgets="0", seeds=1
    )
    # At a rate of 0 the result is the zero-shot model.
    config.select = ""
    config.ood.learning_rate = 1e-12
    config.id.learning_rate = 1.0
    label_budget.run(config, tmp_path)
    zero, adapted = (
        np.load(tmp_path / "cells" / f"one-finetune-{n}-0.npz")["scores"] for n in (0, 24)
    )
    np.testing.assert_allclose(adapted, zero, atol=1e-4)
    assert np.ptp(zero) > 0


@pytest.mark.slow
def test_a_cell_is_the_same_whatever_was_tuned_before_it(study_config, tiny_checkpoint, tmp_path):
    config = study_config(
        arms=f"one={tiny_checkpoint}", baseline="one", modes=("finetune",), budgets="0, 50%"
    )
    config.select, config.id.learning_rate = "", 1.6
    # Everything that an optimizer or an average could carry over, and rates that leave traces.
    config.ood.update(optimizer="adamw", learning_rate=0.01, learning_rate_batch=0, ema=0.9)
    label_budget.run(config, tmp_path)
    last = tmp_path / "cells" / "one-finetune-24-1.npz"
    before = np.load(last)["scores"]
    first = np.load(tmp_path / "cells" / "one-finetune-24-0.npz")["scores"]
    assert np.abs(before - first).max() > 1e-3
    last.unlink()
    label_budget.run(config, tmp_path)  # alone, by a newly built network
    np.testing.assert_array_equal(np.load(last)["scores"], before)


def test_a_checkpoint_that_has_seen_the_test_images_is_refused(
    study_config, two_hospitals, tiny_checkpoint, tmp_path
):
    folder = tmp_path / "pretrained"
    shutil.copytree(tiny_checkpoint, folder)
    SeenImages.from_hashes(files.sha256(path) for path in two_hospitals[1].glob("*.png")).write(
        folder
    )
    config = study_config(arms=f"one={folder}; two={tiny_checkpoint}")
    with pytest.raises(UserError) as caught:
        label_budget.run(config, tmp_path / "study")
    assert f"The arm one is {folder}, which was trained on 20 of the 20 out-of-" in str(
        caught.value
    )
    assert not (tmp_path / "study" / "cells").exists()


@pytest.mark.slow
def test_every_cell_checkpoints_gradients_if_asked_for(
    study_config, tiny_checkpoint, tmp_path, monkeypatch
):
    config = study_config(
        arms=f"one={tiny_checkpoint}", baseline="one", modes=("finetune",), budgets="50%", seeds=1
    )
    config.select = "learning_rate=1.6"
    config.ood.update(steps=None, epochs=1.0, batch_size=4, gradient_checkpointing=True)
    original, traced = bit.checkpointed, []

    def counted(layer, x):
        traced[-1] += 1
        return original(layer, x)

    def adapted(arm, *arguments):
        traced.append(0)
        return adapt(arm, *arguments)

    adapt = finetune_arm.FinetuneArm.adapt
    monkeypatch.setattr(bit, "checkpointed", counted)
    monkeypatch.setattr(finetune_arm.FinetuneArm, "adapt", adapted)
    label_budget.run(config, tmp_path)
    # Budgets of different lengths are traced separately.
    assert len(traced) == 2
    assert all(traced)


@pytest.mark.parametrize("column", ["square", "patient_id"])
def test_other_data_are_not_mixed_with_finished_cells(
    study_config, two_hospitals, tmp_path, column
):
    changes = planted(two_hospitals, tmp_path, lambda *_: None)
    label_budget.run(study_config(**changes), tmp_path / "run")
    file = tmp_path / "ood" / "manifest.csv"
    table = pd.read_csv(file)
    # Fixed splits, so that only the patients of the images differ.
    table.loc[0, column] = 1 if column == "square" else "ood0b"
    table.to_csv(file, index=False)
    with pytest.raises(UserError, match="holds a run that began with other out-of-distribution"):
        label_budget.run(study_config(**changes), tmp_path / "run")


def test_other_weights_are_not_mixed_with_finished_cells(study_config, tiny_checkpoint, tmp_path):
    config = study_config(arms=f"one={tiny_checkpoint}", baseline="one")
    label_budget.run(config, tmp_path)
    next((tmp_path / "cells").glob("one-probe-24-*")).unlink()
    file = tmp_path / "weights" / "one.txt"
    label_budget.run(config, tmp_path)
    file.write_text("others")
    next((tmp_path / "cells").glob("one-probe-24-*")).unlink()
    with pytest.raises(UserError, match="The checkpoint of the arm 'one' has other weights"):
        label_budget.run(config, tmp_path)


def test_an_arm_may_be_a_file_of_bit(study_config, tmp_path):
    file = tmp_path / "BiT-M-tiny.npz"
    bit_weights.save_npz(file, bit_weights.weights(TINY))
    config = study_config(arms=f"bit=bit:{file}", baseline="bit", budgets="100%", seeds=1)
    assert label_budget.run(config, tmp_path / "study")
    arm = summary_of(tmp_path / "study")["arms"]["bit"]
    assert (arm["checkpoint"], arm["provenance"]["origin"]) == (f"bit:{file}", "bit")


@pytest.mark.parametrize("missing", ["no/such/folder", "bit:none.npz", "keras:VGG99", "scratch:9x"])
def test_a_checkpoint_that_is_not_there_stops_before_the_first_cell(
    study_config, tiny_checkpoint, tmp_path, missing
):
    with pytest.raises(UserError) as caught:
        label_budget.run(study_config(arms=f"one={tiny_checkpoint}; two={missing}"), tmp_path)
    assert str(caught.value).startswith(f"config.arms has two={missing}: ")
    assert not list(tmp_path.iterdir())  # not even the data were read


@pytest.mark.parametrize(
    "wrong",
    [{"optimizer": "adamx"}, {"schedule": "cosine", "steps": None}, {"train_preprocess": "blur?"}],
)
def test_a_recipe_that_cannot_be_stops_before_the_first_cell(study_config, tmp_path, wrong):
    config = study_config(modes=("probe", "finetune"))
    config.ood.update(wrong)
    with pytest.raises(UserError):
        label_budget.run(config, tmp_path)
    assert not (tmp_path / "embeddings").exists()


def test_an_untrained_arm_at_rates_of_pretrained_ones_stops_before_the_first_cell(
    study_config, tiny_checkpoint, tmp_path
):
    arms = f"remedis={tiny_checkpoint}; scratch=scratch:1-1-1-1x0.5"
    config = study_config(arms=arms, baseline="scratch", modes=("probe", "finetune"))
    config.select = "learning_rate=0.003,0.02"
    for start in (label_budget.run, label_budget.list_cells):
        with pytest.raises(UserError) as caught:
            start(config, tmp_path)
        assert str(caught.value) == (
            f"config.arms has remedis={tiny_checkpoint}, whose weights are random, but its largest "
            "learning rate is 0.02, which is meant for pretrained weights; random weights train by "
            "sgd at about 1.6, and at no less than a tenth of it; add such a rate to "
            "config.select, from which validation chooses for every arm alike."
        )
    assert not (tmp_path / "embeddings").exists()
    config.select = ""
    config.id.learning_rate = config.ood.learning_rate = 0.003
    with pytest.raises(UserError, match=r"add such a rate to config.id.learning_rate, from which"):
        label_budget.run(config, tmp_path)
    config.modes = ("probe",)  # is solved, without a rate
    assert label_budget.list_cells(config, tmp_path)


def test_a_study_of_version_0_1_resumes_without_a_grid(study_config, tmp_path):
    config = study_config(select="", budgets="0", seeds=1)
    config.id.learning_rate = config.ood.learning_rate = 0.003
    study = studies_of(config, tmp_path)[0]
    assert not {"select", "id_trainings", "primary"} & set(read_json(study.run / "config.json"))
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "one-probe-0-0.npz").touch()
    assert studies_of(config, tmp_path)[0].cells.unfinished()
    with pytest.raises(UserError, match=r"another config: id.learning_rate, .* select differ"):
        studies_of(study_config(budgets="0", seeds=1), tmp_path)[0]


def check_tuning(found):
    """Checks that a probe study says how its arms were tuned, and that all had the same budget."""
    assert found["trainings"] == {"probe": 1}
    (tuning,) = found["tuning"].values()
    assert tuning["candidates"][:2] == ["step 0", "penalty 10"]
    assert len(tuning["candidates"]) == 6
    assert set(tuning["arms"]) == {"one", "two"}
    for arm in tuning["arms"].values():
        assert [row["candidate"] for row in arm["ood"]] == tuning["candidates"]
        assert sum(row["chosen"] for row in arm["ood"]) == arm["cells"] == 4
        assert (arm["unranked"], arm["unrecorded"]) == (0, 0)
        assert arm["id"] == [{"training": 0, "penalties": arm["id"][0]["penalties"]}]
        assert set(arm["id"][0]["penalties"]) == {"square", "noise"}


class FakeArm:
    """Stands for fine-tuning: every model scores by its training, every cell by its seed."""

    adapted = ()

    def __init__(self, settings, run, data, name, shard):
        self.run, self.data, self.name = run, data, name

    def in_distribution(self, training):
        file = scores_file(self.run, self.name, "finetune", training)
        rng = np.random.default_rng(training)
        if not file.is_file():
            file.parent.mkdir(parents=True)
            id_test, zero_shot = (
                split.targets() + rng.normal(size=split.targets().shape)
                for split in (self.data.inside.test, self.data.test)
            )
            provenance = Provenance("random", "drawn")
            tuning = {"chosen": "a", "scores": {"a": 0.5}}
            InDistributionScores(id_test, zero_shot, provenance, 1.0, None, tuning).write(file)
        return InDistributionScores.read(file)

    def adapt(self, draw, cell):
        FakeArm.adapted += (cell.seed,)
        rng = np.random.default_rng([cell.patients, cell.seed])
        scores = self.data.test.targets() + rng.normal(size=self.data.test.targets().shape)
        names = ("step 0", "learning_rate=0.2", "learning_rate=1.6")
        return Adapted(scores, Choice(names, (0.5, 0.6, None), 1))


@pytest.mark.guarantee
def test_draws_start_from_several_in_distribution_trainings_in_turn(
    study_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_study, "FinetuneArm", FakeArm)
    monkeypatch.setattr(FakeArm, "adapted", ())
    config = study_config(modes=("finetune",), budgets="0", seeds=5, id_trainings=2)
    config.select = "learning_rate=0.2,1.6"
    listed = label_budget.list_cells(config, tmp_path / "alone")
    assert "2 learning rates = 2 trainings per cell, beside step 0, and per in-d" in listed
    assert "2 in-distribution models per arm." in listed
    # Two arms: two models each, and five draws of the one budget.
    assert "to do: 4 in-distribution models and 10 cells, x 2 = 28 trainings at most." in listed
    assert label_budget.run(config, tmp_path / "alone")
    # Those of one training follow each other.
    assert FakeArm.adapted == (0, 2, 4, 1, 3) * 2
    assert len(list((tmp_path / "alone" / "cells").glob("one-finetune-0-*"))) == 2
    found = summary_of(tmp_path / "alone")
    assert found["trainings"] == {"finetune": 2}
    arm = found["tuning"]["finetune"]["arms"]["one"]
    assert [row["training"] for row in arm["id"]] == [0, 1]
    assert [row["chosen"] for row in arm["ood"]] == [0, 5, 0]
    assert [row["score"] for row in arm["ood"]] == [0.5, 0.6, None]
    assert any("fine-tuned 2 times on the in-distribution data" in c for c in found["caveats"])
    (id_means,) = {row["mean"]["value"] for row in found["id"]}  # the arms have equal scores
    assert 0.5 < id_means < 1
    for k in (1, 2):
        assert not label_budget.run(config, tmp_path / "shared", Shard(k, 2))
    assert label_budget.run(config, tmp_path / "shared")
    assert summary_of(tmp_path / "shared") == found
    config.id_trainings = 1
    with pytest.raises(UserError, match="another config: id_trainings"):
        label_budget.run(config, tmp_path / "alone")


class FakeFit:
    """Stands for fine-tuning: scores the pool by a rule instead of training a network."""

    def __init__(self, pool, quality):
        self.pool, self.quality, self.trained = pool, quality, []

    def __call__(self, settings, directory, data, train_ops, eval_ops, scores_test):
        rate = settings.optimization.learning_rate
        if not directory.finished():
            self.trained.append(rate)
            if self.quality.get(rate) == "killed":
                raise KeyboardInterrupt
        sign = self.quality[rate]
        scored = [sign * split.targets() for split in (data.validation, data.test)]
        return FitResult(None, scored[0], scored[1] if scores_test else scored[1][:0], {})


@pytest.fixture
def fake_arm(study_config, tmp_path, monkeypatch):
    """Returns a function that adapts an arm with faked trainings, and their fit."""
    config = study_config(modes=("finetune",), select="learning_rate=0.2,0.8,1.6", seeds=1)

    def adapted(unchanged, quality, validation=None):
        study = studies_of(config, tmp_path)[0]
        pool, test = study.data.pool, study.data.test
        fit = FakeFit(pool, quality)
        zero_shot = np.full(test.targets().shape, 0.25, np.float32)
        arm = finetune_arm.FinetuneArm(study.settings, study.run, study.data, "one", Shard())
        arm._scores[0] = InDistributionScores(
            zero_shot, zero_shot, None, 0.0, unchanged * pool.targets()
        )
        monkeypatch.setattr(arm, "_reset", lambda *_: fit)
        draw = study.budgets[-1].draws[0]
        if validation is not None:
            draw = dataclasses.replace(draw, validation=validation(pool))
        return arm, fit, lambda: arm.adapt(draw, Cell("one", "finetune", 24, 0))

    return adapted


@pytest.mark.parametrize(
    ("unchanged", "quality", "chosen"),
    [
        (0, {0.2: -1, 0.8: 1, 1.6: 1}, "learning_rate=0.8"),  # the first among equals
        (1, {0.2: -1, 0.8: 1, 1.6: 1}, "step 0"),
        (0, {0.2: -1, 0.8: -1, 1.6: 0}, "step 0"),  # worse than zero-shot, or not better
    ],
)
def test_a_cell_keeps_the_in_distribution_model_unless_a_candidate_is_better(
    fake_arm, unchanged, quality, chosen
):
    arm, fit, adapt = fake_arm(unchanged, quality)
    got = adapt()
    assert got.choice.names == (
        "step 0",
        *(f"learning_rate={rate}" for rate in (0.2, 0.8, 1.6)),
    )
    area = {-1: 0.0, 0: 0.5, 1: 1.0}
    assert got.choice.scores == (area[unchanged], *(area[q] for q in quality.values()))
    assert got.choice.names[got.choice.chosen] == chosen
    assert fit.trained == [0.2, 0.8, 1.6]
    want = arm._scores[0].zero_shot if chosen == "step 0" else arm._data.test.targets()
    np.testing.assert_array_equal(got.scores, want)


def test_a_cell_without_both_classes_in_validation_trains_nothing(fake_arm):
    arm, fit, adapt = fake_arm(0, {}, lambda pool: (pool.targets() == [1, 0]).all(axis=1))
    got = adapt()
    assert not got.choice.ranked
    assert got.choice.chosen == 0
    assert fit.trained == []
    np.testing.assert_array_equal(got.scores, arm._scores[0].zero_shot)


def test_a_killed_grid_of_a_cell_resumes_with_its_next_candidate(fake_arm):
    *_, adapt = fake_arm(0, {0.2: 1, 0.8: "killed"})
    with pytest.raises(KeyboardInterrupt):
        adapt()
    arm, fit, adapt = fake_arm(0, {0.2: 1, 0.8: -1, 1.6: 0})
    got = adapt()
    assert fit.trained == [0.8, 1.6]
    assert got.choice.names[got.choice.chosen] == "learning_rate=0.2"
    np.testing.assert_array_equal(got.scores, arm._data.test.targets())


def planted(two_hospitals, tmp_path, where):
    """Copies both hospitals and changes the manifest of the second one."""
    for folder in two_hospitals:
        shutil.copytree(folder, tmp_path / folder.name)
    file = tmp_path / "ood" / "manifest.csv"
    table = pd.read_csv(file)
    where(table, tmp_path)
    table.to_csv(file, index=False)
    return {"id_data_dir": str(tmp_path / "id"), "ood_data_dir": str(tmp_path / "ood")}


def test_a_patient_in_ood_train_and_test_stops_the_study_with_the_receipt(
    study_config, two_hospitals, tmp_path
):
    def plant(table, _):
        table["split"] = ["train", "test"] * 22
        table.loc[2::10, "split"] = "validation"
        table.loc[1, "patient_id"] = table.loc[0, "patient_id"]

    changes = planted(two_hospitals, tmp_path, plant)
    with pytest.raises(LeakError, match=r"'train' and 'test' share 1 patients: ood0"):
        label_budget.run(study_config(**changes), tmp_path / "run")
    receipt = json.loads((tmp_path / "run" / "data" / "ood" / "leaks.json").read_text())
    assert not receipt["ok"]
    assert receipt["overlaps"][0]["ids"] == ["ood0"]
    assert not (tmp_path / "run" / "cells").exists()


def test_an_ood_image_that_the_id_model_learnt_from_stops_the_study(
    study_config, two_hospitals, tmp_path
):
    def plant(_, root):
        for i in range(PATIENTS):  # some of them is in training
            if i % 2:
                shutil.copy(root / "id" / f"{i}.png", root / "ood" / f"{i}.png")

    changes = planted(two_hospitals, tmp_path, plant)
    with pytest.raises(LeakError, match=r"'ID train' and 'OOD pool' share .* identical images"):
        label_budget.run(study_config(**changes), tmp_path / "run")
    assert not read_json(tmp_path / "run" / "data" / "leaks.json")["ok"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": ""}, "config.arms is not set"),
        ({"arms": "one"}, "config.arms has 'one'; expected NAME=CHECKPOINT"),
        ({"arms": "a/b=x"}, "config.arms has 'a/b=x'; expected NAME=CHECKPOINT"),
        ({"arms": "a=x; a=y"}, "config.arms names 'a' twice"),
        ({"baseline": ""}, "config.baseline is not set"),
        ({"baseline": "tow"}, "Unknown value of config.baseline 'tow': did you mean 'two'?"),
        ({"modes": ("prob",)}, "Unknown mode in config.modes 'prob': did you mean 'probe'?"),
        ({"modes": ()}, "config.modes is (); expected one or both of probe, finetune"),
        ({"caveats": (1,)}, "config.caveats is (1,); expected sentences in a tuple"),
        (
            {"id": {"optimizer": "relased_lars"}},
            "Unknown value of config.id.optimizer 'relased_lars': did you mean 'released_lars'?",
        ),
        ({"ood": {"schedule": "cosin"}}, "Unknown value of config.ood.schedule 'cosin': did you"),
        ({"ood": {"class_weights": "all"}}, "Unknown value of config.ood.class_weights 'all'."),
        ({"seeds": 0}, "config.seeds is 0; expected 1 to 1000."),
        ({"id_trainings": 0}, "config.id_trainings is 0; expected 1 to 1000."),
        (
            {"ood": {"eval_uncertain": "maybe"}},
            "Unknown policy in config.ood.eval_uncertain 'maybe'. Choose from: ignore, zeros",
        ),
        ({"select": "rate=1"}, "Unknown key in config.select 'rate'. Choose from: layers, deca"),
        ({"select": ""}, "config.id.learning_rate is not set; name rates in config.select, such"),
        ({"select": "steps=2,4"}, "config.id.steps is 2, and config.select has steps, too; name"),
        ({"select": "epochs=2"}, "config.id.steps is 2, and config.select has epochs, too; name"),
        (
            {"select": "layers=all,upper; learning_rate=1", "ood": {"layers": "upper"}},
            "config.ood.layers is upper, and config.select has layers, too; name the values in",
        ),
        (
            {"modes": ("finetune",), "id_trainings": 3},
            "config.id_trainings is 3 and config.seeds is 2; expected at least one seed per train",
        ),
        ({"target": 85.0}, "config.target is 85.0; expected an AUROC between 0.5"),
        ({"levels": (0.8, 1.0)}, "config.levels has 1; expected shares of the baseline's gain"),
        ({"primary": "one, probe"}, "config.primary is 'one, probe'; expected an arm, a mode"),
        ({"primary": "one, prob, 100%"}, "Unknown mode in config.primary 'prob': did you mean"),
        ({"primary": "two, probe, 100%"}, "config.primary names the baseline 'two'"),
        ({"primary": "one, probe, 7%"}, "Unknown budget in config.primary '7%'"),
        ({"primary": "one, probe, 100%, X"}, "Unknown label in config.primary 'X'"),
        ({"validation_share": 0.9}, "config.validation_share is 0.9; expected 0.05 to 0.5."),
        ({"id_data_dir": ""}, "config.id_data_dir is not set"),
        ({"rehearsal": "chst"}, "Unknown pair of rehearsal hospitals 'chst': did you mean"),
    ],
)
def test_mistakes_are_a_sentence(study_config, tmp_path, changes, message):
    with pytest.raises(UserError) as caught:
        label_budget.run(study_config(**changes), tmp_path)
    assert str(caught.value).startswith(message)


def test_a_grid_of_layers_and_decays_is_read(study_config):
    select = "layers=all,decaying; decay_to=zero,start; learning_rate=1"
    settings = StudySettings.from_config(study_config(select=select))
    assert len(settings.select.candidates()) == 4


def test_sites_are_selected_and_split_again(study_config, two_hospitals, tmp_path):
    def plant(table, root):
        table["site"] = ["a", "b", "b", "a"] * 11
        table["split"] = "train"

    changes = planted(two_hospitals, tmp_path, plant)
    config = study_config(**changes, ood_sites="b", budgets="0")
    prepared = studies_of(config, tmp_path / "run")[0]
    assert set(prepared.data.test.table["site"]) == {"b"}
    assert set(prepared.data.pool.table["site"]) == {"b"}
    assert len(prepared.data.pool) + len(prepared.data.test) == PATIENTS // 2
    with pytest.raises(UserError, match=r"config.ood_sites names 'c', of which .* sites a, b"):
        studies_of(study_config(**changes, ood_sites="c"), tmp_path / "other")[0]
