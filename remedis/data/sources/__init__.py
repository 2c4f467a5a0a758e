"""Sources: each turns one data set, as it lies on disk, into a manifest."""

import collections.abc
import inspect
import pathlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from remedis import files
from remedis.data import layout_guess
from remedis.data.manifest import Manifest
from remedis.data.sources import (
    camelyon16,
    camelyon17,
    camelyon_patches,
    chestxray14,
    chexpert,
    csv_manifest,
    dicom_files,
    folder,
    image_paths,
    medmnist,
    mimic_cxr,
    named_images,
    openi,
    padchest,
    patch_camelyon,
    pcam_kaggle,
    published_counts,
    rsna_pneumonia,
    siim_pneumothorax,
    tfds,
    vindr_cxr,
    whole_slides,
    wilds_camelyon17,
)
from remedis.data.sources.published_counts import Published
from remedis.errors import UserError, registered_twice, some, unknown_choice
from remedis.options import spelled

Source = Callable[..., Manifest]
_SOURCES: dict[str, Source] = {}
_PUBLISHED: dict[str, Sequence[Published]] = {}


def _register(name: str, source: Source, published: Sequence[Published] = ()) -> None:
    """Registers the function that loads a data set under the name of its source.

    Args:
      name: of the source.
      source: the function.
      published: the published counts of the data set; a difference is logged at every load.

    Raises:
      ValueError: a source has this name already.
    """
    if name in _SOURCES:
        raise registered_twice("source", name, _SOURCES[name], source)
    _SOURCES[name] = source
    _PUBLISHED[name] = published


_register("camelyon16", camelyon16.load)
_register("camelyon17", camelyon17.load)
_register("camelyon_patches", camelyon_patches.load)
_register("chestxray14", chestxray14.load, chestxray14.PUBLISHED)
_register("chexpert", chexpert.load, chexpert.PUBLISHED)
_register("csv", csv_manifest.load)
_register("dicom", dicom_files.load)
_register("folder", folder.load)
_register("medmnist", medmnist.load, medmnist.PUBLISHED)
_register("mimic_cxr", mimic_cxr.load, mimic_cxr.PUBLISHED)
_register("openi", openi.load, openi.PUBLISHED)
_register("padchest", padchest.load, padchest.PUBLISHED)
_register("patch_camelyon", patch_camelyon.load, patch_camelyon.PUBLISHED)
_register("pcam_kaggle", pcam_kaggle.load, pcam_kaggle.PUBLISHED)
_register("rsna_pneumonia", rsna_pneumonia.load, rsna_pneumonia.PUBLISHED)
_register("siim_pneumothorax", siim_pneumothorax.load, siim_pneumothorax.PUBLISHED)
_register("slides", whole_slides.load)
_register("tfds", tfds.load)
_register("vindr_cxr", vindr_cxr.load, vindr_cxr.PUBLISHED)
_register("wilds_camelyon17", wilds_camelyon17.load, wilds_camelyon17.PUBLISHED)
NAMES = tuple(sorted(_SOURCES))

# Sources whose empty label means that a report does not mention the finding. Elsewhere it is
# unknown.
MINED_FROM_REPORTS = frozenset({"chexpert", "mimic_cxr"})

# Sources that take files of images, too.
_OF_FILES = ("csv", "dicom", "folder", "slides")

# The types of options as messages name them.
_TYPE_NAMES: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    types.NoneType: "None",
}


def load(
    name: str, data_dir: files.Path, labels: Sequence[str] | None = None, **options: Any
) -> Manifest:
    """Returns the manifest of a data set.

    Args:
      name: one of `NAMES`.
      data_dir: the directory of the data set; the module of each source describes its layout.
      labels: the label columns wanted, in this order; all labels of the data set if not given.
      **options: further options of the source, see `options_of`.

    Raises:
      UserError: the source, a label or an option is unknown, an option is of the wrong type, or the
        files are not as expected.
    """
    return load_with(name, data_dir, labels, options)


def load_with(
    name: str,
    data_dir: files.Path,
    labels: Sequence[str] | None,
    options: Mapping[str, Any],
) -> Manifest:
    """Returns what `load` does; a user's options may have the names of its arguments.

    Raises:
      UserError: as `load`.
    """
    _check_options(name, options)
    manifest = _SOURCES[name](data_dir, labels, **options).with_layout(name)
    published_counts.report(name, manifest, _PUBLISHED[name], _with_defaults(name, options))
    return manifest


def published(name: str) -> tuple[Published, ...]:
    """Returns the published counts of a source's data set; none for a user's own data.

    Raises:
      UserError: the source is unknown.
    """
    loader(name)
    return tuple(_PUBLISHED[name])


