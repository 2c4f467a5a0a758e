import dataclasses
import json
import math

import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import assume, given
from hypothesis import strategies as st
from test_description import BIT, HOSTILE, RANDOM, RELEASE, classifier, described, named, trained

from remedis.visible_text import visible
from remedis.zoo import card, card_front_matter, licences
from remedis.zoo.provenance import SELF_SUPERVISION, Provenance

REQUIRED = {"library_name", "pipeline_tag", "tags", "license"}
NAMED_RELEASE = dataclasses.replace(RELEASE, file="cxr-152x2-remedis-s")


def parsed(description):
    """Returns the front matter as Hugging Face's client reads it, after a round trip."""
    text = card.text(json.loads(json.dumps(description.to_json())), with_seen_images=True)
    read = ModelCard(text)
    assert read.text.lstrip("\n") == card_front_matter.without(text)
    again = ModelCard(str(read))
    values = again.data.to_dict()
    assert values == read.data.to_dict()
    assert values == yaml.safe_load(text.split("---\n")[1])
    assert values.keys() >= REQUIRED
    return values


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high, "patients": 30, "positives": 12}


NONE = {**estimate(None, None, None), "reason": "only 2 patients"}


def measured(provenance, source=""):
    labels = {
        "cardiomegaly": {"auroc": estimate(0.9, 0.8, 0.95), "youden/sensitivity": NONE},
        "edema": {"auroc": NONE, "youden/sensitivity": estimate(1e-05, 0.0, 1e-4)},
    }
    mean = {"auroc": estimate(0.9, 0.8, 0.95), "youden/sensitivity": NONE}
    performance = {
        "data": "the test split of nih",
        "source": source,
        "images": 40,
        "patients": 30,
        "labels": labels,
        "mean": mean,
        "averaged": ["cardiomegaly"],
        "note": "",
        "warnings": [],
    }
    return dataclasses.replace(classifier(provenance), performance=performance)


def test_results_have_a_value_an_interval_and_the_patients_behind_them():
    values = parsed(measured(BIT, "chestxray14"))
    assert values["metrics"] == ["roc_auc", "recall"]
    (index,) = values["model-index"]
    assert index["name"] == "run-1"
    (result,) = index["results"]
    assert result["task"]["type"] == values["pipeline_tag"] == "image-classification"
    assert result["dataset"] == {"name": "the test split of nih", "type": "chestxray14"}
    names = [metric["name"] for metric in result["metrics"]]
    assert names == [
        "AUROC, cardiomegaly (95 % interval 0.800 to 0.950)",
        "sensitivity, edema at the threshold youden (95 % interval 0.000 to 0.000)",
        "AUROC, mean of 1 label (95 % interval 0.800 to 0.950)",
    ]
    first, second, _ = result["metrics"]
    assert (first["type"], first["value"]) == ("roc_auc", 0.9)
    assert first["args"] == {"interval_95": [0.8, 0.95], "patients": 30, "positives": 12}
    # YAML 1.1 has numbers without a point, 1e-05, as text.
    assert math.isclose(second["value"], 1e-05)


def test_a_classifier_that_was_not_measured_has_no_results():
    values = parsed(classifier(BIT))
    assert not values.keys() & {"model-index", "metrics"}


@pytest.mark.parametrize("provenance", [RANDOM, trained(RANDOM)])
def test_random_weights_have_a_tag_and_claim_no_results(provenance):
    values = parsed(measured(provenance))
    assert "random-weights" in values["tags"]
    assert not values.keys() & {"model-index", "metrics", "base_model", "datasets"}
    assert values["license"] == "unknown"


def test_weights_that_began_as_random_ones_say_so_and_may_have_results():
    pretrained = Provenance(SELF_SUPERVISION, "SimCLR", parent=RANDOM)
    values = parsed(measured(trained(pretrained)))
    assert "began-as-random-weights" in values["tags"]
    assert "random-weights" not in values["tags"]
    assert "self-supervised" in values["tags"]
    assert "model-index" in values


def test_the_licence_and_the_base_are_those_of_the_weights_it_came_from():
    of_bit, of_release = parsed(described(BIT)), parsed(classifier(NAMED_RELEASE))
    assert (of_bit["license"], of_bit["base_model"]) == ("other", "BiT-M-R50x1")
    assert of_bit["license_name"] == "not-checked-see-licences-below"
    assert of_bit["pipeline_tag"] == "image-feature-extraction"
    assert "chest-x-ray" in of_bit["tags"]
    assert of_release["license_link"] == "https://doi.org/10.13026/grp0-z205"
    assert of_release["base_model"] == "cxr-152x2-remedis-s"
    # The release was pretrained on them.
    assert of_release["datasets"] == ["mimic_cxr", "chexpert"]


def test_published_data_are_named_and_those_of_users_are_not():
    def on(*of):
        details = {licences.DATA: [licences.data_record(*pair) for pair in of]}
        return parsed(described(dataclasses.replace(trained(BIT), details=details)))

    assert on(("chexpert", ""), ("csv", "ours"))["datasets"] == ["chexpert"]
    assert "datasets" not in on(("chexpert", licences.MADE_UP))
    assert "datasets" not in on(("csv-2", ""), ("folder", ""))


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, "---", "a: b\n---\n# c", '"', "'", "\\", "- &a *a !!x"]
)
def test_no_name_changes_the_front_matter(hostile):
    values = parsed(named(hostile))
    plain = parsed(named("x"))
    assert values.keys() == plain.keys()
    (index,), (expected,) = values["model-index"], plain["model-index"]
    assert index["name"] == visible(hostile)
    metrics = index["results"][0]["metrics"]
    assert len(metrics) == len(expected["results"][0]["metrics"])
    assert metrics[0]["name"] == f"AUROC, {visible(hostile)}1 (95 % interval 0.700 to 0.900)"


@given(st.text(max_size=20))
def test_any_name_is_read_back_as_it_is_shown(name):
    assume(name.strip())
    (index,) = parsed(named(name))["model-index"]
    assert index["name"] == visible(name)
    assert index["results"][0]["dataset"]["name"] == visible(name)


def test_a_card_of_an_earlier_version_has_no_front_matter():
    assert card_front_matter.without("# cxr\n\ntext\n\n---\n") == "# cxr\n\ntext\n\n---\n"
