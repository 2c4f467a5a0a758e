"""The `remedis` command."""

import argparse
import importlib
import itertools
import logging
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

import remedis
from remedis import limits
from remedis.cli import (
    checklist_command,
    classifier_commands,
    command_checks,
    console,
    data_commands,
    embedding_commands,
    exit_status,
    explain_command,
    export_command,
    import_predictions_command,
    manifest_command,
    output,
    pack_command,
    predict_command,
    report_command,
    robustness_command,
    search_command,
    serve_command,
    tensorflow_start,
)
from remedis.cli.data_commands import UNWELL
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled_for

__all__ = ["UNWELL", "main"]

_LOG = logging.getLogger(__name__)

# Jobs parse their own flags. By name: the module, and the summary in the list of commands.
JOBS = {
    "build": ("build_job", "builds checkpoint folders from weights"),
    "finetune": ("finetune_job", "fine-tunes a checkpoint on labelled images, by a config"),
    "pretrain": ("pretrain_job", "pretrains a backbone on unlabelled images, by a config"),
    "ood-curves": (
        "ood_curves_job",
        "measures how many labelled patients another hospital needs, by a config",
    ),
    "suite": ("suite_job", "compares checkpoints on many data sets, by a config"),
}
# Options that had underscores in version 0.1.
OLD_OPTIONS = (
    "--allow_missing_patient_ids",
    "--batch_size",
    "--max_bad_images",
    "--split_seed",
    "--split_unit",
)


class _Parser(argparse.ArgumentParser):
    """Ends with one line and status 1, as every user's mistake does; argparse would take 2."""

    def error(self, message: str) -> NoReturn:
        if wrong := re.match(
            r"argument command: invalid choice: '(.*?)' \(choose from (.*)\)", message
        ):
            raise unknown_choice("command", wrong[1], re.findall(r"[\w-]+", wrong[2]))
        raise UserError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    tensorflow_start.hush()
    written = list(sys.argv[1:] if arguments is None else arguments)
    options = list(itertools.takewhile(lambda argument: argument.startswith("-"), written))
    command, rest = written[len(options) : len(options) + 1], written[len(options) + 1 :]
    if command and command[0] in JOBS:
        job = importlib.import_module(f"remedis.cli.{JOBS[command[0]][0]}")
        status: int = job.main([*options, *rest])
        return status
    with spelled_for("command"):
        place = exit_status.Output()
        return exit_status.of_command(lambda: _run(written, place), place)


def _run(written: Sequence[str], place: exit_status.Output) -> int:
    written, further = _apart(written)
    with console.shown():
        parsed = parser().parse_args(list(map(_hyphenated, written)))
    if further:
        parsed.runner_options = further
    place.path = str(getattr(parsed, "out", None) or getattr(parsed, "table_file", None) or "")
    # Standard output of `--json` is JSON alone.
    to_stderr = getattr(parsed, "json", False)
    with (
        console.shown(parsed.quiet, parsed.verbose, information_on_stderr=to_stderr),
        limits.megapixels(getattr(parsed, "max_megapixels", None)),
    ):
        command_checks.check_command(parsed)
        status: int = parsed.run(parsed)
    return status


def _apart(written: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns a command line and the options of a Beam runner, which follow `--`."""
    line = list(written)
    end = line.index("--") if "--" in line else len(line)
    if any(part.partition("=")[0] == "--runner" for part in line[:end]):
        return line[:end], line[end + 1 :]
    return line, []


def _hyphenated(argument: str) -> str:
    """Returns an argument with today's name of an option; warns of an old one."""
    name, sign, value = argument.partition("=")
    if name not in OLD_OPTIONS:
        return argument
    new = name.replace("_", "-")
    _LOG.warning(f"{name} is now written {new}; the old form works in this version only.")
    return f"{new}{sign}{value}"


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line: one subparser per command, and one per job."""
    main_parser = _Parser(
        prog="remedis",
        description="Foundation models for medical imaging. Research software, not a diagnostic "
        "device.",
    )
    version = f"remedis {remedis.__version__}"
    main_parser.add_argument("--version", action="version", version=version)
    _add_verbosity(main_parser, default=False)
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="command")
    listing = commands.add_parser(
        "list", help="lists the published checkpoints, where they are and how to read them"
    )
    output.add_table_arguments(listing)
    listing.set_defaults(run=_list)
    info = commands.add_parser(
        "info",
        help="describes a checkpoint by name or folder, or a run: weights, data, performance",
    )
    info.add_argument(
        "name_or_folder",
        metavar="NAME_OR_DIR",
        help="checkpoint name, SavedModel folder, or directory of a run, study or evaluation",
    )
    output.add_table_arguments(info)
    info.set_defaults(run=_info)
    for module in (
        manifest_command,
        data_commands,
        embedding_commands,
        search_command,
        classifier_commands,
        import_predictions_command,
        explain_command,
        robustness_command,
        predict_command,
        report_command,
        checklist_command,
        export_command,
        pack_command,
        serve_command,
    ):
        module.add(commands)
    for command in commands.choices.values():
        # Without a default, an option before the command keeps its value.
        _add_verbosity(command, default=argparse.SUPPRESS)
    for name, (_, summary) in JOBS.items():
        commands.add_parser(name, help=summary, add_help=False)
    return main_parser


def _add_verbosity(parser: argparse.ArgumentParser, default: bool | str) -> None:
    def add(name: str, meaning: str) -> None:
        parser.add_argument(name, action="store_true", default=default, help=meaning)

    add("--quiet", "print warnings and results only")
    add("--verbose", "print debugging lines too, with names of loggers")


def _list(parsed: argparse.Namespace) -> int:
    from remedis.reporting import checkpoint_info
    from remedis.zoo import records

    values = list(records.RECORDS.values())
    output.show_table(parsed, checkpoint_info.published_table(), values)
    return 0


def _info(parsed: argparse.Namespace) -> int:
    from remedis.reporting import checkpoint_info

    report, values = checkpoint_info.info(parsed.name_or_folder)
    output.show_table(parsed, report, values)
    return 0
