"""A SavedModel for inference alone: constants in place of variables, kernels standardised.

It has the interface of the folder that it is made from, without gradients and endpoints.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from remedis.conversion.formats import Run
from remedis.conversion.frozen_graph import freeze
from remedis.conversion.source_model import SourceModel
from remedis.preprocess import Preprocess
from remedis.zoo import export, graphs
from remedis.zoo.pixel_range import CHECKED
from remedis.zoo.save_classifier import served_thresholds
from remedis.zoo.serving import ServedClassifier, ServedModel, signature

Network = Callable[[tf.Tensor], dict[str, tf.Tensor]]


class FrozenBackbone(ServedModel):
    """A backbone without variables: `m(images)` is the unpooled map, `embed` its average."""

    def __init__(self, network: Network, preprocess: Preprocess | None, pixel_range: str) -> None:
        super().__init__([], [], pixel_range)
        self.__call__ = self._callable(lambda images: network(images)["map"])
        self.embed = self._callable(lambda images: network(images)["embedding"])
        if preprocess is not None:
            self._serve_bytes(preprocess, self._callable(network))

    def saved_signatures(self) -> dict[str, Any]:
        """Returns `serving_default` and `embed`, and those of the preprocessing."""
        return {
            "serving_default": signature(self.__call__, "output_1"),
            "embed": signature(self.embed, "embedding"),
            **super().saved_signatures(),
        }


class FrozenClassifier(ServedClassifier):
    """A classifier without variables, with the methods and signatures of one that has them."""

    def __init__(
        self,
        network: Network,
        preprocess: Preprocess,
        labels: tuple[str, ...],
        thresholds: Mapping[str, Any],
        pixel_range: str,
    ) -> None:
        ServedModel.__init__(self, [], [], pixel_range)
        self._serve(network, preprocess, labels, thresholds, trainings=(False,))


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes the folder: `saved_model.pb`, `remedis.json` and the model card."""
    frozen, description = freeze(source), source.description
    network = frozen.function()  # one for all methods: the constants are in the file once
    pixel_range = description.pixel_range or CHECKED
    served: ServedModel
    if source.classifier is None:
        served = FrozenBackbone(network, source.preprocess, pixel_range)
    else:
        assert source.preprocess is not None  # every classifier has one
        thresholds = served_thresholds(description.thresholds or {}, source.labels)
        served = FrozenClassifier(
            network, source.preprocess, source.labels, thresholds, pixel_range
        )
    signatures = tuple(served.saved_signatures())
    description = dataclasses.replace(description, tensors=0, signatures=signatures)
    export.fill(served, description, path)
    return {"operations": len(frozen.graph.node)}


def run(path: pathlib.Path) -> Run:
    """Returns the outputs of the folder, as TensorFlow computes them."""
    signatures = graphs.load(path).signatures
    default = signatures["serving_default"]

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        pixels = tf.constant(images)
        if "embed" not in signatures:
            return {name: value.numpy() for name, value in default(images=pixels).items()}
        unpooled = default(input_1=pixels)["output_1"].numpy()
        return {"map": unpooled, **{k: v.numpy() for k, v in signatures["embed"](pixels).items()}}

    return outputs
