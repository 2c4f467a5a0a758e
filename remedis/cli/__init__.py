"""The `remedis` command."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from remedis.cli import classifiers, console, data, embeddings, output
from remedis.cli.data import UNWELL
from remedis.errors import UserError

__all__ = ["UNWELL", "main"]


class _Parser(argparse.ArgumentParser):
    """Ends with one line and status 1, as every user's mistake does; argparse would take 2."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        parsed = _parser().parse_args(arguments)
        # Standard output of `--json` is JSON alone.
        to_stderr = getattr(parsed, "json", False)
        with console.shown(parsed.quiet, parsed.verbose, information_on_stderr=to_stderr):
            status: int = parsed.run(parsed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"error: {where}{error.strerror or error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="remedis",
        description="Foundation models for medical imaging. Research software, not a diagnostic "
        "device.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    listing = commands.add_parser("list", help="the published checkpoints and what people ask")
    listing.set_defaults(run=_list)
    info = commands.add_parser("info", help="everything about a checkpoint, by name or folder")
    info.add_argument("what", metavar="NAME_OR_DIR", help="checkpoint name, or SavedModel folder")
    info.set_defaults(run=_info)
    for module in (data, embeddings, classifiers):
        module.add(commands)
    for command in {*commands.choices.values()}:
        _add_verbosity(command)
    return parser


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--quiet", action="store_true", help="print warnings and results only")
    add("--verbose", action="store_true", help="print debugging lines too, with logger names")


def _list(_: argparse.Namespace) -> int:
    from remedis.reporting import checkpoint_info

    output.show(checkpoint_info.published_table())
    return 0


def _info(parsed: argparse.Namespace) -> int:
    from remedis.reporting import checkpoint_info

    output.show(checkpoint_info.checkpoint_info(parsed.what))
    return 0
