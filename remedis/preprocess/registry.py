"""Named operations on one image, and the specification that combines them.

A specification is text such as `resize(256) | random_crop(224) | flip_left_right()`: operations in
the order in which they are applied, with literal arguments. Text passes through configs, command
lines, JSON and exported models unchanged. A recipe of `remedis.preprocess.recipes`, such as
`finetune_cxr(448)`, may stand among the operations and is replaced by its own.
"""

import ast
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from remedis.errors import (
    UserError,
    first_line,
    quoted,
    registered_twice,
    shortened,
    unknown_choice,
)
from remedis.options import literal
from remedis.preprocess import recipes
from remedis.specifications import check_operations, piped

Operation = Callable[..., tf.Tensor]
# Arguments of operations. Larger ones would fail in TensorFlow, or take all memory.
_LARGEST = 1_000_000
_MOST_VALUES = 16
_MOST_CHARACTERS = 100
_OPERATIONS: dict[str, Operation] = {}
_CHANNELWISE: set[str] = set()
_CROPS: set[str] = set()


def operation(function: Operation) -> Operation:
    """Registers an operation under its name.

    Its first argument is an image [H, W, 3] float32 in [0, 1], and it returns one. An operation
    with a keyword argument `seed` ([2] int32) is random, and draws from that seed alone.

    Raises:
      ValueError: an operation or a recipe has this name already.
    """
    name = function.__name__
    if name in _OPERATIONS:
        raise registered_twice("operation", name, _OPERATIONS[name], function)
    if name in recipes.names() or name in recipes.RENAMED:
        raise registered_twice("recipe", name, recipes.get(name), function)
    _OPERATIONS[name] = function
    return function


def channelwise(function: Operation) -> Operation:
    """Registers an operation that treats every channel alike and accepts [H, W, 1] too.

    Grey images pass through it with one channel, a third of the work. The result must equal, bit
    for bit, one channel of its result for three equal channels.

    Raises:
      ValueError: an operation or a recipe has this name already.
    """
    registered = operation(function)
    _CHANNELWISE.add(function.__name__)
    return registered


def crop(function: Operation) -> Operation:
    """Registers a channelwise operation that keeps some pixels as they are, whatever their type.

    Where it comes first, the pixels that it drops are never converted to floats.

    Raises:
      ValueError: an operation or a recipe has this name already.
    """
    registered = channelwise(function)
    _CROPS.add(function.__name__)
    return registered


def names() -> tuple[str, ...]:
    """Returns the names of all operations."""
    return tuple(sorted(_OPERATIONS))


def get(name: str) -> Operation:
    """Returns the operation with a name.

    Raises:
      UserError: there is no such operation.
    """
    if name not in _OPERATIONS:
        raise unknown_choice("preprocessing operation", name, names())
    return _OPERATIONS[name]


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation with its arguments."""

    name: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    @property
    def random(self) -> bool:
        """Whether the operation is random."""
        return "seed" in inspect.signature(_OPERATIONS[self.name]).parameters

    @property
    def channelwise(self) -> bool:
        """Whether one channel of a grey image is enough for the operation."""
        return self.name in _CHANNELWISE

    def __call__(self, image: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Applies the operation."""
        drawn = {"seed": seed} if self.random else {}
        return _OPERATIONS[self.name](image, *self.arguments, **self.keywords, **drawn)


