"""Reads checkpoint folders, our own and those of the original release as downloaded."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import keras
import numpy as np

from remedis import compat, files, json_records
from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.zoo import release
from remedis.zoo.export import DESCRIPTION, Description, DescriptionRecord
from remedis.zoo.tensors import saved_model_variables
from remedis.zoo.weights import Weights, check_shapes, normalise_name


def describe(directory: files.Path) -> Description | None:
    """Returns the description in a folder of ours, None for any other SavedModel folder.

    Raises:
      UserError: the folder is no SavedModel, or its description cannot be read.
    """
    saved_model_variables(directory)  # raises for a folder that is no SavedModel
    file = pathlib.Path(directory, DESCRIPTION)
    if not os.path.lexists(file):
        return None
    values = json_records.read(file, DescriptionRecord, "build the folder again")
    return Description.from_json(values)


def architecture_of(description: Description) -> Architecture:
    """Returns the architecture of a described BiT backbone."""
    units = description.units
    assert description.width is not None
    return Architecture((units[0], units[1], units[2], units[3]), description.width)


def arrays(
    directory: files.Path, variables: Mapping[str, keras.Variable], what: str
) -> dict[str, np.ndarray]:
    """Returns the values of some variables in a folder of ours, by name.

    Args:
      directory: the folder.
      variables: by their names in `named_variables` of a backbone or a classifier.
      what: the variables, in one or two words for the message.

    Raises:
      UserError: the folder is no SavedModel, or lacks some of them.
    """
    tensors = saved_model_variables(directory)
    full = {new: old for old, new in compat.numbered_from_zero(tensors).items()}
    shapes = {name: tensors.shapes[full[name]] for name in variables if name in full}
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    check_shapes(shapes, expected, str(directory), f"the {what} {DESCRIPTION} describes")
    return {name: tensors[full[name]] for name in variables}


def read(directory: files.Path) -> Weights:
    """Returns the weights of the backbone in a folder, without a classifier's head.

    Raises:
      UserError: the folder is no SavedModel, or holds no BiT backbone.
    """
    folder = pathlib.Path(directory)
    description = describe(folder)
    if description is not None and not description.units:
        raise UserError(
            f"{folder} holds a network of {description.backbone}; expected a BiT backbone here."
        )
    tensors = saved_model_variables(folder)
    names = {normalise_name(name): name for name in tensors}
    shapes = {name: tensors.shapes[full] for name, full in names.items()}
    if description is None or description.backbone_range is None:
        weights = release.read(str(folder), None)
        if description is None:
            return weights
        # The builder has kept a release's graph. Its range is measured, its origin is known.
        return dataclasses.replace(weights, provenance=description.provenance)
    architecture = architecture_of(description)
    expected = architecture.shapes(description.final_norm)
    backbone = {name: shape for name, shape in shapes.items() if not name.startswith("head/")}
    check_shapes(backbone, expected, str(folder), f"the backbone {DESCRIPTION} describes")
    return Weights(
        arrays={name: tensors[names[name]] for name in expected},
        architecture=architecture,
        final_norm=description.final_norm,
        backbone_range=(description.backbone_range[0], description.backbone_range[1]),
        provenance=description.provenance,
    )


def build_backbone(weights: Weights) -> BiTResNet:
    """Returns the backbone with these weights."""
    backbone = BiTResNet(weights.architecture, weights.final_norm, weights.backbone_range)
    backbone.assign(weights.arrays)
    return backbone


def load_backbone(directory: files.Path) -> BiTResNet:
    """Returns the backbone of any checkpoint folder as a Keras model.

    Raises:
      UserError: the folder is no SavedModel, or holds no BiT backbone.
    """
    return build_backbone(read(directory))
