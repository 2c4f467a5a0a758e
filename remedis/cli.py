"""The `remedis` command."""

import argparse
import sys
from collections.abc import Sequence

from remedis.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="remedis",
        description="Foundation models for medical imaging. Research software, not a diagnostic "
        "device.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("list", help="the published checkpoints and what people ask of them")
    info = commands.add_parser("info", help="everything about a checkpoint, by name or folder")
    info.add_argument("what", metavar="NAME_OR_DIR", help="checkpoint name, or SavedModel folder")
    parsed = parser.parse_args(arguments)
    try:
        if parsed.command == "list":
            _list()
        else:
            _info(parsed.what)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _list() -> None:
    from remedis.reporting import checkpoints

    checkpoints.print_records()


def _info(what: str) -> None:
    from remedis.reporting import checkpoints

    checkpoints.print_info(what)


if __name__ == "__main__":
    sys.exit(main())
