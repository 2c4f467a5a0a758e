"""Unlabelled images of one or several sources, as `config.data` names them."""

import pathlib
from collections.abc import Sequence
from typing import Any

from remedis.data import image_list, layout_guess, sources
from remedis.data.manifest import Manifest
from remedis.data.sources import named_images
from remedis.errors import UserError, unknown_choice
from remedis.options import literals, pairs

_EXAMPLE = "'csv=/data/mine; chestxray14=/data/ChestX-ray14'"


def load(
    data: str, source_options: str = "", allow_missing_patient_ids: bool = False
) -> dict[str, Manifest]:
    """Returns the images of every directory in `config.data`, by the name of their source.

    The second directory of the source `csv` is called `csv-2`, and so on.

    The source `csv` takes a folder of images without a table, too.

    Args:
      data: `config.data`, such as `csv=/data/mine; chestxray14=/data/ChestX-ray14`.
      source_options: `config.source_options`, such as `chexpert: views=all`.
      allow_missing_patient_ids: whether images may have no patient id.

    Raises:
      UserError: `config.data` or `config.source_options` is malformed, the data are not as their
        source expects, or images have no patient id and `config.allow_missing_patient_ids` is
        false.
    """
    entries = _entries(data)
    options = _options(source_options, [source for source, _ in entries])
    loaded: dict[str, Manifest] = {}
    for i, (source, directory) in enumerate(entries):
        manifest = _load(source, directory, options.get(source, {}), allow_missing_patient_ids)
        missing = manifest.table["patient_id"].isna()
        if missing.any() and not allow_missing_patient_ids:
            first = manifest.table.loc[missing, "path"].iloc[0]
            raise UserError(
                f"{int(missing.sum()):,} of {len(missing):,} images of {source}={directory} have "
                f"no patient_id, the first {first!r}; add the ids, or set "
                "config.allow_missing_patient_ids to take every such image as a patient of its own."
            )
        number = sum(source == earlier for earlier, _ in entries[: i + 1])
        loaded[source if number == 1 else f"{source}-{number}"] = manifest
    return loaded


def _entries(text: str) -> list[tuple[str, str]]:
    """Returns the sources and directories of `config.data`."""
    entries: list[tuple[str, str]] = []
    expected = f"SOURCE=DIRECTORY, several separated by ';', such as {_EXAMPLE}"
    for source, directory in pairs(text, what="config.data", expected=expected):
        if source not in sources.NAMES:
            raise unknown_choice("source in config.data", source, sources.NAMES)
        if (source, directory) in entries:
            named = f"{source}={directory}"
            raise UserError(f"config.data has {named!r} twice; name it once.")
        entries.append((source, directory))
    if not entries:
        raise UserError(
            "config.data is not set: name the sources of the images and their directories, such "
            f"as {_EXAMPLE}."
        )
    return entries


def _options(text: str, known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns the options of each source in `config.source_options`."""
    by_source: dict[str, list[str]] = {}
    what = "config.source_options"
    expected = "SOURCE: KEY=VALUE, several separated by ';', such as 'chexpert: views=all'"
    for source, pair in pairs(text, what=what, expected=expected, sign=":"):
        if source not in known:
            raise unknown_choice("source in config.source_options", source, dict.fromkeys(known))
        by_source.setdefault(source, []).append(pair)
    return {source: literals(texts, what) for source, texts in by_source.items()}


def _load(
    source: str, directory: str, options: dict[str, Any], allow_missing_patient_ids: bool
) -> Manifest:
    """Returns the images of one directory."""
    if source == "csv" and not options:
        # The source `csv` requires labels. A folder of images is enough here.
        if layout_guess.has_only_images(directory):
            return named_images.load([pathlib.Path(directory)])
        layout_guess.refuse_other_layout(
            directory, lambda other: f"write {other}={directory} into config.data"
        )
        path = pathlib.Path(directory)
        return image_list.read_csv(path if path.suffix.lower() == ".csv" else path / "manifest.csv")
    if "allow_missing_patient_ids" in sources.options_of(source):
        options = {"allow_missing_patient_ids": allow_missing_patient_ids, **options}
    manifest = sources.load(source, directory, **options)
    return image_list.of_table(manifest.table, manifest.root, manifest.source, manifest.packed_from)
