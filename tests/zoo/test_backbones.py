"""Networks of Keras, BiT backbones and folders as backbones, and the files that are refused."""

import os
import shutil
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from small_application import SmallNet, small_application  # noqa: F401
from zoo_helpers import TINY, relative_error, said

from remedis import files
from remedis.models.applications import ApplicationNetwork
from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.zoo import random_weights, resolve

NORM = "batch_normalization/"
IMAGES = tf.constant(np.random.RandomState(0).uniform(size=(1, 64, 64, 3)), tf.float32)


def values(backbone):
    return {name: np.asarray(v).copy() for name, v in backbone.named_variables().items()}


def equal(first, second):
    assert set(first) == set(second)
    return all(np.array_equal(first[name], second[name]) for name in first)


def randomised(network):
    """Sets all weights to random values, averages too."""
    state = np.random.RandomState(1)
    network.set_weights([state.uniform(0.5, 1.5, w.shape) * 0.1 for w in network.get_weights()])
    return network


def write_keras_2(network, path, whole):
    """Writes weights in the layout of Keras 2, with layer numbers of a long process."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        root.attrs["layer_names"] = np.array([layer.name for layer in network.layers], "S")
        for layer in network.layers:
            group = root.create_group(layer.name)
            weights = layer.trainable_weights + layer.non_trainable_weights
            names = [f"{layer.name}_7/{weight.name}:0" for weight in weights]
            group.attrs["weight_names"] = np.array(names, "S")
            for name, weight in zip(names, weights, strict=True):
                group.create_dataset(name, data=np.asarray(weight))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one network in every format, with its top and without, and its values."""
    folder = tmp_path_factory.mktemp("saved")
    top = randomised(SmallNet())
    bare = keras.Model(top.input, top.layers[-3].output)
    top.save_weights(folder / "top.weights.h5")
    bare.save_weights(folder / "bare.weights.h5")
    top.save(folder / "top.keras")
    write_keras_2(top, folder / "top_weights.h5", whole=False)
    write_keras_2(bare, folder / "bare_weights.h5", whole=False)
    write_keras_2(top, folder / "top_model.h5", whole=True)
    return folder, [np.asarray(variable) for variable in bare.weights]


@pytest.mark.parametrize(
    "name",
    [
        "top.weights.h5",
        "bare.weights.h5",
        "top.keras",
        "top_weights.h5",
        "bare_weights.h5",
        "top_model.h5",
    ],
)
def test_a_users_file_is_read_in_every_format(saved, name, recwarn):
    folder, expected = saved
    loaded = resolve.load_backbone(f"keras:SmallNet:{folder / name}", seed=0)
    got = values(loaded.backbone)
    assert list(got)[:3] == ["conv2d/kernel", NORM + "gamma", NORM + "beta"]
    for value, other in zip(got.values(), expected, strict=True):
        np.testing.assert_array_equal(value, other)
    provenance = loaded.provenance
    assert (provenance.origin, provenance.random) == ("keras", False)
    assert provenance.file == name
    assert provenance.sha256 == files.sha256(folder / name)
    assert "SmallNet" in provenance.description
    assert not [w for w in recwarn if "nested container" in str(w.message)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["top.weights.h5", "top.keras", "bare.weights.h5"])
def test_a_densenet_as_keras_saves_it_is_read(tmp_path, name):
    saved = randomised(
        keras.applications.DenseNet121(weights=None, include_top=name.startswith("top"))
    )
    getattr(saved, "save" if name.endswith(".keras") else "save_weights")(tmp_path / name)
    backbone = resolve.load_backbone(f"keras:DenseNet121:{tmp_path / name}", seed=0).backbone
    expected = {variable.path: np.asarray(variable) for variable in saved.weights}
    for key, value in values(backbone).items():
        np.testing.assert_array_equal(value, expected[key])


@pytest.mark.parametrize("name", ["top.weights.h5", "top.keras", "top_weights.h5"])
def test_a_file_of_another_network_is_refused(saved, name):
    file = saved[0] / name
    sentence = said(resolve.load_backbone, f"keras:VGG16:{file}", seed=0)
    assert sentence.startswith(f"{file} does not hold the weights of Keras' VGG16 (")
    assert sentence.endswith(f": keras:NETWORK:{name}.")


