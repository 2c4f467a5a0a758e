"""Networks of `keras.applications` as backbones, for baselines such as CheXNet's DenseNet-121.

Each takes images in [0, 1] like every backbone; they become what its own `preprocess_input` makes
of pixels in 0..255, in one of three modes: `tf` (to [-1, 1]), `caffe` (BGR, the mean of ImageNet
subtracted) or `torch` (to [0, 1], then standardised by channel). Networks that rescale their input
themselves (EfficientNet, ConvNeXt, MobileNetV3) get the pixels as they are. Which network wants
what is said by keras.io/api/applications and done by Keras itself here.

The map is that of `include_top=False` without pooling. In DenseNet, MobileNet, ResNetV2 and
EfficientNet it is the output of a batch norm and an activation. Dropout inside a network
(EfficientNet drops branches while it trains) is off, so that a run that was killed ends with the
numbers of one that was not.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from remedis import compat
from remedis.errors import unknown_choice

KERAS = "keras:"  # begins the name of such a network's architecture, among those of BiT


def names() -> tuple[str, ...]:
    """Returns the names of all networks, such as `DenseNet121`."""
    return tuple(name for name in dir(keras.applications) if name[:1].isupper())


class ApplicationNetwork(keras.layers.Layer):
    """A backbone out of `keras.applications`; weights are whatever Keras draws until `assign`.

    Attributes:
      application: its name in `keras.applications`.
      network: the Keras model inside.
      map_channels: channels of the map.
      norm: None: a norm before the head would be a fresh one.
      normalised: whether the map is the rectified output of a batch norm already.
    """

    def __init__(self, application: str) -> None:
        """Builds the network; nothing is downloaded.

        Raises:
          UserError: there is no network of that name.
        """
        # Activations may be of half precision inside; what goes in and comes out never is.
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
        # A count of adapted samples is a whole number and of no use once a network is trained.
        weights = {v.path: v for v in self.network.weights if "float" in v.dtype}
        self._named = {new: weights[old] for old, new in compat.numbered_from_zero(weights).items()}
        unchanged = {id(variable) for variable in self.network.non_trainable_weights}
        self._statistics = {name for name, v in self._named.items() if id(v) in unchanged}
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
          training: whether batch norms normalise by the batch at hand and update their averages.
        """
        return tf.cast(
            self.network(self._preprocess(255.0 * images), training=training), tf.float32
        )

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns every variable by its Keras path, layers numbered from zero."""
        return dict(self._named)

    def statistics(self) -> set[str]:
        """Returns the names of moving averages, and of the constants of a built-in rescaling."""
        return set(self._statistics)

    def freeze(self, names: Iterable[str]) -> None:
        """Lets the batch norms whose scale is in `names` use their averages in training too.

        One without a scale, as in Inception, goes by its offset. The others learn. Takes effect in
        functions traced afterwards.
        """
        kept = {id(self._named[name]) for name in names if name in self._named}
        for layer in self._of_kind(keras.layers.BatchNormalization):
            layer.trainable = id(layer.gamma if layer.scale else layer.beta) not in kept

    def assign(self, weights: Mapping[str, np.ndarray]) -> None:
        """Assigns every variable; `weights` must have all of them, by name, in their shapes."""
        for name, variable in self._named.items():
            variable.assign(weights[name])
        self.settle()

    def settle(self) -> None:
        """Takes over the constants of a built-in rescaling; to be called after any assignment."""
        for layer in self._of_kind(keras.layers.Normalization):
            layer.finalize_state()
