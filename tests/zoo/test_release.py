"""Folders of the original release: a stand-in with the same names, children and signature."""

import shutil

import bit_weights
import numpy as np
import pytest
import release_stand_in
import tensorflow as tf
from zoo_helpers import TINY, relative_error, said

from remedis.models.architectures import Architecture
from remedis.zoo import builder, checkpoint, export, release, resolve, tensors
from remedis.zoo.weights import RELEASE_RANGES

NAME = "path-50x1-remedis-s"
IMAGES = tf.constant(bit_weights.images())


def same(got, expected):
    return got.shape == expected.shape and relative_error(got, expected) < 1e-4


@pytest.fixture
def expected(tiny_release):
    """The map of the release's own graph, called as users call it."""
    return tf.saved_model.load(str(tiny_release))(IMAGES)


def test_the_stand_in_is_as_the_release_is_described(tiny_release):
    files = {str(p.relative_to(tiny_release)) for p in tiny_release.rglob("*")}
    assert files == {
        "assets",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    }
    loaded = tf.saved_model.load(str(tiny_release))
    assert hasattr(loaded, "_root")
    assert hasattr(loaded, "_blocks")
    assert list(loaded.signatures) == ["serving_default"]
    assert list(loaded.signatures["serving_default"].structured_input_signature[1]) == ["input_1"]
    names = tensors.saved_model_variables(tiny_release).shapes
    assert names == TINY.shapes(final_norm=False)
    with pytest.raises((TypeError, ValueError)):
        loaded(IMAGES, training=True)


def test_the_range_its_graph_maps_to_is_measured(tiny_release, maps_range):
    weights = release.read(str(tiny_release), TINY)
    right, wrong = ("[-1, 1]", "[0, 1]") if maps_range else ("[0, 1]", "[-1, 1]")
    assert weights.backbone_range == RELEASE_RANGES[right]
    assert weights.provenance.details["range_measured"] == right
    errors = weights.provenance.details["relative_error_by_range"]
    assert errors[right] < 1e-4
    assert errors[wrong] > 10 * release.AGREEMENT
    assert not weights.final_norm
    arrays = bit_weights.weights(TINY, final_norm=False)
    assert set(weights.arrays) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], array)


def test_the_downloaded_folder_is_read_as_one_of_ours(tiny_release, expected):
    assert checkpoint.describe(tiny_release) is None
    weights = resolve.read_weights(str(tiny_release), 0, TINY.name)
    assert weights.architecture == TINY
    assert weights.provenance.origin == "release"
    assert weights.provenance.sha256 == tensors.variables_sha256(tiny_release)
    backbone = checkpoint.load_backbone(tiny_release)
    assert same(backbone(IMAGES), expected)
    assert "pre_logits" not in backbone.endpoints(IMAGES)


@pytest.mark.parametrize("tiny_release", ["plain"], indirect=True)
@pytest.mark.usefixtures("tiny_names", "few_traces")
def test_its_variables_in_our_graph_give_its_map(tmp_path, tiny_release, expected):
    folder = builder.build(NAME, f"release:{tiny_release}", tmp_path)
    m = tf.saved_model.load(str(folder))
    assert same(m(IMAGES), expected)
    assert set(m.endpoints(IMAGES)) == {
        *("root", "block1", "block2", "block3", "block4", "map", "embedding")
    }
    assert "pre_logits" not in m.signatures["endpoints"].structured_outputs
    description = checkpoint.describe(folder)
    assert not description.final_norm
    assert description.tensors == len(m.variables) == len(TINY.shapes(final_norm=False))
    assert description.provenance.origin == "release"
    assert tiny_release.name in description.provenance.description
    assert "does not hold its weights" not in (folder / export.CARD).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("tiny_release", ["plain"], indirect=True)
