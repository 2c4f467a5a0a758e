"""Operations on one image, by name, and the specification that strings them together.

A specification is text such as `resize(256) | random_crop(224) | flip_left_right()`: operations in
the order they are applied, with literal arguments. Text travels through configs, command lines,
JSON and exported models unchanged. Among the operations, the name of a recipe such as
`finetune_cxr(448)` stands for those of `remedis.preprocess.recipes`.
"""

import ast
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from remedis.errors import UserError, unknown_choice
from remedis.preprocess import recipes

Operation = Callable[..., tf.Tensor]
_OPERATIONS: dict[str, Operation] = {}
_CHANNELWISE: set[str] = set()


def operation(function: Operation) -> Operation:
    """Registers an operation under its name.

    It takes an image [H, W, 3] float32 in [0, 1] first and returns one. With a keyword argument
    `seed` ([2] int32) it is random, and must draw from nothing else.
    """
    _OPERATIONS[function.__name__] = function
    return function


def channelwise(function: Operation) -> Operation:
    """Registers an operation that does the same to every channel, as well to [H, W, 1].

    Of a grey image it needs to see one channel only, a third of the work: the result must be, bit
    for bit, one channel of what it makes of three equal ones.
    """
    _CHANNELWISE.add(function.__name__)
    return operation(function)


def names() -> tuple[str, ...]:
    """Returns the names of all operations."""
    return tuple(sorted(_OPERATIONS))


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation with its arguments."""

    name: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    @property
    def random(self) -> bool:
        """Whether the operation draws random numbers."""
        return "seed" in inspect.signature(_OPERATIONS[self.name]).parameters

    @property
    def channelwise(self) -> bool:
        """Whether the operation can do with one channel of a grey image."""
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
        """Whether any operation draws random numbers."""
        return any(step.random for step in self.steps)

    @property
    def fixed(self) -> int:
        """How many operations at the beginning are not random: what a cache may remember."""
        random = [step.random for step in self.steps]
        return random.index(True) if True in random else len(random)

    def __call__(
        self,
        image: tf.Tensor,
        seed: tf.Tensor | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> tf.Tensor:
        """Returns the image after all operations, or those from `start` to before `stop`.

        Grey images may come with one channel; they get three before the first operation that needs
        them, and at the end.

        Args:
          image: [H, W, 3] or [H, W, 1] float32 in [0, 1].
          seed: [2] int32; needed if any operation is random. Each operation gets one of its own,
            so that adding one at the end changes nothing before it.
          start: position of the first operation to apply.
          stop: position to stop before; the end if not given.
        """
        for position, step in list(enumerate(self.steps))[start:stop]:
            if step.random and seed is None:
                raise ValueError(f"{self.specification!r} is random and needs a seed.")
            own = tf.random.experimental.stateless_fold_in(seed, position) if step.random else None
            image = step(image if step.channelwise else three_channels(image), own)
        return image if stop is not None else three_channels(image)


def three_channels(image: tf.Tensor) -> tf.Tensor:
    """Returns [H, W, 3]: the image, or its one channel three times."""
    if image.shape[-1] == 3:
        return image
    grey = tf.shape(image)[-1] == 1
    full = tf.cond(grey, lambda: tf.repeat(image[..., :1], 3, axis=-1), lambda: image)
    return tf.ensure_shape(full, [*image.shape[:2], 3])


def parse(specification: str, deterministic: bool = False) -> Preprocess:
    """Returns the operations of a specification.

    Args:
      specification: such as `resize(256) | random_crop(224)` or `evaluation(224)`; empty for no
        operation. In what is returned, recipes are written out.
      deterministic: refuse random operations, as evaluation must.

    Raises:
      UserError: the text cannot be read, an operation or argument is unknown, or one is random
        where none may be.
    """
    if not specification.strip():
        return Preprocess(specification, ())
    nodes = _nodes(specification)
    plain = [part for node in nodes for part in _expanded(node, specification)]
    steps = tuple(_step(node, specification) for node in plain)
    _try(steps, specification)
    for step in steps:
        if deterministic and step.random:
            raise UserError(
                f"Preprocessing {specification!r} must give the same every time here, but "
                f"{step.name} is random."
            )
    text = specification if plain == nodes else " | ".join(map(ast.unparse, plain))
    return Preprocess(text, steps)


def _nodes(specification: str) -> list[ast.expr]:
    """Returns what stands between the bars."""
    try:
        tree = ast.parse(specification.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:  # the latter of null bytes, before Python 3.12
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise UserError(
            f"Preprocessing {specification!r} cannot be read ({reason}); write operations with "
            "| between them, such as 'resize(256) | random_crop(224)'."
        ) from error
    nodes: list[ast.expr] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
        nodes.append(tree.right)
        tree = tree.left
    return [tree, *reversed(nodes)]


def _expanded(node: ast.expr, specification: str) -> list[ast.expr]:
    """Returns the operations of a recipe, or the node alone if it is none."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return [node]
    name = node.func.id
    if name not in recipes.names():
        return [node]
    try:
        arguments, keywords = _literals(node)
        return _nodes(recipes.expanded(name, *arguments, **keywords))
    except (ValueError, TypeError) as error:
        raise _wrong_arguments(name, error, specification) from error


def _step(node: ast.expr, specification: str) -> Step:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise UserError(
            f"Preprocessing {specification!r}: {ast.unparse(node)!r} is not an operation; write "
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


def _literals(node: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    arguments = tuple(ast.literal_eval(argument) for argument in node.args)
    return arguments, {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}


def _try(steps: tuple[Step, ...], specification: str) -> None:
    """Builds the steps into a graph that is thrown away, so that they refuse wrong values now.

    The same refusal from a training's first batch would come late and as a traceback.
    """
    with tf.Graph().as_default():
        image = tf.compat.v1.placeholder(tf.float32, [None, None, 3])
        for step in steps:
            try:
                image = step(image, tf.constant([0, 0]) if step.random else None)
            except (ValueError, TypeError) as error:
                raise _wrong_arguments(step.name, error, specification) from error


def _wrong_arguments(name: str, error: Exception, specification: str) -> UserError:
    if name in _OPERATIONS:
        signature = list(inspect.signature(_OPERATIONS[name]).parameters.values())[1:]
    else:
        signature = list(inspect.signature(recipes.get(name)).parameters.values())
    parameters = [str(parameter) for parameter in signature if parameter.name != "seed"]
    reason = str(error).strip().splitlines()[0].removesuffix(".")
    return UserError(
        f"Preprocessing {specification!r}: wrong arguments of {name} ({reason}); it takes "
        f"({', '.join(parameters)})."
    )
