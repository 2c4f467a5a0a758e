"""The grammar for "which weights": every form, and the sentence for every wrong one."""

import logging
import shutil

import bit_weights
import numpy as np
import pytest
from small_application import small_application  # noqa: F401
from zoo_helpers import TINY, said

from remedis.models.applications import ApplicationNetwork
from remedis.zoo import builder, checkpoint, random_weights, resolve
from remedis.zoo.seen_images import SeenImages

NAME = "cxr-50x1-remedis-m"
EXPECTED = (
    "Expected a checkpoint folder, a run, bit:FILE.npz, release:DIR, random:SEED, scratch:50x1, "
    "keras:DenseNet121:FILE."
)


def values(backbone):
    return {name: np.asarray(v) for name, v in backbone.named_variables().items()}


def assert_equal(one, other):
    assert set(one) == set(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_checkpoint):
    """The directory of a run with an export, which has seen one image."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    shutil.copytree(tiny_checkpoint, folder / "export")
    (folder / "config.json").write_text("{}")
    SeenImages.from_hashes(["a"]).write(folder / "export")
    return folder


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    file = tmp_path_factory.mktemp("bit") / "BiT-M-tiny.npz"
    bit_weights.save_npz(file, bit_weights.weights(TINY))
    return file


@pytest.fixture
def forms(run, npz, tiny_checkpoint, tiny_release):
    """Every form for the tiny architecture; the arrays it must give, and their origin."""
    drawn = dict(random_weights.draw(0, TINY).arrays)
    released = bit_weights.weights(TINY, final_norm=False)
    return {
        str(tiny_checkpoint): (drawn, "random"),
        str(run): (drawn, "random"),
        str(run / "export"): (drawn, "random"),
        f"bit:{npz}": (bit_weights.weights(TINY), "bit"),
        f"release:{tiny_release}": (released, "release"),
        str(tiny_release): (released, "release"),
        "random:7": (dict(random_weights.draw(7, TINY).arrays), "random"),
        f"scratch:{TINY.name}": (drawn, "random"),
        f"checkpoint:{run}": (drawn, "random"),
    }


@pytest.mark.parametrize("tiny_release", ["plain"], indirect=True)
def test_every_form_is_a_backbone_for_configs_and_commands(forms):
    for spec, (arrays, origin) in forms.items():
        resolve.check(spec, TINY.name)
        loaded = resolve.load_backbone(spec, 0, TINY.name)
        assert_equal(values(loaded.backbone), arrays)
        assert loaded.provenance.origin == origin


@pytest.mark.parametrize("tiny_release", ["plain"], indirect=True)
@pytest.mark.usefixtures("no_graph")
def test_every_form_goes_through_the_builder(forms, tmp_path, monkeypatch):
    monkeypatch.setattr(builder.Architecture, "parse", classmethod(lambda cls, name: TINY))
    for i, (spec, (arrays, origin)) in enumerate(forms.items()):
        folder = builder.build(NAME, spec, tmp_path / str(i))
        assert_equal(dict(checkpoint.read(folder).arrays), arrays)
        assert checkpoint.describe(folder).provenance.origin == origin


def test_weights_drawn_from_a_seed_may_be_those_of_a_keras_network():
    loaded = resolve.load_backbone("random:3", 0, "SmallNet")
    assert isinstance(loaded.backbone, ApplicationNetwork)
    assert_equal(
        values(loaded.backbone), values(resolve.load_backbone("keras:SmallNet", 3).backbone)
    )
    assert "seed 3" in loaded.provenance.description


def test_a_run_stands_for_its_export_in_what_it_has_seen(run, npz):
    for spec in (str(run), str(run / "export"), f"checkpoint:{run}"):
        assert SeenImages.from_checkpoint(spec).count(["a", "b"]) == 1
    assert SeenImages.from_checkpoint(f"bit:{npz}").count(["a"]) == 0


def test_the_old_form_of_a_folder_warns(run, caplog):
    with caplog.at_level(logging.WARNING):
        assert resolve.parse(f"checkpoint:{run}").folder == run / "export"
    assert caplog.messages == [
        f"checkpoint:{run}: write {run}; the next version does not accept checkpoint:DIR."
    ]


def test_a_folder_with_a_colon_in_its_name_is_a_folder(tmp_path, tiny_checkpoint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_checkpoint, "site:1")
    (tmp_path / "bit").mkdir()
    assert str(resolve.parse("site:1").folder) == "site:1"
    assert str(resolve.parse("bit").folder) == "bit"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "bits:x.npz",
            "Unknown source of weights 'bits': did you mean 'bit'? Choose from: bit, release, "
            "random, scratch, keras.",
        ),
        ("radnom:0", "Unknown source of weights 'radnom': did you mean 'random'?"),
        ("bit", "'bit' names nothing after the scheme; write bit:FILE.npz."),
        ("release:", "'release:' names nothing after the scheme; write release:DIR."),
        ("random:", "'random:' names nothing after the scheme; write random:SEED."),
        ("scratch:", "'scratch:' names nothing after the scheme; write scratch:50x1."),
        ("keras:", "'keras:' names nothing after the scheme; write keras:DenseNet121:FILE."),
        ("random:-1", "random:-1: the seed must be a whole number, e.g. random:0."),
        ("random:1.5", "random:1.5: the seed must be a whole number, e.g. random:0."),
        ("random:one", "random:one: the seed must be a whole number, e.g. random:0."),
        (
            "random:0",
            "random:0 does not say of which architecture the weights are; set "
            "architecture=50x1, or write scratch:50x1 to draw from the seed of the run.",
        ),
        ("", f"No weights are named; {EXPECTED.replace('Exp', 'exp')}"),
        ("no/such/folder", f"no/such/folder is not a folder. {EXPECTED}"),
        ("checkpoint:no/folder", f"no/folder is not a folder. {EXPECTED}"),
        (
            "BiT-M-R50x1.npz",
            "BiT-M-R50x1.npz is not a folder: did you mean bit:BiT-M-R50x1.npz? " + EXPECTED,
        ),
        ("a/w.h5", f"a/w.h5 is not a folder: did you mean keras:NETWORK:a/w.h5? {EXPECTED}"),
        ("VGG16", f"VGG16 is not a folder: did you mean keras:VGG16? {EXPECTED}"),
        ("50x1", f"50x1 is not a folder: did you mean scratch:50x1? {EXPECTED}"),
        ("0", f"0 is not a folder: did you mean random:0? {EXPECTED}"),
        ("release:no/folder", "no/folder is not a folder; expected a SavedModel folder."),
        (
            "bit:no.npz",
            "no.npz is not a file; bit: takes a BiT-{S,M}-R*.npz of google-research/big_transfer.",
        ),
        ("keras:VGG17", "Unknown network of keras.applications 'VGG17': did you mean 'VGG1"),
        ("keras:VGG16:no.h5", "no.h5 is not a file; expected the weights of a VGG16."),
        (
            "keras:VGG16:",
            "'keras:VGG16:' names no file after the network; write keras:VGG16:FILE, or "
            "keras:VGG16 for random weights.",
        ),
        ("scratch:52x1", "Unknown architecture '52x1': did you mean '50x1'?"),
    ],
)
def test_every_wrong_form_is_refused_with_the_nearest_right_one(spec, sentence):
    for call in (resolve.check, lambda spec: resolve.load_backbone(spec, seed=0)):
        assert said(call, spec).startswith(sentence)


@pytest.mark.parametrize("spec", ["keras:SmallNet", "random:0"])
def test_a_keras_network_is_refused_where_a_bit_is_needed(spec):
    assert said(resolve.read_weights, spec, 0, "SmallNet") == (
        f"{spec} is SmallNet, a network of keras.applications; expected a BiT backbone: a folder "
        "of one, bit:FILE.npz, release:DIR, random:SEED or scratch:50x1."
    )


@pytest.mark.parametrize(("architecture", "bit"), [("50x1", True), ("SmallNet", False)])
def test_a_bit_file_of_another_architecture_is_refused(npz, architecture, bit):
    sentence = said(resolve.load_backbone, f"bit:{npz}", 0, architecture)
    if bit:
        assert sentence.startswith(f"{npz} does not hold the weights of a BiT R50x1: missing ")
    else:
        assert sentence.startswith(f"bit:{npz} is of the architecture {TINY.name}, but arch")


def test_a_run_without_an_export_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    sentence = f"{tmp_path} is a run that has no export yet; let it finish first."
    for call in (resolve.check, resolve.export_folder, SeenImages.from_checkpoint):
        assert said(call, str(tmp_path)) == sentence
