"""Configs of the project, with and without their arguments, and the keys in which they differ."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import ml_collections

from remedis.api import config_files

# An argument as the docstring of its config names it; tests/configs/test_arguments.py checks that
# a docstring names all of them and no others.
_ARGUMENT = re.compile(r"(?<!\w)`:([\w,-]+)`")


def names() -> list[str]:
    """Returns the names of the configs that come with the package."""
    return config_files.names()


def docstring(name: str) -> str:
    """Returns the docstring of a config."""
    text = (config_files.folder() / f"{name}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def arguments(name: str) -> list[str]:
    """Returns the arguments of a config in the order of its docstring, without combinations."""
    found = [argument for argument in _ARGUMENT.findall(docstring(name)) if "," not in argument]
    return list(dict.fromkeys(found))


def kind(config: ml_collections.ConfigDict) -> str:
    """Returns the command that runs a config: finetune, pretrain, ood-curves or suite."""
    if "sets" in config:
        return "suite"
    if "arms" in config:
        return "ood-curves"
    return "pretrain" if "partners" in config else "finetune"


def flat(config: ml_collections.ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Returns the values of all keys; a key of a part is written `part.key`.

    `splits` is one value, as its meaning is.
    """
    values: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, ml_collections.ConfigDict) and key != "splits":
            values |= flat(value, f"{prefix}{key}.")
        else:
            is_part = isinstance(value, ml_collections.ConfigDict)
            values[f"{prefix}{key}"] = value.to_dict() if is_part else value
    return values


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Returns the keys of `after` whose values are not those of `before`."""
    return {key: value for key, value in after.items() if before.get(key) != value}


def with_each_argument(name: str) -> Iterator[tuple[str, ml_collections.ConfigDict]]:
    """Yields a config without an argument, and with each one alone."""
    yield name, config_files.load(name)
    for argument in arguments(name):
        yield f"{name}:{argument}", config_files.load(f"{name}:{argument}")


def load(written: str) -> ml_collections.ConfigDict:
    """Returns the config that `NAME` or `NAME:argument` names."""
    return config_files.load(written)
