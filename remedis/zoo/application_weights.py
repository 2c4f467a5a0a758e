"""Weights of the networks of `keras.applications`, drawn at random or read from the user's file.

Keras writes these files: `.weights.h5` and `.keras` (Keras 3), `.h5` (Keras 2 and 3, weights or
whole model). They may hold the network's classification layers, which are left out. A network that
is a layer of another model has to be saved by itself.

EfficientNet-B0 to B7: where Keras downloads the ImageNet weights itself, it also divides the input
by one constant per channel. It does not with a file, and neither does this module. Weights trained
with Keras' `weights=None` fit; Keras' ImageNet file sees images with about half the contrast.
"""

import contextlib
import os
import pathlib
import warnings
import zipfile
from collections.abc import Iterable
from typing import Any

import h5py
import keras
import numpy as np

from remedis import files, hdf5_files
from remedis.errors import UserError, first_line
from remedis.models.applications import ApplicationNetwork
from remedis.zoo import random_weights
from remedis.zoo.provenance import RANDOM, Provenance

_INSIDE_KERAS = "model.weights.h5"
_ARCHIVE = ".keras"
SUFFIXES = (".weights.h5", ".h5", ".hdf5", _ARCHIVE)
# The largest network of Keras, ConvNeXt-XL, has 1.4 GB of weights; Adam keeps as much twice.
_MOST_BYTES = 8 << 30
# The largest array, in the top of VGG16, has 411 MB.
_MOST_ARRAY_BYTES = 1 << 30
# EfficientNet-B7 has 1,040 arrays, and Adam two for each that is trained.
_MOST_ARRAYS = 10_000
# Errors of Keras and h5py for damaged files, and for files of other networks or other things.
_UNREADABLE = (
    *(ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, RuntimeError),
    zipfile.BadZipFile,
)


def draw(application: str, seed: int) -> tuple[ApplicationNetwork, Provenance]:
    """Returns a network with weights drawn from a seed.

    Kernels are drawn as those of a BiT backbone. Other variables have Keras' initial values.

    Raises:
      UserError: there is no network of that name.
    """
    network = ApplicationNetwork(application)
    for name, variable in network.named_variables().items():
        if len(variable.shape) > 1:
            variable.assign(random_weights.kernel(seed, name, tuple(variable.shape)))
    return network, Provenance(
        origin=RANDOM,
        description=f"RANDOM WEIGHTS (seed {seed}), Keras' {application}: never trained on "
        "anything.",
        details={"seed": seed, "application": application},
    )


def read(application: str, path: files.Path) -> tuple[ApplicationNetwork, Provenance]:
    """Returns a network with the weights of a file.

    Raises:
      UserError: there is no network of that name, no such file, or it holds other weights, parts
        of another file, or far more than weights.
    """
    network = ApplicationNetwork(application)
    file = weights_file(application, path)
    if not file.name.endswith(SUFFIXES):
        raise UserError(
            f"{file} does not end in one of {', '.join(SUFFIXES)}; expected weights as Keras saves "
            "them."
        )
    variables = network.named_variables()
    for variable in variables.values():
        # Marks variables that the file lacks, since some readers of Keras skip them silently.
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    try:
        _check(file)
        _load(network.network, file)
    except hdf5_files.Refused as error:
        raise UserError(f"{file} cannot be used: {error}") from error
    except _UNREADABLE as error:
        raise UserError(
            f"{file} does not hold the weights of Keras' {application} ({first_line(error)}); name "
            f"the network it was saved from: keras:NETWORK:{file.name}."
        ) from error
    unset = [name for name, v in variables.items() if not np.isfinite(np.asarray(v)).all()]
    if unset:
        raise UserError(
            f"{file} has no numbers, or NaN, for {len(unset)} of the {len(variables)} variables of "
            f"Keras' {application}, such as {unset[0]}; save the weights again."
        )
    network.settle()
    return network, Provenance(
        origin="keras",
        description=f"Keras' {application} with the weights of the user's file {file.name}; what "
        "they were trained on is not recorded in it.",
        file=file.name,
        sha256=files.sha256(file),
        details={"application": application},
    )


def weights_file(application: str, path: files.Path) -> pathlib.Path:
    """Returns the path of an existing file of weights.

    Raises:
      UserError: there is no such file.
    """
    file = pathlib.Path(path)
    if not file.is_file():
        raise UserError(f"{file} is not a file; expected the weights of a {application}.")
    return file


def _check(file: pathlib.Path) -> None:
    """Checks that Keras reads a file in bounded memory and time, and no part of another file.

    Raises:
      hdf5_files.Refused: it would not.
    """
    size = file.stat().st_size
    if size > _MOST_BYTES:
        raise hdf5_files.Refused(f"It has {size:,} bytes; expected at most {_MOST_BYTES:,}.")
    with contextlib.ExitStack() as stack:
        opened: Any = file
        # By the name, as Keras decides. Bytes may be both a zip archive and an HDF5 file.
        if file.name.endswith(_ARCHIVE):
            archive = stack.enter_context(zipfile.ZipFile(file))
            member = archive.getinfo(_INSIDE_KERAS)
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise hdf5_files.Refused(
                    f"Its {_INSIDE_KERAS} is compressed or encrypted, as Keras never saves it; "
                    "save the weights again."
                )
            opened = stack.enter_context(archive.open(member))
        # Each alone: at most one is in memory besides the network, and not every one is read.
        found = hdf5_files.arrays(stack.enter_context(h5py.File(opened, "r")))
        for count, array in enumerate(found, 1):
            if count > _MOST_ARRAYS:
                raise hdf5_files.Refused(
                    f"It has more than {_MOST_ARRAYS:,} arrays; save the weights of one network."
                )
            hdf5_files.check_numbers(array, _MOST_ARRAY_BYTES)


def _load(network: keras.Model, file: pathlib.Path) -> None:
    if not file.name.endswith(_ARCHIVE):
        with h5py.File(file, "r") as opened:
            group = opened.get("model_weights", opened)
            if "layer_names" in group.attrs:
                _load_by_layer(network, group)
                return
    with warnings.catch_warnings():
        # Keras warns of containers in its own objects. The caller finds missing variables.
        warnings.simplefilter("ignore")
        network.load_weights(os.fspath(file))


def _load_by_layer(network: keras.Model, group: h5py.Group) -> None:
    """Loads the older format by the order of the layers, in which those of a top come last.

    Keras' own reader refuses files with more layers than the network has, or matches names, which
    depend on the other networks that the saving process had built.
    """
    stored = []
    for layer in _texts(group.attrs["layer_names"]):
        names = _texts(group[layer].attrs["weight_names"])
        stored.append((layer, [group[layer][name] for name in names]))
    stored = [(layer, arrays) for layer, arrays in stored if arrays]
    layers = [layer for layer in network.layers if layer.weights]
    if len(stored) < len(layers):
        raise ValueError(f"it has {len(stored)} layers with weights instead of {len(layers)}")
    for layer, (name, arrays) in zip(layers, stored, strict=False):
        variables = layer.trainable_weights + layer.non_trainable_weights
        shapes = [list(variable.shape) for variable in variables]
        if [list(array.shape) for array in arrays] != shapes:
            stored_shapes = ", ".join(str(list(array.shape)) for array in arrays)
            expected = ", ".join(map(str, shapes))
            raise ValueError(f"its layer {name} has {stored_shapes} for {layer.name}, {expected}")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(np.asarray(array))


def _texts(names: Iterable[str | bytes]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in names]
