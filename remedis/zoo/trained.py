"""Weights of our own runs: `checkpoint:DIR`."""

import pathlib

from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.zoo import checkpoint
from remedis.zoo.weights import Weights


def read(directory: str, architecture: Architecture) -> Weights:
    """Returns the backbone of an exported folder, or of a run directory with an `export`.

    Raises:
      UserError: there is no such folder, or its backbone is another one.
    """
    folder = exported(directory)
    weights = checkpoint.read(folder)
    if weights.architecture != architecture:
        raise UserError(
            f"{folder} holds a {weights.architecture.name} backbone; "
            f"expected {architecture.name} for this --model."
        )
    return weights


def exported(directory: str) -> pathlib.Path:
    """Returns an exported folder, or of the directory of a run the one in `export`.

    Raises:
      UserError: the run has none yet.
    """
    folder = pathlib.Path(directory)
    if not (folder / "config.json").is_file():
        return folder
    if not (folder / "export").is_dir():
        raise UserError(f"{folder} is a run that has no export yet; let it finish first.")
    return folder / "export"
