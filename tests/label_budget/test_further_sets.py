"""Several out-of-distribution sets in one study: config, shared models, resuming, and files."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
from fake_probe import FakeProbe
from json_file import read_json
from small_study import PATIENTS, run_killed, summary_of, write_hospital

from remedis import files, label_budget
from remedis.data import judged_images
from remedis.data.checks.leaks import LeakError
from remedis.errors import UserError
from remedis.label_budget import finetune_arm, further_sets, run_study
from remedis.label_budget.run_study import studies_of
from remedis.label_budget.settings import Shard, StudySettings
from remedis.zoo.seen_images import SeenImages


@pytest.fixture(scope="session")
def north(tmp_path_factory):
    return write_hospital(tmp_path_factory.mktemp("hospitals") / "north", 2, 10)


def contents(folder):
    """What a study is, without what differs between two starts of it."""
    return summary_of(folder), (folder / "curves.csv").read_bytes()


@pytest.mark.guarantee
def test_the_first_set_is_as_alone_and_a_further_one_is_as_a_first(
    study_config, north, tiny_checkpoint, tmp_path
):
    both, alone, other = (tmp_path / name for name in ("both", "alone", "other"))
    one = {"arms": f"one={tiny_checkpoint}", "baseline": "one", "title": "Squares"}
    config = study_config(**one, further_ood=f"north={north}")
    assert label_budget.run(config, both)
    assert label_budget.run(study_config(**one), alone)
    assert contents(both) == contents(alone)
    changes = {"ood_data_dir": str(north), "ood_name": "north", "title": "Squares: north"}
    assert label_budget.run(study_config(**{**one, **changes}), other)
    assert contents(both / "ood" / "north") == contents(other)
    assert read_json(both / "ood_sets.json") == {
        "title": "Squares",
        "sets": [
            {"name": "ood", "directory": "."},
            {"name": "north", "directory": "ood/north"},
        ],
        "overlaps": [],
        "caveats": [],
    }
    assert not (alone / "ood_sets.json").exists()
    # Embeddings of all images are in one place, in-distribution ones once.
    assert not (both / "ood" / "north" / "embeddings").exists()
    assert not (both / "ood" / "north" / "data" / "id").exists()
    judged = {one.split: one for one in judged_images.read(both)}
    assert list(judged) == ["id/validation", "id/test", "ood/test", "ood/north/test"]
    (expected,) = (o for o in judged_images.read(other) if o.split == "ood/test")
    assert dataclasses.replace(judged["ood/north/test"], split="ood/test") == expected
    listed = label_budget.list_cells(config, both)
    assert listed.count("5 of 5 cells are finished, 0 to do.") == 2
    assert "north:\nprobe " in listed
    assert listed.endswith(
        "Together: 10 of 10 cells of 2 out-of-distribution sets are finished; in-distribution "
        "models are trained once for all of them."
    )


@pytest.mark.guarantee
def test_killed_between_the_sets_or_shared_out_it_is_the_same_study(
    study_config, north, tiny_checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_study, "ProbeArm", FakeProbe)
    whole, killed, shared = (tmp_path / name for name in ("whole", "killed", "shared"))
    config = study_config(arms=f"one={tiny_checkpoint}", baseline="one")
    config.further_ood = f"north={north}"
    label_budget.run(config, whole)
    run_killed(config, killed, 7, monkeypatch)
    listed = label_budget.list_cells(config, killed)
    assert "2 of 5 cells are finished, 3 to do here: about" in listed
    assert "Together: 7 of 10 cells" in listed
    assert label_budget.run(config, killed)
    for k, done in ((1, 3), (2, 5)):
        assert not label_budget.run(config, shared, Shard(k, 2))
        assert len(list(shared.glob("cells/*"))) == done
        assert len(list(shared.glob("ood/north/cells/*"))) == done
    assert not (shared / "summary.json").exists()
    # Without a finished cell of its own, a set is judged by the times of the first one.
    shutil.rmtree(shared / "ood" / "north" / "cells")
    assert "0 of 5 cells are finished, 5 to do here: about" in label_budget.list_cells(
        config, shared
    )
    assert label_budget.run(config, shared)
    for folder in (killed, shared):
        assert contents(folder) == contents(whole)
        assert contents(folder / "ood" / "north") == contents(whole / "ood" / "north")


def test_a_begun_study_may_get_a_set_and_lose_it(
    study_config, north, tiny_checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_study, "ProbeArm", FakeProbe)
    config = study_config(arms=f"one={tiny_checkpoint}", baseline="one", budgets="0")
    assert label_budget.run(config, tmp_path)
    before = contents(tmp_path)
    config.further_ood = f"north={north}"
    assert label_budget.run(config, tmp_path)
    assert contents(tmp_path) == before
    assert (tmp_path / "ood" / "north" / "summary.json").is_file()
    assert len(judged_images.read(tmp_path)) == 4
    config.further_ood = ""
    assert label_budget.run(config, tmp_path)
    assert not (tmp_path / "ood_sets.json").exists()
    assert len(judged_images.read(tmp_path)) == 3


@pytest.mark.guarantee
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fine_tuned_models_are_trained_once_for_all_sets(
    study_config, two_hospitals, tiny_checkpoint, tmp_path, monkeypatch, precision
):
    """A copy of the first set gets the same scores, from the kept models."""
    shutil.copytree(two_hospitals[1], tmp_path / "copy")
    config = study_config(
        arms=f"one={tiny_checkpoint}", baseline="one", modes=("finetune",), budgets="0", seeds=2
    )
    config.update(
        further_ood=f"copy={tmp_path / 'copy'}", select="learning_rate=1.6", id_trainings=2
    )
    config.id.precision = config.ood.precision = precision
    trained = []
    original = finetune_arm._train_in_distribution

    def counted(study, run, data, name, training, work):
        trained.append((study.ood.name, training))
        return original(study, run, data, name, training, work)

    monkeypatch.setattr(finetune_arm, "_train_in_distribution", counted)
    run = tmp_path / "run"
    listed = label_budget.list_cells(config, run)
    assert "Fine-tunings to do: 2 in-distribution models and 2 cells, x 1 = 4 trainings" in listed
    assert "Fine-tunings to do: 0 in-distribution models and 2 cells, x 1 = 2 trainings" in listed
    # The process that has a further set first trains the model with the first set's data.
    study = studies_of(config, run)[1]
    run_study._finetune_arm(study, "one", Shard()).in_distribution(0)
    assert trained == [("ood", 0)]
    assert label_budget.run(config, run)
    assert trained == [("ood", 0), ("ood", 1)]
    for training in ("id", "id-1"):
        ours, theirs = (
            np.load(folder / training / "one" / "scores.npz")
            for folder in (run, run / "ood" / "copy")
        )
        for key in ("inside", "zero_shot", "pool"):
            np.testing.assert_array_equal(ours[key], theirs[key])
        assert np.ptp(ours["zero_shot"]) > 0
    assert not (run / "ood" / "copy" / "id" / "one" / "export").exists()
    first, copy = (
        np.load(folder / "cells" / "one-finetune-24-1.npz")["scores"]
        for folder in (run, run / "ood" / "copy")
    )
    np.testing.assert_array_equal(first, copy)


def test_test_sets_that_overlap_are_warned_of_and_named(
    study_config, two_hospitals, tmp_path, caplog
):
    shutil.copytree(two_hospitals[1], tmp_path / "copy")
    config = study_config(further_ood=f"copy={tmp_path / 'copy'}", budgets="0", seeds=1)
    label_budget.list_cells(config, tmp_path / "run")
    sentence = (
        "The test sets of ood and copy have 20 images in common: their results are not independent "
        "of each other."
    )
    assert sentence in caplog.text
    assert read_json(tmp_path / "run" / "ood_sets.json")["overlaps"] == [sentence]


def test_a_further_set_with_images_of_training_is_refused(
    study_config, two_hospitals, north, tiny_checkpoint, tmp_path
):
    shutil.copytree(north, tmp_path / "leaking")
    for i in range(PATIENTS):
        shutil.copy(two_hospitals[0] / f"{i}.png", tmp_path / "leaking" / f"{i}.png")
    config = study_config(further_ood=f"leaking={tmp_path / 'leaking'}")
    with pytest.raises(LeakError, match=r"^leaking: .*'ID train' and 'OOD pool' share .* identica"):
        label_budget.run(config, tmp_path / "leak")
    assert not read_json(tmp_path / "leak/ood/leaking/data/leaks.json")["ok"]
    assert not (tmp_path / "leak" / "cells").exists()
    # An arm that has seen a further test set is refused, too.
    folder = tmp_path / "pretrained"
    shutil.copytree(tiny_checkpoint, folder)
    SeenImages.from_hashes(files.sha256(path) for path in north.glob("*.png")).write(folder)
    config = study_config(arms=f"one={folder}", baseline="one", further_ood=f"north={north}")
    with pytest.raises(UserError, match=r"trained on 20 of the 20 out-of-distribution \(north\) t"):
        label_budget.run(config, tmp_path / "seen")
    assert not (tmp_path / "seen" / "cells").exists()


def test_sites_of_one_directory_can_be_several_sets(study_config, two_hospitals, tmp_path):
    for folder in two_hospitals:
        shutil.copytree(folder, tmp_path / folder.name)
    file = tmp_path / "ood" / "manifest.csv"
    table = pd.read_csv(file).assign(site=["a", "b", "b", "a"] * 11)
    table.to_csv(file, index=False)
    changes = {"ood_data_dir": str(tmp_path / "ood"), "ood_sites": "b", "budgets": "0"}
    config = study_config(**changes, further_ood=f"ward a={tmp_path / 'ood'}")
    config.further_ood_options = "ward a: sites=a, batch_size=4"
    config.ood.stratify = ("square",)
    first, further = studies_of(config, tmp_path / "run")
    assert set(first.data.test.table["site"]) == {"b"}
    assert set(further.data.test.table["site"]) == {"a"}
    assert further.settings.ood.name == "ward a"
    assert further.settings.finetuning("ood", "").optimization.batch_size == 4
    assert further.settings.finetuning("id", "").optimization.batch_size == 8
    config.further_ood_options = "ward a: sites=c"
    with pytest.raises(
        UserError, match=r"^ward a: config.further_ood_options \(sites\) names 'c', "
    ):
        studies_of(config, tmp_path / "other")


def test_a_further_set_has_the_keys_of_the_first_but_for_its_own(study_config):
    config = study_config(
        further_ood="MIMIC-CXR=/data/mimic; centre 1=/data/centres",
        primary="one, probe, 100%",
        further_ood_options=(
            'MIMIC-CXR: source=mimic_cxr, uncertain="zeros; square=ones", epochs=2, steps=None, '
            'splits={"train": 0.5, "validation": 0.2, "test": 0.3}, stratify=site; '
            "centre 1: sites='1, 2', ema=0"
        ),
    )
    settings = StudySettings.from_config(config)
    mimic, centre = (settings.of_further_set(name) for name in ("MIMIC-CXR", "centre 1"))
    data = mimic.ood.finetuning.data
    assert (data.source, data.data_dir) == ("mimic_cxr", "/data/mimic")
    assert data.uncertain == "zeros; square=ones"
    assert data.splits == {"train": 0.5, "validation": 0.2, "test": 0.3}
    assert data.stratify == ("site",)
    optimization = mimic.ood.finetuning.optimization
    assert (optimization.epochs, optimization.steps) == (2, None)
    assert centre.ood.sites == "1, 2"
    assert centre.ood.finetuning.data.source == "csv"
    assert mimic.id == settings.id
    # One comparison is stated, at the first set.
    assert settings.primary is not None
    assert mimic.primary is None


@pytest.mark.parametrize(
    ("further", "changes", "message"),
    [
        ("north", "", "config.further_ood has 'north'; expected NAME=DIRECTORY"),
        ("a/b=x", "", "config.further_ood has 'a/b'; expected NAME=DIRECTORY"),
        ("..=x", "", "config.further_ood has '..'; expected NAME=DIRECTORY"),
        ("a=x; a=y", "", "config.further_ood names 'a' twice; give each set a name of its own."),
        ("a=x; A=y", "", "config.further_ood names 'A', and there is 'a' already; names become"),
        ("First=x", "", "config.further_ood names 'First', and there is 'first' already; names"),
        (
            "a=x",
            "b: sites=1",
            "config.further_ood_options has keys of 'b', which config.further_ood does not name; "
            "add its directory: --config.further_ood='b=DIRECTORY'.",
        ),
        ("a=x", "a: sites=1, 2", "config.further_ood_options has '2'; expected KEY=VALUE."),
        ("a=x", "a: sites='1", 'config.further_ood_options is "a: sites=\'1", in which a quote'),
        ("a=x", "a", "config.further_ood_options has 'a'; expected NAME: KEY=VALUE"),
        (
            "a=x",
            "a: image_size=64",
            "config.further_ood_options has a: image_size, of which a study has one value; set "
            "config.image_size.",
        ),
        (
            "a=x",
            "a: batchsize=4",
            "Unknown key of 'a' in config.further_ood_options 'batchsize': did you mean 'batch_s",
        ),
        (
            "a=x",
            "a: batch_size=many",
            "config.further_ood_options has a: batch_size='many'; expected a value like that of "
            "config.ood, 8.",
        ),
        (
            "a=x",
            "a: learning_rate=fast",
            "config.further_ood_options has a: learning_rate='fast'; expected a number.",
        ),
    ],
)
def test_mistakes_are_a_sentence(study_config, further, changes, message):
    config = study_config(ood_name="first", further_ood=further, further_ood_options=changes)
    with pytest.raises(UserError) as caught:
        StudySettings.from_config(config)
    assert str(caught.value).startswith(message)


def test_the_name_of_a_folder_is_a_name_too(study_config, tmp_path):
    config = study_config(further_ood="North=/data/n", ood_data_dir=str(tmp_path / "north"))
    with pytest.raises(UserError, match=r"names 'North', which is the name of the first set, too;"):
        StudySettings.from_config(config)


def test_only_a_rehearsal_makes_up_a_set_without_a_directory(study_config):
    config = study_config(rehearsal="chest", further_ood_options="B: source=mimic_cxr")
    values = config.copy_and_resolve_references().to_dict()
    assert further_sets.studies(values)["B"]["ood_data_dir"] == ""
