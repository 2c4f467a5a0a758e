"""Objects whose `tf.saved_model.save` keeps the SavedModel contract.

They follow TF Hub's Reusable SavedModel interface: `__call__` with and without `training`,
`variables`, `trainable_variables`, `regularization_losses`. What a caller may get wrong is checked
in the graph, since only the graph is there when TensorFlow alone loads the folder.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.preprocess import Preprocess
from remedis.preprocess.decode import from_pixels

IMAGES = tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")
WIDENED = (tf.float64,)  # what NumPy makes of most arrays; cast to float32
REFUSED = (tf.uint8, tf.uint16, tf.int16, tf.int32, tf.int64, tf.float16, tf.bfloat16)
EXPECTED = "expected float32 [N, H, W, 3] with values in [0, 1]"
# Far beyond what interpolation or augmentation makes of [0, 1], well below any 8-bit image.
LARGEST = 8.0

Outputs = Any  # a tensor, or a dict of tensors by name

# Nothing here is Python control flow over tensors, and converting it takes half the time of a save.
_graph = functools.partial(tf.function, autograph=False)


def checked(images: tf.Tensor) -> tf.Tensor:
    """Returns `images` as float32 [N, H, W, 3], with assertions in the graph.

    Raises (when run):
      tf.errors.InvalidArgumentError: wrong rank or channels, a height or width of 0, NaN or
        infinity, or values beyond 8, which are pixels in 0..255 rather than [0, 1].
    """
    images = tf.cast(images, tf.float32)
    largest = tf.reduce_max(tf.concat([tf.reshape(tf.abs(images), [-1]), [0.0]], 0))
    finite = tf.reduce_all(tf.math.is_finite(images))
    guards = [
        tf.debugging.Assert(finite, [f"images hold NaN or infinity; {EXPECTED}."]),
        tf.debugging.Assert(
            tf.logical_or(largest <= LARGEST, tf.logical_not(finite)),
            [f"images reach beyond [0, 1]; {EXPECTED}: divide 8-bit pixels by 255; got", largest],
        ),
    ]
    if images.shape.rank is None:
        shape = tf.shape(images)
        channels = tf.concat([[0], shape], 0)[-1]
        fits = tf.logical_and(tf.equal(tf.rank(images), 4), tf.equal(channels, 3))
        message = f"images have the wrong shape; {EXPECTED}; got"
        guards.append(tf.debugging.Assert(fits, [message, shape], summarize=8))
        # Without a branch, TensorFlow's own shape inference fails first and says less.
        images = tf.cond(fits, lambda: images, lambda: tf.zeros([1, 1, 1, 3]))
    sides = tf.shape(images)[1:3]
    message = f"images have no pixels; {EXPECTED}; got"
    guards.append(tf.debugging.Assert(tf.reduce_all(sides > 0), [message, tf.shape(images)]))
    with tf.control_dependencies(guards):
        return tf.ensure_shape(images, IMAGES.shape)


def on_any_number(compute: Callable[[tf.Tensor], Outputs]) -> Callable[[tf.Tensor], Outputs]:
    """Returns `compute` in a form that takes no images, too, and then gives outputs of length 0.

    TensorFlow's convolution by oneDNN, which it uses on most CPUs, gives a wrong shape for an empty
    batch. The returned function computes on one black image instead and cuts the outputs to length
    0. There is no branch: for one image or more, neither the padding nor the cut does anything.

    Args:
      compute: from images [N, H, W, 3] to a tensor, or a dict of tensors, of length N.
    """

    def computed(images: tf.Tensor) -> Outputs:
        count = tf.shape(images)[0]
        missing = tf.cast(tf.equal(count, 0), tf.int32)
        outputs = compute(tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]]))
        return tf.nest.map_structure(lambda output: output[:count], outputs)

    return computed


def refused(dtype: tf.DType, outputs: Outputs) -> Outputs:
    """Returns what fails, when run, with a sentence about pixels of the wrong type.

    Args:
      dtype: of the images.
      outputs: specifications of what the function would return, which the failing one must too.
    """
    advice = "divide by the largest value a pixel can have, 255 for 8 bits"
    if dtype.is_floating:
        advice = "cast to float32"
    message = f"images are {dtype.name}; {EXPECTED}: {advice}."
    with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
        return tf.nest.map_structure(
            lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), outputs
        )


class ServedModel(tf.Module):
    """What every exported object has in common.

    Attributes:
      variables: all variables, as a SavedModel's loader finds them.
      trainable_variables: those that gradients of `__call__` reach.
      regularization_losses: none; weight decay is the optimizer's.
    """

    # Plain attributes instead of tf.Module's properties: only attributes are saved.
    variables: Any = ()
    trainable_variables: Any = ()

    def __init__(
        self, variables: list[tf.Variable], trainable_variables: list[tf.Variable]
    ) -> None:
        super().__init__()
        self.variables = variables
        self.trainable_variables = trainable_variables
        self.regularization_losses: list[Callable[[], tf.Tensor]] = []

    def saved_signatures(self) -> dict[str, Any]:
        """Returns the functions to save as signatures, by name; here none."""
        return {}

    def _callable(
        self,
        compute: Callable[[tf.Tensor], Outputs],
        trainings: tuple[bool | None, ...] = (False,),
    ) -> Any:
        """Returns a function `f(images, training=False)` around `compute`, traced for saving.

        The traces for other types and ranks only lead to a cast or to a clear sentence; `compute`
        is one shared function inside all of them.
        """
        shared = _graph(on_any_number(compute), input_signature=[IMAGES])
        outputs = shared.get_concrete_function().structured_outputs

        @_graph
        def call(images: tf.Tensor, training: bool | None = False) -> Outputs:
            if images.dtype in REFUSED:
                return refused(images.dtype, outputs)
            return shared(checked(images))

        for training in trainings:
            call.get_concrete_function(IMAGES, training=training)
            for dtype in (tf.float32, *WIDENED, *REFUSED):
                call.get_concrete_function(tf.TensorSpec(None, dtype), training=training)
        return call


def signature(call: Any, output: str | None = None, images: str = "input_1") -> Any:
    """Returns `call` as a function to save as a signature.

    It is not traced here: traced while saving, it shares its inner functions with the other
    methods, which are traced anew then.

    Args:
      call: from images to a tensor, or to a dict of tensors by name.
      output: name of a lone tensor.
      images: name of the input.
    """

    @_graph(input_signature=[tf.TensorSpec(IMAGES.shape, IMAGES.dtype, name=images)])
    def signature_function(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        result = call(pixels)
        return result if output is None else {output: result}

    return signature_function


class ServedBackbone(ServedModel):
    """A backbone: `m(images)` is the unpooled map; `embed` and `endpoints` are methods."""

    def __init__(self, backbone: BiTResNet) -> None:
        named = backbone.named_variables()
        # Gradients of the map do not reach the final norm, which only `pre_logits` uses.
        reached = backbone.architecture.shapes(final_norm=False)
        super().__init__(
            [variable.value for variable in named.values()],
            [named[name].value for name in reached],
        )
        unpooled = _graph(backbone.call, input_signature=[IMAGES])
        self.__call__ = self._callable(unpooled, trainings=(False, True, None))
        self.embed = self._callable(lambda images: tf.reduce_mean(unpooled(images), [1, 2]))
        self.endpoints = self._callable(backbone.endpoints)

    def saved_signatures(self) -> dict[str, Any]:
        """Returns `serving_default`, `embed` and `endpoints`."""
        return {
            "serving_default": signature(self.__call__, "output_1"),
            "embed": signature(self.embed, "embedding"),
            "endpoints": signature(self.endpoints),
        }


class ServedGraph(ServedModel):
    """A release's own graph behind the same interface; its inner blocks cannot be tapped."""

    def __init__(self, loaded: Any, map_of: Callable[[Any, tf.Tensor], tf.Tensor]) -> None:
        variables = list(loaded.signatures["serving_default"].variables)
        super().__init__(variables, variables)
        self._release = loaded  # holds the variables and functions the new ones call

        def compute(images: tf.Tensor) -> tf.Tensor:
            return map_of(loaded, images)

        def ends(images: tf.Tensor) -> dict[str, tf.Tensor]:
            unpooled = compute(images)
            return {"map": unpooled, "embedding": tf.reduce_mean(unpooled, [1, 2])}

        self.__call__ = self._callable(compute, trainings=(False, True, None))
        self.embed = self._callable(lambda images: ends(images)["embedding"])
        self.endpoints = self._callable(ends)

    saved_signatures = ServedBackbone.saved_signatures


