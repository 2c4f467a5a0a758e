"""BiT's npz layout, which timm, the models of google-research and `bit:FILE.npz` load.

Kolesnikov et al. 2020, arXiv 1912.11370. The arrays have the names of the released
`BiT-{S,M}-R*.npz`: `resnet/block1/unit01/a/standardized_conv2d/kernel` and so on, kernels as
[height, width, inputs, outputs] float32. One more array, the text `remedis.json`, has what the
layout cannot say: the origin of the weights, the values that pixels are mapped to, labels,
calibration, thresholds and preprocessing. Other readers pass it over.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from scipy.special import expit, softmax

from remedis.conversion.formats import Run
from remedis.conversion.source_model import SourceModel
from remedis.errors import UserError
from remedis.models import architectures
from remedis.models.architectures import GROUPS
from remedis.models.bit import BiTResNet
from remedis.models.group_norm import group_norm_relu
from remedis.npz_files import NpzFile
from remedis.options import spelled
from remedis.zoo import bit_npz
from remedis.zoo.export import DESCRIPTION

PREFIX = "resnet/"
NORM = ("group_norm/gamma", "group_norm/beta")


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes the weights of a BiT backbone, with the head of a classifier.

    A backbone without a final norm gets one that changes nothing but the scale: its gamma is 1 and
    its beta 0. It belongs to the layout and not to the map.

    Returns:
      The model of timm that loads the file, the range of pixel values that the network takes there,
      and whether the head and a trained norm are inside.

    Raises:
      UserError: the backbone is not of BiT's architecture, or the head takes the map without the
        norm, which the layout always has.
    """
    backbone = source.backbone
    if not isinstance(backbone, BiTResNet):
        raise UserError(
            f"{source.folder} holds a network of {source.description.backbone}, which BiT's layout "
            f"cannot hold; expected a BiT backbone, or {spelled('to', 'onnx')}."
        )
    values = _arrays(source, backbone)
    described = dataclasses.replace(
        source.description.shared(), backbone_range=backbone.backbone_range
    )
    arrays: dict[str, Any] = {f"{PREFIX}{name}": array for name, array in values.items()}
    arrays[DESCRIPTION] = np.array(json.dumps(described.to_json()))
    with path.open("wb") as file:  # with a path, NumPy adds a suffix to names that have another
        np.savez(file, **arrays)
    name = backbone.architecture_name
    known = name in architectures.BIT_NAMES
    black, white = backbone.backbone_range
    return {
        "timm_model": f"resnetv2_{name}_bit" if known else "none of this size",
        "pixel_range": f"[{black:g}, {white:g}]",
        "head": bit_npz.HEAD[0] in values,
        "trained_norm": backbone.final_norm or source.classifier is not None,
    }


def _arrays(source: SourceModel, backbone: BiTResNet) -> dict[str, np.ndarray]:
    """Returns all arrays by their names without `resnet/`."""
    classifier = source.classifier
    values = {name: np.asarray(v) for name, v in backbone.named_variables().items()}
    for name, neutral in zip(NORM, (np.ones, np.zeros), strict=True):
        values.setdefault(name, neutral(backbone.map_channels, np.float32))
    if classifier is None:
        return values
    if not classifier.head_norm:
        raise UserError(
            f"{source.folder} has a head on the plain average of the map "
            f"({spelled('head_norm', False)}), which BiT's layout cannot hold; expected a head "
            f"behind the norm, or {spelled('to', 'onnx')}."
        )
    head = {name.removeprefix("head/"): np.asarray(v) for name, v in _head(source).items()}
    kernel, bias = head.pop("dense/kernel"), head.pop("dense/bias")
    return values | head | {bit_npz.HEAD[0]: kernel[None, None], bit_npz.HEAD[1]: bias}


def _head(source: SourceModel) -> dict[str, Any]:
    assert source.classifier is not None
    named = source.classifier.named_variables()
    return {name: variable for name, variable in named.items() if name.startswith("head/")}


def run(path: pathlib.Path) -> Run:
    """Returns the outputs of a written file as a function of images.

    The backbone is read as `bit:FILE.npz` is. The head is computed in NumPy from the arrays and
    from the calibration in the record.
    """
    architecture = bit_npz.read_architecture(str(path))
    weights = bit_npz.read(str(path), architecture)
    backbone = BiTResNet(architecture, weights.final_norm, weights.backbone_range)
    backbone.assign(weights.arrays)
    with NpzFile(path) as npz:
        described = bit_npz.description(npz)
        head = [npz[f"{PREFIX}{name}"] for name in (*NORM, *bit_npz.HEAD) if PREFIX + name in npz]
    assert described is not None

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        unpooled = backbone(tf.constant(images), training=False)
        named = {"map": unpooled.numpy(), "embedding": tf.reduce_mean(unpooled, [1, 2]).numpy()}
        if not described.labels:
            return named
        gamma, beta, kernel, bias = head
        pooled = tf.reduce_mean(group_norm_relu(unpooled, gamma, beta, GROUPS), [1, 2]).numpy()
        logits = pooled @ kernel[0, 0] + bias
        fitted = described.calibration or {"scale": 1.0, "offset": 0.0}
        calibrated = logits * np.float32(fitted["scale"]) + np.float32(fitted["offset"])
        to_probabilities = expit if described.task == "multi_label" else _softmax
        return named | {"logits": logits, "probabilities": to_probabilities(calibrated)}

    return outputs


def _softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(softmax(logits, axis=-1))
