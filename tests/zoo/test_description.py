import dataclasses
import html.parser
import json
import os
import pathlib
import shutil
import sys

import markdown_it
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from json_file import read_json
from zoo_helpers import TINY, said

from remedis import files
from remedis.visible_text import visible
from remedis.zoo import card, card_front_matter, checkpoint, records
from remedis.zoo.export import BACKBONE_KIND, DESCRIPTION, Description
from remedis.zoo.provenance import FROZEN, SELF_SUPERVISION, Provenance
from remedis.zoo.seen_images import FILE, SeenImages

RANDOM = Provenance("random", "RANDOM WEIGHTS (seed 0): never trained on anything.")
BIT = Provenance(
    "bit",
    "Supervised on natural images (BiT, BiT-M-R50x1.npz); not trained on medical images.",
    file="BiT-M-R50x1.npz",
    sha256="ab" * 32,
    command="build.py --weights=bit:BiT-M-R50x1.npz",
    details={"head_classes": 21843},
)
RELEASE = Provenance("release", "REMEDIS release cxr, its variables in this project's graph.")


def described(provenance, **changes):
    description = Description(
        kind=BACKBONE_KIND,
        name="cxr-50x1-remedis-m",
        units=TINY.units,
        width=TINY.width,
        final_norm=True,
        value_range=(0.0, 1.0),
        backbone_range=(-1.0, 1.0),
        parameters=1234567,
        tensors=43,
        signatures=("serving_default", "embed", "endpoints"),
        provenance=provenance,
        record=dataclasses.asdict(records.RECORDS["cxr-50x1-remedis-m"]),
    )
    return dataclasses.replace(description, **changes)


def trained(parent):
    return Provenance("training", "Fine-tuned on hospital A.", details={"step": 7}, parent=parent)


def classifier(parent):
    return described(
        trained(parent),
        kind="classifier",
        name="run-1",
        record=None,
        labels=("cardiomegaly", "edema"),
        preprocess="resize(448)",
        signatures=("serving_default", "preprocess", "label_names"),
    )


def text(description):
    return card_front_matter.without(card.text(description.to_json()))


@pytest.mark.parametrize(
    "description",
    [
        described(RANDOM),
        described(BIT, backbone_range=None),
        classifier(BIT),
        classifier(trained(BIT)),
    ],
)
def test_a_description_is_the_same_after_a_trip_through_json(tmp_path, description):
    files.write_json(tmp_path / DESCRIPTION, description.to_json())
    values = read_json(tmp_path / DESCRIPTION)
    assert values["format"] == 1
    read = Description.from_json(values)
    # JSON has no tuples.
    assert dataclasses.replace(read, record=None) == dataclasses.replace(description, record=None)
    assert json.dumps(read.record) == json.dumps(description.record)


def test_random_weights_are_told_from_trained_and_from_pretrained_ones():
    assert RANDOM.random
    assert trained(RANDOM).random
    assert (trained(trained(RANDOM)).random, trained(BIT).random) == (True, False)


def test_fields_of_a_later_version_are_ignored():
    description = described(BIT)
    assert Description.from_json(description.to_json() | {"later": 1}) == description


