"""Uncertain and missing labels in the training, validation and test images of a study."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from configs import ood_own
from remedis.data import label_policies
from remedis.data.manifest import Manifest
from remedis.evaluation.auroc import auroc
from remedis.evaluation.label_budget import Cell
from remedis.label_budget import data, summary
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import StudySettings
from remedis.label_budget.uncertain_test_labels import three_ways

PATIENTS = 40


def write_hospital(root, seed):
    """Images 0 to 19 may train, 20 to 29 validate, 30 to 39 test.

    In each split `ill` is uncertain for an image, empty beside another label for one, and one has
    no label.
    """
    root.mkdir()
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(PATIENTS)]})
    table["patient_id"] = [f"{root.name}{i}" for i in range(PATIENTS)]
    table["split"] = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
    for name in ("ill", "well"):
        table[name] = pd.array(rng.permutation(PATIENTS) % 2, dtype="Int64")
    table.loc[[0, 20, 30], "ill"] = -1
    table.loc[[1, 2, 21, 22, 31, 32], "ill"] = pd.NA
    table.loc[[2, 22, 32], "well"] = pd.NA
    table.to_csv(root / "manifest.csv", index=False)
    for name in table["path"]:
        Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8)).save(root / name)
    return str(root)


@pytest.fixture
def prepared(tmp_path):
    """Returns a function that prepares a study with label policies on both sides."""
    inside, outside = write_hospital(tmp_path / "a", 0), write_hospital(tmp_path / "b", 1)

    def prepare(**policies):
        config = ood_own.get_config()
        config.update(arms="x=scratch:50x1; y=scratch:50x1", baseline="y", labels=("ill", "well"))
        config.update(id_data_dir=inside, ood_data_dir=outside)
        for side in (config.id, config.ood):
            side.update(policies)
        settings = StudySettings.from_config(config)
        run = StudyDirectory(tmp_path / "study", config.to_dict())
        settings = settings.as_begun(run)
        return settings, data.prepare(settings, run)

    return prepare


def ill(manifest, first):
    values = manifest.table.set_index("path")["ill"]
    return [values[f"{first + i}.png"] for i in range(3)]


def test_pool_trains_and_validates_by_policies_of_their_own(prepared):
    _, study = prepared(uncertain="ones", unmentioned="zeros")
    nan = np.nan
    for images, first, expected in (
        (study.inside.train, 0, [1, 0, 0]),
        (study.inside.validation, 20, [nan, 0, nan]),
        (study.inside.test, 30, [nan, 0, nan]),
        # A draw decides which patients of the pool train and which validate.
        (study.pool, 0, [1, 0, 0]),
        (study.pool, 20, [1, 0, 0]),
        (study.judged_pool, 0, [nan, 0, nan]),
        (study.judged_pool, 20, [nan, 0, nan]),
        (study.test, 30, [nan, 0, nan]),
    ):
        np.testing.assert_array_equal(ill(images, first), expected)


def test_caveats_say_what_labels_count_as_where_it_matters(prepared):
    settings, study = prepared(uncertain="ones", unmentioned="zeros")
    said = [c for c in summary._caveats(settings, study) if " label" in c and ": " in c]
    test = (
        "{}, test set: Uncertain labels, of 1 image of 1 patient, are ignored.",
        "{}, test set: Empty labels beside others, of 1 image of 1 patient, count as negative.",
        "{}, test set: Without any label: 1 image of 1 patient, which is left out.",
    )
    for folder in ("a", "b"):
        for sentence in test:
            assert sentence.format(folder) in said
    assert "a, training: Uncertain labels, of 1 image of 1 patient, count as positive." in said
    assert "b, training: Uncertain labels, of 2 images of 2 patients, count as positive." in said
    assert study.label_notes["ood"] == [s.format("b").partition(": ")[2] for s in test]


def test_caveats_say_that_patients_are_not_known(prepared):
    settings, study = prepared()
    assert not any("is not known" in c for c in summary._caveats(settings, study))
    study.test.table.loc[study.test.table.index[:2], "patient_id"] = None
    (said,) = [c for c in summary._caveats(settings, study) if "is not known" in c]
    assert said.startswith(
        f"b, test set: the patient of 2 of {len(study.test)} images is not known"
    )


def test_caveats_say_nothing_about_labels_that_are_all_known(prepared, tmp_path):
    for root in ("a", "b"):
        file = tmp_path / root / "manifest.csv"
        table = pd.read_csv(file, dtype={"ill": "Int64", "well": "Int64"})
        table[["ill", "well"]] = table[["ill", "well"]].fillna(0).replace(-1, 1)
        table.to_csv(file, index=False)
    settings, study = prepared(uncertain="ones", unmentioned="zeros")
    assert study.label_notes == {"id": [], "ood": []}
    said = summary._caveats(settings, study)
    assert not any("Uncertain" in c or ", test set: " in c or ", training: " in c for c in said)


def test_caveats_name_policies_once_if_training_has_the_same(prepared):
    settings, study = prepared()
    said = summary._caveats(settings, study)
    assert "b, test set: Uncertain labels, of 1 image of 1 patient, are ignored." in said
    assert not any(c.startswith(("a, training", "b, training")) for c in said)


def test_uncertain_test_labels_three_ways(tmp_path):
    rng = np.random.default_rng(0)
    found = (rng.random((120, 2)) < 0.4).astype(np.float32)
    found[:20, 0] = -1
    table = pd.DataFrame(found, columns=["ill", "well"])
    table["path"] = table["patient_id"] = [f"{i}" for i in range(120)]
    table = table.assign(study_id=None, site=None, split="test")
    manifest = label_policies.keep_found(Manifest(table, ("ill", "well"), tmp_path, "a test"))
    judged = label_policies.decide(manifest, label_policies.Meaning())
    scores = {
        Cell(arm, "probe", patients, seed): found + rng.normal(size=found.shape)
        for arm in ("x", "y")
        for patients in (0, 9, 40)
        for seed in (range(2) if patients else range(1))
    }
    rows = three_ways(judged, scores)
    assert [(row["arm"], row["patients"], row["images"]) for row in rows] == [
        ("x", 40, 20),
        ("y", 40, 20),
    ]
    assert rows[0]["labels"] == ["ill", "well"]
    for way, value in (("ignore", np.nan), ("zeros", 0.0), ("ones", 1.0)):
        targets = np.where(found == -1, value, found)
        runs = [scores[Cell("x", "probe", 40, seed)] for seed in range(2)]
        mean = np.mean([auroc(targets, run) for run in runs])
        assert rows[0][way]["value"] == pytest.approx(mean)
        assert rows[0][way]["low"] < mean < rows[0][way]["high"]
    assert three_ways(judged.subset(np.arange(120) >= 20), scores) == []
