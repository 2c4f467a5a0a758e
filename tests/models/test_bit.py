import pathlib
import re

import bit_weights
import numpy as np
import pytest
import tensorflow as tf
from zoo_helpers import relative_error

from remedis.errors import UserError
from remedis.models.architectures import BIT_NAMES, Architecture, infer
from remedis.models.bit import BiTResNet

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "timm_resnetv2_50x1_bit.npz"
TINY = Architecture((1, 2, 1, 1), 0.5)


def test_map_and_pre_logits_agree_with_timm():
    # Golden numbers of tests/helpers/make_timm.py.
    backbone = BiTResNet(Architecture.parse("50x1"))
    backbone.assign(bit_weights.weights(backbone.architecture))
    ends = backbone.endpoints(tf.constant(bit_weights.images()))
    golden = np.load(GOLDEN)
    assert relative_error(ends["map"], golden["map"]) < 1e-4
    assert relative_error(ends["pre_logits"], golden["pre_logits"]) < 1e-4


@pytest.mark.parametrize(
    ("name", "final_norm", "parameters", "tensors"),
    [
        ("50x1", False, 23_496_256, 149),
        ("50x1", True, 23_500_352, 151),
        ("101x1", False, 42_488_384, 302),
        ("101x1", True, 42_492_480, 304),
        ("152x2", False, 232_230_016, 455),
        ("152x2", True, 232_238_208, 457),
    ],
)
def test_published_counts(name, final_norm, parameters, tensors):
    architecture = Architecture.parse(name)
    assert architecture.parameters(final_norm) == parameters
    assert len(architecture.shapes(final_norm)) == tensors


@pytest.mark.parametrize("final_norm", [True, False])
def test_variables_are_those_of_the_table_by_name_and_shape(final_norm):
    backbone = BiTResNet(TINY, final_norm)
    shapes = {v.path: tuple(v.shape) for v in backbone.variables}
    assert shapes == TINY.shapes(final_norm)
    assert {v.value.name.removesuffix(":0") for v in backbone.variables} == set(shapes)


@pytest.mark.parametrize("name", BIT_NAMES)
def test_architecture_is_read_back_from_its_shapes(name):
    architecture = Architecture.parse(name)
    assert architecture.name == name
    assert infer(architecture.shapes(True)) == (architecture, True)
    assert infer(architecture.shapes(False)) == (architecture, False)


@pytest.mark.parametrize("size", [(32, 32), (33, 64), (97, 65), (224, 31), (1, 1)])
def test_map_has_stride_32_rounded_up(size):
    backbone = BiTResNet(TINY)
    ends = backbone.endpoints(tf.zeros([1, *size, 3]))
    expected = [-(-side // 32) for side in size]
    assert ends["map"].shape == (1, *expected, TINY.map_channels)
    for name, stride in {"root": 4, "block1": 4, "block2": 8, "block3": 16, "block4": 32}.items():
        assert ends[name].shape[1:3] == tuple(-(-side // stride) for side in size)


def test_endpoints_agree_with_the_call_and_each_other():
    backbone = BiTResNet(TINY)
    backbone.assign(bit_weights.weights(TINY))
    images = tf.constant(bit_weights.images())
    ends = backbone.endpoints(images)
    np.testing.assert_array_equal(backbone(images), ends["map"])
    np.testing.assert_array_equal(ends["map"], ends["block4"])
    np.testing.assert_allclose(ends["embedding"], np.mean(ends["map"], (1, 2)), rtol=1e-5)


def test_without_final_norm_there_are_no_pre_logits():
    assert "pre_logits" not in BiTResNet(TINY, False).endpoints(tf.zeros([1, 32, 32, 3]))


def test_the_range_of_the_backbone_matters_at_the_border_only_and_is_baked_in():
    arrays = bit_weights.weights(TINY)
    mapped, plain = BiTResNet(TINY), BiTResNet(TINY, backbone_range=(0, 1))
    mapped.assign(arrays)
    plain.assign(arrays)
    images = tf.constant(bit_weights.images())
    assert relative_error(mapped(images), plain(2 * images - 1)) < 1e-5
    assert relative_error(mapped(images), plain(images)) > 1e-2


def test_unassigned_backbone_gives_nothing_that_looks_like_features():
    assert float(tf.reduce_max(tf.abs(BiTResNet(TINY)(tf.random.uniform([1, 64, 64, 3]))))) == 0


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Architecture.parse("52x2"), "did you mean '152x2'?"),
        (lambda: Architecture.parse("50x0.3"), "a multiple of 32"),
        (lambda: Architecture((1, 1, 1), 1), "four blocks"),
        (lambda: infer({"conv/kernel": (3, 3, 3, 64)}), "not a BiT ResNet's"),
    ],
)
def test_wrong_architectures(make, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        make()
