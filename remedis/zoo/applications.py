"""Weights of the networks of `keras.applications`: drawn at random, or out of the user's file.

Files are those Keras writes: `.weights.h5` and `.keras` (Keras 3), `.h5` (Keras 2 and 3, weights or
whole model), with the network's classification layers or without; these are left out. A network
that another model wraps as one of its layers has to be saved by itself.

EfficientNet-B0 to B7: where Keras fetches the ImageNet weights itself, it divides the input once
more by a constant a channel. With a file it does not, nor is it done here: what was trained with
Keras' `weights=None` fits, and its ImageNet file sees images of a contrast about half as large.
"""

import os
import pathlib
import warnings
import zipfile
from collections.abc import Iterable

import h5py
import keras
import numpy as np

from remedis import files
from remedis.errors import UserError
from remedis.models.applications import ApplicationNetwork
from remedis.zoo import random_weights
from remedis.zoo.provenance import RANDOM, Provenance
from remedis.zoo.tensors import first_line

SUFFIXES = (".weights.h5", ".h5", ".hdf5", ".keras")
# What Keras and h5py raise for files of another network, damaged ones and ones of other things.
_UNREADABLE = (ValueError, OSError, KeyError, TypeError, AttributeError, zipfile.BadZipFile)


def draw(application: str, seed: int) -> tuple[ApplicationNetwork, Provenance]:
    """Returns a network with weights drawn from a seed.

    Kernels are drawn as those of a BiT backbone; everything else is as Keras starts it.

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
      UserError: there is no network of that name, no such file, or it holds other weights.
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
        # Whatever a file has nothing for is seen afterwards: some readers pass over it.
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    try:
        _load(network.network, file)
    except _UNREADABLE as error:
        raise UserError(
            f"{file} does not hold the weights of Keras' {application} ({first_line(error)}); name "
            f"the network it was saved from as config.checkpoint='keras:NETWORK:{file.name}'."
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


def _load(network: keras.Model, file: pathlib.Path) -> None:
    if not zipfile.is_zipfile(file):
        with h5py.File(file, "r") as opened:
            group = opened.get("model_weights", opened)
            if "layer_names" in group.attrs:
                _load_by_layer(network, group)
                return
    with warnings.catch_warnings():
        # About containers inside Keras' own objects; what is missing is seen by the caller.
        warnings.simplefilter("ignore")
        network.load_weights(os.fspath(file))


def _load_by_layer(network: keras.Model, group: h5py.Group) -> None:
    """Loads the older format: the layers in their order; those of a top come last.

    Keras' own reader refuses files of more layers than the network has, or goes by names, which
    depend on what else the saving process had built.
    """
    stored = []
    for layer in _texts(group.attrs["layer_names"]):
        names = _texts(group[layer].attrs["weight_names"])
        stored.append((layer, [np.asarray(group[layer][name]) for name in names]))
    stored = [(layer, arrays) for layer, arrays in stored if arrays]
    layers = [layer for layer in network.layers if layer.weights]
    if len(stored) < len(layers):
        raise ValueError(f"it has {len(stored)} layers with weights instead of {len(layers)}")
    for layer, (name, arrays) in zip(layers, stored, strict=False):
        variables = layer.trainable_weights + layer.non_trainable_weights
        shapes = [list(variable.shape) for variable in variables]
        if [list(array.shape) for array in arrays] != shapes:
            found = ", ".join(str(list(array.shape)) for array in arrays)
            expected = ", ".join(map(str, shapes))
            raise ValueError(f"its layer {name} has {found} for {layer.name}, {expected}")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _texts(names: Iterable[str | bytes]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in names]