@dataclasses.dataclass(frozen=True)
class Preprocess:
    """A parsed specification; call it on an image.

    Attributes:
      specification: the text.
      steps: its operations.
    """

    specification: str
    steps: tuple[Step, ...]

    @property
    def random(self) -> bool:
        """Whether any operation is random."""
        return any(step.random for step in self.steps)

    @property
    def crops(self) -> int:
        """The number of crops at the beginning, which accept pixels of any type."""
        crops = [step.name in _CROPS for step in self.steps]
        return crops.index(False) if False in crops else len(crops)

    @property
    def fixed(self) -> int:
        """The number of operations before the first random one: their result may be cached."""
        random = [step.random for step in self.steps]
        return random.index(True) if True in random else len(random)

    def __call__(
        self,
        image: tf.Tensor,
        seed: tf.Tensor | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> tf.Tensor:
        """Returns the image after all operations, or after those from `start` to before `stop`.

        A grey image may have one channel. It gets three before the first operation that needs
        them, or at the end.

        Args:
          image: [H, W, 3] or [H, W, 1] float32 in [0, 1].
          seed: [2] int32; needed if any operation is random. Each operation gets a seed of its
            own, derived from its position: an operation added at the end changes nothing before it.
          start: position of the first operation to apply.
          stop: position to stop before; the end if not given.

        Returns:
          [H, W, 3] float32 in [0, 1]; with `stop`, possibly one channel.

        Raises:
          ValueError: an operation to apply is random and there is no seed.
        """
        for position, step in list(enumerate(self.steps))[start:stop]:
            if step.random and seed is None:
                raise ValueError(f"{self.specification!r} is random and needs a seed.")
            step_seed = None
            if step.random:
                step_seed = tf.random.experimental.stateless_fold_in(seed, position)
            image = step(image if step.channelwise else three_channels(image), step_seed)
        return image if stop is not None else three_channels(image)


def three_channels(image: tf.Tensor) -> tf.Tensor:
    """Returns the image [H, W, 3]; a single channel is repeated three times."""
    if image.shape[-1] == 3:
        return image
    grey = tf.shape(image)[-1] == 1
    full = tf.cond(grey, lambda: tf.repeat(image[..., :1], 3, axis=-1), lambda: image)
    return tf.ensure_shape(full, [*image.shape[:2], 3])


def parse(specification: str, deterministic: bool = False) -> Preprocess:
    """Returns the operations of a specification.

    Args:
      specification: such as `resize(256) | random_crop(224)` or `finetune_cxr(448)`; empty for no
        operation. The returned specification has recipes written out.
      deterministic: refuse random operations, as evaluation requires.

    Raises:
      UserError: the text cannot be read, an operation or argument is unknown, or one is random
        where none may be.
    """
    if not specification.strip():
        return Preprocess(specification, ())
    nodes = piped(specification)
    expanded = [each for node in nodes for each in _expanded(node, specification)]
    check_operations(len(expanded), specification)
    steps = tuple(_step(node, specification) for node in expanded)
    _try(steps, specification)
    for step in steps:
        if deterministic and step.random:
            raise UserError(
                f"Preprocessing {quoted(specification)} must give the same result every time "
                f"here, but {step.name} is random."
            )
    text = specification if expanded == nodes else " | ".join(map(ast.unparse, expanded))
    return Preprocess(text, steps)


def _expanded(node: ast.expr, specification: str) -> list[ast.expr]:
    """Returns the operations of a recipe; a node that is no recipe stays as it is."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return [node]
    name = node.func.id
    if name not in recipes.names() and name not in recipes.RENAMED:
        return [node]
    try:
        arguments, keywords = _literals(node)
        return piped(recipes.expanded(name, *arguments, **keywords))
    except (ValueError, TypeError) as error:
        raise _wrong_arguments(name, error, specification) from error


def _step(node: ast.expr, specification: str) -> Step:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise UserError(
            f"Preprocessing {quoted(specification)}: {_source(node)} is not an operation; write "
            "name(arguments)."
        )
    name = node.func.id
    if name not in _OPERATIONS:
        choices = (*names(), *recipes.names())
        raise unknown_choice("preprocessing operation", name, choices)
    try:
        arguments, keywords = _literals(node)
        reserved = {"seed": None} if Step(name, (), {}).random else {}
        inspect.signature(_OPERATIONS[name]).bind(None, *arguments, **keywords, **reserved)
    except (ValueError, TypeError) as error:
        raise _wrong_arguments(name, error, specification) from error
    return Step(name, arguments, keywords)


def _source(node: ast.expr) -> str:
    try:
        return quoted(ast.unparse(node))
    except RecursionError:
        return "a part of it"


def _literals(node: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    arguments = tuple(_bounded(literal(argument)) for argument in node.args)
    return arguments, {str(word.arg): _bounded(literal(word.value)) for word in node.keywords}


def _bounded(value: Any, depth: int = 2) -> Any:
    """Returns an argument; raises a ValueError for one that no operation can mean."""
    if isinstance(value, tuple | list) and depth and len(value) <= _MOST_VALUES:
        for item in value:
            _bounded(item, depth - 1)
        return value
    known = (
        value is None
        or (isinstance(value, int | float) and abs(value) <= _LARGEST)
        or (isinstance(value, str) and len(value) <= _MOST_CHARACTERS)
    )
    if not known:
        raise ValueError(
            f"{_brief(value)} is an argument; expected numbers up to {_LARGEST:,}, a word, or "
            f"tuples of up to {_MOST_VALUES} of them"
        )
    return value


def _brief(value: object) -> str:
    # A number of thousands of digits cannot be written.
    too_long = isinstance(value, int) and abs(value) > _LARGEST**2
    return "a number of many digits" if too_long else shortened(repr(value), 40)


def _try(steps: tuple[Step, ...], specification: str) -> None:
    """Traces the steps once in a graph that is discarded, so that wrong values are refused now.

    Otherwise the same error would appear at the first batch of a training, as a traceback.
    """
    with tf.Graph().as_default():
        image = tf.compat.v1.placeholder(tf.float32, [None, None, 3])
        for step in steps:
            try:
                image = step(image, tf.constant([0, 0]) if step.random else None)
            except (ValueError, TypeError, ArithmeticError, tf.errors.OpError) as error:
                raise _wrong_arguments(step.name, error, specification) from error


def _wrong_arguments(name: str, error: Exception, specification: str) -> UserError:
    if name in _OPERATIONS:
        signature = list(inspect.signature(_OPERATIONS[name]).parameters.values())[1:]
    else:
        signature = list(inspect.signature(recipes.get(name)).parameters.values())
    parameters = [str(parameter) for parameter in signature if parameter.name != "seed"]
    reason = first_line(error).removesuffix(".")
    return UserError(
        f"Preprocessing {quoted(specification)}: wrong arguments of {name} "
        f"({shortened(reason, 300)}); it takes ({', '.join(parameters)})."
    )
