"""Config files: found by name or path, importable from anywhere, with old names of keys.

The configs of the project lie in `configs/` of a checkout and in `remedis/share/configs` of an
installed package. All of them, and copies of them anywhere, do `from configs import common`.
"""

import difflib
import logging
import os
import pathlib
import runpy
import sys
from collections.abc import Collection

import ml_collections

import remedis
from remedis.errors import UserError, unknown_choice
from remedis.options import RENAMED_KEYS

_LOG = logging.getLogger(__name__)

FLAG = "config"
EITHER = "a config by name, such as chexpert, or a file, such as configs/chexpert.py"


def folder() -> pathlib.Path:
    """Returns the folder of the configs that come with this package."""
    package = pathlib.Path(remedis.__file__).resolve().parent
    installed = package / "share" / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def names() -> list[str]:
    """Returns the names of the configs that come with this package, sorted."""
    files = sorted(folder().glob("*.py"))
    return [file.stem for file in files if "def get_config(" in file.read_text(encoding="utf-8")]


def find(written: str, option: str = f"--{FLAG}") -> str:
    """Returns the path of the config that `--config=NAME` or `--config=FILE` names.

    Args:
      written: a name, or a path with a directory or the ending `.py`; without `:argument`.
      option: what the user writes it behind, for messages.

    Raises:
      UserError: there is no such config.
    """
    file = pathlib.Path(written)
    if file.is_file():
        return written
    if os.sep not in written and file.suffix != ".py":
        if written in names():
            return str(folder() / f"{written}.py")
        error = unknown_choice("config", written, names())
        raise UserError(f"{error} A file of yours is written with its ending: my/config.py.")
    near = difflib.get_close_matches(file.stem, names(), n=1)
    hint = f"; did you mean {option}={near[0]}, which comes with remedis?" if near else "."
    raise UserError(f"{option}={written}: there is no such file{hint} Name {EITHER}.")


def make_importable(file: str) -> None:
    """Puts the parent of the package `configs` first on Python's path, for a config to import.

    That is the file's own package, if it lies in a complete copy of the folder `configs`.
    """
    own = pathlib.Path(file).resolve().parent
    complete = own.name == "configs" and (own / "common.py").is_file()
    parent = str((own if complete else folder()).parent)
    # Another project's folder `configs`, in the current directory for example, comes later.
    if sys.path[0] != parent:
        sys.path.insert(0, parent)


def load(written: str, option: str = f"--{FLAG}") -> ml_collections.ConfigDict:
    """Returns the config that `NAME`, `FILE`, `NAME:argument` or `FILE:argument` names.

    Args:
      written: the name or file.
      option: what the user writes it behind, for messages.

    Raises:
      UserError: there is no such config, it makes none, or its argument is wrong.
    """
    name, _, argument = written.partition(":")
    file = find(name, option)
    make_importable(file)
    get_config = runpy.run_path(file).get("get_config")
    if get_config is None:
        raise UserError(
            f"{option}={written}: the file has no function get_config; expected one that returns a "
            "ConfigDict, as in the configs that come with remedis."
        )
    config: ml_collections.ConfigDict = get_config(*([argument] if argument else []))
    if not isinstance(config, ml_collections.ConfigDict):
        raise UserError(
            f"{option}={written}: get_config() returned {type(config).__name__}; expected a "
            "ConfigDict."
        )
    return config


def rename_keys(
    config: ml_collections.ConfigDict, overridden: Collection[str], within: str = ""
) -> None:
    """Renames the old keys that a user's config file sets; warns of each.

    Args:
      config: to change; stays locked if it is.
      overridden: keys set on the command line, such as `id.steps`, which has the last word.
      within: keys that lead to `config` in the whole config, such as `id.`.
    """
    for old, new in RENAMED_KEYS.items():
        if old in config:
            warn_of_old_key(within, old)
            with config.unlocked():
                if f"{within}{new}" not in overridden:
                    config[new] = config[old]
                del config[old]
    for key, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            rename_keys(value, overridden, f"{within}{key}.")


def warn_of_old_key(within: str, old: str) -> None:
    """Warns that the name of a key is that of an earlier version.

    Args:
      within: keys that lead to it, such as `id.`.
      old: its name.
    """
    _LOG.warning(
        f"config.{within}{old} is now called config.{within}{RENAMED_KEYS[old]}; the old name "
        "works in this version and not in the next."
    )
