import io
import os
import zipfile

import bit_weights
import numpy as np
import pytest
from zoo_helpers import TINY, said

from remedis.models.architectures import Architecture
from remedis.zoo import bit_npz, builder, checkpoint

ROOT = "root_block/standardized_conv2d/kernel"
GAMMA = "block2/unit01/b/group_norm/gamma"


@pytest.fixture
def arrays():
    return bit_weights.weights(TINY)


@pytest.fixture
def written(tmp_path):
    """Returns a function that writes arrays as a BiT npz and returns its path."""

    def write(arrays):
        path = tmp_path / "BiT-M-tiny.npz"
        bit_weights.save_npz(path, arrays)
        return str(path)

    return write


def refused(path, architecture=TINY):
    """Returns the message about a refused file, without its path."""
    sentence = said(bit_npz.read, str(path), architecture)
    assert str(path) in sentence
    return sentence.replace(str(path), "FILE")


def test_every_value_arrives_in_the_backbone(arrays, written):
    weights = bit_npz.read(written(arrays), TINY)
    backbone = checkpoint.build_backbone(weights)
    variables = backbone.named_variables()
    assert set(variables) == set(arrays)
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, arrays[name])
    assert backbone.backbone_range == (-1, 1)
    assert weights.provenance.origin == "bit"
    assert weights.provenance.file == "BiT-M-tiny.npz"
    assert "not trained on medical images" in weights.provenance.description


def test_numbered_layer_names_are_the_plain_ones(arrays, written):
    numbered = {
        name.replace("standardized_conv2d/", f"standardized_conv2d_{i}/").replace(
            "group_norm/", f"group_norm_{i}/"
        ): array
        for i, (name, array) in enumerate(arrays.items())
    }
    assert not set(numbered) & set(arrays)
    weights = bit_npz.read(written(numbered), TINY)
    assert set(weights.arrays) == set(arrays)
    np.testing.assert_array_equal(weights.arrays[GAMMA], arrays[GAMMA])


def test_two_numbers_of_one_layer_are_refused(arrays, written):
    path = written(arrays | {ROOT.replace("conv2d/", "conv2d_3/"): arrays[ROOT]})
    assert refused(path) == (
        f"FILE: resnet/{ROOT.replace('conv2d/', 'conv2d_3/')} and resnet/{ROOT} are the same "
        f"variable {ROOT}."
    )


def test_float16_and_float64_become_float32(arrays, written):
    mixed = {
        n: a.astype([np.float16, np.float64][i % 2]) for i, (n, a) in enumerate(arrays.items())
    }
    weights = bit_npz.read(written(mixed), TINY)
    assert {weights.arrays[name].dtype for name in weights.arrays} == {np.dtype(np.float32)}


def test_the_head_is_checked_and_left_out(arrays, written):
    weights = bit_npz.read(written(arrays | bit_weights.head(TINY, 21_843)), TINY)
    assert set(weights.arrays) == set(arrays)
    assert weights.provenance.details == {"head_classes": 21_843}
    assert bit_npz.read(written(arrays), TINY).provenance.details == {"head_classes": None}


@pytest.mark.parametrize("name", [ROOT, GAMMA, "group_norm/beta"])
def test_a_missing_array_is_named(arrays, written, name):
    del arrays[name]
    expected = f"FILE does not hold the weights of a BiT R1-1-1-1x0.5: missing {name}."
    assert refused(written(arrays)) == expected


