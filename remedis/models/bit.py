"""The BiT backbone: a pre-activation ResNet with group norm and weight standardisation.

Kolesnikov et al. 2020, arXiv 1912.11370. Variables are named as in the released npz files without
their leading `resnet/`, which is also how the REMEDIS release names them.
"""

from collections.abc import Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf

from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.models.gradient_checkpointing import checkpointed
from remedis.models.group_norm import GroupNormReLU
from remedis.models.standardized_conv import StandardizedConv2D


class _Layer(keras.layers.Layer):
    """A layer that computes in the dtype of its input, whatever Keras' policy."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, autocast=False)


class _Named(_Layer):
    """A layer around another that adds a name to the paths of its variables, such as `proj`."""

    def __init__(self, inner: keras.layers.Layer, name: str) -> None:
        super().__init__(name)
        self.inner = inner

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.inner.build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.inner(x)


class _NormConv(_Layer):
    """Stage `a`, `b` or `c` of a unit: group norm, ReLU and convolution.

    With `projection` the stage also holds the unit's strided shortcut, which has the same
    normalised input.
    """

    def __init__(
        self, name: str, filters: int, size: int, stride: int, projection: _Named | None
    ) -> None:
        super().__init__(name)
        self.norm = GroupNormReLU()
        self.conv = StandardizedConv2D(filters, size, stride)
        self.projection = projection

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.norm.build(input_shape)
        self.conv.build(input_shape)
        if self.projection is not None:
            self.projection.build(input_shape)

    def call(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        normalised = self.norm(x)
        shortcut = None if self.projection is None else self.projection(normalised)
        return self.conv(normalised), shortcut


class _Unit(_Layer):
    """A bottleneck: 1x1, strided 3x3 and 1x1 to four times the channels, and a shortcut."""

    def __init__(self, name: str, channels: int, stride: int, project: bool) -> None:
        super().__init__(name)
        inner = channels // 4
        projection = None
        if project:
            projection = _Named(StandardizedConv2D(channels, 1, stride), name="proj")
        self.a = _NormConv("a", inner, 1, 1, projection)
        self.b = _NormConv("b", inner, 3, stride, None)
        self.c = _NormConv("c", channels, 1, 1, None)
        self._inner = inner

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        narrow = (*input_shape[:-1], self._inner)
        self.a.build(input_shape)
        self.b.build(narrow)
        self.c.build(narrow)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        y, shortcut = self.a(x)
        y, _ = self.b(y)
        y, _ = self.c(y)
        return y + (x if shortcut is None else shortcut)


class _Block(_Layer):
    """Units of one resolution. The first one projects and, from block 2 on, halves it."""

    def __init__(self, name: str, channels: int, units: int, stride: int) -> None:
        super().__init__(name)
        self.units = [
            _Unit(f"unit{i + 1:02d}", channels, stride if i == 0 else 1, project=i == 0)
            for i in range(units)
        ]
        self._channels = channels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for unit in self.units:
            unit.build(input_shape)
            input_shape = (*input_shape[:-1], self._channels)

    def call(self, x: tf.Tensor, gradient_checkpointing: bool = False) -> tf.Tensor:
        for unit in self.units:
            x = checkpointed(unit, x) if gradient_checkpointing else unit(x)
        return x


class BiTResNet(keras.Model):
    """The backbone: images to an unpooled map of stride 32.

    The constructor makes all variables. Kernels are zero until `assign` is called: a forgotten
    assignment gives a constant map and never something that looks like features.

    Attributes:
      architecture: depth and width.
      final_norm: whether it has the group norm before the head, which `pre_logits` needs.
      backbone_range: values that the pixel values 0 and 1 are mapped to before the first
        convolution: (-1, 1) for BiT, (0, 1) for no mapping.
      gradient_checkpointing: whether a call with `training=True` keeps the input of every unit only
        and computes the unit's activations a second time for the gradients. Gradients are the
        same. No other call depends on it.
    """

    def __init__(
        self,
        architecture: Architecture,
        final_norm: bool = True,
        backbone_range: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        super().__init__(name="bit", autocast=False)
        if keras.backend.backend() != "tensorflow":
            raise UserError(
                f"Keras runs on the backend {keras.backend.backend()!r}; this package needs "
                "TensorFlow: set KERAS_BACKEND=tensorflow."
            )
        self.architecture = architecture
        self.backbone_range = (float(backbone_range[0]), float(backbone_range[1]))
        self.gradient_checkpointing = False
        root = StandardizedConv2D(architecture.root_channels, 7, 2)
        self.root = _Named(root, name="root_block")
        self.blocks = [
            _Block(
                f"block{i}", architecture.block_channels(i), architecture.units[i - 1], min(i, 2)
            )
            for i in range(1, 5)
        ]
        self.norm = GroupNormReLU() if final_norm else None

        # Not in `build`, which would put the model's name in front of the variables' names.
        self.root.build((None, None, None, 3))
        channels = architecture.root_channels
        for i, block in enumerate(self.blocks, start=1):
            block.build((None, None, None, channels))
            channels = architecture.block_channels(i)
        if self.norm is not None:
            self.norm.build((None, None, None, channels))
        self.built = True

    @property
    def final_norm(self) -> bool:
        """Whether the backbone has the group norm before the head."""
        return self.norm is not None

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns every variable by its BiT name, in the order of `Architecture.shapes`."""
        by_name = {variable.path: variable for variable in self.variables}
        return {name: by_name[name] for name in self.architecture.shapes(self.final_norm)}

    def assign(self, weights: Mapping[str, np.ndarray]) -> None:
        """Assigns every variable. `weights` has an array of the right shape for each name."""
        for name, variable in self.named_variables().items():
            variable.assign(weights[name])

    def _root(self, images: tf.Tensor, dtype: str = "float32") -> tf.Tensor:
        low, high = self.backbone_range
        if (low, high) != (0.0, 1.0):
            images = images * (high - low) + low
        x = self.root(tf.cast(images, dtype))
        # Pads with zeros, not with -inf: BiT's root is not rectified, so the two differ.
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the map.

        Args:
          images: [N, H, W, 3] float32 in [0, 1].
          training: True for activations of the compute dtype of the Keras policy that the backbone
            was made under, and for gradient checkpointing where it is switched on. False and None
            for float32 without checkpointing: evaluations and exports do not depend on how the
            backbone was trained.

        Returns:
          [N, ceil(H / 32), ceil(W / 32), C] float32, before the final norm, as from the REMEDIS
          release.
        """
        x = self._root(images, self.compute_dtype if training else "float32")
        for block in self.blocks:
            x = block(x, gradient_checkpointing=bool(training) and self.gradient_checkpointing)
        return tf.cast(x, tf.float32)

    def endpoints(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the intermediate results by name, for images [N, H, W, 3] in [0, 1].

        They are `root` (stride 4), `block1` (4), `block2` (8), `block3` (16), `block4` (32), `map`
        (the same as `block4`) and `embedding` [N, C] (the map averaged over space). A backbone with
        a final norm also has `pre_logits` [N, C], the normalised and rectified map averaged over
        space.
        """
        x = self._root(images)
        ends = {"root": x}
        for block in self.blocks:
            x = block(x)
            ends[block.name] = x
        ends["map"] = x
        ends["embedding"] = tf.reduce_mean(x, [1, 2])
        if self.norm is not None:
            ends["pre_logits"] = tf.reduce_mean(self.norm(x), [1, 2])
        return ends

    # The rest of the interface `Backbone`, see models/backbone.py.

    @property
    def architecture_name(self) -> str:
        """`50x1` and the like."""
        return self.architecture.name

    @property
    def map_channels(self) -> int:
        """Channels of the map."""
        return self.architecture.map_channels

    @property
    def normalised(self) -> bool:
        """False, since the map is the input of the final norm."""
        return False

    def statistics(self) -> set[str]:
        """Returns the empty set, since group norm keeps no averages."""
        return set()

    def freeze(self, names: Iterable[str]) -> None:
        """Does nothing: no layer of a BiT backbone depends on which variables are trained."""