class ServedClassifier(ServedModel):
    """A backbone with a head: `m(images)` gives `probabilities`, `logits` and `embedding`.

    Probabilities are calibrated, logits raw; `training=True` is accepted and changes nothing: batch
    norms, where the backbone has them, use their averages in an export. `preprocess` maps one
    decoded image to what the model was trained to see; `label_names()` gives the labels in the
    order of the outputs, `thresholds()` by kind the probability [labels] from which on a label
    counts as positive, NaN where none could be chosen.
    """

    def __init__(
        self,
        classifier: Classifier,
        preprocess: Preprocess,
        thresholds: Mapping[str, npt.ArrayLike] | None = None,
    ) -> None:
        named = classifier.named_variables()
        unchanged = classifier.unused_variables() | classifier.statistics()
        super().__init__(
            [variable.value for variable in named.values()],
            [variable.value for name, variable in named.items() if name not in unchanged],
        )
        # Constants in the graph, beside the variables that a training may change.
        calibration = [tf.constant(np.asarray(v)) for v in (classifier.scale, classifier.offset)]
        self.__call__ = self._callable(
            lambda images: classifier.outputs(images, calibration), trainings=(False, True, None)
        )
        names = list(classifier.labels)
        self.label_names = tf.function(lambda: tf.constant(names), input_signature=[])
        values = {kind: np.asarray(v, np.float32) for kind, v in (thresholds or {}).items()}
        self._thresholds = values
        self.thresholds = tf.function(
            lambda: {kind: tf.constant(value) for kind, value in values.items()}, input_signature=[]
        )

        @tf.function
        def prepared(image: tf.Tensor) -> tf.Tensor:
            return preprocess(from_pixels(image))[None]

        for dtype in (tf.uint8, tf.uint16):
            prepared.get_concrete_function(tf.TensorSpec([None, None, None], dtype, name="image"))
        self.preprocess = prepared

    def saved_signatures(self) -> dict[str, Any]:
        """Returns `serving_default`, `preprocess` (of 8-bit images), `label_names`, `thresholds`.

        The last is left out where there are none: a signature must return something.
        """
        image = tf.TensorSpec([None, None, None], tf.uint8, name="image")
        prepare = tf.function(
            lambda image: {"images": self.preprocess(image)}, input_signature=[image]
        )
        names = tf.function(lambda: {"label_names": self.label_names()}, input_signature=[])
        signatures = {
            "serving_default": signature(self.__call__, images="images"),
            "preprocess": prepare,
            "label_names": names,
        }
        if self._thresholds:
            signatures["thresholds"] = self.thresholds
        return signatures
