"""The keys of a config for splits and leaks."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_run import prepared as prepare_data

from remedis.data.checks.leaks import LeakError
from remedis.errors import UserError


@pytest.fixture
def root(tmp_path):
    """The directory of the squares that `prepared` reads."""
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


@pytest.fixture
def prepared(squares, root, configured, tmp_path):
    """Returns a function that prepares the squares with a changed table and config."""
    for image in squares.glob("*.png"):
        (root / image.name).hardlink_to(image)

    def prepare(change=lambda table: table, **config):
        table = pd.read_csv(squares / "manifest.csv", dtype={"sometimes": "Int64"})
        change(table).to_csv(root / "manifest.csv", index=False)
        asked = configured(**{"data_dir": str(root), "labels": ("square",)} | config)
        return prepare_data(asked, tmp_path / "run")

    return prepare


def test_stratified_splits_have_the_shares_of_the_label(prepared):
    def one_patient_an_image(table):
        return table.assign(patient_id=[f"p{i}" for i in range(len(table))])

    found = prepared(one_patient_an_image, stratify=("square",))
    for split, share in (("train", 0.5), ("validation", 0.2), ("test", 0.3)):
        positive = getattr(found, split).table["square"]
        # Each bound is exact to one unit per stratum; there are 30 patients of each.
        assert abs((positive == 1).sum() - 30 * share) <= 2
        assert abs((positive == 0).sum() - 30 * share) <= 2
    with pytest.raises(UserError, match="Unknown column to stratify by 'sqare'"):
        prepared(stratify=("sqare",))


def test_splits_are_completed_if_asked(prepared):
    def with_new_rows(table):
        split = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10 + [""] * 20
        return table.assign(split=split)

    with pytest.raises(UserError, match=r"20 of 60 images have no split, .*complete_splits"):
        prepared(with_new_rows)
    found = prepared(with_new_rows, complete_splits=True)
    assert set(found.train.table["path"]).issuperset(f"{i}.png" for i in range(20))
    assert len(found.train) + len(found.validation) + len(found.test) == 60


def test_near_duplicates_are_refused_if_asked(prepared, root, tmp_path):
    def split(table):
        return table.assign(split=["train"] * 30 + ["validation"] * 10 + ["test"] * 20)

    pixels = np.asarray(Image.open(root / "1.png"))
    (root / "59.png").unlink()
    Image.fromarray(pixels // 2 + 60).save(root / "59.png")
    prepared(split)
    receipt = json.loads((tmp_path / "run" / "leaks.json").read_text())
    assert receipt["ok"]
    assert receipt["near_duplicates"][0]["pairs"][0][:2] == ["1.png", "59.png"]
    with pytest.raises(LeakError, match=r"1\.png ~ 59\.png"):
        prepared(split, refuse_near_duplicates=True)


def test_options_of_the_source_are_text(prepared):
    def without_patients(table):
        return table.drop(columns="patient_id")

    option = "allow_missing_patient_ids=True"
    with pytest.raises(UserError, match="no column 'patient_id'"):
        prepared(without_patients)
    with pytest.raises(UserError, match="Unknown option of the source 'csv' 'views'"):
        prepared(source_options=f"views=all; {option}")
    with pytest.raises(UserError, match=r"config\.source_options has 'views'; expected KEY=VALUE"):
        prepared(source_options="views")


def test_the_digest_is_of_images_labels_and_splits(prepared, root):
    def split(table, of=("train", "validation", "test")):
        patients = table.index // 2
        return table.assign(split=[of[i % 3] for i in patients])

    def relabelled(table):
        return split(table.assign(square=[0, 0, *table["square"][2:]]))

    digests = [
        prepared(split).digest(),
        prepared(split).digest(),
        prepared(lambda table: split(table, ("test", "validation", "train"))).digest(),
        prepared(relabelled).digest(),
    ]
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(root / "new.png")
    (root / "new.png").replace(root / "3.png")
    digests.append(prepared(split).digest())
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def doubtful(table):
    """In each split an image is uncertain, one is empty beside another label, one has no label."""
    split = ["train"] * 20 + ["validation"] * 20 + ["test"] * 20
    table = table.assign(split=split, square=table["square"].astype("Int64"), sometimes=0)
    table.loc[[1, 21, 41], "square"] = -1
    table.loc[[3, 5, 23, 25, 43, 45], "square"] = pd.NA
    table["sometimes"] = table["sometimes"].astype("Int64").where(~table.index.isin([5, 25, 45]))
    table.loc[[0, 20, 40], "sometimes"] = 1
    return table


def squares_of(split):
    values = split.table.set_index("path")["square"]
    numbers = {"train": 0, "validation": 20, "test": 40}
    first = numbers[split.table["split"].iloc[0]]
    return [values[f"{first + i}.png"] for i in (1, 3, 5)]


def test_training_alone_takes_uncertain_and_missing_labels_for_known(prepared):
    reports = {"uncertain": "ones", "unmentioned": "zeros", "labels": ("square", "sometimes")}
    found = prepared(doubtful, **reports)
    assert squares_of(found.train) == [1, 0, 0]
    np.testing.assert_array_equal(squares_of(found.validation), [np.nan, 0, np.nan])
    np.testing.assert_array_equal(squares_of(found.test), [np.nan, 0, np.nan])
    assert found.summary["evaluation_policies"] == {
        "uncertain": "ignore",
        "unmentioned": "zeros",
        "unlabelled": "ignore",
    }
    assert found.summary["label_notes"]["test"][-1] == (
        "Without any label: 1 image of 1 patient, which is left out."
    )
    kept = prepared(doubtful, **reports, eval_uncertain="", eval_unlabelled="zeros")
    assert squares_of(kept.test) == [1, 0, 0]
    assert found.digest() != kept.digest()


def test_a_run_of_an_earlier_version_keeps_its_policies_and_says_so(
    prepared, configured, root, tmp_path, caplog
):
    from remedis.finetuning.settings import FinetuneSettings
    from remedis.training.run_directory import RunDirectory

    config = configured(data_dir=str(root), uncertain="ones", unmentioned="zeros")
    values = config.to_dict()
    earlier = {key: value for key, value in values.items() if not key.startswith("eval_un")}
    run = RunDirectory(tmp_path / "earlier", earlier)
    (run / "results.json").write_text("{}")
    again = RunDirectory(tmp_path / "earlier", values)
    data = FinetuneSettings.from_config(config).data
    begun = data.as_begun(again)
    assert begun.policies.evaluation == begun.policies.training == data.policies.training
    assert "is older than label policies for evaluation" in caplog.text
    assert data.as_begun(RunDirectory(tmp_path / "new", values)) == data


def test_empty_rows_that_mean_negative_are_not_left_out_in_silence(prepared):
    def positives_alone(table):
        split = ["train"] * 20 + ["validation"] * 20 + ["test"] * 20
        square = table["square"].astype("Int64")
        return table.assign(split=split, square=square.where(square == 1))

    with pytest.raises(UserError, match="'square' has no negative image in the validation split, "):
        prepared(positives_alone, unmentioned="zeros")
    found = prepared(positives_alone, unmentioned="zeros", eval_unlabelled="zeros")
    assert set(found.test.table["square"]) == {0, 1}


def test_images_with_boxes_never_train_if_left_out(prepared, root, tmp_path, caplog):
    """By the file's hash, or by the file names of ChestX-ray14's boxes; with their patients."""
    everything = prepared()
    where = {
        path: name
        for name in ("train", "validation", "test")
        for path in getattr(everything, name).table["path"]
    }
    chosen = [next(path for path in where if where[path] == name) for name in ("train", "test")]
    own = root / "boxes.csv"
    rows = [f"{path},square,1,1,5,5\n" for path in chosen for _ in range(2)]
    own.write_text("path,label,x,y,width,height\n" + "".join(rows))
    published = tmp_path / "BBox_List_2017.csv"
    rows = [f"{path},Mass,1,1,5,5,,,\n" for path in chosen]
    published.write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + "".join(rows))
    for file in (own, published):
        caplog.clear()
        with caplog.at_level("INFO"):
            found = prepared(leave_out=str(file))
        patient = everything.train.table.set_index("path")["patient_id"][chosen[0]]
        left = everything.train.table["patient_id"] == patient
        assert left.sum() == 2  # the listed image and the other one of its patient
        assert set(found.train.table["path"]) == set(everything.train.table["path"][~left])
        assert len(found.test) == len(everything.test)  # nothing learns from them
        assert (
            "keeps 2 images from training and validation; 2 of the test split stay" in caplog.text
        )
    with pytest.raises(UserError, match=r"names no\.csv, which is not there"):
        prepared(leave_out="no.csv")
