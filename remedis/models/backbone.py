"""What a classifier asks of the network below it: the interface of every backbone."""

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf


class Backbone(Protocol):
    """Images to an unpooled map; `BiTResNet` and `ApplicationNetwork` are the two kinds."""

    @property
    def map_channels(self) -> int:
        """Channels of the map."""

    @property
    def architecture_name(self) -> str:
        """Names the architecture: `50x1`, or `keras:DenseNet121`."""

    @property
    def norm(self) -> Any:
        """The layer that normalises and rectifies the map before a head; None without one."""

    @property
    def normalised(self) -> bool:
        """Whether the map itself is normalised and rectified already."""

    def __call__(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the map [N, h, w, C] float32 of images [N, H, W, 3] float32 in [0, 1].

        Args:
          images: the images.
          training: whether batch norms normalise by the batch at hand and update their averages.
        """

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns every variable by a name that is the same in every process."""

    def statistics(self) -> set[str]:
        """Returns the names of variables that no gradient changes, such as moving averages.

        A training must keep them in its checkpoints beside those it optimises.
        """

    def freeze(self, names: Iterable[str]) -> None:
        """Is told which variables a training leaves as they are.

        Batch norms among them use their moving averages and leave them alone, in training too.
        """


def digest(backbone: Backbone) -> str:
    """Returns the SHA-256 of names, shapes and bytes of a backbone's variables."""
    sha256 = hashlib.sha256()
    for name, variable in sorted(backbone.named_variables().items()):
        values = np.asarray(variable)
        sha256.update(f"{name} {values.shape} {values.dtype}\n".encode())
        sha256.update(np.ascontiguousarray(values).tobytes())
    return sha256.hexdigest()