def test_an_extra_array_is_named(arrays, written):
    path = written(arrays | {"block1/unit02/a/group_norm/gamma": np.ones(32, np.float32)})
    assert refused(path) == (
        "FILE does not hold the weights of a BiT R1-1-1-1x0.5: unexpected "
        "block1/unit02/a/group_norm/gamma."
    )


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        (ROOT, (7, 7, 1, 32), f"{ROOT} [7,7,1,32] instead of [7,7,3,32]"),
        (ROOT, (7, 7, 3, 33), f"{ROOT} [7,7,3,33] instead of [7,7,3,32]"),
        (ROOT, (32, 3, 7, 7), f"{ROOT} [32,3,7,7] instead of [7,7,3,32]"),
        (GAMMA, (1, 64), f"{GAMMA} [1,64] instead of [64]"),
        (GAMMA, (), f"{GAMMA} [] instead of [64]"),
        (ROOT, (0,), f"{ROOT} [0] instead of [7,7,3,32]"),
    ],
)
def test_a_misshapen_array_is_named_with_both_shapes(arrays, written, name, shape, sentence):
    path = written(arrays | {name: np.zeros(shape, np.float32)})
    expected = f"FILE does not hold the weights of a BiT R1-1-1-1x0.5: misshapen {sentence}."
    assert refused(path) == expected


def test_several_faults_are_told_at_once(arrays, written):
    del arrays["group_norm/gamma"], arrays["group_norm/beta"]
    arrays["readme"] = np.zeros(1, np.float32)
    arrays[GAMMA] = np.zeros(7, np.float32)
    assert refused(written(arrays)) == (
        "FILE does not hold the weights of a BiT R1-1-1-1x0.5: missing group_norm/gamma, "
        f"group_norm/beta; unexpected readme; misshapen {GAMMA} [7] instead of [64]."
    )


def test_a_long_list_of_faults_is_cut(written):
    sentence = refused(written({"head/conv2d/kernel": np.zeros((1, 1, 1024, 7), np.float32)}))
    names = list(TINY.shapes(True))
    assert sentence == (
        "FILE does not hold the weights of a BiT R1-1-1-1x0.5: missing "
        f"{', '.join([*names[:5]])} and {len(names) - 4} more."
    )


@pytest.mark.parametrize("dropped", [0, 1])
def test_half_a_head_is_a_missing_array(arrays, written, dropped):
    head = bit_weights.head(TINY)
    name = list(head)[dropped]
    del head[name]
    assert refused(written(arrays | head)).endswith(f"1-1-1-1x0.5: missing {name}.")


@pytest.mark.parametrize("name", bit_npz.HEAD)
def test_a_misshapen_head_is_named(arrays, written, name):
    scalar = bit_weights.head(TINY) | {name: np.float32(0)}
    expected = bit_weights.head(TINY)[name].shape
    shape = ",".join(map(str, expected))
    assert refused(written(arrays | scalar)).endswith(f"misshapen {name} [] instead of [{shape}].")


def test_another_network_of_the_family_is_recognised(tmp_path):
    # Zeros compress well: a 101x1 fits into a file of some kilobytes.
    path = tmp_path / "BiT-M-R101x1.npz"
    shapes = Architecture.parse("101x1").shapes(True)
    np.savez_compressed(path, **{n: np.zeros(s, np.float16) for n, s in shapes.items()})
    sentence = refused(path, Architecture.parse("50x1"))
    assert sentence.startswith(
        "FILE does not hold the weights of a BiT R50x1 (it holds those of an R101x1): "
        "unexpected block3/unit07/a/group_norm/gamma, "
    )


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, bool, "U3"])
def test_arrays_that_are_no_floating_point_numbers_are_refused(arrays, written, dtype):
    path = written(arrays | {GAMMA: np.ones(64).astype(dtype)})
    assert refused(path) == (
        f"FILE: array resnet/{GAMMA} does not hold floating-point numbers; "
        "expected the float32 arrays of a BiT npz."
    )


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e300])
def test_weights_that_are_not_finite_are_named(arrays, written, value):
    arrays[GAMMA] = arrays[GAMMA].astype(np.float64)
    arrays[GAMMA][3] = value
    path = written(arrays)
    sentence = said(checkpoint.build_backbone, bit_npz.read(path, TINY))
    assert sentence == (
        f"{path}: array resnet/{GAMMA} has NaN, infinity or numbers beyond float32; expected "
        "finite weights: copy the file again, or take another one."
    )


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "BiT-M-R50x1.npz")
    assert refused(tmp_path / "BiT-M-R50x1.npz") == (
        "FILE cannot be read (a pipe (FIFO), expected a regular file)."
    )