@pytest.mark.usefixtures("tiny_names")
def test_its_own_graph_can_stay_behind_our_interface(tmp_path, tiny_release, expected, maps_range):
    folder = builder.build(NAME, f"release:{tiny_release}", tmp_path, keep_graph=True)
    m = tf.saved_model.load(str(folder))
    assert same(m(IMAGES, training=True), expected)
    assert same(m(IMAGES.numpy().astype(np.float64)), expected)
    ends = m.endpoints(IMAGES)
    assert set(ends) == {"map", "embedding"}
    assert same(ends["map"], expected)
    embedding = tf.reduce_mean(expected, [1, 2])
    assert same(m.embed(IMAGES), embedding)
    served = {
        name: m.signatures[name](input_1=IMAGES)
        for name in ("serving_default", "embed", "endpoints")
    }
    pixels = np.full((2, 50, 40, 3), 100, np.uint8)
    files = tf.stack([tf.io.encode_png(image) for image in pixels])
    assert same(m.serve_bytes(files)["embedding"], m.embed(m.preprocess(pixels)))
    assert same(served["serving_default"]["output_1"], expected)
    assert same(served["embed"]["embedding"], embedding)
    assert same(served["endpoints"]["embedding"], embedding)

    shapes = TINY.shapes(final_norm=False)
    assert {v.name.removesuffix(":0") for v in m.trainable_variables} == set(shapes)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(m(IMAGES)))
    gradients = tape.gradient(loss, m.trainable_variables)
    assert all(gradient is not None and np.any(gradient) for gradient in gradients)
    for variable, gradient in zip(m.trainable_variables, gradients, strict=True):
        variable.assign_sub(1e-3 * gradient)
    assert not same(m(IMAGES), expected)

    with pytest.raises(tf.errors.InvalidArgumentError, match="images are uint8; expected float32"):
        m(np.zeros((1, 64, 64, 3), np.uint8))

    description = checkpoint.describe(folder)
    assert description.backbone_range is None
    weights = checkpoint.read(folder)
    assert weights.provenance == description.provenance
    assert "with its own graph" in weights.provenance.description
    assert weights.backbone_range == RELEASE_RANGES["[-1, 1]" if maps_range else "[0, 1]"]
    assert same(checkpoint.build_backbone(weights)(IMAGES), expected)


def test_a_release_of_another_architecture_is_refused(tmp_path, tiny_release):
    sentence = said(release.read, str(tiny_release), Architecture((1, 2, 1, 1), 0.5))
    assert sentence.startswith(
        f"{tiny_release} does not hold the 1-2-1-1x0.5 release (it holds 1-1-1-1x0.5): missing "
        "block2/unit02/a/group_norm/gamma, "
    )
    out = tmp_path / "out"
    for keep_graph in (False, True):
        sentence = said(builder.build, NAME, f"release:{tiny_release}", out, keep_graph=keep_graph)
        assert f"{tiny_release} does not hold the 50x1 release" in sentence
    assert not out.exists()


@pytest.fixture
def copied(tmp_path, tiny_release):
    return shutil.copytree(tiny_release, tmp_path / "copied")


def test_a_graph_that_is_another_than_its_variables_say_is_refused(tmp_path):
    folder = tmp_path / "other"
    module = release_stand_in.Release(bit_weights.weights(TINY, final_norm=False), True)
    other = tf.function(lambda x: module(x)[..., ::-1], input_signature=[release_stand_in.IMAGES])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": other})
    sentence = said(release.read, str(folder), TINY)
    assert sentence.startswith(
        f"{folder}: its graph differs from a BiT R1-1-1-1x0.5 with its variables (relative error "
    )
    assert sentence.endswith(
        "; use the folder as it is, or keep its graph (remedis build --graph=release)."
    )


def test_a_pooled_output_is_refused(tmp_path):
    folder = tmp_path / "pooled"
    module = release_stand_in.Release(bit_weights.weights(TINY, final_norm=False), True)
    pooled = tf.function(
        lambda x: tf.reduce_mean(module(x), [1, 2]), input_signature=[release_stand_in.IMAGES]
    )
    tf.saved_model.save(module, str(folder), signatures={"serving_default": pooled})
    assert said(release.read, str(folder), TINY) == (
        f"{folder} gives (1, 1024) for images (1, 64, 64, 3); "
        "expected an unpooled map (1, 2, 2, 1024)."
    )


