"""The choice of a heat map, and its computation by an exported classifier."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from remedis.errors import UserError, first_line, unknown_choice
from remedis.inference.exported import ExportedClassifier
from remedis.models import activation_maps
from remedis.models.activation_maps import CAM, HEAD, METHODS, STRIDES
from remedis.models.classifier import Classifier
from remedis.options import spelled
from remedis.zoo import save_classifier

# From images [N, S, S, 3] and labels to the maps by name, as `activation_maps.heat_maps`.
Compute = Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class HeatMap:
    """A kind of heat map.

    Attributes:
      method: one of `METHODS`.
      endpoint: the map in the network that it is made of.
      stride: pixels of the input per cell, if cells are centred on its multiples; None for cells
        that tile the input.
    """

    method: str
    endpoint: str
    stride: int | None

    @property
    def output(self) -> str:
        """Its name among the outputs."""
        return activation_maps.output_name(self.method, self.endpoint)

    @property
    def signed(self) -> bool:
        """Whether values below 0 mean something: they speak against the label."""
        return self.method == CAM


def choose(exported: ExportedClassifier, method: str, endpoint: str | None = None) -> HeatMap:
    """Returns the kind of heat map that a user names.

    Args:
      exported: the classifier.
      method: one of `METHODS`.
      endpoint: `block1` to `block4` or `head` (BiT), `map` or `head` (others). By default the last
        before the head, as in the papers; CAM is of the head.

    Raises:
      UserError: there is no such method, or no such endpoint of this network.
    """
    if method not in METHODS:
        raise unknown_choice(spelled("method"), method, METHODS)
    bit = not exported.description.application
    known = tuple(STRIDES) if bit else ("map", HEAD)
    if method == CAM:
        if endpoint not in (None, HEAD):
            raise UserError(
                f"{spelled('endpoint', endpoint)} with {spelled('method', CAM)}: CAM is of the map "
                f"that the head pools; leave the endpoint out, or name {METHODS[1]}."
            )
        endpoint = HEAD
    endpoint = endpoint or known[-2]
    if endpoint not in known:
        raise unknown_choice(f"endpoint of {exported.folder}", endpoint, known)
    return HeatMap(method, endpoint, STRIDES[endpoint] if bit else None)


def of_export(exported: ExportedClassifier) -> Compute:
    """Returns the function that computes heat maps.

    It is the SavedModel's own `heat_maps`. Exports of earlier versions have none: their network is
    built again from their variables.

    Raises:
      UserError: the export has no `heat_maps`, and no variables to build its network from.
    """
    if hasattr(exported.model, "heat_maps"):
        return exported.model.heat_maps  # type: ignore[no-any-return]
    try:
        classifier, _, _ = save_classifier.load(exported.folder)
    except UserError as error:
        raise UserError(
            f"{exported.folder} has no heat_maps in its graph, and its network cannot be built "
            f"again from its variables ({first_line(error).rstrip('.')}); explain the run or the "
            "export that it was made from."
        ) from error
    return of_classifier(classifier)


def of_classifier(classifier: Classifier) -> Compute:
    """Returns the function that computes heat maps of a classifier in memory.

    It reads the variables when it runs: it follows a change of weights.
    """

    def compute(images: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return activation_maps.heat_maps(classifier, images, labels)

    return tf.function(  # type: ignore[no-any-return]
        compute,
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32),
            tf.TensorSpec(None, tf.int32),
        ],
        autograph=False,
    )
