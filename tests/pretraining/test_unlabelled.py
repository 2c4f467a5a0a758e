"""Unlabelled images of several sources, without labels and without those that are left out."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from configs import common, common_pretraining, ood_own
from remedis import synthetic
from remedis.data import judged_images, leave_out
from remedis.errors import UserError
from remedis.finetuning import data as supervised
from remedis.finetuning.settings import DataSettings
from remedis.label_budget import data as label_budget_data
from remedis.label_budget import set_list
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import StudySettings
from remedis.options import settings, spelled_for
from remedis.pretraining import unlabelled
from remedis.pretraining.settings import PretrainingSettings, UnlabelledSettings
from remedis.training.run_directory import RunDirectory

PATIENTS = 12
SPLITS = {"train": 0.4, "validation": 0.2, "test": 0.4}


def write_images(root, seed, split=None, images=2):
    """Writes a manifest with two labels and its images, two per patient; returns the directory."""
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
        unlabelled_settings = settings(UnlabelledSettings, config)
        with spelled_for("config"):  # as jobs do
            return unlabelled.prepare(unlabelled_settings, RunDirectory(tmp_path / "run", {}))

    return prepare


def names(data):
    return sorted(os.path.basename(path) for path in data.manifest.table["path"])


def patients(data):
    return set(data.manifest.table["patient_id"])


def test_no_label_is_read(prepared, mine, tmp_path):
    data = prepared(f"csv={mine}")
    table = data.manifest.table
    assert set(table) == {"path", "patient_id", "study_id", "site", "split", "unlabelled"}
    assert np.isnan(data.manifest.targets()).all()
    receipt = json.loads((tmp_path / "run" / "leaks.json").read_text())
    assert receipt == data.summary
    assert receipt["labels_used"] is False
    assert receipt["sources"] == {"csv": {"images": 24, "patients": 12, "left_out": {}}}
    assert "24 of 24 images have no split" in receipt["unchecked"][0]
    # Other labels of the same images change nothing.
    labelled = pd.read_csv(mine / "manifest.csv")
    labelled.assign(ill=1 - labelled["ill"]).to_csv(mine / "manifest.csv", index=False)
    relabelled = prepared(f"csv={mine}")
    assert relabelled.digest() == data.digest()
    pd.testing.assert_frame_equal(relabelled.manifest.table, table)
    # Neither does a table without labels.
    labelled[["path", "patient_id"]].to_csv(mine / "manifest.csv", index=False)
    assert prepared(f"csv={mine / 'manifest.csv'}").digest() == data.digest()


def test_the_digest_is_of_the_images_and_their_patients(prepared, mine):
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
    data = prepared(f"csv={mine}; csv={other}")
    assert len(data.manifest) == 48
    assert data.patients == 24
    assert patients(data) == {f"{n}/p{i}" for n in ("csv", "csv-2") for i in range(PATIENTS)}
    assert all(os.path.isfile(path) for path in data.manifest.absolute_paths())
    assert list(data.hashes.index) == list(data.manifest.table["path"])
    assert data.hashes.nunique() == 48
    assert data.partners is None
    micle = prepared(f"csv={mine}; csv={other}", method="micle")
    assert (micle.partners.size == 2).all()


def test_options_go_to_their_source(prepared, tmp_path):
    chexpert = synthetic.write_chexpert(tmp_path, patients=20, valid_patients=2, image_size=32)
    frontal = prepared(f"chexpert={chexpert}")
    both = prepared(f"chexpert={chexpert}", source_options="chexpert: views=all")
    assert set(frontal.manifest.table["path"]) < set(both.manifest.table["path"])
    assert both.summary["sources"]["chexpert"]["left_out"] == {"of the split test": 2}
    assert all("/train/" in path for path in both.manifest.table["path"])
    every = prepared(f"chexpert={chexpert}", leave_out_splits=())
    assert any("/valid/" in path for path in every.manifest.table["path"])
    assert every.summary["unchecked"] == []


def test_splits_are_left_out_with_their_patients_and_copies(prepared, tmp_path):
    root = write_images(tmp_path / "split", 2, ["train", "validation", "test", "id_validation"])
    table = pd.read_csv(root / "manifest.csv")
    shutil.copy(root / "4.png", root / "7.png")  # of patient 2, test, and of patient 3
    table.loc[0, "patient_id"] = "p1"  # was patient 0, and p1 is in validation
    table.to_csv(root / "manifest.csv", index=False)
    data = prepared(f"csv={root}")
    assert data.summary["sources"]["csv"]["left_out"] == {
        "of the split validation": 6,
        "of the split test": 6,
        "of a patient left out": 2,
        "identical to an image left out": 1,
    }
    assert set(data.manifest.table["split"]) == {"train", "id_validation"}
    assert names(data) == sorted(f"{i}.png" for i in (1, 8, 9, 14, 15, 16, 17, 22, 23))
    assert data.summary["images"] == 9


def test_listed_images_are_left_out_by_hash_with_their_patients(prepared, mine, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(mine / "6.png", away / "renamed.png")
    (away / "list.csv").write_text("path,patient_id\nrenamed.png,p5\n")
    data = prepared(f"csv={mine}", leave_out=str(away / "list.csv"))
    # The id p5 is another hospital's.
    assert patients(data) == {f"csv/p{i}" for i in range(PATIENTS) if i != 3}
    assert data.summary["sources"]["csv"]["left_out"] == {
        f"in {away / 'list.csv'}": 1,
        "of a patient left out": 1,
    }
    assert data.hashes.nunique() == len(data.hashes) == 22


def test_a_copy_under_another_patient_is_left_out_too(prepared, mine, tmp_path):
    # 0 is listed, 1 is of its patient, 10 is a copy of 1 and of another patient, who has 11 too.
    shutil.copy(mine / "1.png", mine / "10.png")
    pd.DataFrame({"path": [str(mine / "0.png")]}).to_csv(tmp_path / "list.csv", index=False)
    data = prepared(f"csv={mine}", leave_out=str(tmp_path / "list.csv"))
    assert not {"0.png", "1.png", "10.png", "11.png"} & set(names(data))
    assert len(data.manifest) == 2 * PATIENTS - 4


def test_patients_listed_elsewhere_are_reported_as_not_compared(prepared, mine, tmp_path):
    listed = pd.DataFrame({"path": [str(mine / "0.png")], "patient_id": ["p7"]})
    listed.to_csv(tmp_path / "list.csv", index=False)
    data = prepared(f"csv={mine}", leave_out=str(tmp_path / "list.csv"))
    assert len(data.manifest) == 2 * PATIENTS - 2
    assert data.summary["unchecked"][0] == (
        f"Patients of {tmp_path / 'list.csv'} cannot be recognised in config.data, which is in "
        "another folder; only the images were compared."
    )


def test_listed_patients_are_left_out_where_their_ids_mean_something(prepared, mine, tmp_path):
    (mine / "lists").mkdir()
    listed = mine / "lists" / "test.csv"
    listed.write_text("patient_id\np2\np4\nstranger\n")
    other = write_images(tmp_path / "other", 1)
    data = prepared(f"csv={mine}; csv={other}", leave_out=f"{listed};")
    gone = {f"csv/p{i}" for i in range(PATIENTS)} - patients(data)
    assert gone == {"csv/p2", "csv/p4"}
    assert len([p for p in patients(data) if p.startswith("csv-2/")]) == PATIENTS
    assert data.summary["sources"]["csv"]["left_out"] == {f"of patients in {listed}": 4}
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("patient_id\np2\n")
    with pytest.raises(UserError, match=r"lists patients but no images and lies in no directory"):
        prepared(f"csv={mine}", leave_out=str(elsewhere))


def test_a_listed_patient_is_left_out_in_every_spelling(prepared, mine):
    listed = mine / "test.csv"
    listed.write_text('patient_id\n" p2"\np4\u200b\n', encoding="utf-8")
    data = prepared(f"csv={mine}", leave_out=str(listed))
    gone = {f"csv/p{i}" for i in range(PATIENTS)} - patients(data)
    assert gone == {"csv/p2", "csv/p4"}
    listed.write_text("patient_id\np02\nP4\n")
    with pytest.raises(UserError) as error:
        prepared(f"csv={mine}", leave_out=str(listed))
    assert str(error.value) == (
        "2 pairs of patient_id of images that are used and of images that are left out differ only "
        "in leading zeros, '.0' or letter case: p2 ~ p02, p4 ~ P4; write each id in one way, or "
        "set config.allow_similar_ids if they are different patients or studies."
    )
    everyone = prepared(f"csv={mine}", leave_out=str(listed), allow_similar_ids=True)
    assert len(patients(everyone)) == PATIENTS
    assert (
        "csv: 2 pairs of patient_id of images that are used and of images that are left out differ "
        "only in leading zeros, '.0' or letter case: p2 ~ p02, p4 ~ P4; they are taken as "
        "different, as config.allow_similar_ids says."
    ) in everyone.summary["unchecked"]


def test_a_patient_of_a_left_out_split_is_refused_in_another_spelling(prepared, tmp_path):
    mine = write_images(tmp_path / "split", 0, ("train", "test"))
    table = pd.read_csv(mine / "manifest.csv")
    table.loc[0, "patient_id"] = "P01"  # a copy of p1, who is in test
    table.to_csv(mine / "manifest.csv", index=False)
    with pytest.raises(UserError, match=r"1 pairs? of patient_id .*: P01 ~ p1; write"):
        prepared(f"csv={mine}")


def fine_tuning(data_dir):
    """Returns the data of a fine-tuning run."""
    config = common.finetuning()
    config.update(source="csv", labels=("ill",), data_dir=str(data_dir), splits=SPLITS)
    work = data_dir.with_name(f"prepared-{data_dir.name}")
    return supervised.prepare(settings(DataSettings, config), config.task, RunDirectory(work, {}))


def test_what_a_run_judges_is_left_out(prepared, mine, tmp_path):
    run_data = fine_tuning(mine)
    run = tmp_path / "finetuned"
    judged_images.write(run, run_data.judged())
    data = prepared(f"csv={mine}", leave_out=str(run))
    assert [path.name for path in run.iterdir()] == ["judged.json"]  # nothing else is needed
    seen = patients(data)
    assert seen == {f"csv/{p}" for p in run_data.train.table["patient_id"]}
    # The same images under other names in another directory, where ids are of other patients.
    moved = tmp_path / "moved"
    moved.mkdir()
    table = pd.read_csv(mine / "manifest.csv")
    for path in table["path"]:
        shutil.copy(mine / path, moved / f"moved{path}")
    table["path"] = "moved" + table["path"]
    table.assign(patient_id="x" + table["patient_id"]).to_csv(moved / "manifest.csv", index=False)
    elsewhere = prepared(f"csv={moved}", leave_out=str(run))
    assert patients(elsewhere) == {name.replace("/", "/x") for name in seen}
    assert "only the images were compared" in elsewhere.summary["unchecked"][0]


def test_patients_that_a_run_judges_are_left_out_with_images_it_has_not(prepared, mine, tmp_path):
    """New images of a judged patient, in the same directory."""
    run = tmp_path / "finetuned"
    run_data = fine_tuning(mine)
    judged_images.write(run, run_data.judged())
    train = set(run_data.train.table["patient_id"])
    for i in range(2 * PATIENTS):
        pixels = np.full((16, 16), 10 * i, np.uint8)
        Image.fromarray(pixels).save(mine / f"{i}.png")
    assert patients(prepared(f"csv={mine}", leave_out=str(run))) == {f"csv/{p}" for p in train}


def test_what_a_study_judges_is_left_out(prepared, mine, tmp_path):
    outside = write_images(tmp_path / "outside", 3)
    config = ood_own.get_config()
    config.update(labels=("ill",), arms="none=scratch:50x1", baseline="none")
    config.update(id_data_dir=str(mine), ood_data_dir=str(outside))
    for hospital in (config.id, config.ood):
        hospital.splits = SPLITS
    study = StudyDirectory(tmp_path / "study", config.to_dict())
    study_data = label_budget_data.prepare(StudySettings.from_config(config), study)
    set_list.write(study, {"outside": study_data}, title="", caveats=())
    data = prepared(f"csv={mine}; csv={outside}", leave_out=str(study.path))
    assert patients(data) == {
        *(f"csv/{p}" for p in study_data.inside.train.table["patient_id"]),
        *(f"csv-2/{p}" for p in study_data.pool.table["patient_id"]),
    }
    inside, ood = leave_out.read(str(study.path), tmp_path / "scan.parquet")
    assert inside.knows(mine)
    assert not inside.knows(outside)
    assert ood.patients == set(study_data.test.table["patient_id"])


def test_made_up_images_and_their_probe(tmp_path, monkeypatch):
    monkeypatch.setitem(unlabelled.LAYOUTS, "csv", lambda at: at)
    config = common_pretraining.pretraining()
    config.rehearsal = config.probe.source = "csv"
    run, made_up = RunDirectory(tmp_path, {}), str(tmp_path / "rehearsal" / "data")
    rehearsed = unlabelled.rehearsed(PretrainingSettings.from_config(config), run)
    assert rehearsed.unlabelled.data == f"csv={made_up}"
    assert rehearsed.probe.data.data_dir == made_up
    assert config.data == config.probe.data_dir == ""
    config.data, config.probe.data_dir = "csv=/data/mine", "/data/mine"
    named = PretrainingSettings.from_config(config)
    assert unlabelled.rehearsed(named, run) == named
    config.rehearsal = "cvs"
    with pytest.raises(UserError, match="Unknown layout of made-up data 'cvs': did you mean"):
        unlabelled.rehearsed(PretrainingSettings.from_config(config), run)


def test_bad_images_are_listed_and_too_many_refused(prepared, mine, tmp_path):
    (mine / "3.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"1 of 24 images cannot be used, more than the limit"):
        prepared(f"csv={mine}")
    data = prepared(f"csv={mine}", max_bad_images=0.1)
    assert data.summary["bad_images"] == 1
    assert data.summary["images"] == len(data.manifest) == len(data.hashes) == 23
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
    data = prepared(f"csv={mine}", allow_missing_patient_ids=True, method="micle")
    assert data.patients == PATIENTS
    assert (data.partners.size == 1).sum() == 2
    assert "1 of 24 images have no patient_id" in data.summary["unchecked"][0]


def test_a_folder_of_images_needs_no_table(prepared, mine):
    (mine / "manifest.csv").rename(mine / "export.csv")
    with pytest.raises(UserError, match=r"holds export.csv: name the table, such as"):
        prepared(f"csv={mine}", allow_missing_patient_ids=True)
    (mine / "export.csv").unlink()
    with pytest.raises(UserError, match=r"24 of 24 images of .* have no patient_id.*or set"):
        prepared(f"csv={mine}")
    assert len(prepared(f"csv={mine}", allow_missing_patient_ids=True).manifest) == 2 * PATIENTS


def test_a_folder_of_a_published_data_set_is_not_taken_for_images(prepared, tmp_path):
    folder = tmp_path / "chexpert"
    (folder / "CheXpert-v1.0-small").mkdir(parents=True)
    Image.new("L", (8, 8)).save(folder / "CheXpert-v1.0-small" / "1.png")
    with pytest.raises(UserError, match="write chexpert="):
        prepared(f"csv={folder}", allow_missing_patient_ids=True)


def test_micle_without_any_patient(prepared, mine):
    pd.read_csv(mine / "manifest.csv")[["path"]].to_csv(mine / "manifest.csv", index=False)
    with pytest.raises(
        UserError, match=r"None of the 24 images .* has a patient_id.*set config.method"
    ):
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


def test_unusable_lists_are_a_sentence(prepared, mine, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("name\nx\n")
    with pytest.raises(UserError, match="which has the columns name; expected CSV files with"):
        prepared(f"csv={mine}", leave_out=str(listed))
    listed.write_text("path\nmine/0.png\nmine/none.png\n")
    with pytest.raises(
        UserError, match=r"but 1 of its 2 images cannot be read .* 'mine/none\.png'"
    ):
        prepared(f"csv={mine}", leave_out=str(listed))
    with pytest.raises(UserError) as caught:
        prepared(f"csv={mine}", leave_out=str(tmp_path))
    assert str(caught.value) == (
        f"config.leave_out: {tmp_path} has no judged.json, which lists the images that a run or a "
        "study judges; run the same command again with this version, which writes it (for a study "
        "--list is enough)."
    )
    (tmp_path / "judged.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.leave_out: .*judged\.json is damaged"):
        prepared(f"csv={mine}", leave_out=str(tmp_path))


def test_nothing_left_is_a_sentence(prepared, mine):
    with pytest.raises(UserError) as caught:
        prepared(f"csv={mine}", leave_out=str(mine / "manifest.csv"))
    assert str(caught.value) == (
        "All 24 images of config.data are left out (24 of patients in "
        f"{mine / 'manifest.csv'}); see config.leave_out_splits and config.leave_out."
    )
