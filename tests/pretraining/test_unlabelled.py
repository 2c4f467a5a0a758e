"""What a pretraining sees: images of several sources, no label, and nobody who was left out."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from configs import common, common_pretraining
from remedis import synthetic
from remedis.data import sources
from remedis.errors import UserError
from remedis.finetuning import data as supervised
from remedis.pretraining import leave_out, unlabelled
from remedis.training.run_directory import RunDirectory

PATIENTS = 12
SPLITS = {"train": 0.4, "validation": 0.2, "test": 0.4}


def write_images(root, seed, split=None, images=2):
    """A directory with a manifest: patients of two images each, labelled, with a second label."""
    root.mkdir()
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(PATIENTS * images):
        pixels = rng.integers(0, 255, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{i}.png")
        rows.append((f"{i}.png", f"p{i // images}", i // images % 2, "sick"))
    table = pd.DataFrame(rows, columns=["path", "patient_id", "ill", "subtype"])
    if split is not None:
        table["split"] = [split[i // images % len(split)] for i in range(len(table))]
    table.to_csv(root / "manifest.csv", index=False)
    return root


@pytest.fixture
def mine(tmp_path):
    return write_images(tmp_path / "mine", 0)


@pytest.fixture
def prepared(tmp_path):
    """Returns a function that prepares the data of a config with some keys changed."""

    def prepare(data_, **changes):
        config = common_pretraining.pretraining()
        config.update(data=data_, **changes)
        return unlabelled.prepare(config, RunDirectory(tmp_path / "run", {}))

    return prepare


def names(found):
    return sorted(os.path.basename(path) for path in found.manifest.table["path"])


def patients(found):
    return set(found.manifest.table["patient_id"])


def test_labels_are_not_there(prepared, mine, tmp_path):
    found = prepared(f"csv={mine}")
    table = found.manifest.table
    assert set(table) == {"path", "patient_id", "study_id", "site", "split", "unlabelled"}
    assert np.isnan(found.manifest.targets()).all()
    receipt = json.loads((tmp_path / "run" / "leaks.json").read_text())
    assert receipt == found.summary
    assert receipt["labels_used"] is False
    assert receipt["sources"] == {"csv": {"images": 24, "patients": 12, "left_out": {}}}
    assert "24 of 24 images have no split" in receipt["unchecked"][0]
    # Other labels, the same images: the same pretraining.
    labelled = pd.read_csv(mine / "manifest.csv")
    labelled.assign(ill=1 - labelled["ill"]).to_csv(mine / "manifest.csv", index=False)
    again = prepared(f"csv={mine}")
    assert again.digest() == found.digest()
    pd.testing.assert_frame_equal(again.manifest.table, table)
    # And a table without any.
    labelled[["path", "patient_id"]].to_csv(mine / "manifest.csv", index=False)
    assert prepared(f"csv={mine / 'manifest.csv'}").digest() == found.digest()


def test_the_digest_is_of_the_images_and_whose_they_are(prepared, mine):
    before = prepared(f"csv={mine}").digest()
    table = pd.read_csv(mine / "manifest.csv")
    table.assign(patient_id=table["patient_id"].replace("p1", "p0")).to_csv(
        mine / "manifest.csv", index=False
    )
    moved = prepared(f"csv={mine}").digest()
    shutil.copy(mine / "0.png", mine / "5.png")
    assert len({before, moved, prepared(f"csv={mine}").digest()}) == 3


def test_sources_are_joined_and_their_ids_stay_apart(prepared, mine, tmp_path):
    other = write_images(tmp_path / "other", 1)
    found = prepared(f"csv={mine}; csv={other}")
    assert len(found.manifest) == 48
    assert found.patients == 24
    assert patients(found) == {f"{n}/p{i}" for n in ("csv", "csv-2") for i in range(PATIENTS)}
    assert all(os.path.isfile(path) for path in found.manifest.absolute_paths())
    assert list(found.hashes.index) == list(found.manifest.table["path"])
    assert found.hashes.nunique() == 48
    assert found.partners is None
    micle = prepared(f"csv={mine}; csv={other}", method="micle")
    assert (micle.partners.size == 2).all()


def test_options_go_to_their_source(prepared, tmp_path):
    made = synthetic.write_chexpert(tmp_path, patients=20, valid_patients=2, image_size=32)
    frontal = prepared(f"chexpert={made}")
    both = prepared(f"chexpert={made}", source_options="chexpert: views=all")
    assert set(frontal.manifest.table["path"]) < set(both.manifest.table["path"])
    assert both.summary["sources"]["chexpert"]["left_out"] == {"of the split test": 2}
    assert all("/train/" in path for path in both.manifest.table["path"])
    every = prepared(f"chexpert={made}", leave_out_splits=())
    assert any("/valid/" in path for path in every.manifest.table["path"])
    assert every.summary["unchecked"] == []


def test_splits_are_left_out_with_whoever_and_whatever_is_in_them(prepared, tmp_path):
    root = write_images(tmp_path / "split", 2, ["train", "validation", "test", "id_validation"])
    table = pd.read_csv(root / "manifest.csv")
    shutil.copy(root / "4.png", root / "7.png")  # of patient 2, test, and of patient 3
    table.loc[0, "patient_id"] = "p1"  # was patient 0, and p1 is in validation
    table.to_csv(root / "manifest.csv", index=False)
    found = prepared(f"csv={root}")
    assert found.summary["sources"]["csv"]["left_out"] == {
        "of the split validation": 6,
        "of the split test": 6,
        "of a patient left out": 2,
        "identical to an image left out": 1,
    }
    assert set(found.manifest.table["split"]) == {"train", "id_validation"}
    assert names(found) == sorted(f"{i}.png" for i in (1, 8, 9, 14, 15, 16, 17, 22, 23))
    assert found.summary["images"] == 9


def test_listed_images_are_known_by_their_hash_and_take_their_patients_along(
    prepared, mine, tmp_path
):
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(mine / "6.png", away / "renamed.png")
    (away / "list.csv").write_text("path,patient_id\nrenamed.png,p5\n")
    found = prepared(f"csv={mine}", leave_out=str(away / "list.csv"))
    # The id p5 is another hospital's.
    assert patients(found) == {f"csv/p{i}" for i in range(PATIENTS) if i != 3}
    assert found.summary["sources"]["csv"]["left_out"] == {
        f"in {away / 'list.csv'}": 1,
        "of a patient left out": 1,
    }
    assert found.hashes.nunique() == len(found.hashes) == 22


def test_a_copy_under_another_patient_goes_with_whoever_is_left_out(prepared, mine, tmp_path):
    # 0 is listed, 1 is of its patient, 10 is a copy of 1 and of another patient, who has 11 too.
    shutil.copy(mine / "1.png", mine / "10.png")
    pd.DataFrame({"path": [str(mine / "0.png")]}).to_csv(tmp_path / "list.csv", index=False)
    found = prepared(f"csv={mine}", leave_out=str(tmp_path / "list.csv"))
    assert not {"0.png", "1.png", "10.png", "11.png"} & set(names(found))
    assert len(found.manifest) == 2 * PATIENTS - 4


def test_patients_of_a_list_elsewhere_are_said_not_to_be_compared(prepared, mine, tmp_path):
    listed = pd.DataFrame({"path": [str(mine / "0.png")], "patient_id": ["p7"]})
    listed.to_csv(tmp_path / "list.csv", index=False)
    found = prepared(f"csv={mine}", leave_out=str(tmp_path / "list.csv"))
    assert len(found.manifest) == 2 * PATIENTS - 2
    assert "is known by its images alone" in found.summary["unchecked"][0]


def test_listed_patients_are_left_out_where_their_ids_mean_something(prepared, mine, tmp_path):
    (mine / "lists").mkdir()
    listed = mine / "lists" / "test.csv"
    listed.write_text("patient_id\np2\np4\nstranger\n")
    other = write_images(tmp_path / "other", 1)
    found = prepared(f"csv={mine}; csv={other}", leave_out=f"{listed};")
    gone = {f"csv/p{i}" for i in range(PATIENTS)} - patients(found)
    assert gone == {"csv/p2", "csv/p4"}
    assert len([p for p in patients(found) if p.startswith("csv-2/")]) == PATIENTS
    assert found.summary["sources"]["csv"]["left_out"] == {f"of patients in {listed}": 4}
    lonely = tmp_path / "lonely.csv"
    lonely.write_text("patient_id\np2\n")
    with pytest.raises(UserError, match=r"lists patients but no images and lies in no directory"):
        prepared(f"csv={mine}", leave_out=str(lonely))


def fine_tuning(data_dir, **changes):
    config = common.finetuning()
    config.update(source="csv", labels=("ill",), data_dir=str(data_dir), splits=SPLITS)
    config.update(changes)
    return config


def test_what_a_run_is_judged_on_is_left_out(prepared, mine, tmp_path):
    config = fine_tuning(mine)
    run = RunDirectory(tmp_path / "finetuned", config.to_dict())
    before = sorted(run.path.iterdir())
    found = prepared(f"csv={mine}", leave_out=str(run.path))
    assert sorted(run.path.iterdir()) == before
    parts = supervised.prepare(config, RunDirectory(tmp_path / "again", {}))
    seen = patients(found)
    assert seen == {f"csv/{p}" for p in parts.train.table["patient_id"]}
    # The same images under other names in another directory, where ids say nothing.
    moved = tmp_path / "moved"
    moved.mkdir()
    table = pd.read_csv(mine / "manifest.csv")
    for path in table["path"]:
        shutil.copy(mine / path, moved / f"moved{path}")
    table["path"] = "moved" + table["path"]
    table.assign(patient_id="x" + table["patient_id"]).to_csv(moved / "manifest.csv", index=False)
    elsewhere = prepared(f"csv={moved}", leave_out=str(run.path))
    assert patients(elsewhere) == {name.replace("/", "/x") for name in seen}


def test_what_a_study_is_judged_on_is_left_out(prepared, mine, tmp_path):
    from configs import ood_own
    from remedis.label_budget import data
    from remedis.label_budget.directory import StudyDirectory

    outside = write_images(tmp_path / "outside", 3)
    config = ood_own.get_config()
    config.update(labels=("ill",), id_data_dir=str(mine), ood_data_dir=str(outside))
    for part in (config.id, config.ood):
        part.splits = SPLITS
    run = StudyDirectory(tmp_path / "study", config.to_dict())
    found = prepared(f"csv={mine}; csv={outside}", leave_out=str(run.path))
    both = data.prepare(config, StudyDirectory(tmp_path / "again", config.to_dict()))
    assert patients(found) == {
        *(f"csv/{p}" for p in both.inside.train.table["patient_id"]),
        *(f"csv-2/{p}" for p in both.pool.table["patient_id"]),
    }


def test_a_rehearsal_of_a_run_has_its_images_in_its_own_directory(tmp_path, monkeypatch):
    made = synthetic.write_chexpert(tmp_path, patients=20, valid_patients=6, image_size=32)
    asked = []
    monkeypatch.setitem(
        leave_out.rehearsal.LAYOUTS, "chexpert", lambda at: asked.append(at) or made
    )
    config = fine_tuning("", source="chexpert", labels=("Pleural Effusion",), rehearsal="chexpert")
    config.update(uncertain="zeros", unmentioned="zeros")
    config.splits = {"train": 0.5, "validation": 0.5, "test": 0.0}
    run = RunDirectory(tmp_path / "run", config.to_dict())
    (left_out,) = leave_out.read(str(run.path), RunDirectory(tmp_path / "pretraining", {}))
    assert asked == [run.path / "rehearsal" / "data"]
    table = sources.load("chexpert", made).table
    assert left_out.patients >= set(table["patient_id"][table["split"] == "test"])
    assert left_out.knows(made)


def test_made_up_images_and_their_probe(tmp_path, monkeypatch):
    monkeypatch.setitem(unlabelled.LAYOUTS, "csv", lambda at: at)
    config = common_pretraining.pretraining()
    config.rehearsal = config.probe.source = "csv"
    run = RunDirectory(tmp_path, {})
    made = unlabelled.rehearsed(config, run)
    assert made.data == f"csv={tmp_path / 'rehearsal' / 'data'}"
    assert made.probe.data_dir == str(tmp_path / "rehearsal" / "data")
    assert config.data == ""
    config.rehearsal = "cvs"
    with pytest.raises(UserError, match="Unknown layout of rehearsal data 'cvs': did you mean"):
        unlabelled.rehearsed(config, run)


def test_bad_images_are_listed_and_too_many_refused(prepared, mine, tmp_path):
    (mine / "3.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"1 of 24 images cannot be used, more than the limit"):
        prepared(f"csv={mine}")
    found = prepared(f"csv={mine}", max_bad_images=0.1)
    assert found.summary["bad_images"] == 1
    assert found.summary["images"] == len(found.manifest) == len(found.hashes) == 23
    assert "3.png" in (tmp_path / "run" / "bad_images.csv").read_text()


def test_images_without_a_patient_need_the_opt_out(prepared, mine):
    table = pd.read_csv(mine / "manifest.csv")
    table.loc[4, "patient_id"] = ""
    table.to_csv(mine / "manifest.csv", index=False)
    with pytest.raises(UserError) as caught:
        prepared(f"csv={mine}")
    assert str(caught.value) == (
        f"1 of 24 images of csv={mine} have no patient_id, the first '4.png'; add the ids, or set "
        "config.allow_missing_patient_ids to take every such image as a patient of its own."
    )
    found = prepared(f"csv={mine}", allow_missing_patient_ids=True, method="micle")
    assert found.patients == PATIENTS
    assert (found.partners.size == 1).sum() == 2
    assert "1 of 24 images have no patient_id" in found.summary["unchecked"][0]


def test_micle_without_any_patient(prepared, mine):
    pd.read_csv(mine / "manifest.csv")[["path"]].to_csv(mine / "manifest.csv", index=False)
    with pytest.raises(UserError, match=r"None of the 24 images .* has a patient_id.*config\.meth"):
        prepared(f"csv={mine}", allow_missing_patient_ids=True, method="micle")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": ""}, "config.data is not set: name the sources"),
        ({"data": "/data/mine"}, "config.data has '/data/mine'; expected SOURCE=DIRECTORY"),
        ({"data": "csv="}, "config.data has 'csv='; expected SOURCE=DIRECTORY"),
        ({"data": "=/data"}, "config.data has '=/data'; expected SOURCE=DIRECTORY"),
        ({"data": "cvs=/data"}, "Unknown source in config.data 'cvs': did you mean 'csv'"),
        ({"data": "csv=a; csv=a"}, "config.data has 'csv=a' twice"),
        ({"data": "csv=/nowhere"}, "There is no file /nowhere/manifest.csv"),
        ({"source_options": "views=all"}, "config.source_options has 'views=all'; expected SOURCE"),
        ({"source_options": "folder: a=1"}, "Unknown source in config.source_options 'folder'"),
        ({"source_options": "csv: views"}, "config.source_options has 'views'; expected KEY=VALUE"),
        ({"leave_out_splits": ("tst",)}, "Unknown split in config.leave_out_splits 'tst'"),
        ({"leave_out": "/nowhere"}, "config.leave_out names /nowhere, which is not there"),
    ],
)
def test_malformed_configs_are_a_sentence(prepared, mine, changes, sentence):
    with pytest.raises(UserError) as caught:
        prepared(**{"data_": changes.pop("data", f"csv={mine}")}, **changes)
    assert str(caught.value).startswith(sentence)


def test_lists_that_say_nothing_are_a_sentence(prepared, mine, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("name\nx\n")
    with pytest.raises(UserError, match="which has the columns name; expected CSV files with"):
        prepared(f"csv={mine}", leave_out=str(listed))
    listed.write_text("path\nmine/0.png\nmine/none.png\n")
    with pytest.raises(UserError, match=r"of whose 2 images 1 cannot be read .* 'mine/none\.png'"):
        prepared(f"csv={mine}", leave_out=str(listed))
    with pytest.raises(UserError, match="which is the directory of no run and no study"):
        prepared(f"csv={mine}", leave_out=str(tmp_path))


def test_nothing_left_is_a_sentence(prepared, mine):
    with pytest.raises(UserError) as caught:
        prepared(f"csv={mine}", leave_out=str(mine / "manifest.csv"))
    assert str(caught.value) == (
        "All 24 images of config.data are left out (24 of patients in "
        f"{mine / 'manifest.csv'}); see config.leave_out_splits and config.leave_out."
    )
