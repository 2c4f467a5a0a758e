"""Images without labels and patients, as functions take them: a manifest, or paths."""

from collections.abc import Mapping, Sequence
from typing import Any

from remedis import files
from remedis.api import early_checks, labelled_data
from remedis.data import sources
from remedis.data.manifest import Manifest

Images = Manifest | files.Path | Sequence[files.Path]


def check(data: Images, source: str, options: Mapping[str, Any] | None) -> None:
    """Raises a UserError for images that certainly cannot be read, within milliseconds."""
    labelled_data.check_alone(data, None, source, options)
    if not isinstance(data, Manifest):
        early_checks.check_images(data, source)


def load(data: Images, source: str, options: Mapping[str, Any] | None) -> Manifest:
    """Returns the images; those of paths need neither labels nor patients.

    Args:
      data: a manifest; or folders, files and globs, one or several, or what the source takes.
      source: layout of paths, such as `csv`.
      options: of the source, for paths.

    Raises:
      UserError: as `sources.load_images`.
    """
    if isinstance(data, Manifest):
        return data
    # Patients are optional there, and any other option means that the data are as it says.
    named = {k: v for k, v in (options or {}).items() if k != "allow_missing_patient_ids"}
    return sources.load_images(source, data, named)
