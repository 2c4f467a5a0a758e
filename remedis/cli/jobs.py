"""Jobs: programs with absl flags, most of which set keys of a config.

A job runs as `remedis NAME` and as a script of a checkout. A user's mistake on the command line is
one line on standard error, before TensorFlow is loaded.
"""

import contextlib
import dataclasses
import difflib
import faulthandler
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import ml_collections
from absl import flags, logging
from ml_collections import config_flags
from rich.console import RenderableType

import remedis
from remedis.api import config_files, early_checks
from remedis.api.config_files import FLAG
from remedis.cli import config_options, console, exit_status, output, tensorflow_start
from remedis.errors import UserError, unknown_choice
from remedis.options import literal, spelled_for

_NEEDED = ("weights", "workdir")  # a job refuses to start without these flags
_HELP = ("-h", "-help", "--help", "--helpfull", "--helpshort")


@dataclasses.dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
      description: shown by `--help` above the flags.
      define: adds the job's own flags.
      run: does the work, given the values of the flags; imports TensorFlow itself. Returns the exit
        status; None for 0.
      configured: whether the job takes `--config=NAME_OR_FILE[:argument]`.
    """

    description: str
    define: Callable[[flags.FlagValues], None]
    run: Callable[[flags.FlagValues], int | None]
    configured: bool = True


def main(job: Job, arguments: Sequence[str] | None = None) -> int:
    """Runs a job and returns the exit status.

    Args:
      job: to run.
      arguments: the command line after the name of the job; that of the process if not given.
    """
    tensorflow_start.hush()
    # Every step of a save is an INFO line of absl's.
    logging.set_verbosity(logging.WARNING)
    with contextlib.suppress(Exception):  # a standard error that is no file, as in tests
        faulthandler.enable()
    written = sys.argv[1:] if arguments is None else list(arguments)
    with spelled_for("config" if job.configured else "command"):
        place = exit_status.Output()
        return exit_status.of_job(lambda: _run(job, written, place), place)


def _run(job: Job, arguments: list[str], place: exit_status.Output) -> int:
    values = own_flags(job)
    if "--version" in arguments:
        print(f"remedis {remedis.__version__}")
        return 0
    with console.shown():
        if job.configured:
            arguments = _define_config(values, arguments)
        if any(argument in _HELP for argument in arguments):
            print(f"{job.description.strip()}\n{_usage(values)}\n{values.get_help()}")
            return 0
        _parse(values, arguments)
    named = (values[name].value for name in ("workdir", "out") if name in values)
    place.path = next(named, None) or ""
    with console.shown(quiet=values.quiet, verbose=values.verbose):
        if job.configured:
            early_checks.check_config(values.config)
        return job.run(values) or 0


def own_flags(job: Job) -> flags.FlagValues:
    """Returns the flags of a job without `--config`."""
    values = flags.FlagValues()
    flags.DEFINE_bool("quiet", False, "Print warnings and results only.", flag_values=values)
    flags.DEFINE_bool(
        "verbose", False, "Print debugging lines too, with names of loggers.", flag_values=values
    )
    job.define(values)
    return values


def _usage(values: flags.FlagValues) -> str:
    """Returns the options that a job needs, which absl lists among all others."""
    needed = [values[name] for name in _NEEDED if name in values]
    lines = [f"  --{flag.name}=...  {flag.help}" for flag in needed]
    if FLAG in values:
        lines.insert(
            0,
            f"  --{FLAG}=NAME_OR_FILE[:ARGUMENT]  the experiment: a name from the list below, such "
            f"as own_data,\n      or a file of yours\n  --{FLAG}.KEY=VALUE  sets a key of it",
        )
    return "\n".join(["\nNeeded:", *lines])


def train(
    work: Callable[[ml_collections.ConfigDict, str], Any],
    report: Callable[[str], RenderableType],
    config: ml_collections.ConfigDict,
    workdir: str,
) -> None:
    """Trains and reports; starts the process again if another worker is lost.

    Args:
      work: trains, of the config and the directory; resumes from the last checkpoint.
      report: of the directory; the first worker prints it.
      config: of the run, with `distribution`.
      workdir: its directory.
    """
    # Imported late, so that a wrong flag is reported at once.
    from remedis.training import determinism
    from remedis.training.distribution import WorkerLost, is_chief

    with determinism.prepared():
        try:
            work(config, workdir)
        except WorkerLost as lost:
            restart(lost)
    if is_chief(config.distribution):
        output.show(report(workdir))


def restart(reason: BaseException) -> NoReturn:
    """Replaces this process by a new one with the same command line."""
    print(f"{reason} Waiting for it ...", file=sys.stderr, flush=True)
    os.execv(sys.executable, sys.orig_argv)


def _define_config(values: flags.FlagValues, arguments: list[str]) -> list[str]:
    """Defines `--config`; returns the arguments with the file's path and new names of keys."""
    arguments = config_options.write_labels(config_options.rename_options(arguments))
    named = _config_argument(arguments)
    if named is not None:
        at, written = named
        name, colon, argument = written.partition(":")
        file = config_files.find(name)
        config_files.make_importable(file)
        path = f"{file}{colon}{argument}"
        arguments[at] = f"--{FLAG}={path}" if arguments[at] != written else path
    config_flags.DEFINE_config_file(
        FLAG,
        None,
        f"The experiment: {config_files.EITHER}; arguments follow a colon, as in chexpert:"
        f"rehearsal. Its keys are set by --{FLAG}.KEY=VALUE. Configs of this version: "
        f"{', '.join(config_files.names())}.",
        flag_values=values,
        sys_argv=[sys.argv[0], *arguments],
    )
    return arguments


