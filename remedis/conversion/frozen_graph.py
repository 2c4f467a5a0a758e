"""The network of a model as a graph of constants, the origin of every graph format."""

import dataclasses

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from remedis import compat
from remedis.conversion.source_model import SourceModel
from remedis.models.standardized_conv import constant_kernels
from remedis.zoo.served_images import IMAGES

INPUT = "images"


@dataclasses.dataclass(frozen=True, eq=False)  # TensorFlow keeps functions by their hash
class FrozenGraph:
    """A graph without variables.

    Attributes:
      graph: its nodes.
      input: name of the tensor of the images.
      outputs: names of the tensors of the outputs, by the names of the outputs.
    """

    graph: graph_pb2.GraphDef
    input: str
    outputs: dict[str, str]

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs by name for images [N, H, W, 3] float32 in [0, 1]."""
        found = tf.graph_util.import_graph_def(
            self.graph,
            input_map={self.input: images},
            return_elements=list(self.outputs.values()),
            name="",
        )
        return dict(zip(self.outputs, found, strict=True))

    def function(self) -> tf.types.experimental.PolymorphicFunction:
        """Returns it as a function of images of any number and size."""
        images = tf.TensorSpec(IMAGES.shape, IMAGES.dtype, name=INPUT)
        return tf.function(self, input_signature=[images], autograph=False)


def freeze(source: SourceModel) -> FrozenGraph:
    """Returns the graph of a model with its variables as constants.

    What depends on constants alone is computed once. The kernels are standardised by the operation
    of the network itself: TensorFlow would fold them by another one, which rounds otherwise.
    """
    images = tf.TensorSpec(IMAGES.shape, IMAGES.dtype, name=INPUT)
    with constant_kernels():
        traced = tf.function(source.outputs, input_signature=[images], autograph=False)
        concrete = traced.get_concrete_function()
    graph, inputs, outputs = compat.frozen_graph(concrete)
    names = sorted(concrete.structured_outputs)  # the order of flat outputs
    return FrozenGraph(graph, inputs[0], dict(zip(names, outputs, strict=True)))
