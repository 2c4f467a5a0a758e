"""The interface that every backbone has, and the digest of a backbone's weights."""

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf


class Backbone(Protocol):
    """A network from images to an unpooled map.

    `BiTResNet` and `ApplicationNetwork` implement it.
    """

    @property
    def map_channels(self) -> int:
        """Channels of the map."""

    @property
    def architecture_name(self) -> str:
        """The architecture as `remedis.json` names it: `50x1`, or `keras:DenseNet121`."""

    @property
    def norm(self) -> Any:
        """The layer that normalises and rectifies the map before a head, or None."""

    @property
    def normalised(self) -> bool:
        """Whether the map itself already is normalised and rectified."""

    def __call__(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the map [N, h, w, C] float32 of images [N, H, W, 3] float32 in [0, 1].

        Args:
          images: the images.
          training: whether batch norms use the statistics of the batch and update their averages,
            and whether half precision and gradient checkpointing apply.
        """

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns every variable by name. The names are the same in every process."""

    def statistics(self) -> set[str]:
        """Returns the names of variables that change without gradients, such as moving averages.

        Checkpoints of a training contain them beside the optimised variables.
        """

    def freeze(self, names: Iterable[str]) -> None:
        """Freezes variables: batch norms among them use and keep their averages in training.

        Args:
          names: of the variables that the training does not change.
        """


def digest(backbone: Backbone) -> str:
    """Returns the SHA-256 of names, shapes and bytes of a backbone's variables."""
    sha256 = hashlib.sha256()
    for name, variable in sorted(backbone.named_variables().items()):
        values = np.asarray(variable)
        sha256.update(f"{name} {values.shape} {values.dtype}\n".encode())
        sha256.update(np.ascontiguousarray(values).tobytes())
    return sha256.hexdigest()
