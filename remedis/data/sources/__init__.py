"""Sources: each turns one dataset, as it lies on disk, into a manifest."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from remedis import files
from remedis.data.manifest import Manifest
from remedis.data.sources import chestxray14, chexpert, csv, wilds_camelyon17
from remedis.errors import unknown_choice

_SOURCES: dict[str, Callable[..., Manifest]] = {
    "chestxray14": chestxray14.load,
    "chexpert": chexpert.load,
    "csv": csv.load,
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
    if name not in _SOURCES:
        raise unknown_choice("source", name, NAMES)
    source = _SOURCES[name]
    known = [p for p in inspect.signature(source).parameters if p not in ("data_dir", "labels")]
    for option in options:
        if option not in known:
            raise unknown_choice(f"option of the source {name!r}", option, known or ["none"])
    return source(data_dir, labels, **options)