@pytest.mark.parametrize("tiny_release", ["maps"], indirect=True)
class TestFoldersThatAreNoSavedModel:
    def test_a_missing_one(self, tmp_path, tiny_release):
        for read in (checkpoint.read, checkpoint.describe, checkpoint.load_backbone):
            assert said(read, tmp_path / "nowhere") == (
                f"{tmp_path / 'nowhere'} is not a folder; expected a SavedModel folder."
            )

    def test_a_file(self, tiny_release):
        file = tiny_release / "saved_model.pb"
        assert said(checkpoint.read, file) == (
            f"{file} is not a folder; expected a SavedModel folder."
        )

    def test_an_empty_one(self, tmp_path, tiny_release):
        assert said(checkpoint.read, tmp_path) == (
            f"{tmp_path} is not a SavedModel: it has no saved_model.pb; expected a folder with "
            "saved_model.pb and variables/."
        )

    def test_a_tf1_checkpoint(self, tmp_path, tiny_release):
        for name in ("checkpoint", "model.ckpt-1.meta", "model.ckpt-1.index"):
            (tmp_path / name).write_bytes(b"")
        assert said(checkpoint.read, tmp_path).startswith(
            f"{tmp_path} is a TF1 checkpoint: it has no saved_model.pb; "
        )

    def test_one_without_its_variables(self, copied):
        shutil.rmtree(copied / "variables")
        sentence = f"{copied} lacks variables/variables.index: copy the folder whole."
        assert said(checkpoint.read, copied) == sentence
        assert said(builder.build, NAME, f"release:{copied}", copied / "out") == sentence

    def test_one_without_the_shard(self, copied):
        (copied / "variables" / "variables.data-00000-of-00001").unlink()
        assert str(copied) in said(checkpoint.load_backbone, copied)

    def test_one_with_a_truncated_shard(self, copied):
        with open(copied / "variables" / "variables.data-00000-of-00001", "r+b") as file:
            file.truncate(1000)
        assert str(copied) in said(checkpoint.load_backbone, copied)

    def test_one_with_a_damaged_index(self, copied):
        (copied / "variables" / "variables.index").write_bytes(b"nothing of the kind")
        assert said(checkpoint.read, copied).startswith(
            f"{copied / 'variables' / 'variables'} is not a TensorFlow 2 checkpoint: "
        )

    def test_one_with_a_damaged_graph(self, copied):
        (copied / "saved_model.pb").write_bytes(b"<html>404</html>")
        sentence = said(checkpoint.read, copied)
        assert sentence.startswith(f"{copied} cannot be loaded (")
        assert sentence.endswith("); copy the folder again.")


class Other(tf.Module):
    """A SavedModel that is no backbone."""

    def __init__(self, variables):
        super().__init__()
        self.all = [tf.Variable(np.zeros(s, np.float32), name=n) for n, s in variables.items()]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return x * 2


@pytest.mark.parametrize(("variables", "names"), [({"w": (3,)}, "1 names such as ['w']"), ({}, "")])
def test_a_saved_model_of_something_else_is_refused(tmp_path, variables, names):
    tf.saved_model.save(Other(variables), str(tmp_path))
    for sentence in (
        said(checkpoint.read, tmp_path),
        said(release.read, str(tmp_path), TINY),
        said(builder.build, NAME, f"release:{tmp_path}", tmp_path / "out"),
        said(builder.build, NAME, str(tmp_path), tmp_path / "out"),
    ):
        assert sentence.startswith(f"{tmp_path}: These variables are not a BiT ResNet's: expected ")
        assert names in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("tiny_names")
def test_a_release_without_its_signature_is_refused(tmp_path):
    folder = tmp_path / "bare"
    module = release_stand_in.Release(bit_weights.weights(TINY, final_norm=False), True)
    tf.saved_model.save(module, str(folder), signatures={"predict": module.__call__})
    sentence = (
        f"{folder} has no signature serving_default with one input and one output; its "
        "signatures are ['predict']."
    )
    assert said(release.read, str(folder), TINY) == sentence
    assert said(builder.build, NAME, f"release:{folder}", tmp_path, keep_graph=True) == sentence


@pytest.mark.slow
@pytest.mark.parametrize("maps_range", [True, False])
def test_a_release_of_real_size_goes_through_and_back(tmp_path, maps_range):
    architecture = Architecture.parse("50x1")
    original = tmp_path / "download"
    arrays = bit_weights.weights(architecture, final_norm=False)
    release_stand_in.write(original, arrays, maps_range)
    expected = tf.saved_model.load(str(original))(IMAGES)
    for keep_graph in (False, True):
        out = tmp_path / str(keep_graph)
        folder = builder.build(NAME, f"release:{original}", out, keep_graph=keep_graph)
        m = tf.saved_model.load(str(folder))
        assert len(m.variables) == len(m.trainable_variables) == 149
        assert same(m(IMAGES), expected)
        assert same(checkpoint.load_backbone(folder)(IMAGES), expected)
