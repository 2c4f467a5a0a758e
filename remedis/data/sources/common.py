"""What the sources share."""

import pathlib
from collections.abc import Sequence

from remedis import files
from remedis.data.manifest import check_labels
from remedis.errors import UserError, unknown_choice


def find_root(
    data_dir: files.Path, marker: str, names: Sequence[str], dataset: str
) -> pathlib.Path:
    """Returns the directory of a dataset: `data_dir`, or the one of `names` inside it.

    Args:
      data_dir: what the user gave.
      marker: glob of a file that only the right directory has.
      names: directory names of the dataset, tried in order.
      dataset: what to call it in the error.

    Raises:
      UserError: neither has the marker.
    """
    directory = pathlib.Path(data_dir)
    if not directory.is_dir():
        raise UserError(f"There is no directory {directory}; expected {dataset} there.")
    for candidate in (directory, *(directory / name for name in names)):
        if any(candidate.glob(marker)):
            return candidate
    raise UserError(
        f"{directory} does not hold {dataset}: no {marker} in it"
        + (f", nor in {' or '.join(names)} inside it." if names else ".")
    )


def choose_labels(labels: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Returns the labels asked for, or all of them.

    Raises:
      UserError: one is not among `known`, or listed twice.
    """
    if labels is None:
        return tuple(known)
    check_labels(labels)
    for label in labels:
        if label not in known:
            raise unknown_choice("label", label, known)
    return tuple(labels)
