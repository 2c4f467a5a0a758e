"""Objects that `tf.saved_model.save` writes with the interface of this package's exports.

It is TF Hub's Reusable SavedModel interface: `__call__` with and without `training`, `variables`,
`trainable_variables` and `regularization_losses`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.models import activation_maps
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.models.group_norm import gradients_of_operations
from remedis.preprocess import Preprocess
from remedis.zoo.pixel_range import CHECKED, assert_in_graph
from remedis.zoo.served_images import IMAGES, Outputs, checked, on_any_number, refused
from remedis.zoo.served_preprocessing import IMAGE_BYTES, decode_and_prepare, prepare_pixels

WIDENED = (tf.float64,)  # cast to float32; NumPy's default
REFUSED = (tf.uint8, tf.uint16, tf.int16, tf.int32, tf.int64, tf.float16, tf.bfloat16)

# Nothing here is Python control flow over tensors, and converting it takes half the time of a save.
_graph = functools.partial(tf.function, autograph=False)


class ServedModel(tf.Module):
    """The common part of all exported objects.

    `preprocess`, where the preprocessing is recorded, is a method from decoded images to the input
    of the others, and `serve_bytes` one from encoded images to outputs, see `served_preprocessing`.

    Attributes:
      variables: all variables. A loaded SavedModel has the same attribute.
      trainable_variables: the variables that gradients of `__call__` reach.
      regularization_losses: empty, since weight decay belongs to the optimizer.
    """

    # Attributes instead of tf.Module's properties, since only attributes are saved.
    variables: Any = ()
    trainable_variables: Any = ()

    def __init__(
        self,
        variables: list[tf.Variable],
        trainable_variables: list[tf.Variable],
        pixel_range: str = CHECKED,
    ) -> None:
        super().__init__()
        self.variables = variables
        self.trainable_variables = trainable_variables
        self.regularization_losses: list[Callable[[], tf.Tensor]] = []
        self._pixel_range = pixel_range
        self._bytes_signatures: dict[str, Any] = {}

    def saved_signatures(self) -> dict[str, Any]:
        """Returns the functions to save as signatures, by name.

        Here they are those of the preprocessing: `preprocess` of one 8-bit image,
        `preprocess_batch` of several, and `serve_bytes`; none if there is no preprocessing.
        """
        return dict(self._bytes_signatures)

    def _serve_bytes(
        self, preprocess: Preprocess, outputs: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    ) -> None:
        """Adds the methods and signatures from decoded and from encoded images.

        Args:
          preprocess: the recorded preprocessing.
          outputs: from images [N, H, W, 3] to what `serve_bytes` returns.
        """
        self.preprocess = prepare_pixels(preprocess)

        @_graph(input_signature=[tf.TensorSpec(None, tf.string, name="image_bytes")])
        def serve_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            # One file alone is a batch of one.
            return outputs(decode_and_prepare(preprocess, tf.reshape(image_bytes, [-1])))

        self.serve_bytes = serve_bytes

        def prepares(name: str, rank: int) -> Any:
            image = tf.TensorSpec([None] * rank, tf.uint8, name=name)
            return _graph(lambda image: {"images": self.preprocess(image)}, input_signature=[image])

        self._bytes_signatures = {
            "preprocess": prepares("image", 3),
            "preprocess_batch": prepares("images", 4),
            "serve_bytes": _graph(lambda files: serve_bytes(files), input_signature=[IMAGE_BYTES]),
        }

    def _callable(
        self,
        compute: Callable[[tf.Tensor], Outputs],
        trainings: tuple[bool | None, ...] = (False,),
    ) -> Any:
        """Returns a function `f(images, training=False)` around `compute`, traced for saving.

        The traces for other types and ranks hold a cast or a sentence only. All of them share one
        function for `compute`.
        """
        shared = _graph(on_any_number(compute), input_signature=[IMAGES])
        with gradients_of_operations():
            outputs = shared.get_concrete_function().structured_outputs

        @_graph
        def call(images: tf.Tensor, training: bool | None = False) -> Outputs:
            if images.dtype in REFUSED:
                return refused(images.dtype, outputs)
            return shared(checked(images, self._pixel_range))

        for training in trainings:
            call.get_concrete_function(IMAGES, training=training)
            for dtype in (tf.float32, *WIDENED, *REFUSED):
                call.get_concrete_function(tf.TensorSpec(None, dtype), training=training)
        return call


def signature(call: Any, output: str | None = None, images: str = "input_1") -> Any:
    """Returns `call` as a function to save as a signature.

    It is not traced here. TensorFlow traces it while saving, together with the methods, so that
    both share their inner functions.

    Args:
      call: from images to a tensor, or to a dict of tensors by name.
      output: name of the output, where it is one tensor.
      images: name of the input.
    """

    @_graph(input_signature=[tf.TensorSpec(IMAGES.shape, IMAGES.dtype, name=images)])
    def signature_function(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        result = call(pixels)
        return result if output is None else {output: result}

    return signature_function


def _map_and_embedding(unpooled: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"map": unpooled, "embedding": tf.reduce_mean(unpooled, [1, 2])}


class ServedBackbone(ServedModel):
    """A backbone: `m(images)` is the unpooled map. `embed` and `endpoints` are methods.

    `serve_bytes` gives `map` and `embedding`.
    """

    def __init__(
        self,
        backbone: BiTResNet,
        preprocess: Preprocess | None = None,
        pixel_range: str = CHECKED,
    ) -> None:
        named = backbone.named_variables()
        # Gradients of the map do not reach the final norm, which only `pre_logits` uses.
        reached = backbone.architecture.shapes(final_norm=False)
        super().__init__(
            [variable.value for variable in named.values()],
            [named[name].value for name in reached],
            pixel_range,
        )
        unpooled = _graph(backbone.call, input_signature=[IMAGES])
        self.__call__ = self._callable(unpooled, trainings=(False, True, None))
        self.embed = self._callable(lambda images: tf.reduce_mean(unpooled(images), [1, 2]))
        self.endpoints = self._callable(backbone.endpoints)
        if preprocess is not None:
            self._serve_bytes(preprocess, lambda images: _map_and_embedding(self.__call__(images)))

    def saved_signatures(self) -> dict[str, Any]:
        """Returns `serving_default`, `embed` and `endpoints`, and those of the preprocessing."""
        return {
            "serving_default": signature(self.__call__, "output_1"),
            "embed": signature(self.embed, "embedding"),
            "endpoints": signature(self.endpoints),
            **super().saved_signatures(),
        }


class ServedGraph(ServedModel):
    """A release's own graph behind the same interface. It has no endpoints of inner blocks."""

    def __init__(
        self,
        loaded: Any,
        map_of: Callable[[Any, tf.Tensor], tf.Tensor],
        preprocess: Preprocess | None = None,
        pixel_range: str = CHECKED,
    ) -> None:
        variables = list(loaded.signatures["serving_default"].variables)
        super().__init__(variables, variables, pixel_range)
        self._release = loaded  # keeps the variables and functions that the new ones use

        def compute(images: tf.Tensor) -> tf.Tensor:
            return map_of(loaded, images)

        def ends(images: tf.Tensor) -> dict[str, tf.Tensor]:
            return _map_and_embedding(compute(images))

        self.__call__ = self._callable(compute, trainings=(False, True, None))
        self.embed = self._callable(lambda images: ends(images)["embedding"])
        self.endpoints = self._callable(ends)
        if preprocess is not None:
            self._serve_bytes(preprocess, self.endpoints)

    saved_signatures = ServedBackbone.saved_signatures


