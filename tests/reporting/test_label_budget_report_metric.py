"""The words of a report on another metric than the AUROC."""

import html
import json
import re

import pytest
from ood_example import make_study

from remedis.reporting.label_budget_report import answer_sentences, lay_summary, overview, write
from remedis.reporting.label_budget_report.study_summary import metric

CLASSES = ("akiec", "bcc", "mel", "nv", "vasc")


def make_classes(title="top-3 accuracy"):
    """A study of exclusive classes, by changing one of labels."""
    study = make_study(("remedis", "scratch"), CLASSES, ("probe",))
    study |= {"metric": title, "task": "multi_class", "chance": 0.6125, "id_chance": 0.8}
    for point in study["points"]:
        point["labels"] = {}
    for answer in study["answers"]:
        answer["target"] = answer["target"].replace("AUROC", title)
    study["primary"]["labels"] = []
    rule = f"The highest {title} on the validation patients is chosen."
    study["tuning"]["probe"]["rule"] = rule
    return study


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("classes")
    (workdir / "summary.json").write_text(json.dumps(make_classes()))
    text = html.unescape(re.sub(r"<[^>]+>", " ", write(workdir).read_text()))
    assert not list((workdir / "figures").glob("labels-*"))
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def test_every_sentence_names_the_metric(page):
    for sentence in (
        "Every top-3 accuracy after adaptation is the mean over 10 draws of labelled patients",
        "(a top-3 accuracy of 0.743)",
        "scratch gains +0.129 in top-3 accuracy from none to all 310 labelled patients.",
        "Top-3 accuracy is the share of test images whose true class a model has among its first "
        "3: 0.613 is chance (by always naming the 3 most frequent classes), 1 is perfect.",
        "top-3 accuracy ranks classes, and no decision was tested.",
        "80 % of the gain: top-3 accuracy 0.743",
        "top-3 accuracy of remedis minus scratch (Linear probe, 31 (10 %) labelled patients, all "
        "classes)",
        "remedis has the higher top-3 accuracy.",
        "top-3 accuracy on test patients of General Hospital [95 % interval], 214 patients.",
        "Top-3 accuracy is one number for all classes: see above.",
        "always naming the 3 most frequent classes scores 0.800 at",
        "and 0.613 at General Hospital. The gap contains what this difference makes",
        "top-3 accuracy on the validation patients of the budgets",
    ):
        assert sentence in page, sentence
    # Models of the first hospital are chosen by the AUROC, which a table says.
    assert [m.start() for m in re.finditer("AUROC", page)] == [
        m.start()
        for m in re.finditer("(?<=the choice of each training, by validation )AUROC", page)
    ]


def test_chance_is_that_of_the_study():
    study = make_classes()
    answer = next(a for a in study["answers"] if a["arm"] == "scratch" and a["headline"])
    answer |= {"status": "level not above chance", "baseline_above_chance": False}
    assert (
        "is not shown to beat chance (top-3 accuracy 0.613, by always naming the 3 most frequent "
        "classes)"
    ) in answer_sentences.sentence([answer], study)
    study["chance"] = 0.5  # of another test set
    assert "0.500 is chance" in lay_summary.meaning(study)[2]


def test_top_1_accuracy_is_about_one_class():
    study = make_classes("top-1 accuracy")
    assert metric(study).key == "top_1_accuracy"
    assert lay_summary.meaning(study)[2] == (
        "Top-1 accuracy is the share of test images whose true class a model ranks first: 0.613 is "
        "chance (by always naming the most frequent class), 1 is perfect."
    )


def test_the_overview_of_several_sets_names_the_metric():
    studies = {"here": make_classes(), "there": make_classes() | {"chance": 0.7}}
    text = overview.page(studies, {name: f"{name}.html" for name in studies}, ["Ours."])
    assert "the same top-3 accuracy may be hard in one and easy in another." in text
    assert "AUROC" not in text


def test_the_overview_of_sets_says_what_chance_is_in_each():
    studies = {"one clinic": make_classes(), "another": {**make_classes(), "chance": 0.5}}
    whole = overview.page(studies, dict.fromkeys(studies, "page.html"), [])
    assert "the same top-3 accuracy may be hard in one" in whole
    assert (
        "Always naming the 3 most frequent classes of a set scores 0.613 at one clinic and 0.500 "
        "at another: gaps contain differences in how frequent the classes are."
    ) in whole
