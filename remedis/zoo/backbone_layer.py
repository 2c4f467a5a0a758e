"""A backbone as a layer of Keras 3: it trains in `model.fit` and is saved in `.keras` files.

    import keras, remedis

    backbone = remedis.load_backbone("saved_models/cxr-50x1-remedis-m")
    images = keras.Input((224, 224, 3))
    model = keras.Model(images, keras.layers.Dense(2)(backbone(images)))

The configuration of the layer holds the architecture and the provenance of the weights, and no
path: a saved model needs the checkpoint no longer. `keras.saving.load_model` needs `import remedis`
before it; without it Keras says that it could not locate the class 'BackboneLayer'.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from remedis.errors import UserError, unknown_choice
from remedis.models.applications import KERAS, ApplicationNetwork
from remedis.models.architectures import Architecture
from remedis.models.backbone import Backbone
from remedis.models.bit import BiTResNet
from remedis.zoo import resolve
from remedis.zoo.checkpoint import describe
from remedis.zoo.pixel_range import (
    CHECKED,
    EXPECTED,
    PIXEL_RANGES,
    assert_in_graph,
    pixel_fault,
)
from remedis.zoo.provenance import Provenance
from remedis.zoo.served_images import checked, on_any_number

_LOG = logging.getLogger(__name__)

OUTPUTS = ("embedding", "pre_logits", "map")
STRIDE = 32  # of a BiT backbone
_NO_WEIGHTS = (
    "This backbone layer has no weights, since it was made from a configuration, as a clone is; "
    "expected layer.set_weights(OTHER.get_weights()), model.load_weights(FILE), or a layer of "
    "remedis.load_backbone."
)


@keras.saving.register_keras_serializable("remedis", name="BackboneLayer")
class BackboneLayer(keras.layers.Layer):
    """A backbone: images [N, H, W, 3] float32 in [0, 1] to one of its outputs, float32.

    Outputs are `embedding` [N, C], the spatial mean of the map; `pre_logits` [N, C], the spatial
    mean of the map after the final norm and ReLU, which only BiT backbones have; and `map`
    [N, ceil(H / 32), ceil(W / 32), C].

    The layer has the variables that its output depends on: 149 for embedding and map of any BiT
    50x1, 151 for `pre_logits`. All train, except moving averages of batch norms. With `trainable =
    False` batch norms use their averages, as Keras' own do.

    Under a mixed precision policy, calls with `training=True` compute in half precision, as
    `fit` does; all others compute in float32. The output is float32 in both cases.

    Wrong images are refused with a sentence, see `zoo.pixel_range`. For this check the layer keeps
    Keras from compiling with XLA by itself, which would drop it.

    A layer made from a configuration, as by `keras.models.clone_model`, has no weights: calling it
    is an error until they are set.

    Attributes:
      backbone: the network inside.
      output_name: one of `OUTPUTS`.
      pixel_range: `checked`, or `any` for a layer that takes every finite pixel value.
      checkpoint: name of the checkpoint that the weights were loaded from; it is no path.
      provenance: of these weights, None without any. Training them in Keras does not change it: a
        file saved after a training still names what the weights began as.
    """

    backbone: Backbone
    output_name: str
    pixel_range: str
    checkpoint: str
    provenance: Provenance | None

    def __init__(
        self,
        architecture: str,
        final_norm: bool,
        backbone_range: tuple[float, float] | None,
        output: str = "embedding",
        pixel_range: str = CHECKED,
        checkpoint: str = "",
        provenance: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Builds the layer without weights; `load_backbone` makes one with weights.

        Args:
          architecture: `50x1` and the like, or `keras:DenseNet121`.
          final_norm: whether a BiT backbone has the norm before a head.
          backbone_range: of a BiT backbone, see `BiTResNet`; None for other networks.
          output: one of `OUTPUTS`.
          pixel_range: see `Attributes`.
          checkpoint: see `Attributes`.
          provenance: see `Attributes`, as `Provenance.to_json` gives it.
          **kwargs: of every Keras layer: `name`, `trainable`, `dtype`.

        Raises:
          UserError: there is no such output, architecture or range, or the variables would not be
            float32.
        """
        trainable = kwargs.pop("trainable", True)
        super().__init__(autocast=False, **kwargs)
        if output not in OUTPUTS:
            raise unknown_choice("output", output, OUTPUTS)
        if pixel_range not in PIXEL_RANGES:
            raise unknown_choice("pixel_range", pixel_range, PIXEL_RANGES)
        if self.variable_dtype != "float32":
            raise UserError(
                f"The dtype policy {self.dtype_policy.name} has variables of {self.variable_dtype};"
                " expected float32: use float32, mixed_bfloat16 or mixed_float16."
            )
        self.output_name, self.pixel_range, self.checkpoint = output, pixel_range, checkpoint
        self.provenance = None if provenance is None else Provenance.from_json(provenance)
        with _policy(self.dtype_policy):
            if not architecture.startswith(KERAS):
                # Without the norm that the output does not depend on, every variable trains.
                self.backbone = BiTResNet(
                    Architecture.parse(architecture),
                    final_norm=final_norm and output == "pre_logits",
                    backbone_range=backbone_range or (0.0, 1.0),
                )
            else:
                self.backbone = ApplicationNetwork(architecture.removeprefix(KERAS))
        if output == "pre_logits" and self.backbone.norm is None:
            raise UserError(
                f"{checkpoint or architecture} has no final norm, so it has no pre_logits; take "
                "output='embedding' or 'map'."
            )
        self.trainable = trainable
        kernel = self._kernel()
        kernel.assign(np.zeros(kernel.shape))  # the mark of a layer without weights
        self.supports_jit = False
        self.built = True
        if self.provenance is not None and self.provenance.random:
            _LOG.warning(f"{self.name}: {self.provenance.description}")

    def build(self, input_shape: Any) -> None:
        """Does nothing: the constructor makes all variables."""

    def _kernel(self) -> keras.Variable:
        """Returns the first kernel, which is zero as long as there are no weights."""
        return next(v for v in self.backbone.named_variables().values() if len(v.shape) > 1)

    @property
    def pretrained(self) -> bool:
        """Whether the layer has weights that do not come from random ones.

        False before weights are set, and for weights that began as random ones without any
        pretraining, however long Keras has trained them since.
        """
        known = self.provenance is not None and not self.provenance.random
        return known and bool(np.any(self._kernel()))

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the output, float32.

        Args:
          images: [N, H, W, 3] float32 in [0, 1]; N may be 0.
          training: whether batch norms use the statistics of the batch, and whether half precision
            applies.

        Raises:
          UserError: eagerly: shape, type or range of the images are wrong, or there are no weights.
            Inside a graph the same sentences are a tf.errors.InvalidArgumentError.
        """
        self._refuse(images)
        kernel = tf.convert_to_tensor(self._kernel())
        loaded = assert_in_graph(tf.reduce_any(kernel != 0.0), [_NO_WEIGHTS])
        with tf.control_dependencies([] if loaded is None else [loaded]):
            images = checked(images, self.pixel_range)

        def compute(images: tf.Tensor) -> tf.Tensor:
            unpooled = self.backbone(images, training=training)
            if self.output_name == "map":
                return unpooled
            if self.output_name == "pre_logits":
                unpooled = self.backbone.norm(unpooled)
            return tf.reduce_mean(unpooled, [1, 2])

        return on_any_number(compute)(images)

    def _refuse(self, images: tf.Tensor) -> None:
        """Raises a UserError for wrong images, as far as they are known."""
        shape = images.shape
        if shape.rank is None:
            return
        if len(shape) != 4 or shape[-1] not in (3, None) or 0 in shape[1:3]:
            raise UserError(f"images have the shape {_text(shape)}; {EXPECTED}.")
        if not images.dtype.is_floating:
            raise UserError(
                f"images are {images.dtype.name}; {EXPECTED}: divide by the largest value a pixel "
                "can have, 255 for 8 bits."
            )
        if tf.executing_eagerly():
            if not np.any(self._kernel()):
                raise UserError(_NO_WEIGHTS)
            fault = pixel_fault(np.asarray(images, np.float32), self.pixel_range)
            if fault is not None:
                raise UserError(fault)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the output for images of a shape; None for unknown sides.

        Raises:
          UserError: the shape is not [N, H, W, 3].
        """
        if len(input_shape) != 4 or input_shape[-1] != 3:
            raise UserError(
                f"images have the shape {_text(input_shape)}; {EXPECTED}. Repeat a grey channel "
                "three times: keras.layers.Concatenate()([x, x, x])."
            )
        channels = self.backbone.map_channels
        if self.output_name != "map":
            return (input_shape[0], channels)
        if isinstance(self.backbone, ApplicationNetwork):
            return tuple(self.backbone.network.compute_output_shape(input_shape))
        sides = [None if n is None else -(-n // STRIDE) for n in input_shape[1:3]]
        return (input_shape[0], *sides, channels)

    def compute_output_spec(self, images: Any, training: bool | None = None) -> keras.KerasTensor:
        """Returns the symbolic output, which is float32 under every policy."""
        return keras.KerasTensor(self.compute_output_shape(images.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, without weights and without a path."""
        provenance = None if self.provenance is None else self.provenance.to_json()
        bit = self.backbone if isinstance(self.backbone, BiTResNet) else None
        return super().get_config() | {
            "architecture": self.backbone.architecture_name,
            "final_norm": self.backbone.norm is not None,
            "backbone_range": list(bit.backbone_range) if bit else None,
            "output": self.output_name,
            "pixel_range": self.pixel_range,
            "checkpoint": self.checkpoint,
            "provenance": provenance,
        }


@contextlib.contextmanager
def _policy(policy: keras.DTypePolicy) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _text(shape: Any) -> str:
    return f"[{', '.join('?' if n is None else str(n) for n in shape)}]"


def load_backbone(
    weights: str | os.PathLike[str],
    output: str = "embedding",
    *,
    trainable: bool = True,
    architecture: str = "",
    seed: int = 0,
    pixel_range: str | None = None,
    name: str | None = None,
    dtype: Any = None,
) -> BackboneLayer:
    """Returns a Keras layer with the backbone that a specification names.

    Call it under `strategy.scope()` where there is a distribution strategy.

    Args:
      weights: a folder (ours, a run, an export, the release as downloaded), `bit:FILE.npz`,
        `random:SEED`, `scratch:50x1` (random weights) or `keras:DenseNet121:FILE`.
      output: `embedding` [N, C], `pre_logits` [N, C] or `map` [N, h, w, C], see `BackboneLayer`.
      trainable: whether Keras trains the layer.
      architecture: such as `50x1`: what the backbone must be. `random:SEED` needs it.
      seed: of weights that are drawn, unless `weights` names a seed.
      pixel_range: `checked` refuses pixels that cannot be in [0, 1], `any` takes every finite
        value; by default as the folder was built, and else `checked`.
      name: of the layer.
      dtype: the dtype policy of the layer, such as `mixed_bfloat16`; Keras' global one by default.

    Returns:
      The layer. Its `pretrained` is False for random weights, and a warning says so.

    Raises:
      UserError: there are no such weights, or no such output.
    """
    source = resolve.parse(os.fspath(weights))
    with _policy(keras.DTypePolicy("float32")):
        loaded = resolve.load_backbone(source, seed, architecture)
    description = None
    if source.scheme == resolve.FOLDER:
        description = describe(source.argument)
    folder = source.folder
    return layer_of(
        loaded.backbone,
        loaded.provenance,
        output=output,
        pixel_range=pixel_range or (description and description.pixel_range) or CHECKED,
        checkpoint=description.name if description else (folder.resolve().name if folder else ""),
        trainable=trainable,
        name=name,
        dtype=dtype,
    )


def layer_of(
    found: Backbone, provenance: Provenance, output: str = "embedding", **arguments: Any
) -> BackboneLayer:
    """Returns a layer with the weights of a backbone.

    Args:
      found: the backbone.
      provenance: of its weights.
      output: one of `OUTPUTS`.
      **arguments: of the constructor of `BackboneLayer`.

    Raises:
      UserError: the backbone has no such output.
    """
    bit = found if isinstance(found, BiTResNet) else None
    layer = BackboneLayer(
        architecture=found.architecture_name,
        final_norm=found.norm is not None,
        backbone_range=bit.backbone_range if bit else None,
        output=output,
        provenance=provenance.to_json(),
        **arguments,
    )
    values = found.named_variables()
    for key, variable in layer.backbone.named_variables().items():
        variable.assign(values[key].numpy())
    if isinstance(layer.backbone, ApplicationNetwork):
        layer.backbone.settle()
    return layer
