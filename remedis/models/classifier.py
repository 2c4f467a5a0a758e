"""A trunk with a linear head."""

import keras
import tensorflow as tf

from remedis.models.bit import BiTResNet
from remedis.models.group_norm import GroupNormReLU

HEAD = "head/"  # what the names of a head's variables begin with


class _Head(keras.layers.Layer):
    """Pools a map and maps it to logits, with a norm and ReLU of its own before if asked for."""

    def __init__(self, labels: int, norm: bool) -> None:
        super().__init__(name="head")
        self.norm = GroupNormReLU() if norm else None
        # Zero, as in BiT: the first gradient is that of a constant prediction, whatever the trunk.
        self.dense = keras.layers.Dense(labels, kernel_initializer="zeros", name="dense")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.norm is not None:
            self.norm.build(input_shape)
        self.dense.build((None, input_shape[-1]))

    def call(self, unpooled: tf.Tensor) -> tf.Tensor:
        if self.norm is not None:
            unpooled = self.norm(unpooled)
        return self.dense(tf.reduce_mean(unpooled, [1, 2]))


class Classifier(keras.Model):
    """Images to one logit a label.

    Attributes:
      trunk: the network below the head.
      labels: names of the labels, in the order of the logits.
    """

    def __init__(self, trunk: BiTResNet, labels: tuple[str, ...], head_norm: bool = True) -> None:
        """Puts a head on a trunk.

        Args:
          trunk: any BiT trunk.
          labels: names of the labels.
          head_norm: normalise and rectify the map before pooling, as BiT does, with the trunk's
            final norm where it has one and a fresh one where it lacks it (the REMEDIS release).
            Without, the head stands on the plain average of the map, as in REMEDIS' notebooks.
        """
        super().__init__(name="classifier")
        self.trunk, self.labels = trunk, tuple(labels)
        self._trunk_norm = trunk.norm if head_norm else None
        self.head = _Head(len(labels), norm=head_norm and not trunk.final_norm)
        self.head.build((None, None, None, trunk.architecture.map_channels))
        self.built = True

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns logits [N, labels] for images [N, H, W, 3] float32 in [0, 1]."""
        return self.outputs(images)["logits"]

    def outputs(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `probabilities` and `logits` [N, labels], and `embedding` [N, C]."""
        unpooled = self.trunk(images)
        logits = self.head(unpooled if self._trunk_norm is None else self._trunk_norm(unpooled))
        return {
            "probabilities": tf.sigmoid(logits),
            "logits": logits,
            "embedding": tf.reduce_mean(unpooled, [1, 2]),
        }

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns the trunk's and the head's variables by name; the head's begin with `head/`."""
        return self.trunk.named_variables() | {v.path: v for v in self.head.variables}

    def unused_variables(self) -> set[str]:
        """Returns the names of variables that the logits do not depend on."""
        if not self.trunk.final_norm or self._trunk_norm is not None:
            return set()
        return {"group_norm/gamma", "group_norm/beta"}
