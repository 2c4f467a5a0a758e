"""A folder whose graph is not that of its `remedis.json` is refused when it is loaded."""

import types

import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.inference import exported
from remedis.zoo.export import Description
from remedis.zoo.provenance import Provenance


def described(*labels):
    return Description(
        kind="classifier",
        name="run",
        units=(1, 1, 1, 1),
        width=0.25,
        final_norm=True,
        value_range=(0.0, 1.0),
        backbone_range=(0.0, 1.0),
        parameters=1,
        tensors=1,
        signatures=("serving_default",),
        provenance=Provenance("random", "RANDOM WEIGHTS"),
        labels=labels,
        preprocess="resize(32)",
    )


def graph(*labels, **changes):
    parts = {
        "label_names": lambda: tf.constant(labels),
        "preprocess": lambda image: image,
        "signatures": {"serving_default": None},
    }
    return types.SimpleNamespace(**(parts | changes))


@pytest.fixture
def load(monkeypatch, tmp_path):
    def load(description, model):
        monkeypatch.setattr(exported.resolve, "export_folder", lambda _: tmp_path)
        monkeypatch.setattr(exported.checkpoint, "describe", lambda _: description)
        monkeypatch.setattr(exported.graphs, "load", lambda _: model)
        return exported.load(tmp_path)

    return load


def test_the_graph_and_the_description_are_of_the_same_labels(load):
    assert load(described("a", "b"), graph("a", "b")).labels == ("a", "b")
    with pytest.raises(
        UserError, match=r"graph of the labels b, a, but its remedis.json is of a, b:"
    ):
        load(described("a", "b"), graph("b", "a"))


@pytest.mark.parametrize("part", ["label_names", "preprocess", "serving_default"])
def test_a_graph_of_another_program_is_a_sentence(part, load):
    model = graph("a", signatures={}) if part == "serving_default" else graph("a")
    if part != "serving_default":
        delattr(model, part)
    with pytest.raises(UserError, match=rf"classifier, but its graph has no {part}: the files are"):
        load(described("a"), model)