def _config_argument(arguments: Sequence[str]) -> tuple[int, str] | None:
    """Returns the index of the argument that holds the value of `--config`, and the value."""
    for i, argument in enumerate(arguments):
        name, sign, value = argument.partition("=")
        if name in (f"--{FLAG}", f"-{FLAG}"):
            if sign:
                return i, value
            if i + 1 < len(arguments):
                return i + 1, arguments[i + 1]
    return None


def _parse(values: flags.FlagValues, arguments: Sequence[str]) -> None:
    """Parses the command line; raises a UserError for whatever is wrong with it."""
    try:
        rest = values([sys.argv[0], *arguments])
    except flags.UnrecognizedFlagError as error:
        near = difflib.get_close_matches(error.flagname, list(values), n=1)
        hint = f": did you mean --{near[0]}?" if near else "."
        raise UserError(f"Unknown option --{error.flagname}{hint} See --help.") from error
    except Exception as error:
        raise _explained(error, arguments) from error
    if len(rest) > 1:
        raise UserError(f"Unknown argument {rest[1]!r}; options are written --name=value.")
    if FLAG in values:
        _check_config(values[FLAG], arguments)


def _check_config(flag: Any, arguments: Sequence[str]) -> None:
    """Raises a UserError unless the flag holds a config, and gives its keys today's names."""
    if flag.value is None:
        raise UserError(f"--{FLAG} is not set; name {config_files.EITHER}.")
    if not isinstance(flag.value, ml_collections.ConfigDict):
        named = _config_argument(arguments)
        try:
            kind = type(flag.value.to_dict()).__name__
        except OSError as error:  # raised by the file, kept by ml_collections until it is used
            raise _explained(error, arguments) from error
        except AttributeError:
            kind = type(flag.value).__name__
        raise UserError(
            f"--{FLAG}={named and named[1]}: get_config() returned {kind}; expected a ConfigDict."
        )
    config_files.rename_keys(flag.value, flag.override_values)


def _explained(error: BaseException, arguments: Sequence[str]) -> UserError:
    """Returns a UserError for an error that absl or ml_collections raises on a command line."""
    # A UserError raised in a config file comes wrapped in others' exceptions, one of which may be
    # a UserError with a traceback as its text: only the innermost has the original sentence.
    chain: list[BaseException] = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(inner)
    if mistakes := [link for link in chain if isinstance(link, UserError)]:
        return mistakes[-1]
    if match := re.search(r"Flag --(\w+) must have a value", str(error)):
        return UserError(f"--{match[1]} is not set; see --help.")
    named = _config_argument(arguments)
    if named is not None and isinstance(chain[-1], KeyError | ValueError | SyntaxError):
        _check_overrides(named[1], arguments)
    lines = str(chain[-1]).strip().splitlines() or [""]
    source = f"--{FLAG}={named[1]}" if named else "The command line"
    return UserError(f"{source} cannot be read ({type(chain[-1]).__name__}: {lines[-1]}).")


def _check_overrides(file: str, arguments: Sequence[str]) -> None:
    """Raises a UserError for the first `--config.key=value` that the config in `file` refuses."""
    path, _, argument = file.partition(":")
    try:
        config = runpy.run_path(path)["get_config"](*([argument] if argument else []))
    except Exception:
        return  # the file itself cannot be read
    types = dict(_types(config))
    for text in arguments:
        match = re.fullmatch(rf"--?(?:no)?{FLAG}\.([\w.]+)(?:=(.*))?", text, re.DOTALL)
        if match is None:
            continue
        key, value = match.groups()
        if key not in types:
            raise unknown_choice("config key", key, types)
        if value is not None and (expected := _refused(types[key], value)):
            raise UserError(f"--{FLAG}.{key}={value}: expected {expected}.")


def _refused(kind: type, value: str) -> str | None:
    """Returns a description of the expected text if `value` is no text of type `kind`."""
    parsers: dict[type, tuple[Callable[[str], Any], str]] = {
        int: (int, "a whole number"),
        float: (float, "a number"),
        bool: (flags.BooleanParser().parse, "true or false"),
        tuple: (_tuple, """'("one", "two")'"""),
    }
    if kind not in parsers:
        return None
    parse, expected = parsers[kind]
    try:
        parse(value)
    except (ValueError, SyntaxError):
        return expected
    return None


def _tuple(value: str) -> None:
    """Raises the error of ml_collections for text that is no tuple; one word is a tuple of one."""
    if "," in value or " " in value:
        literal(value)


def _types(config: ml_collections.ConfigDict, prefix: str = "") -> Iterator[tuple[str, type]]:
    for key, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from _types(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", config.get_type(key)
