"""Suites: their config, faults of one set, additions, and what a run leaves."""

import contextlib

import pytest
from fake_probe import FakeProbe
from json_file import read_json
from small_study import write_hospital
from small_suite import suite_config

from remedis import cli, suite
from remedis.api import early_checks
from remedis.cli import exit_status
from remedis.data import judged_images
from remedis.errors import UserError
from remedis.label_budget import run_study
from remedis.suite import suite_record
from remedis.suite.run_suite import SuiteResult
from remedis.suite.settings import SuiteSettings, with_floors
from remedis.training import determinism
from remedis.zoo import resolve


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("hospitals")
    inside, north, south = (
        write_hospital(root / name, i, dark)
        for i, (name, dark) in enumerate((("id", 240), ("north", 0), ("south", 10)))
    )
    return {"north": (inside, north), "south": (inside, south)}


def cells_of(folder):
    return {
        f"{path.parents[1].name}/{path.name}": path.stat().st_mtime_ns
        for path in folder.glob("sets/*/cells/*.npz")
    }


def test_a_set_at_fault_does_not_stop_the_others_and_additions_run_alone(
    sets, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(run_study, "ProbeArm", FakeProbe)
    config = suite_config(sets, budgets="0", seeds=1)
    config.sets.south.ood_data_dir = str(tmp_path / "nowhere")
    early_checks.check_config(config)  # leaves the sets to the suite
    result = suite.run(config, tmp_path)
    assert list(result.studies) == ["north"]
    (fault,) = result.faults.values()
    assert fault.startswith("Set south: ")
    assert "nowhere" in fault
    assert f"{fault} The set is left out." in caplog.text
    recorded = suite_record.read(tmp_path)
    assert [one["fault"] for one in recorded["sets"]] == [None, fault]
    assert [one["directory"] for one in recorded["sets"]] == ["sets/north", "sets/south"]
    assert [one["name"] for one in recorded["arms"]] == ["one", "two", "thumbnails"]
    assert {one.split for one in judged_images.read(tmp_path)} == {
        f"north/{split}" for split in ("id/validation", "id/test", "ood/test")
    }
    before = cells_of(tmp_path)
    assert len(before) == 6

    # A set, an arm, a seed and a budget are added: finished cells stay.
    added = {"arms": f"{config.arms}; three=scratch:1-2-1-1x0.5", "seeds": 2}
    config = suite_config(sets, **added, budgets="0, 50%")
    listed = suite.list_cells(config, tmp_path)
    assert "Set south:\nprobe " in listed
    assert "Together: 6 of 40 cells of 2 sets are finished; left here: " in listed
    assert "for probe of south the time is known after the first cells" in listed
    result = suite.run(config, tmp_path)
    assert not result.faults
    after = cells_of(tmp_path)
    assert len(after) == 40
    assert {name: after[name] for name in before} == before
    assert list(read_json(tmp_path / "sets/south/summary.json")["arms"]) == [
        *("one", "two", "three", "thumbnails"),
    ]
    assert len(judged_images.read(tmp_path)) == 6
    # A name stands for one checkpoint.
    config = suite_config(sets, arms="one=scratch:1-1-1-1x0.5; three=scratch:2-1-1-1x0.5")
    config.baseline = "one"
    with pytest.raises(UserError, match=r"^Set south: .*arms differ \(three was scratch:1-2-1-1x0"):
        suite.list_cells(config, tmp_path)


def test_the_job_ends_with_the_status_of_a_set_at_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(determinism, "prepared", contextlib.nullcontext)
    done = []

    def result(config, workdir, *_):
        done.append((workdir, config.seeds))
        fault = {"north": "Set north: none."} if config.seeds == 3 else {}
        return SuiteResult(SuiteSettings.from_config(config), {}, fault)

    command = ["suite", "--config=suite_own:rehearsal", f"--workdir={tmp_path}"]
    for function, option in (("run", "--shard=1/2"), ("merge", "--merge")):
        monkeypatch.setattr(suite, function, result)
        assert cli.main([*command, option]) == exit_status.INCOMPLETE
        assert cli.main([*command, option, "--config.seeds=4"]) == 0
        monkeypatch.delattr(suite, function)
    assert done == [(str(tmp_path), seeds) for seeds in (3, 4, 3, 4)]


@pytest.mark.parametrize("job", ["suite", "ood-curves"])
def test_a_process_merges_or_computes_a_shard(job, tmp_path, capsys):
    config = {"suite": "suite_own", "ood-curves": "ood_own"}[job]
    command = [job, f"--config={config}:rehearsal", f"--workdir={tmp_path}"]
    assert cli.main([*command, "--merge", "--shard=1/2"]) == 1
    assert "error: --merge computes no cells, and --shard" in capsys.readouterr().err


def made(**changes):
    """A suite of two sets whose directories are never looked at."""
    return suite_config({name: ("/data/id", f"/data/{name}") for name in "ab"}, **changes)


def test_what_is_set_once_counts_everywhere_and_a_set_has_its_own():
    config = made()
    config.seeds = 7
    config.sets.a.image_size = 96
    config.sets.b.id.batch_size = 4
    settings = SuiteSettings.from_config(config)
    one, other = settings.sets.values()
    assert (one.seeds, other.seeds) == (7, 7)
    assert [study.id.finetuning.images.image_size for study in (one, other)] == [96, 32]
    assert [study.id.finetuning.optimization.batch_size for study in (one, other)] == [8, 4]
    assert settings.title == "Which checkpoint for a, b?"
    config.only = "b"
    assert list(SuiteSettings.from_config(config).sets) == ["b"]


@pytest.mark.parametrize(
    ("arms", "added"),
    [
        ("bit=scratch:101x1", ""),
        ("one=keras:DenseNet121", ""),
        ("one=random:0", ""),
        ("one=/no/such/folder", "; random=scratch:50x1"),
        ("one=FOLDER", "; random=scratch:1-1-1-1x0.5"),
        ("one=/no/such/folder; two=FOLDER", "; random=scratch:1-1-1-1x0.5"),
    ],
)
def test_random_weights_and_thumbnails_are_always_among_the_arms(arms, added, monkeypatch):
    folder = "1-1-1-1x0.5"  # the stand-in of a folder of trained weights

    def architecture(checkpoint):
        if checkpoint != folder:
            raise UserError("no such folder")
        return folder

    monkeypatch.setattr(resolve, "named_architecture", architecture)
    arms = arms.replace("FOLDER", folder)
    assert with_floors(arms, ("finetune",)) == arms + added
    assert with_floors(arms, ("probe",)) == f"{arms}{added}; thumbnails=thumbnails:12"
    floor = f"{arms}; small=thumbnails:4"
    assert with_floors(floor, ("probe",)) == floor + added


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("only", "c", "Unknown set in config.only 'c'. Choose from: a, b."),
        ("arms", "thumbnails=saved_models/x", "config.arms has thumbnails=saved_models/x, and"),
        ("arms", "random=saved_models/x", "config.arms has random=saved_models/x, and a suite "),
        ("baseline", "three", "Set a: Unknown value of config.baseline 'three'"),
        ("predictions", "theirs: c=/no/such", "Unknown set in "),
        ("seeds", 0, "Set a: "),
        ("sets.b.target", 1.5, "Set b: config.sets.b.target is 1.5; expected "),
        ("sets.a.further_ood", "x=/data/x", "Set a: config.sets.a.further_ood is set; a suite "),
        ("sets.b.metric", "top_1_accuracy", "Set b: config.sets.b.metric "),
    ],
)
def test_mistakes_are_a_sentence_with_the_key_as_the_suite_has_it(key, value, message):
    config = made()
    *within, last = key.split(".")
    part = config
    for name in within:
        part = part[name]
    part[last] = value
    with pytest.raises(UserError) as caught:
        SuiteSettings.from_config(config)
    assert str(caught.value).startswith(message)


def test_predictions_of_others_have_a_name_of_their_own(tmp_path):
    (tmp_path / "results.json").write_text("{}")
    config = made()
    config.predictions = f"Theirs: a={tmp_path}"
    assert SuiteSettings.from_config(config).predictions == {"Theirs": {"a": tmp_path}}
    config.predictions = f"thumbnails: a={tmp_path}"
    with pytest.raises(
        UserError, match=r"^config\.predictions names 'thumbnails', which is the name"
    ):
        SuiteSettings.from_config(config)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "config.sets is empty; name at least one data set"),
        (("a-b",), "config.sets has 'a-b'; expected a name of letters, digits and underscores"),
        (("a", "A"), "config.sets has two names that differ in letter case alone"),
    ],
)
def test_a_set_has_the_name_of_a_folder(names, message):
    config = suite_config(dict.fromkeys(names, ("/data/id", "/data/ood")))
    with pytest.raises(UserError, match=message):
        SuiteSettings.from_config(config)
