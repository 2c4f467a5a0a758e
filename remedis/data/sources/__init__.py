"""Sources: each turns one dataset, as it lies on disk, into a manifest."""

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from remedis import files
from remedis.data.manifest import Manifest
from remedis.data.sources import (
    chestxray14,
    chexpert,
    csv,
    dicom,
    folder,
    mimic_cxr,
    patch_camelyon,
    slides,
    tfds,
    wilds_camelyon17,
)
from remedis.errors import UserError, unknown_choice

_SOURCES: dict[str, Callable[..., Manifest]] = {
    "chestxray14": chestxray14.load,
    "chexpert": chexpert.load,
    "csv": csv.load,
    "dicom": dicom.load,
    "folder": folder.load,
    "mimic_cxr": mimic_cxr.load,
    "patch_camelyon": patch_camelyon.load,
    "slides": slides.load,
    "tfds": tfds.load,
    "wilds_camelyon17": wilds_camelyon17.load,
}
NAMES = tuple(sorted(_SOURCES))
# What to call the types of options.
_TYPES: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    types.NoneType: "None",
}


def load(
    name: str, data_dir: files.Path, labels: Sequence[str] | None = None, **options: Any
) -> Manifest:
    """Returns the manifest of a dataset.

    Args:
      name: one of `NAMES`.
      data_dir: where the dataset lies; each source's module says what it expects there.
      labels: the label columns wanted, in this order; all of the dataset if not given.
      **options: what else the source takes.

    Raises:
      UserError: the source, a label or an option is unknown, an option is of the wrong type, or the
        files are not as expected.
    """
    known = options_of(name)
    expected = typing.get_type_hints(_SOURCES[name])
    for option, value in options.items():
        if option not in known:
            raise unknown_choice(f"option of the source {name!r}", option, known or ["none"])
        if not _is_of(value, expected[option]):
            raise UserError(
                f"The option {option!r} of the source {name!r} is {value!r}; expected "
                f"{_named(expected[option])}."
            )
    return _SOURCES[name](data_dir, labels, **options)


def options_of(name: str) -> tuple[str, ...]:
    """Returns the names of the options a source takes, such as `allow_missing_patient_ids`.

    Raises:
      UserError: the source is unknown.
    """
    if name not in _SOURCES:
        raise unknown_choice("source", name, NAMES)
    parameters = inspect.signature(_SOURCES[name]).parameters
    return tuple(p for p in parameters if p not in ("data_dir", "labels"))


def _is_of(value: object, kind: Any) -> bool:
    """Returns whether a value is of a type as options have them: plain, a union or a sequence."""
    if alternatives := _alternatives(kind):
        return any(_is_of(value, one) for one in alternatives)
    if typing.get_origin(kind) is collections.abc.Sequence:
        (item,) = typing.get_args(kind)
        return isinstance(value, list | tuple) and all(_is_of(v, item) for v in value)
    if isinstance(value, bool):  # a number to Python, but hardly to whoever wrote it
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _named(kind: Any) -> str:
    if alternatives := _alternatives(kind):
        return " or ".join(map(_named, alternatives))
    if typing.get_origin(kind) is collections.abc.Sequence:
        return "a list such as (1, 2)"
    return _TYPES[kind]


def _alternatives(kind: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    return typing.get_args(kind) if is_union else ()