def _with_defaults(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all options of a source, with the defaults of those that are not given."""
    parameters = inspect.signature(_SOURCES[name]).parameters
    defaults = {option: parameters[option].default for option in options_of(name)}
    return {**defaults, **options}


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raises a UserError for an option that a source does not have, or of the wrong type."""
    known = options_of(name)
    expected = typing.get_type_hints(_SOURCES[name])
    for option, value in options.items():
        if option not in known:
            raise unknown_choice(f"option of the source {name!r}", option, known or ["none"])
        if not _is_of(value, expected[option]):
            raise UserError(
                f"The option {option!r} of the source {name!r} is {value!r}; expected "
                f"{_type_name(expected[option])}."
            )


def load_images(
    name: str, data: files.Path | Sequence[files.Path], options: Mapping[str, Any]
) -> Manifest:
    """Returns the images of a data set for what needs neither labels nor patients.

    Labels are those of the data set where they need no naming. The sources `csv`, `dicom`, `folder`
    and `slides` take folders, globs and files, one or several: no table and no classes are needed.
    DICOM files have the ids of their headers, whole slides become tiles, and files that cannot be
    read stay in the manifest.

    Args:
      name: one of `NAMES`.
      data: the directory of the data set, or paths of images.
      options: further options of the source, see `options_of`.

    Raises:
      UserError: as `load`; there is nothing at a path; or it is not for this source.
    """
    if "allow_missing_patient_ids" in options_of(name):
        options = {**options, "allow_missing_patient_ids": True}
    paths = image_paths.matching(data)
    if len(paths) == 1 and (manifest := _of_data_set(name, paths[0], options)):
        return manifest.with_layout(name)
    if name not in _OF_FILES:
        raise UserError(
            f"The source {name!r} takes the directory of one data set, but got {some(paths)}; name "
            f"one, or set {spelled('source', 'csv')} to take the files as images."
        )
    _check_options(name, options)
    return named_images.load(paths, name, options).with_layout(name)


def _of_data_set(name: str, path: pathlib.Path, options: Mapping[str, Any]) -> Manifest | None:
    """Returns the images that a data set describes; None for a path of images alone."""
    if name == "csv":
        has_table = (
            layout_guess.has_table(path) if path.is_dir() else not image_paths.is_image(path)
        )
        if has_table:
            return _without_labels(csv_manifest.load_images, name, path, options)
        return dicom_files.load_images(path) if layout_guess.has_only_dicom(path) else None
    if name not in _OF_FILES:
        return load_with(name, path, None, options)
    if not path.is_dir():
        return None
    if name == "dicom" and not (path / dicom_files.LABELS).is_file():
        return _without_labels(dicom_files.load_images, name, path, options)
    if name == "folder" and not options.get("patient_pattern") and folder.lacks_classes(path):
        return None
    if name == "slides" and named_images.has_unreadable_slide(path):
        return None
    return load_with(name, path, None, options)


def _without_labels(
    load: Source, name: str, path: pathlib.Path, options: Mapping[str, Any]
) -> Manifest:
    """Returns what a function loads that takes some of the options of a source."""
    _check_options(name, options)
    taken = inspect.signature(load).parameters
    return load(path, **{option: value for option, value in options.items() if option in taken})


def same_empty_labels(first: str, second: str) -> bool:
    """Returns whether an empty label means the same in two sources."""
    return first == second or {first, second} <= MINED_FROM_REPORTS


def loader(name: str) -> Source:
    """Returns the function that loads a source; its module's docstring is the datasheet.

    Raises:
      UserError: the source is unknown.
    """
    if name not in _SOURCES:
        raise unknown_choice("source", name, NAMES)
    return _SOURCES[name]


def options_of(name: str) -> tuple[str, ...]:
    """Returns the names of a source's options, such as `allow_missing_patient_ids`.

    Raises:
      UserError: the source is unknown.
    """
    parameters = inspect.signature(loader(name)).parameters
    return tuple(p for p in parameters if p not in ("data_dir", "labels"))


def _is_of(value: object, kind: Any) -> bool:
    """Returns whether a value is of an option's type: a plain type, a union or a sequence."""
    if alternatives := _alternatives(kind):
        return any(_is_of(value, alternative) for alternative in alternatives)
    if typing.get_origin(kind) is collections.abc.Sequence:
        (item_kind,) = typing.get_args(kind)
        return isinstance(value, list | tuple) and all(_is_of(v, item_kind) for v in value)
    if isinstance(value, bool):  # bool is a subclass of int, yet True is no number to a user
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _type_name(kind: Any) -> str:
    if alternatives := _alternatives(kind):
        return " or ".join(map(_type_name, alternatives))
    if typing.get_origin(kind) is collections.abc.Sequence:
        return "a list such as (1, 2)"
    return _TYPE_NAMES[kind]


def _alternatives(kind: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    return typing.get_args(kind) if is_union else ()
