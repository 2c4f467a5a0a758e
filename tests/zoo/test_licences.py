import dataclasses

import pytest
from test_description import BIT, RANDOM, RELEASE, classifier, described, text, trained
from zoo_helpers import said

from remedis.zoo import bundle_metadata, licences
from remedis.zoo.provenance import SELF_SUPERVISION, Provenance


def named(provenance, calibrated_on=""):
    return [(link["kind"], link["name"]) for link in licences.chain(provenance, calibrated_on)]


def on(parent, *data, origin="training"):
    details = {licences.DATA: [licences.data_record(*of) for of in data]}
    return Provenance(origin, "Trained.", details=details, parent=parent)


def test_the_chain_goes_back_to_the_source():
    release = dataclasses.replace(RELEASE, file="path-50x1-remedis-m")
    model = on(on(release, ("wilds_camelyon17", ""), origin=SELF_SUPERVISION), ("csv", ""))
    assert named(model) == [
        ("code", "remedis"),
        ("weights", "the weights made by this training"),
        ("data", "images of the source csv"),
        ("weights", "the weights made by this pretraining"),
        ("data", "Camelyon17-WILDS"),
        ("weights", "REMEDIS release path-50x1-remedis-m"),
        ("data", "TCGA slides"),
        ("weights", "BiT-M, supervised on ImageNet-21k"),
        ("data", "ImageNet"),
    ]


def test_random_weights_have_no_terms_of_others():
    chain = licences.chain(RANDOM)
    assert [link["kind"] for link in chain] == ["code", "weights"]
    assert licences.unchecked(chain) == []


def test_what_was_not_read_is_not_stated_as_a_licence():
    for link in (*licences.PUBLISHED.values(), licences.BIT, licences.RELEASE, licences.KERAS):
        assert link["where"]
        sentence = licences.sentence(link)
        if link["status"] == licences.READ:
            assert f"read at {link['where']}" in sentence
        else:
            assert f"not checked: read it at {link['where']}" in sentence
            assert "CC" not in link["terms"]


def test_the_statement_of_a_user_stands_as_hers():
    (link,) = [
        link for link in licences.chain(on(BIT, ("csv-2", "CC BY 4.0"))) if "csv" in str(link)
    ]
    assert link["status"] == licences.STATED
    assert licences.sentence(link) == (
        "images of the source csv: CC BY 4.0 (stated by those who trained the model)"
    )
    published = licences.chain(on(BIT, ("chexpert", "agreement of 2024")))
    assert "CheXpert: agreement of 2024 (stated by" in str(list(map(licences.sentence, published)))


def test_made_up_data_have_no_terms_of_the_data_set_whose_layout_they_have():
    chain = licences.chain(on(RANDOM, ("chexpert", licences.MADE_UP)))
    assert "CheXpert" not in str(chain)
    assert licences.published("chexpert", licences.MADE_UP) == ""
    assert licences.published("chexpert", "") == "chexpert"
    assert licences.published("csv", "") == ""


@pytest.mark.parametrize("details", [{}, {"data": "x"}, {"data": [1]}, {"data": None}])
def test_a_training_of_an_earlier_version_names_no_data(details):
    chain = licences.chain(dataclasses.replace(trained(BIT), details=details))
    assert ("data", "the training images") in [(link["kind"], link["name"]) for link in chain]


def test_data_of_a_calibration_are_a_link():
    assert ("data", "hospital B, for the calibration") in named(trained(BIT), "hospital B")


def test_card_and_description_have_the_chain():
    shared = classifier(BIT).shared()
    assert shared.licences == licences.chain(shared.provenance)
    card_text = text(shared)
    assert "## Licences\n\nThe terms of every link bind" in card_text
    assert "- code: remedis: Apache-2.0 (read at LICENSE of this package)\n" in card_text
    assert "- weights: BiT, BiT-M-R50x1.npz: not checked: read it at https" in card_text


@pytest.mark.parametrize("terms", ["a\nb", "x" * 501, "a\u2028b"])
def test_terms_are_one_short_line(terms):
    licences.check_terms("CC BY 4.0, https://example.org")
    assert said(licences.check_terms, terms).startswith("data_terms has ")


# The mandatory keys of the MONAI Bundle Specification, without the two of other frameworks.
MANDATORY = {
    "version",
    "numpy_version",
    "required_packages_version",
    "task",
    "description",
    "authors",
    "copyright",
    "network_data_format",
}
OF_A_TENSOR = {
    "type",
    "format",
    "modality",
    "num_channels",
    "spatial_shape",
    "dtype",
    "value_range",
    "is_patch_data",
    "channel_def",
}


@pytest.mark.parametrize(
    ("description", "outputs"),
    [
        (described(RANDOM, map_channels=64), {"map"}),
        (classifier(BIT), {"probabilities", "logits", "embedding"}),
        (classifier(trained(RELEASE)), {"probabilities", "logits", "embedding"}),
    ],
)
def test_metadata_have_the_mandatory_keys_of_a_bundle(description, outputs):
    values = bundle_metadata.metadata(description.shared().to_json())
    assert values.keys() >= MANDATORY
    assert values["version"] in values["changelog"]
    form = values["network_data_format"]
    assert form["inputs"].keys() == {"images"}
    assert form["outputs"].keys() == outputs
    for tensor in (*form["inputs"].values(), *form["outputs"].values()):
        assert tensor.keys() >= OF_A_TENSOR
        assert isinstance(tensor["is_patch_data"], bool)
        assert all(key.isdecimal() for key in tensor["channel_def"])


def test_metadata_tell_what_the_outputs_are():
    values = bundle_metadata.metadata(classifier(BIT).to_json())
    probabilities = values["network_data_format"]["outputs"]["probabilities"]
    assert probabilities["channel_def"] == {"0": "cardiomegaly", "1": "edema"}
    assert (probabilities["num_channels"], probabilities["value_range"]) == (2, [0.0, 1.0])
    backbone = bundle_metadata.metadata(described(BIT, map_channels=64).to_json())
    assert backbone["network_data_format"]["inputs"]["images"]["modality"] == "chest radiograph"
    of_map = backbone["network_data_format"]["outputs"]["map"]
    height, width = (eval(size, {"h": 225, "w": 64}) for size in of_map["spatial_shape"])
    assert (height, width, of_map["num_channels"]) == (8, 2, 64)


def test_a_calibration_at_another_place_is_a_new_version():
    model = dataclasses.replace(
        classifier(BIT), calibration={"method": "platt", "data": "B", "fitted_on": {"cases": 9}}
    )
    values = bundle_metadata.metadata(model.to_json())
    assert (values["version"], values["changelog"]["1.1.0"]) == ("1.1.0", "Calibrated on B.")