def with_values(**changes):
    return lambda text: json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    ("damage", "said_of_it"),
    [
        (lambda text: "", "it is empty"),
        (lambda text: text[:100], "it is not JSON"),
        (lambda text: "[]", "it is a list, expected an object"),
        (lambda text: "null", "it is null, expected an object"),
        (lambda text: "{}", "it has no key 'kind'"),
        (lambda text: text.replace('"units"', '"UNITS"'), "it has no key 'units'"),
        (lambda text: text.replace('"origin"', '"ORIGIN"'), "provenance has no key 'origin'"),
        (lambda text: "\udcff", "it is not text in UTF-8"),
        (with_values(units=[1, 1, 1, 10**9]), "units[3] is 1000000000, expected 256 or less"),
        (with_values(units=[1, 1]), "units is a list, expected four numbers, or none"),
        (with_values(width=1e9), "width is 1000000000.0, expected 16 or less"),
        (with_values(width=None), "expected width with units"),
        (with_values(units=[], backbone="keras:None"), "or a network of keras.applications"),
        (with_values(labels="edema"), "labels is 'edema', expected a list"),
        (with_values(kind="classifier"), "expected labels and preprocess of a classifier"),
        (with_values(kind="run"), "kind is 'run', expected 'trunk' or 'classifier'"),
        (with_values(value_range=[0]), "value_range has 1 value, expected at least 2"),
        (with_values(trunk_range=["a", "b"]), "trunk_range[0] is 'a', expected a number"),
        (with_values(parameters="many"), "parameters is 'many', expected a whole number"),
        (with_values(provenance={"origin": 1, "description": ""}), "provenance.origin is 1, "),
    ],
)
def test_a_damaged_description_is_named(tmp_path, tiny_export, damage, said_of_it):
    folder = shutil.copytree(tiny_export, tmp_path / "copy")
    file = folder / DESCRIPTION
    file.write_text(damage(file.read_text()), errors="surrogateescape")
    sentence = said(checkpoint.describe, folder)
    assert sentence.startswith(f"{file} is damaged (")
    assert sentence.endswith("); build the folder again.")
    assert said_of_it in sentence
    assert said(checkpoint.load_backbone, folder) == sentence


@pytest.mark.parametrize(
    ("put", "kind"),
    [(os.mkfifo, "a pipe (FIFO)"), (lambda file: file.symlink_to("/dev/zero"), "a device")],
)
def test_a_record_that_is_no_regular_file_is_not_absent(tmp_path, tiny_export, put, kind):
    folder = shutil.copytree(tiny_export, tmp_path / "copy")
    (folder / DESCRIPTION).unlink()
    assert checkpoint.describe(folder) is None
    for read, file in ((checkpoint.describe, DESCRIPTION), (SeenImages.read, FILE)):
        put(folder / file)
        sentence = said(read, folder)
        assert sentence.startswith(f"{folder / file} is damaged ({kind}, expected a regular file")


def test_a_description_of_another_backbone_is_noticed(tmp_path, tiny_export):
    folder = shutil.copytree(tiny_export, tmp_path / "copy")
    values = read_json(folder / DESCRIPTION)
    files.write_json(folder / DESCRIPTION, values | {"units": [1, 2, 1, 1]})
    assert said(checkpoint.read, folder).startswith(
        f"{folder} does not hold the backbone remedis.json describes: missing "
        "block2/unit02/a/group_norm/gamma, "
    )


def test_our_folder_is_read_back_whole(tiny_export):
    description = checkpoint.describe(tiny_export)
    weights = checkpoint.read(tiny_export)
    assert weights.provenance == description.provenance
    assert (weights.architecture, weights.final_norm) == (TINY, True)
    assert weights.backbone_range == (-1, 1)
    assert description.provenance.sha256 == files.sha256(tiny_export.parents[1] / "BiT-M-tiny.npz")


def test_the_card_of_random_weights_warns_first():
    lines = text(described(RANDOM)).splitlines()
    assert lines[:5] == [
        "# cxr-50x1-remedis-m",
        "",
        "> **RANDOM WEIGHTS.** Nothing here was pretrained: for rehearsal or as baseline.",
        "",
        "> Research software, not a diagnostic device: no output of it may guide care.",
    ]
    assert "- RANDOM WEIGHTS (seed 0): never trained on anything." in lines
    assert "**This folder does not hold its weights** (see above). For reference:" in lines


