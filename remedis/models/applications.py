"""Networks of `keras.applications` as backbones, for baselines such as CheXNet's DenseNet-121.

Each takes images in [0, 1], as every backbone does. The network's own `preprocess_input` maps them,
as pixels in 0..255, to the values it was trained on. It has three modes: `tf` (to [-1, 1]), `caffe`
(BGR, the mean of ImageNet subtracted) and `torch` (to [0, 1], then standardised per channel).
Networks that rescale their input themselves (EfficientNet, ConvNeXt, MobileNetV3) get the pixels
unchanged. Source: keras.io/api/applications.

The map is that of `include_top=False` without pooling. In DenseNet, MobileNet, ResNetV2 and
EfficientNet it is the output of a batch norm and an activation. Dropout inside a network
(EfficientNet drops branches in training) is off, so that a run that was killed and resumed ends
with the same numbers as one that was not.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from remedis import compat
from remedis.errors import unknown_choice

KERAS = "keras:"  # prefix of the architecture names of these networks


def names() -> tuple[str, ...]:
    """Returns the names of all networks, such as `DenseNet121`."""
    return tuple(name for name in dir(keras.applications) if name[:1].isupper())


class ApplicationNetwork(keras.layers.Layer):
    """A network of `keras.applications` as a backbone. Keras draws its weights until `assign`.

    Attributes:
      application: its name in `keras.applications`.
      network: the Keras model inside.
      map_channels: channels of the map.
      norm: None, since these networks have no norm that belongs before a head.
      normalised: whether the map already is the rectified output of a batch norm.
    """

    def __init__(self, application: str) -> None:
        """Builds the network. Nothing is downloaded.

        Raises:
          UserError: there is no network of that name.
        """
        # Activations inside may have half precision. Inputs and outputs are float32.
        super().__init__(name="application", dtype="float32")
        if application not in names():
            raise unknown_choice("network of keras.applications", application, names())
        self.application = application
        build = getattr(keras.applications, application)
        self.network = build(include_top=False, weights=None, input_shape=(None, None, 3))
        self._preprocess = compat.application_preprocessing(build)
        self.map_channels = int(self.network.output_shape[-1])
        self.norm: Any = None
        *_, before, last = self.network.layers
        self.normalised = isinstance(before, keras.layers.BatchNormalization) and isinstance(
            last, keras.layers.Activation | keras.layers.ReLU
        )
        for layer in self._of_kind(keras.layers.Dropout):
            layer.rate = 0.0
        # Leaves out the integer counts of `Normalization.adapt`, which a trained network ignores.
        weights = {v.path: v for v in self.network.weights if "float" in v.dtype}
        self._named = {new: weights[old] for old, new in compat.numbered_from_zero(weights).items()}
        averages = {id(variable) for variable in self.network.non_trainable_weights}
        self._statistics = {name for name, v in self._named.items() if id(v) in averages}
        self.built = True

    @property
    def architecture_name(self) -> str:
        """`keras:DenseNet121` and the like."""
        return f"{KERAS}{self.application}"

    def _of_kind(self, kind: type, model: keras.Model | None = None) -> Iterator[Any]:
        """Yields the layers of a kind, those of nested models too."""
        for layer in (model or self.network).layers:
            if isinstance(layer, keras.Model):
                yield from self._of_kind(kind, layer)
            elif isinstance(layer, kind):
                yield layer

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the map [N, h, w, C] float32 of images [N, H, W, 3] float32 in [0, 1].

        Args:
          images: the images.
          training: whether batch norms use the statistics of the batch and update their averages.
        """
        return tf.cast(
            self.network(self._preprocess(255.0 * images), training=training), tf.float32
        )

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns every variable by its Keras path, with layers numbered from zero."""
        return dict(self._named)

    def statistics(self) -> set[str]:
        """Returns the names of moving averages and of the constants of a built-in rescaling."""
        return set(self._statistics)

    def freeze(self, names: Iterable[str]) -> None:
        """Makes batch norms use their averages in training, too.

        A batch norm is frozen if its scale is in `names`, or its offset if it has no scale, as in
        Inception. All others are trained. Functions that are already traced do not change.
        """
        frozen = {id(self._named[name]) for name in names if name in self._named}
        for layer in self._of_kind(keras.layers.BatchNormalization):
            layer.trainable = id(layer.gamma if layer.scale else layer.beta) not in frozen

    def assign(self, weights: Mapping[str, np.ndarray]) -> None:
        """Assigns every variable. `weights` has an array of the right shape for each name."""
        for name, variable in self._named.items():
            variable.assign(weights[name])
        self.settle()

    def settle(self) -> None:
        """Applies the constants of a built-in rescaling. Call it after every assignment."""
        for layer in self._of_kind(keras.layers.Normalization):
            layer.finalize_state()
