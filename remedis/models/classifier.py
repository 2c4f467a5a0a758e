"""A backbone with a linear head."""

from collections.abc import Sequence

import keras
import numpy.typing as npt
import tensorflow as tf

from remedis.errors import UserError, unknown_choice
from remedis.models.backbone import Backbone
from remedis.models.group_norm import GroupNormReLU
from remedis.models.tasks import TASKS
from remedis.options import spelled

HEAD = "head/"  # prefix of the names of a head's variables


class _Head(keras.layers.Layer):
    """A linear layer on the pooled map, with its own norm and ReLU before the pool if asked."""

    def __init__(self, labels: int, norm: bool) -> None:
        # float32 in any case: half precision would save nothing in a mean and a product this small.
        super().__init__(name="head", dtype="float32")
        self.norm = GroupNormReLU(dtype="float32") if norm else None
        # Zeros, as in BiT: the first gradient is that of a constant prediction for every backbone.
        self.dense = keras.layers.Dense(
            labels, kernel_initializer="zeros", name="dense", dtype="float32"
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.norm is not None:
            self.norm.build(input_shape)
        self.dense.build((None, input_shape[-1]))

    def normalised(self, unpooled: tf.Tensor) -> tf.Tensor:
        return tf.cast(unpooled if self.norm is None else self.norm(unpooled), tf.float32)

    def embedding(self, unpooled: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(self.normalised(unpooled), [1, 2])

    def call(self, unpooled: tf.Tensor) -> tf.Tensor:
        return self.dense(self.embedding(unpooled))


def check_labels(labels: Sequence[str], task: str) -> None:
    """Raises a UserError if there is no such task, or `multi_class` has fewer than two labels."""
    if task not in TASKS:
        raise unknown_choice(f"value of {spelled('task')}", task, TASKS)
    if task == "multi_class" and len(labels) < 2:
        raise UserError(
            f"{spelled('task')} is multi_class, but {spelled('labels')} is {tuple(labels)}; "
            "expected two labels or more, exactly one of which is 1, or the task multi_label."
        )


class Classifier(keras.Model):
    """A backbone with a linear head: images to one logit per label.

    Attributes:
      backbone: the network below the head.
      labels: names of the labels, in the order of the logits.
      head_norm: whether the map is to be normalised and rectified before pooling, as asked for.
      task: `multi_label` or `multi_class`.
      scale: of the calibration, [labels] float32.
      offset: of the calibration, [labels] float32.
    """

    def __init__(
        self,
        backbone: Backbone,
        labels: tuple[str, ...],
        head_norm: bool = True,
        task: str = "multi_label",
    ) -> None:
        """Puts a head on a backbone.

        Args:
          backbone: any backbone.
          labels: names of the labels.
          head_norm: whether to normalise and rectify the map before pooling, as BiT does. The norm
            is the backbone's final norm, or a fresh one if the backbone has none (the REMEDIS
            release and the networks of `keras.applications`). A map that already is the rectified
            output of a batch norm (DenseNet) gets no second one. If False, the input of the head is
            the plain average of the map, as in the released notebook.
          task: `multi_label`: each label is 1 or 0 independently, probabilities are sigmoids, and
            one label alone is a binary task. `multi_class`: exactly one label is 1, probabilities
            are a softmax.

        Raises:
          UserError: there is no such task, or `multi_class` has fewer than two labels.
        """
        super().__init__(name="classifier", dtype="float32")
        check_labels(labels, task)
        self.backbone, self.labels = backbone, tuple(labels)
        self.head_norm, self.task = head_norm, task
        wanted = head_norm and not backbone.normalised
        self._backbone_norm = backbone.norm if wanted else None
        self.head = _Head(len(labels), norm=wanted and backbone.norm is None)
        self.head.build((None, None, None, backbone.map_channels))
        self.scale = self._constant("calibration_scale", "ones")
        self.offset = self._constant("calibration_offset", "zeros")
        self.built = True

    def _constant(self, name: str, initializer: str) -> keras.Variable:
        """Returns a variable [labels], whose value functions read when they run."""
        shape = (len(self.labels),)
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=False)

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns raw logits [N, labels] for images [N, H, W, 3] float32 in [0, 1].

        Args:
          images: the images.
          training: passed to the backbone, see `Backbone.__call__`.
        """
        return self.head(self._normalised(self.backbone(images, training=training)))

    def _normalised(self, unpooled: tf.Tensor) -> tf.Tensor:
        return unpooled if self._backbone_norm is None else self._backbone_norm(unpooled)

    def head_map(self, unpooled: tf.Tensor) -> tf.Tensor:
        """Returns the map that the head averages over space, [N, h, w, C] float32.

        Args:
          unpooled: the backbone's map.
        """
        return self.head.normalised(self._normalised(unpooled))

    def outputs(
        self, images: tf.Tensor, calibration: Sequence[tf.Tensor] | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the outputs of an export for images [N, H, W, 3] in [0, 1].

        Args:
          images: the images.
          calibration: scale and offset, [labels] each; the classifier's if not given.

        Returns:
          `probabilities` [N, labels], calibrated; `logits` [N, labels], raw; `embedding` [N, C],
          the plain average of the backbone's map.
        """
        unpooled = self.backbone(images, training=False)
        logits = self.head(self._normalised(unpooled))
        return {
            "probabilities": self._probabilities(logits, *(calibration or self._calibration())),
            "logits": logits,
            "embedding": tf.reduce_mean(unpooled, [1, 2]),
        }

    def _calibration(self) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.convert_to_tensor(self.scale), tf.convert_to_tensor(self.offset)

    def _probabilities(self, logits: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        calibrated = scale * logits + offset
        return tf.sigmoid(calibrated) if self.task == "multi_label" else tf.nn.softmax(calibrated)

    def calibrate(self, scale: npt.ArrayLike, offset: npt.ArrayLike) -> None:
        """Sets the map from logits to probabilities: sigmoid or softmax of scale * logits + offset.

        Temperature scaling (Guo et al. 2017, arXiv 1706.04599) is a scale of 1 / T without offset,
        Platt's scaling (1999) has both. An uncalibrated classifier has scale 1 and offset 0.

        Args:
          scale: [labels].
          offset: [labels].
        """
        self.scale.assign(scale)
        self.offset.assign(offset)

    def embedding_of(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the input of the head's linear layer, [N, C] float32.

        It is the pooled map, after the norm where there is one. Images are [N, H, W, 3] in [0, 1].
        """
        return self.head.embedding(self._normalised(self.backbone(images, training=False)))

    def set_head(self, kernel: npt.ArrayLike, bias: npt.ArrayLike) -> None:
        """Sets the head's linear layer, for example to that of a probe solved on embeddings.

        Args:
          kernel: [C, labels].
          bias: [labels].
        """
        self.head.dense.kernel.assign(kernel)
        self.head.dense.bias.assign(bias)

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns all variables by name. The names in the head begin with `head/`."""
        return self.backbone.named_variables() | {v.path: v for v in self.head.variables}

    def statistics(self) -> set[str]:
        """Returns the names of variables that no gradient changes; see `Backbone.statistics`."""
        return self.backbone.statistics()

    def unused_variables(self) -> set[str]:
        """Returns the names of variables that the logits do not depend on."""
        if self.backbone.norm is None or self._backbone_norm is not None:
            return set()
        return {"group_norm/gamma", "group_norm/beta"}
