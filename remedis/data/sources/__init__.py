"""Sources: each turns one dataset, as it lies on disk, into a manifest."""

import inspect
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
from remedis.errors import unknown_choice

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
      UserError: the source, a label or an option is unknown, or the files are not as expected.
    """
    known = options_of(name)
    for option in options:
        if option not in known:
            raise unknown_choice(f"option of the source {name!r}", option, known or ["none"])
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
