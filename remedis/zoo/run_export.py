"""The exported folder of a run's directory; it is found without loading TensorFlow."""

import os
import pathlib

from remedis import files
from remedis.errors import UserError


def is_run(path: files.Path) -> bool:
    """Returns whether a folder is the directory of a run."""
    return os.path.isfile(pathlib.Path(path, "config.json"))


def export_folder(run_or_folder: files.Path) -> pathlib.Path:
    """Returns the exported folder of a run; any other folder as it is.

    Raises:
      UserError: the run has no export yet.
    """
    path = pathlib.Path(run_or_folder)
    if not is_run(path):
        return path
    if not (path / "export").is_dir():
        raise UserError(f"{path} is a run that has no export yet; let it finish first.")
    return path / "export"
