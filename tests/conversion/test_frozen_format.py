"""The SavedModel for inference alone: same outputs, no variables, nothing left to fold."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from zoo_helpers import said

import remedis
from remedis.cli import main
from remedis.conversion.frozen_graph import freeze
from remedis.inference import exported
from remedis.zoo import checkpoint, serving

pytestmark = pytest.mark.guarantee


@pytest.fixture(scope="module")
def frozen(folders, tmp_path_factory):
    """Frozen folders by kind."""
    root = tmp_path_factory.mktemp("frozen")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(serving, "REFUSED", ())
        patched.setattr(serving, "WIDENED", ())
        for kind, folder in folders.items():
            remedis.export(folder, "frozen", root / kind)
    return {kind: root / kind for kind in folders}


def test_it_has_the_methods_and_outputs_of_its_source(folders, frozen):
    images = np.random.default_rng(1).random((3, 45, 70, 3), np.float32)
    ours, theirs = (tf.saved_model.load(side["backbone"]) for side in (frozen, folders))
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.embed(images), theirs.embed(images), rtol=1e-5, atol=1e-5)
    assert ours(images[:0]).shape[0] == 0
    ours, theirs = (tf.saved_model.load(side["classifier"]) for side in (frozen, folders))
    expected = theirs(images)
    for name, values in ours(images).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-5)
    for name, values in ours.thresholds().items():
        np.testing.assert_array_equal(values, theirs.thresholds()[name])
    pixels = np.random.default_rng(2).integers(0, 256, (50, 40, 1), np.uint8)
    np.testing.assert_array_equal(ours.preprocess(pixels), theirs.preprocess(pixels))
    files = [tf.io.encode_png(pixels).numpy()]
    np.testing.assert_allclose(
        ours.serve_bytes(files)["logits"], theirs.serve_bytes(files)["logits"], atol=1e-5
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="look like values from 0 to 255"):
        ours(images * 255)


def test_kernels_are_standardised_once_and_no_variable_is_left(sources, frozen):
    graph = freeze(sources["backbone"]).graph
    operations = collections.Counter(node.op for node in graph.node)
    # Three norms per unit and one unit per block; a standardisation would have an Rsqrt, too.
    assert operations["Rsqrt"] == 12
    assert not {"VarHandleOp", "ReadVariableOp", "IdentityN", "Square"} & operations.keys()
    for folder in frozen.values():
        assert not tf.saved_model.load(folder).variables
        assert checkpoint.describe(folder).tensors == 0
        size = (folder / "saved_model.pb").stat().st_size
        assert 1.0 < size / (4 * checkpoint.describe(folder).parameters) < 1.3  # constants once


def test_the_classifier_scores_as_any_export(frozen):
    loaded = exported.load(frozen["classifier"])
    assert loaded.labels == ("effusion", "mass, 2 cm")
    assert loaded.thresholds(loaded.labels).youden == {"effusion": 0.5, "mass, 2 cm": None}


def test_it_cannot_be_trained_or_exported_again(frozen, tmp_path):
    sentence = said(remedis.export, frozen["backbone"], "frozen", tmp_path / "again")
    assert "does not hold the backbone remedis.json describes" in sentence


def test_the_command_prints_the_differences(folders, few_traces, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["export", str(folders["classifier"]), "--to=frozen", f"--out={out}"]) == 0
    printed = capsys.readouterr().out
    assert "RANDOM WEIGHTS" in printed
    for name in ("random pixels (3)", "made-up radiographs (8)", "logits", "thresholds"):
        assert name in printed
    assert main(["export", str(folders["classifier"]), "--to=frozen", f"--out={out}"]) == 1
    assert f"{out} exists already; remove it, or set --overwrite." in capsys.readouterr().err


def test_a_folder_of_another_program_is_sent_to_build(folders, tmp_path):
    copy = tmp_path / "theirs"
    copy.mkdir()
    for path in folders["backbone"].iterdir():
        if path.name != "remedis.json":
            (copy / path.name).symlink_to(path)
    sentence = said(remedis.export, copy, "frozen", tmp_path / "m")
    assert "has no remedis.json: only folders that remedis wrote are exported." in sentence
