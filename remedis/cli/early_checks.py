"""Checks of a command line that take milliseconds, before TensorFlow and pandas take seconds.

They find what a user mistypes most: paths, the name of a source, and the syntax of labels, options
and preprocessing. What they let pass is checked again where it is used.
"""

import argparse
import difflib
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from remedis.data import layout_guess, source_names
from remedis.data.tables import header
from remedis.errors import UserError, unknown_choice
from remedis.models.architectures import Architecture
from remedis.options import label_list, literals, piped, spelled
from remedis.zoo.weight_forms import EXPECTED, FORMS, OLD_FOLDER

# What may stand for a folder by mistake, such as DenseNet121 and 50x1; `resolve` has advice.
_SHORTHAND = re.compile(r"[A-Z]\w*|[\d.x-]+")


# Commands that take labels from the user alone: others have a model's, or need none.
_OWN_LABELS = ("doctor", "prepare", "probe")
# Keys of configs that name data.
_DIRECTORIES = ("data_dir", "id_data_dir", "ood_data_dir")


def check_command(parsed: argparse.Namespace) -> None:
    """Raises a UserError for what is certainly wrong in the arguments of a command."""
    given = {name: value for name, value in vars(parsed).items() if value is not None}
    if "source" in given and given["source"] not in source_names.NAMES:
        raise unknown_choice("source", given["source"], source_names.NAMES)
    if "labels" in given:
        label_list(given["labels"])
    literals(given.get("option", []), "--option")
    if "preprocess" in given:
        piped(given["preprocess"])
    if "checkpoint" in given:
        check_weights(given["checkpoint"])
    for name in ("model", "run_a", "run_b"):
        if name in given:
            check_path(given[name], "directory of a run or a model")
    if "data" in given:
        check_path(given["data"], "table or directory of data")
        # `embed` takes any folder of images.
        if given.get("source") == "csv" and given.get("command") != "embed":
            layout_guess.refuse_other_layout(given["data"])
        if given.get("source") == "csv":
            _check_table(given)
    if "image" in given and not re.match(r"\w+:", given["image"]):
        check_path(given["image"], "image file")


def _check_table(given: Mapping[str, Any]) -> None:
    """Raises a UserError for a table without named labels, or whose header lacks one.

    Args:
      given: arguments of a command on data of the source `csv`.
    """
    if "labels" not in given:
        if given["command"] in _OWN_LABELS:
            layout_guess.refuse_without_labels()
    # Options may rename columns. The labels of a model are checked first against the model.
    elif not given["option"] and "model" not in given:
        _check_labels(given["data"], label_list(given["labels"]))


def _check_labels(data: str, labels: Sequence[str]) -> None:
    """Raises the UserError of the reader of tables for a plain table that lacks a label."""
    table = layout_guess.table_of(data)
    if names := header.plain(table):
        header.check(table, names, ("path", *labels), 1, header.to_map(table))


def check_config(config: Any, name: str = "") -> None:
    """Raises a UserError for a path in a config that does not exist.

    Args:
      config: a `ConfigDict`, which may hold others, such as `id` and `ood` of a study.
      name: of a config within another, with a dot: `id.`.
    """
    if config.get("rehearsal"):  # makes its data and checkpoint itself
        return
    for key, value in config.items():
        if hasattr(value, "items"):
            check_config(value, f"{name}{key}.")
        elif key in _DIRECTORIES and value:
            check_path(value, "table or directory of data", spelled(f"{name}{key}"))
            if key == "data_dir" and config.get("source") == "csv":
                layout_guess.refuse_other_layout(
                    value, lambda other: f"set {spelled(f'{name}source', other)}"
                )
                if config.get("labels") and not config.get("source_options"):
                    _check_labels(value, config.labels)
        elif key == "checkpoint" and value:
            check_weights(value, spelled(f"{name}{key}"))


def check_weights(specification: str, option: str = "") -> None:
    """Raises a UserError for an unknown architecture, or a file or folder that does not exist."""
    scheme, colon, path = specification.partition(":")
    if not colon or scheme not in (*FORMS, OLD_FOLDER):
        path = "" if _SHORTHAND.fullmatch(specification) else specification
    elif scheme == "scratch":
        if path:
            Architecture.parse(path)
        return
    elif scheme == "random":
        return
    elif scheme == "keras":
        path = path.partition(":")[2]
    if path and not os.path.exists(path):
        raise _absent(path, f"expected {EXPECTED}", option)


def check_path(path: str, expected: str, option: str = "") -> None:
    """Raises a UserError, with the nearest name beside it, for a path that does not exist."""
    if not os.path.exists(path):
        raise _absent(path, f"expected the {expected}", option)


def _absent(path: str, expected: str, option: str) -> UserError:
    where = f"{option} is {path}, which" if option else path
    first = pathlib.Path(path)
    while not first.parent.exists():
        first = first.parent
    hint = "." if first == pathlib.Path(path) else f"; there is no {first}."
    if hint == "." and first.parent.is_dir():
        beside = sorted(os.listdir(first.parent))
        if near := difflib.get_close_matches(first.name, beside, n=1, cutoff=0.7):
            hint = f": did you mean {first.with_name(near[0])}?"
    return UserError(f"{where} does not exist{hint} {expected[0].upper()}{expected[1:]}.")