def test_the_card_of_bit_weights_names_the_file_and_denies_the_release():
    card_text = text(described(BIT))
    assert "RANDOM" not in card_text
    assert (
        "## Weights\n\n"
        "- Supervised on natural images (BiT, BiT-M-R50x1.npz); not trained on medical images.\n"
        f"  - read from `BiT-M-R50x1.npz`, SHA-256 `{'ab' * 32}`\n"
        "  - made by `build.py --weights=bit:BiT-M-R50x1.npz`\n"
    ) in card_text
    assert "**This folder does not hold its weights**" in card_text
    assert "- The graph maps that range to [-1, 1] itself.\n" in card_text
    assert "- Parameters: 1,234,567 in 43 tensors" in card_text
    assert "- terms: credentialed access with CITI training" in card_text


def test_the_card_of_a_release_owns_its_weights():
    card_text = text(described(RELEASE, backbone_range=None, final_norm=False))
    assert "RANDOM" not in card_text
    assert "does not hold its weights" not in card_text
    assert "The graph maps that range" not in card_text
    assert "## The published checkpoint of this name\n\n- initialised from: BiT-M" in card_text


def calibrated(method, **fits):
    """Returns the card of a classifier whose labels have these fits."""
    calibration = {"method": method, "fitted_on": {"cases": 120, "labels": fits}, "left_out": []}
    return text(dataclasses.replace(classifier(BIT), calibration=calibration))


def test_the_card_promises_shares_only_of_an_offset_and_at_a_prevalence():
    fit = {"cases": 120, "positives": 12, "negatives": 110, "prevalence": 0.0875}
    platt, temperature = (
        calibrated(method, cardiomegaly={**fit, "method": method}, edema={**fit, "method": method})
        for method in ("platt", "temperature")
    )
    row = "120 cases of the validation split | 12 | 110 | 8.8% |\n"
    assert f"| edema | platt | {row}" in platt
    assert "three in ten of those with a probability of 0.3 have the label" in platt
    assert f"| edema | temperature | {row}" in temperature
    assert "have the label" not in temperature
    assert "a scale was fitted, and no offset" in temperature
    assert "class weights or balanced drawing" in temperature


def test_the_card_names_the_data_of_each_labels_fit():
    written = calibrated(
        "platt",
        cardiomegaly={"method": "platt", "cases": 25, "data": "hospital C"},
        edema={"method": "temperature", "cases": 900},
    )
    assert "| cardiomegaly | platt | 25 cases of hospital C |  |  |  |\n" in written
    assert "| edema | temperature | 900 cases of the validation split |  |  |  |\n" in written
    assert "not calibrated" not in written.lower()
    assert "The probabilities are not calibrated. They follow" in calibrated(
        "platt", cardiomegaly={"method": "none"}, edema={"method": "none"}
    )


def test_the_card_of_a_fine_tuned_model_names_the_weights_it_started_from():
    from_bit, from_random = text(classifier(BIT)), text(classifier(RANDOM))
    assert "RANDOM" not in from_bit
    assert from_random.startswith(
        "# run-1\n\n"
        "> **Started from RANDOM WEIGHTS**: no pretrained checkpoint went into this model."
    )
    unlabelled = Provenance(SELF_SUPERVISION, "Without labels.", parent=RANDOM)
    assert text(classifier(unlabelled)).startswith("# run-1\n\n> **Began as RANDOM WEIGHTS**: ever")
    assert (
        "## Weights\n\n- Fine-tuned on hospital A.\n- Supervised on natural images (BiT, "
    ) in from_bit
    assert "`m(images)`: `probabilities`, `logits` [N, labels] and `embedding` [N, C]" in from_bit
    assert "as in training: `resize(448)`." in from_bit
    assert "- Labels, in order: cardiomegaly, edema.\n" in from_bit
    assert "published checkpoint" not in from_bit


@pytest.mark.parametrize(("frozen", "random"), [(0, False), (3, True)])
def test_only_what_was_trained_as_a_whole_is_no_longer_random(frozen, random):
    drawn = Provenance(origin="random", description="drawn")
    trained = Provenance(
        origin=SELF_SUPERVISION, description="", details={FROZEN: frozen}, parent=drawn
    )
    assert trained.random == random
    assert Provenance(origin="training", description="", parent=trained).random == random
    assert Provenance(origin="training", description="", parent=drawn).random


