"""Operations on one image, by name, and the specification that strings them together.

A specification is text such as `resize(256) | random_crop(224) | flip_left_right()`: operations in
the order they are applied, with literal arguments. Text travels through configs, command lines,
JSON and exported models unchanged.
"""

import ast
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from remedis.errors import UserError, unknown_choice

Operation = Callable[..., tf.Tensor]
_OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    """Registers an operation under its name.

    It takes an image [H, W, 3] float32 in [0, 1] first and returns one. With a keyword argument
    `seed` ([2] int32) it is random, and must draw from nothing else.
    """
    _OPERATIONS[function.__name__] = function
    return function


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

    def __call__(self, image: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the image after all operations.

        Args:
          image: [H, W, 3] float32 in [0, 1].
          seed: [2] int32; needed if any operation is random. Each operation gets one of its own,
            so that adding one at the end changes nothing before it.
        """
        if self.random and seed is None:
            raise ValueError(f"{self.specification!r} is random and needs a seed.")
        for position, step in enumerate(self.steps):
            own = tf.random.experimental.stateless_fold_in(seed, position) if step.random else None
            image = step(image, own)
        return image


def parse(specification: str, deterministic: bool = False) -> Preprocess:
    """Returns the operations of a specification.

    Args:
      specification: such as `resize(256) | random_crop(224)`; empty for no operation.
      deterministic: refuse random operations, as evaluation must.

    Raises:
      UserError: the text cannot be read, an operation or argument is unknown, or one is random
        where none may be.
    """
    if not specification.strip():
        return Preprocess(specification, ())
    try:
        tree = ast.parse(specification.strip(), mode="eval").body
        nodes: list[ast.expr] = []
        while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
            nodes.append(tree.right)
            tree = tree.left
        nodes.append(tree)
        steps = tuple(_step(node, specification) for node in reversed(nodes))
    except SyntaxError as error:
        raise UserError(
            f"Preprocessing {specification!r} cannot be read ({error.msg}); write operations with "
            "| between them, such as 'resize(256) | random_crop(224)'."
        ) from error
    _try(steps, specification)
    for step in steps:
        if deterministic and step.random:
            raise UserError(
                f"Preprocessing {specification!r} is for evaluation, which must be repeatable; "
                f"{step.name} is random."
            )
    return Preprocess(specification, steps)


def _step(node: ast.expr, specification: str) -> Step:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise UserError(
            f"Preprocessing {specification!r}: {ast.unparse(node)!r} is not an operation; write "
            "name(arguments)."
        )
    name = node.func.id
    if name not in _OPERATIONS:
        raise unknown_choice("preprocessing operation", name, names())
    try:
        arguments = tuple(ast.literal_eval(argument) for argument in node.args)
        keywords = {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
        reserved = {"seed": None} if Step(name, (), {}).random else {}
        inspect.signature(_OPERATIONS[name]).bind(None, *arguments, **keywords, **reserved)
    except (ValueError, TypeError) as error:
        raise _wrong_arguments(name, error, specification) from error
    return Step(name, arguments, keywords)


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
    parameters = [
        str(parameter)
        for parameter in list(inspect.signature(_OPERATIONS[name]).parameters.values())[1:]
        if parameter.name != "seed"
    ]
    reason = str(error).strip().splitlines()[0].removesuffix(".")
    return UserError(
        f"Preprocessing {specification!r}: wrong arguments of {name} ({reason}); it takes "
        f"({', '.join(parameters)})."
    )
