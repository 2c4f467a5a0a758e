"""Checks of paths and names that take milliseconds, before TensorFlow and pandas take seconds.

They find what a user mistypes most: paths, the name of a source, labels that a table lacks. What
they let pass is checked again where it is used.
"""

import difflib
import os
import pathlib
import re
from collections.abc import Collection, Sequence
from typing import Any

from remedis import files
from remedis.data import layout_guess, source_names
from remedis.data.tables import header
from remedis.errors import UserError, unknown_choice
from remedis.models.architectures import Architecture
from remedis.options import spelled
from remedis.zoo import run_export
from remedis.zoo.weight_forms import EXPECTED, FORMS, OLD_FOLDER

# What may stand for a folder by mistake, such as DenseNet121 and 50x1; `resolve` has advice.
_SHORTHAND = re.compile(r"[A-Z]\w*|[\d.x-]+")
# Keys of configs that name data.
_DIRECTORIES = ("data_dir", "id_data_dir", "ood_data_dir")


def check_data(
    data: files.Path,
    source: str,
    labels: Sequence[str] | None,
    options: Collection[str] = (),
    *,
    needs_labels: bool = True,
    any_folder: bool = False,
) -> None:
    """Raises a UserError for data that certainly cannot be read.

    Args:
      data: a table, or the directory of the data.
      source: name of the source.
      labels: the label columns that are asked for; None if they are not named.
      options: names of options of the source, which may rename columns.
      needs_labels: whether a table needs named labels.
      any_folder: whether any folder of images will do.
    """
    check_source(source)
    check_path(data, "table or directory of data")
    if source != "csv":
        return
    if not any_folder:
        layout_guess.refuse_other_layout(data)
    if labels is None:
        if needs_labels:
            layout_guess.refuse_without_labels()
    elif not options:
        _check_labels(data, labels)


def check_images(data: files.Path | Sequence[files.Path], source: str) -> None:
    """Raises a UserError for paths of images that certainly cannot be read.

    Args:
      data: folders, files, globs, items of containers; or what the source takes.
      source: name of the source.
    """
    check_source(source)
    for path in [data] if isinstance(data, str | os.PathLike) else data:
        layout_guess.refuse_empty(path)
        # Globs and items, `scans/*.png` and `a.h5#3`, are judged where they are read.
        if not re.search(r"[*?\[#]", os.fspath(path)):
            check_path(path, "folder, file or table of images")


def check_source(name: str) -> None:
    """Raises a UserError for the name of a source that there is not."""
    if name not in source_names.NAMES:
        raise unknown_choice("source", name, source_names.NAMES)


def _check_labels(data: files.Path, labels: Sequence[str]) -> None:
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
        if key == "sets":
            continue  # of a suite, which goes on without a set at fault
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


def check_model(model: files.Path) -> None:
    """Raises a UserError for a model that does not exist, or a run that has none yet."""
    check_path(model, "directory of a run or a model")
    run_export.export_folder(model)


def check_path(path: files.Path, expected: str, option: str = "") -> None:
    """Raises a UserError, with the nearest name beside it, for a path that does not exist."""
    if not os.path.exists(path):
        raise _absent(path, f"expected the {expected}", option)


def _absent(path: files.Path, expected: str, option: str) -> UserError:
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