class Tags(html.parser.HTMLParser):
    """Collects the tags of a page, without their attributes."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_comment(self, data):
        self.tags.append("comment")


def structure(card_text):
    parser = markdown_it.MarkdownIt("commonmark").enable("table")
    return Tags(parser.render(card_front_matter.without(card_text))).tags


def named(name):
    """Returns a classifier's description in which every name and sentence is the given one."""
    estimate = {"value": 0.8, "low": 0.7, "high": 0.9, "patients": 9, "positives": 4}
    both = (f"{name}1", f"{name}2")
    chosen = dict.fromkeys(both, 0.5)
    bit = dataclasses.replace(BIT, description=name, file=name, sha256=name, command=name)
    return dataclasses.replace(
        classifier(dataclasses.replace(trained(bit), description=name)),
        name=name,
        labels=both,
        preprocess=name,
        backbone=name,
        signatures=(name,),
        calibration={
            "method": "platt",
            "data": name,
            "fitted_on": {"cases": 9, "labels": {both[0]: {"method": "platt", "cases": 9}}},
            "left_out": [both[1]],
        },
        thresholds={
            "youden": chosen,
            "target": 0.9,
            "chosen_on": {label: {"data": name} for label in both},
        },
        performance={
            "data": name,
            "images": 9,
            "patients": 9,
            "labels": {
                both[0]: {"auroc": estimate},
                both[1]: {"auroc": {**estimate, "value": None, "reason": name}},
            },
            "mean": {"auroc": estimate},
            "averaged": [both[0]],
            "note": name,
            "warnings": [name],
        },
    )


HOSTILE = (
    "<script>alert(1)</script>",
    "<!-- ",
    "a | b\n\n| c | d |\n# e\n",
    "[x](javascript:alert(1)) ![y](http://z)",
    "```\n***`` a ` b",
    "\x1b[2J\u202e\ud800\n- a\n1. b",
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_changes_the_structure_of_a_card(hostile):
    card_text = card.text(named(hostile).to_json(), with_seen_images=True)
    assert structure(card_text) == structure(card.text(named("x").to_json(), True))
    assert visible(card_text, lines=True) == card_text


@given(st.text(max_size=20))
def test_no_text_changes_the_structure_of_a_card(name):
    assume(name.strip())
    assert structure(text(named(name))) == structure(text(named("x")))


def test_a_card_says_what_its_seen_images_tell():
    values = classifier(BIT).to_json()
    assert "Delete the file" in card.text(values, with_seen_images=True)
    assert "seen.json" not in card.text(values)


def test_an_export_tells_no_path_of_the_machine(tiny_export):
    places = (tiny_export.parent, pathlib.Path(__file__).parents[2], sys.prefix)
    for file in filter(pathlib.Path.is_file, tiny_export.rglob("*")):
        content = file.read_bytes()
        told = [place for place in map(str, places) if place.encode() in content]
        assert not told, (file, told)


def test_a_written_description_and_its_card_hold_base_names():
    command = "/home/alice/remedis finetune --config.data_dir=/data/site/b --workdir=/home/alice/r"
    data = {"data": "/data/site/manifest.csv"}
    described_with_paths = dataclasses.replace(
        named("x"),
        provenance=dataclasses.replace(trained(BIT), command=command),
        calibration={"method": "platt", **data, "fitted_on": {"cases": 9, "labels": {"x1": data}}},
        thresholds={"youden": {"x1": 0.5, "x2": 0.5}, "chosen_on": {"x1": data, "x2": data}},
    )
    shared = described_with_paths.shared()
    written = json.dumps(shared.to_json()) + text(shared)
    assert "alice" not in written
    # A manifest alone keeps the name of its folder.
    assert "site" not in written.replace("site/manifest.csv", "")
    assert "remedis finetune --config.data_dir=b --workdir=r" in written
    assert "manifest.csv" in written