def test_a_file_that_lacks_numbers_is_refused(saved, tmp_path):
    file = shutil.copy(saved[0] / "bare_weights.h5", tmp_path / "nan.h5")
    with h5py.File(file, "r+") as opened:
        layers = opened.attrs["layer_names"]
        name = next(name for name in layers if name.startswith(b"batch_normalization"))
        dataset = opened[name][opened[name].attrs["weight_names"][2]]
        dataset[...] = np.full(dataset.shape, np.nan)
    assert said(resolve.load_backbone, f"keras:SmallNet:{file}", 0) == (
        f"{file} has no numbers, or NaN, for 1 of the 10 variables of Keras' SmallNet, such as "
        "batch_normalization/moving_mean; save the weights again."
    )


def changed_weights(saved, folder, name, change):
    """Returns a file of weights in the format of a name, after a change of its HDF5 groups."""
    file, inside = folder / name, folder / "model.weights.h5"
    shutil.copy(saved[0] / name.replace(".keras", ".weights.h5"), inside)
    with h5py.File(inside, "r+") as opened:
        change(opened)
    if name.endswith(".keras"):
        with zipfile.ZipFile(file, "w") as archive:
            archive.write(inside, inside.name)
    else:
        inside.rename(file)
    return file


@pytest.mark.parametrize("name", ["bare.weights.h5", "bare_weights.h5", "bare.keras"])
def test_a_file_with_weights_from_another_file_is_refused(saved, tmp_path, name):
    def steal(opened):
        group = next(value for value in opened.values() if isinstance(value, h5py.Group))
        group["cycle"] = group
        group.create_dataset("stolen", (4,), np.uint8, external=[("/etc/hostname", 0, 4)])

    file = changed_weights(saved, tmp_path, name, steal)
    sentence = said(resolve.load_backbone, f"keras:SmallNet:{file}", seed=0)
    assert sentence.startswith(f"{file} cannot be used: The array 'stolen' of the HDF5 file is ")


def bomb_chunk(file):
    array = file.create_dataset("bomb", (1_000,), "u1", chunks=(1_000,), compression="gzip")
    array.id.write_direct_chunk((0,), zlib.compress(np.random.default_rng(0).bytes(1 << 20)))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda file: file.create_dataset("bomb", (1 << 60,), "f8", chunks=(8,)), "9,223,372,036"),
        (
            lambda file: file.create_dataset("bomb", (1 << 30,), "u1", chunks=(1 << 28,)),
            "A chunk of",
        ),
        (lambda file: file.create_dataset("bomb", (20_000,), "u1", chunks=(1,)), "10,000 chunks"),
        (bomb_chunk, "unpacks to more than the 1,000 bytes"),
        (lambda file: file.create_dataset("bomb", (9,), h5py.string_dtype()), "holds no numbers"),
    ],
)
@pytest.mark.parametrize("name", ["bare.weights.h5", "bare_weights.h5", "bare.keras"])
def test_a_file_with_far_more_than_weights_is_refused(saved, tmp_path, name, make, sentence):
    file = changed_weights(saved, tmp_path, name, lambda opened: make(opened.create_group("deep")))
    found = said(resolve.load_backbone, f"keras:SmallNet:{file}", seed=0)
    assert found.startswith(f"{file} cannot be used: ")
    assert sentence in found


def test_files_that_are_too_large_or_packed_are_refused(saved, tmp_path):
    file = shutil.copy(saved[0] / "bare.weights.h5", tmp_path / "a.weights.h5")
    os.truncate(file, 9 << 30)  # sparse
    assert said(resolve.load_backbone, f"keras:SmallNet:{file}", seed=0) == (
        f"{file} cannot be used: It has 9,663,676,416 bytes; expected at most 8,589,934,592."
    )
    packed = tmp_path / "a.keras"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(saved[0] / "bare.weights.h5", "model.weights.h5")
    assert "is compressed or encrypted" in said(
        resolve.load_backbone, f"keras:SmallNet:{packed}", seed=0
    )


def test_bytes_that_are_both_hdf5_and_zip_are_checked_as_what_keras_reads(saved, tmp_path):
    file = shutil.copy(saved[0] / "bare.weights.h5", tmp_path / "a.weights.h5")
    with h5py.File(file, "r+") as opened:
        opened.create_dataset("stolen", (4,), np.uint8, external=[("/etc/hostname", 0, 4)])
    with zipfile.ZipFile(file, "a") as archive:
        archive.write(saved[0] / "bare.weights.h5", "model.weights.h5")
    assert "'stolen'" in said(resolve.load_backbone, f"keras:SmallNet:{file}", seed=0)


