"""Runs the absl jobs: a user's mistake is one line on standard error, not a traceback."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags

from remedis.errors import UserError, unknown_choice

CONFIG = "config"


def define_config() -> flags.FlagHolder:
    """Defines `--config=FILE.py[:argument]`, whose keys are set by `--config.key=value`."""
    return config_flags.DEFINE_config_file(CONFIG, None, "Experiment, a file in configs/.")


def run(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main`; exits with status 1 and one line for a user's mistake."""
    # TensorFlow tells every step of a save at INFO, and at import that there is no accelerator.
    logging.set_verbosity(logging.WARNING)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app.run(lambda _: reporting(main), flags_parser=lambda argv: reporting(lambda: _parse(argv)))


def reporting(do: Callable[[], Any]) -> Any:
    """Returns what `do` returns; a UserError or an interruption ends the process with one line."""
    try:
        return do()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was.", file=sys.stderr)
        sys.exit(130)


def _parse(argv: Sequence[str]) -> list[str]:
    """Parses the command line, turning whatever is wrong with it into a UserError."""
    try:
        rest = flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        if error.flagname.startswith(f"{CONFIG}."):
            keys = list(_keys(_config()))
            raise unknown_choice("config key", error.flagname[len(CONFIG) + 1 :], keys) from error
        raise UserError(f"{error}.") from error
    except Exception as error:
        # A UserError raised in a config file comes wrapped in others' exceptions.
        raise _cause(error) from error
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


def _cause(error: BaseException) -> UserError:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, UserError):
            return found
        found = found.__cause__ or found.__context__
    return UserError(str(error).strip().splitlines()[-1])


def _keys(config: ml_collections.ConfigDict, prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from _keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
