"""Runs the absl jobs: a user's mistake is one line on standard error, not a traceback."""

import ast
import difflib
import errno
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags
from rich.console import RenderableType

from remedis.cli import console, output
from remedis.errors import UserError, unknown_choice

CONFIG = "config"
# What the system says where it is the disk that has to be mended and not the program.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


_QUIET = flags.DEFINE_bool("quiet", False, "Print warnings and results only.")
_VERBOSE = flags.DEFINE_bool("verbose", False, "Print debugging lines too, with logger names.")


def define_config() -> flags.FlagHolder:
    """Defines `--config=FILE.py[:argument]`, whose keys are set by `--config.key=value`."""
    return config_flags.DEFINE_config_file(CONFIG, None, "Experiment, a file in configs/.")


def run(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main`; exits with status 1 and one line for a user's mistake."""
    # TensorFlow tells every step of a save at INFO, and at import that there is no accelerator.
    logging.set_verbosity(logging.WARNING)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app.run(
        lambda _: exit_on_mistake(lambda: _shown(main)),
        flags_parser=lambda argv: exit_on_mistake(lambda: _parse(argv)),
    )


def _shown(main: Callable[[], None]) -> None:
    with console.shown(quiet=_QUIET.value, verbose=_VERBOSE.value):
        main()


def exit_on_mistake(do: Callable[[], Any]) -> Any:
    """Returns what `do` returns; a UserError or an interruption ends the process with one line."""
    try:
        return do()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        what = error.filename or "a file of the run"
        print(
            f"error: {what} cannot be written ({os.strerror(error.errno)}); make room or mend the "
            "rights, and the same command goes on from its last checkpoint.",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was.", file=sys.stderr)
        sys.exit(130)


def train(
    work: Callable[[ml_collections.ConfigDict, str], Any],
    report: Callable[[str], RenderableType],
    config: ml_collections.ConfigDict,
    workdir: str,
) -> None:
    """Trains, from the last checkpoint again if another worker is lost, and shows what came out.

    Args:
      work: of the config, in the directory.
      report: of the directory; the first worker prints it.
      config: of the run, with `distribution`.
      workdir: its directory.
    """
    # TensorFlow takes seconds to load; a wrong flag should not.
    from remedis.training.determinism import prepare_process
    from remedis.training.distribution import WorkerLost, is_chief

    prepare_process()
    try:
        work(config, workdir)
    except WorkerLost as lost:
        start_again(lost)
    if is_chief(config.distribution):
        output.show(report(workdir))


def start_again(reason: BaseException) -> NoReturn:
    """Replaces this process by a new one with the same command line."""
    print(f"{reason} Waiting for it ...", file=sys.stderr, flush=True)
    os.execv(sys.executable, sys.orig_argv)


def _parse(argv: Sequence[str]) -> list[str]:
    """Parses the command line, turning whatever is wrong with it into a UserError."""
    try:
        rest = flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        near = difflib.get_close_matches(error.flagname, list(flags.FLAGS), n=1)
        hint = f": did you mean --{near[0]}?" if near else "."
        raise UserError(f"Unknown option --{error.flagname}{hint} See --help.") from error
    except Exception as error:
        raise _explained(error, argv) from error
    if len(rest) > 1:
        raise UserError(f"Unknown argument {rest[1]!r}; options are written --name=value.")
    if CONFIG in flags.FLAGS:
        _config()
    return rest


def _config() -> ml_collections.ConfigDict:
    value = flags.FLAGS[CONFIG].value
    if value is None:
        raise UserError("--config is not set; name a file such as configs/chexpert.py.")
    if not isinstance(value, ml_collections.ConfigDict):
        named = next((a for a in sys.argv if a.startswith(f"--{CONFIG}=")), "--config")
        raise UserError(f"{named}: there is no such config file; see configs/.")
    return value


def _explained(error: BaseException, argv: Sequence[str]) -> UserError:
    """Returns a sentence for what absl or ml_collections says of a command line."""
    # A UserError raised in a config file comes wrapped in others' exceptions, one of which may be
    # a UserError again, with a traceback as its text: the innermost is the one that was meant.
    chain: list[BaseException] = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(inner)
    if found := [link for link in chain if isinstance(link, UserError)]:
        return found[-1]
    if match := re.search(r"Flag --(\w+) must have a value", str(error)):
        return UserError(f"--{match[1]} is not set; see --help.")
    file = next((a.partition("=")[2] for a in argv if a.startswith(f"--{CONFIG}=")), None)
    if file is not None and isinstance(chain[-1], KeyError | ValueError | SyntaxError):
        _check_overrides(file, argv)
    what = str(chain[-1]).strip().splitlines() or [""]
    named = f"--{CONFIG}={file}" if file else "The command line"
    return UserError(f"{named} cannot be read ({type(chain[-1]).__name__}: {what[-1]}).")


def _check_overrides(file: str, argv: Sequence[str]) -> None:
    """Raises a UserError for the first `--config.key=value` that the config in `file` refuses."""
    path, _, argument = file.partition(":")
    try:
        config = runpy.run_path(path)["get_config"](*([argument] if argument else []))
    except Exception:
        return  # the file itself is what cannot be read
    types = dict(_types(config))
    for text in argv:
        match = re.fullmatch(rf"--?(?:no)?{CONFIG}\.([\w.]+)(?:=(.*))?", text, re.DOTALL)
        if match is None:
            continue
        key, value = match.groups()
        if key not in types:
            raise unknown_choice("config key", key, types)
        if value is not None and (expected := _refused(types[key], value)):
            raise UserError(f"--{CONFIG}.{key}={value}: expected {expected}.")


def _refused(kind: type, value: str) -> str | None:
    """Returns what would be right, if `value` is none of `kind`."""
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
    """Raises what ml_collections does for text that is no tuple; a word alone is one of one."""
    if "," in value or " " in value:
        ast.literal_eval(value)


def _types(config: ml_collections.ConfigDict, prefix: str = "") -> Iterator[tuple[str, type]]:
    for key, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from _types(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", config.get_type(key)