@pytest.mark.parametrize("name", ["top.weights.h5", "top.keras", "top_model.h5"])
def test_a_file_that_is_cut_off_is_refused(saved, tmp_path, name):
    file = tmp_path / name
    file.write_bytes((saved[0] / name).read_bytes()[:5_000])
    assert f"{file} does not hold the weights" in said(
        resolve.load_backbone, f"keras:SmallNet:{file}", seed=0
    )


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("keras:Mobilenet", "Unknown network of keras.applications 'Mobilenet': did you mean 'Mob"),
        ("keras:MobileNet:no.h5", "no.h5 is not a file; expected the weights of a MobileNet."),
        ("scratch:52x1", "Unknown architecture '52x1': did you mean '50x1'?"),
    ],
)
def test_missing_networks_and_files_are_named(spec, sentence):
    assert said(resolve.load_backbone, spec, seed=0).startswith(sentence)


def test_a_file_of_another_kind_is_refused(tmp_path):
    file = tmp_path / "weights.ckpt"
    file.write_bytes(b"0")
    assert said(resolve.load_backbone, f"keras:SmallNet:{file}", 0) == (
        f"{file} does not end in one of .weights.h5, .h5, .hdf5, .keras; expected weights as Keras "
        "saves them."
    )


def test_a_network_without_a_file_is_random_and_says_so():
    first, same, other = (resolve.load_backbone("keras:SmallNet", seed=seed) for seed in (1, 1, 2))
    assert isinstance(first.backbone, ApplicationNetwork)
    drawn = values(first.backbone)
    assert equal(drawn, values(same.backbone))
    for name, value in values(other.backbone).items():
        assert np.array_equal(value, drawn[name]) is (value.ndim == 1)
    assert first.provenance.origin == "random"
    assert "RANDOM WEIGHTS (seed 1), Keras' SmallNet" in first.provenance.description


def test_a_backbone_from_scratch_is_drawn_from_the_seed(monkeypatch):
    monkeypatch.setattr(Architecture, "parse", classmethod(lambda cls, name: TINY))
    loaded = resolve.load_backbone("scratch:50x1", seed=3)
    assert equal(values(loaded.backbone), dict(random_weights.draw(3, TINY).arrays))
    assert loaded.provenance.origin == "random"
    assert "seed 3" in loaded.provenance.description


def test_a_checkpoint_folder_is_read_and_its_provenance_kept(tiny_checkpoint):
    loaded = resolve.load_backbone(str(tiny_checkpoint), seed=5)
    assert isinstance(loaded.backbone, BiTResNet)
    assert equal(values(loaded.backbone), dict(random_weights.draw(0, TINY).arrays))
    assert loaded.provenance.description.startswith("RANDOM WEIGHTS (seed 0)")


@pytest.mark.slow
def test_a_release_folder_is_read_as_downloaded(tiny_release):
    backbone = resolve.load_backbone(str(tiny_release), seed=0).backbone
    loaded = tf.saved_model.load(str(tiny_release))
    (expected,) = loaded.signatures["serving_default"](IMAGES).values()
    assert relative_error(backbone(IMAGES), expected) < 1e-4


@pytest.mark.parametrize(
    ("spec", "expected", "found"),
    [
        ("scratch:50x1", "152x2", "50x1"),
        ("keras:MobileNet", "50x1", "MobileNet"),
        ("keras:MobileNet:weights.h5", "DenseNet121", "MobileNet"),
        (None, "50x1", TINY.name),
    ],
)
def test_another_architecture_than_asked_for_is_refused(spec, expected, found, tiny_checkpoint):
    spec = spec or str(tiny_checkpoint)
    assert said(resolve.load_backbone, spec, 0, expected) == (
        f"{spec} is of the architecture {found}, but architecture asks for {expected}; name "
        "other weights, or change architecture."
    )


def test_the_architecture_asked_for_is_taken(tiny_checkpoint):
    loaded = resolve.load_backbone(str(tiny_checkpoint), 0, TINY.name)
    assert loaded.backbone.architecture_name == TINY.name
