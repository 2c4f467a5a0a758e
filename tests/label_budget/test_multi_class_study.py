"""Studies of exclusive classes: mean AUROC of each class against the others, and top-k accuracy."""

import ml_collections
import numpy as np
import pandas as pd
import pytest
from json_file import read_json
from PIL import Image
from small_study import run_killed, small_config, summary_of

from remedis import label_budget
from remedis.errors import UserError
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.run_study import studies_of
from remedis.reporting import label_budget_report

CLASSES = ("pale", "grey", "dark", "striped", "dotted")
PATIENTS = 60


def write_clinic(root, seed, light):
    """A directory with a manifest: one image per patient; classes differ in grey and texture."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(PATIENTS):
        of_class = min(i % 6, 4)  # the last class is twice as frequent
        pixels = np.full((32, 32), (190, 120, 50, 120, 120)[of_class]) + rng.normal(0, 12, (32, 32))
        if of_class == 3:
            pixels[:, ::4] += 90
        if of_class == 4:
            pixels[::4, ::4] -= 110
        pixels = np.clip(pixels * light, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"{i}.png")
        rows.append((f"{i}.png", f"{root.name}{i}", *np.eye(5, dtype=int)[of_class]))
    pd.DataFrame(rows, columns=["path", "patient_id", *CLASSES]).to_csv(
        root / "manifest.csv", index=False
    )
    return root


@pytest.fixture(scope="session")
def two_clinics(tmp_path_factory):
    root = tmp_path_factory.mktemp("clinics")
    return write_clinic(root / "id", 0, 1.0), write_clinic(root / "ood", 1, 0.6)


@pytest.fixture
def study_config(two_clinics, tiny_checkpoint):
    def made(**changes) -> ml_collections.ConfigDict:
        own = {
            "labels": CLASSES,
            "task": "multi_class",
            "metric": "top_2_accuracy",
            "budgets": "0, 4, 50%",
        }
        splits = {"train": 0.4, "validation": 0.2, "test": 0.4}
        config = small_config(two_clinics, tiny_checkpoint, splits, **{**own, **changes})
        config.id.stratify = config.ood.stratify = CLASSES
        return config

    return made


def test_a_study_of_top_k_accuracy_from_nothing_to_its_report(study_config, tmp_path, monkeypatch):
    run_killed(study_config(), tmp_path, 3, monkeypatch)
    assert label_budget.run(study_config(), tmp_path)
    found = summary_of(tmp_path)
    assert (found["metric"], found["task"]) == ("top-2 accuracy", "multi_class")
    # The frequent class has a third of the images, any other one a sixth.
    assert found["chance"] == pytest.approx(0.5, abs=0.05)
    # Fewer patients than classes are too few.
    assert [bool(budget["left_out"]) for budget in found["budgets"]] == [False, True, False, False]
    assert "no patient with" in found["budgets"][1]["left_out"]
    assert all(point["labels"] == {} for point in found["points"])
    one, two = ([p["mean"] for p in found["points"] if p["arm"] == a] for a in ("one", "two"))
    assert one == two
    assert {a["target"] for a in found["answers"]} >= {"reference", "top-2 accuracy 0.9"}
    # One penalty for all classes, and a classifier that is better than always naming the same.
    penalties = found["tuning"]["probe"]["arms"]["one"]["id"][0]["penalties"]
    assert len(set(penalties.values())) == 1
    assert one[-1]["value"] > found["chance"]
    rule = found["tuning"]["probe"]["rule"]
    assert rule.startswith("The highest top-2 accuracy on the validation patients of the budget")
    table = pd.read_csv(tmp_path / "curves.csv")
    assert (set(table["label"]), len(table)) == ({"mean"}, len(found["points"]))
    assert table["top_2_accuracy"].between(0, 1).all()
    assert "auroc" not in table
    # The scores are logits of a softmax, adapted together: the values can be computed from them.
    with np.load(next((tmp_path / "cells").glob("one-probe-*-0.npz"))) as content:
        scores = content["scores"]
    assert scores.shape == (found["data"]["ood"]["counts"]["test"]["images"], 5)
    page = label_budget_report.write(tmp_path).read_text()
    assert "Top-2 accuracy is one number for all classes" in page
    assert "the share of test images whose true class a model has among its first 2" in page
    assert "AUROC of each label" not in page
    with pytest.raises(UserError, match="another config: metric"):
        label_budget.run(study_config(metric="top_1_accuracy"), tmp_path)


@pytest.mark.guarantee
@pytest.mark.parametrize("metric", ["auroc", "top_1_accuracy"])
def test_fine_tuning_adapts_classes(metric, study_config, tmp_path):
    config = study_config(arms=study_config().arms.partition(";")[0], baseline="one", seeds=1)
    config.update(metric=metric, modes=("finetune",), budgets="0", select="learning_rate=0.2,1.6")
    assert label_budget.run(config, tmp_path)
    found = summary_of(tmp_path)
    assert len(found["points"]) == 2
    assert set(found["points"][0]["labels"]) == (set(CLASSES) if metric == "auroc" else set())
    assert (found["chance"] == 0.5) == (metric == "auroc")
    tuning = found["tuning"]["finetune"]["arms"]["one"]
    assert all(0 <= one["score"] <= 1 for one in tuning["ood"] if one["score"] is not None)
    assert set(tuning["id"][0]["scores"]) == {"learning_rate=0.2", "learning_rate=1.6"}
    description = read_json(tmp_path / "id" / "one" / "export" / "remedis.json")
    assert description["task"] == "multi_class"


def test_settings_that_do_not_fit_are_refused(study_config, two_clinics, tmp_path):
    def refused(sentence, **changes):
        with pytest.raises(UserError, match=sentence):
            studies_of(study_config(**changes), tmp_path / sentence[:12])[0]

    refused(r"config\.metric is 'top3'; expected auroc, or top_K_accuracy", metric="top3")
    refused("always among 5; name a smaller number, such as top_2_acc", metric="top_5_accuracy")
    refused("always among 3", metric="top_3_accuracy", labels=CLASSES[:3])
    refused(r"config\.task is multi_label; the metric needs classes", task="multi_label")
    refused(r"value of config\.task 'multiclass': did you mean", task="multiclass")
    refused(r"config\.target is 1\.5; expected a top-2 accuracy between chance", target=1.5)
    refused(
        r"config\.target is 0\.3; expected a top-2 accuracy between 0\.\d+ \(chance\)", target=0.3
    )
    refused(
        r"names the label 'dark', and the top-2 accuracy is one number",
        primary="one, probe, 100%, dark",
    )
    # An image of two classes, and a class that is uncertain and counts as positive.
    manifest = two_clinics[1] / "manifest.csv"
    before = manifest.read_text()
    try:
        manifest.write_text(before.replace(",1,0,0,0,0", ",1,0,1,0,0", 1))
        refused(r"0\.png is positive for 2 of the labels pale, grey, dark, striped, dotted; 1 im")
        manifest.write_text(before.replace(",1,0,0,0,0", ",1,0,-1,0,0", 1))
        config = study_config()
        config.ood.uncertain = config.ood.eval_uncertain = "ones"
        with pytest.raises(UserError, match=r"0\.png is positive for 2 of the labels"):
            studies_of(config, tmp_path / "uncertain")[0]
    finally:
        manifest.write_text(before)


def test_a_study_of_an_earlier_version_is_one_of_labels_and_auroc(tmp_path):
    old = {"id_data_dir": "a", "labels": ["x"]}
    (StudyDirectory(tmp_path, old) / "cells").mkdir()
    (tmp_path / "cells" / "one").touch()
    assert StudyDirectory(tmp_path, old | {"task": "multi_label", "metric": "auroc"})
    for key, value in (("task", "multi_class"), ("metric", "top_3_accuracy")):
        with pytest.raises(UserError, match=f"holds a run with another config: {key}"):
            StudyDirectory(tmp_path, old | {key: value})