class Bomb:
    """Fails a test that unpickles it."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def test_objects_are_refused_without_being_unpickled(arrays, written):
    path = written(arrays | {GAMMA: np.array([Bomb()] * 64, dtype=object)})
    assert "holds neither numbers nor text" in refused(path)


def zip_of(name, content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def npy_of(array, **kwargs):
    stream = io.BytesIO()
    np.save(stream, array, **kwargs)
    return stream.getvalue()


NO_NPZ = "FILE is not an npz, or not the whole of one; expected a BiT-{S,M}-R*.npz."


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>404</html>", npy_of(np.zeros(3)), npy_of([Bomb()], allow_pickle=True), b"PK\3\4"],
    ids=["empty", "text", "npy", "pickled npy", "magic number alone"],
)
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "BiT-M-R50x1.npz"
    path.write_bytes(content)
    assert refused(path) == NO_NPZ


def test_a_truncated_npz_is_refused(arrays, written):
    path = written(arrays)
    with open(path, "r+b") as file:
        file.truncate(200_000)
    assert refused(path) == NO_NPZ


@pytest.mark.parametrize("name", ["weights.npy", "model.ckpt"])
def test_a_zip_of_something_else_is_refused(tmp_path, name):
    path = tmp_path / "BiT-M-R50x1.npz"
    path.write_bytes(zip_of(name, b"something else"))
    sentence = refused(path)
    assert sentence.startswith("FILE is not an npz of plain arrays (")
    assert sentence.endswith("); expected a BiT-{S,M}-R*.npz.")


def test_a_damaged_array_is_named_when_it_is_read(arrays, written):
    path = written(arrays)
    with open(path, "r+b") as file:
        content = file.read()
        at = content.index(arrays[ROOT].tobytes()[:64]) + 1000
        file.seek(at)
        file.write(bytes([content[at] ^ 255]))
    weights = bit_npz.read(path, TINY)
    sentence = said(checkpoint.build_backbone, weights)
    assert sentence.startswith(f"{path}: array resnet/{ROOT} is damaged (Bad CRC-32")
    assert sentence.endswith("; copy the file again.")


@pytest.mark.parametrize("path", ["nowhere.npz", "."])
def test_a_missing_file_or_a_folder_is_refused(tmp_path, path):
    assert refused(tmp_path / path) == (
        "FILE is not a file; bit: takes a BiT-{S,M}-R*.npz of google-research/big_transfer."
    )


@pytest.mark.parametrize(
    ("name", "classes", "sentence"),
    [
        (
            "path-50x1-remedis-s",
            21_843,
            "BiT-M-tiny.npz has a head of 21,843 classes, which is BiT-M's; expected BiT-S for "
            "path-50x1-remedis-s: use model='path-50x1-remedis-m'.",
        ),
        (
            "cxr-50x1-remedis-m",
            1_000,
            "BiT-M-tiny.npz has a head of 1,000 classes, which is BiT-S's; expected BiT-M for "
            "cxr-50x1-remedis-m: use model='cxr-50x1-remedis-s'.",
        ),
    ],
)
@pytest.mark.usefixtures("tiny_names")
def test_the_other_of_bit_s_and_bit_m_is_refused(
    tmp_path, arrays, written, name, classes, sentence
):
    path = written(arrays | bit_weights.head(TINY, classes))
    out = tmp_path / "out"
    assert said(builder.build, name, f"bit:{path}", out) == sentence
    assert not out.exists()


def test_a_refused_file_leaves_nothing_behind(tmp_path, arrays, written):
    path = written(arrays)
    out = tmp_path / "out"
    sentence = said(builder.build, "cxr-50x1-remedis-m", f"bit:{path}", out)
    assert "is of the architecture 1-1-1-1x0.5, and checkpoints to build are 50x1" in sentence
    assert not out.exists()