class ServedClassifier(ServedModel):
    """A backbone with a head: `m(images)` gives `probabilities`, `logits` and `embedding`.

    Probabilities are calibrated, logits are raw. `training=True` is accepted and changes nothing:
    batch norms of an exported backbone use their averages. `preprocess` prepares decoded images as
    in training, and `serve_bytes` gives the outputs of encoded ones. `heat_maps(images, labels)`
    shows where it looks, see `activation_maps.heat_maps`; `labels` are positions, one per image or
    one for all. `label_names()` gives the labels in the order of the outputs. `thresholds()` gives,
    per kind, the smallest probability [labels] that counts as positive, NaN where there is none.
    """

    def __init__(
        self,
        classifier: Classifier,
        preprocess: Preprocess,
        thresholds: Mapping[str, npt.ArrayLike] | None = None,
        pixel_range: str = CHECKED,
    ) -> None:
        named = classifier.named_variables()
        unchanged = classifier.unused_variables() | classifier.statistics()
        super().__init__(
            [variable.value for variable in named.values()],
            [variable.value for name, variable in named.items() if name not in unchanged],
            pixel_range,
        )
        # Constants, not variables: a user's own training of the export does not change them.
        calibration = [tf.constant(np.asarray(v)) for v in (classifier.scale, classifier.offset)]
        self._serve(
            lambda images: classifier.outputs(images, calibration),
            preprocess,
            classifier.labels,
            thresholds,
            trainings=(False, True, None),
        )

        def explained(images: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
            last = len(classifier.labels) - 1
            known = tf.reduce_all((labels >= 0) & (labels <= last))
            message = f"labels are positions from 0 to {last}; got"
            with tf.control_dependencies([assert_in_graph(known, [message, labels])]):
                return activation_maps.heat_maps(
                    classifier, checked(images, pixel_range), tf.identity(labels)
                )

        self.heat_maps = _graph(
            explained,
            input_signature=[
                tf.TensorSpec(IMAGES.shape, IMAGES.dtype, name="images"),
                tf.TensorSpec(None, tf.int32, name="labels"),
            ],
        )

    def _serve(
        self,
        outputs: Callable[[tf.Tensor], dict[str, tf.Tensor]],
        preprocess: Preprocess,
        labels: Sequence[str],
        thresholds: Mapping[str, npt.ArrayLike] | None,
        trainings: tuple[bool | None, ...],
    ) -> None:
        """Adds the methods around `outputs`, the network from images to outputs by name."""
        self.__call__ = self._callable(outputs, trainings)
        names = list(labels)
        self.label_names = _graph(lambda: tf.constant(names), input_signature=[])
        values = {kind: np.asarray(v, np.float32) for kind, v in (thresholds or {}).items()}
        self._thresholds = values
        self.thresholds = _graph(
            lambda: {kind: tf.constant(value) for kind, value in values.items()}, input_signature=[]
        )
        self._serve_bytes(preprocess, self.__call__)

    def saved_signatures(self) -> dict[str, Any]:
        """Returns `serving_default`, those of the preprocessing, `label_names` and `thresholds`.

        Without thresholds the last is left out, since a signature must return something.
        """
        names = _graph(lambda: {"label_names": self.label_names()}, input_signature=[])
        signatures = {
            "serving_default": signature(self.__call__, images="images"),
            **super().saved_signatures(),
            "label_names": names,
        }
        if self._thresholds:
            signatures["thresholds"] = self.thresholds
        return signatures
