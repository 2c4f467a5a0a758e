"""The text of a specification of preprocessing, read without TensorFlow."""

import ast

from remedis.errors import UserError, quoted
from remedis.options import MAX_CHARACTERS

MAX_OPERATIONS = 50


def piped(specification: str) -> list[ast.expr]:
    """Returns the expressions between the bars of a specification of preprocessing.

    Args:
      specification: such as `resize(256) | random_crop(224)`.

    Raises:
      UserError: the text is no such list of expressions.
    """
    if len(specification) > MAX_CHARACTERS:
        raise UserError(
            f"Preprocessing {quoted(specification)} has {len(specification):,} characters; "
            f"expected at most {MAX_CHARACTERS:,}."
        )
    try:
        tree = ast.parse(specification.strip(), mode="eval").body
    # ValueError: null bytes, before Python 3.12. Text that is nested deeply, as also a long chain
    # of bars is, takes more stack than there is.
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        nested = isinstance(error, MemoryError | RecursionError)
        reason = "it is nested too deeply" if nested else getattr(error, "msg", None) or error
        raise UserError(
            f"Preprocessing {quoted(specification)} cannot be read ({reason}); write operations "
            "with | between them, such as 'resize(256) | random_crop(224)'."
        ) from error
    expressions: list[ast.expr] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
        expressions.append(tree.right)
        tree = tree.left
    check_operations(len(expressions) + 1, specification)
    return [tree, *reversed(expressions)]


def check_operations(count: int, specification: str) -> None:
    """Raises a UserError if a specification has more than `MAX_OPERATIONS` operations."""
    if count > MAX_OPERATIONS:
        raise UserError(
            f"Preprocessing {quoted(specification)} has {count:,} operations; expected at most "
            f"{MAX_OPERATIONS}."
        )


def with_size(specification: str, size: int | None, what: str) -> str:
    """Returns a specification with the image size in place of `{size}`.

    Args:
      specification: as a config has it.
      size: height and width, pixels; None if the config has none.
      what: the name of the option, as its error message begins.

    Raises:
      UserError: it has something else in braces.
    """
    filled = specification.replace("{size}", str(size))
    if "{" in filled or "}" in filled:
        raise UserError(
            f"{what} is {quoted(specification)}; the only thing in braces may be {{size}}."
        )
    return filled
