"""What started a piece of work, as its records say: a command line, or a call of the public API."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator

_call = ""


def command() -> str:
    """Returns the command line of this process, or the call that `called` names."""
    return _call or shlex.join([_program(sys.argv[0]), *sys.argv[1:]])


def _program(path: str) -> str:
    """Returns the name to start a program by; `python -m remedis.cli` has the path of a module."""
    own = os.path.dirname(os.path.abspath(__file__))
    return "remedis" if path in (_main(own), _main(os.path.join(own, "cli"))) else path


def _main(package: str) -> str:
    return os.path.join(package, "__main__.py")


@contextlib.contextmanager
def called(function: str, *arguments: object) -> Iterator[None]:
    """Has `command` return a call such as `remedis.finetune(config, 'runs/a')` in the block.

    The command line of a notebook's process names a file of the connection, and no work.

    Args:
      function: its name.
      *arguments: those that a reader of the record needs; paths and texts are quoted.
    """
    global _call
    texts = (
        repr(os.fspath(a)) if isinstance(a, str | os.PathLike) else type(a).__name__
        for a in arguments
    )
    before, _call = _call, f"remedis.{function}({', '.join(texts)})"
    try:
        yield
    finally:
        _call = before
