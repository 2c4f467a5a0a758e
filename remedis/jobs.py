"""Runs the absl jobs: a user's mistake is one line on standard error, not a traceback."""

import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from remedis.errors import UserError


def run(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main`; exits with status 1 and one line for a user's mistake."""
    logging.set_verbosity(logging.WARNING)  # TensorFlow tells every step of a save at INFO
    app.run(lambda _: _reporting(main), flags_parser=lambda argv: _reporting(lambda: _parse(argv)))


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        raise UserError(str(error)) from error
    if len(rest) > 1:
        raise UserError(
            f"Unknown arguments {' '.join(rest[1:])!r}; options are written --name=value."
        )
    return rest


def _reporting(do: Callable[[], object]) -> object:
    try:
        return do()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was.", file=sys.stderr)
        sys.exit(130)
