"""Configs by name or file, with keys changed from Python; loads no TensorFlow."""

import os
from collections.abc import Mapping
from typing import Any

import ml_collections

from remedis.api import config_files
from remedis.errors import UserError, unknown_choice
from remedis.options import RENAMED_KEYS


def load_config(name: str, **changes: Any) -> ml_collections.ConfigDict:
    """Returns a config by name or file, with some of its keys changed.

    Args:
      name: of a config that comes with the package, or a file of yours, with its arguments behind a
        colon: `chexpert`, `chexpert:rehearsal,head_only`, `my/config.py`.
      **changes: values by key. A key within another has a dot:
        `load_config("ood_own", **{"id.steps": 100})`; a dict changes the keys that it names.

    Returns:
      A locked `ml_collections.ConfigDict`; `print(config)` shows every key with its value.

    Raises:
      UserError: there is no such config or key, an argument is unknown, or a value is of another
        type.
    """
    config = config_files.load(os.fspath(name), "name")
    config_files.rename_keys(config, changes)
    for key, value in changes.items():
        _change(config, key, value)
    return config


def _change(config: ml_collections.ConfigDict, key: str, value: Any, within: str = "") -> None:
    """Sets one key of a config.

    Args:
      config: to change.
      key: such as `steps` or `id.steps`.
      value: its value; a mapping changes the keys of the config under this key.
      within: keys that lead to `config` in the whole config, such as `id.`.
    """
    first, dot, rest = key.partition(".")
    if first in RENAMED_KEYS:
        config_files.warn_of_old_key(within, first)
        first = RENAMED_KEYS[first]
    if first not in config:
        raise unknown_choice("key of the config", f"{within}{first}", list(config))
    if dot:
        _change(_below(config, first, within), rest, value, f"{within}{first}.")
        return
    if isinstance(value, Mapping):
        for name, one in value.items():
            _change(_below(config, first, within), str(name), one, f"{within}{first}.")
        return
    before = config[first]
    try:
        config[first] = os.fspath(value) if isinstance(value, os.PathLike) else value
    except (TypeError, ValueError):
        raise UserError(
            f"config.{within}{first} is {value!r}; expected {type(before).__name__}, such as "
            f"{before!r}."
        ) from None


def _below(config: ml_collections.ConfigDict, key: str, within: str) -> ml_collections.ConfigDict:
    """Returns the config under a key."""
    below = config[key]
    if not isinstance(below, ml_collections.ConfigDict):
        raise UserError(f"config.{within}{key} is {below!r}, which has no keys of its own.")
    return below
