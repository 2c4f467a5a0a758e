"""Lists of ChestX-ray14 that divide its images: the official ones, and those within train_val."""

import logging
import pathlib

import pandas as pd

from remedis.data.tables import spreadsheet
from remedis.errors import UserError, counted, some

_LOG = logging.getLogger(__name__)

LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
# Pairs of lists, as globs, that divide the first of these into train and validation.
DIVISIONS = (
    ("*train_official.txt", "*val_official.txt"),
    ("train_list.txt", "val_list.txt"),
)


def splits(root: pathlib.Path, names: pd.Series) -> pd.Series | None:
    """Returns the split of every image by the official lists; None if there are no lists.

    Args:
      root: the directory of the lists.
      names: the file names of the images.

    Raises:
      UserError: there is one list of two, or an image is in none or in two of them; or two further
        lists do not divide the first into train and validation.
    """
    present = [file for file in LISTS if (root / file).is_file()]
    if not present:
        return None
    if len(present) < len(LISTS):
        (absent,) = set(LISTS) - set(present)
        raise UserError(f"{root} has {present[0]} but no {absent}; add it, or remove both.")
    split_of: dict[str, str] = {}
    for file, split in LISTS.items():
        listed = spreadsheet.read_bytes(root / file).decode(errors="replace").split()
        if in_both := [name for name in listed if split_of.get(name, split) != split]:
            raise UserError(
                f"{in_both[0]} is in {' and in '.join(LISTS)} of {root}; remove it from one."
            )
        split_of |= dict.fromkeys(listed, split)
    found = names.map(split_of)
    if found.isna().any():
        unlisted = names[found.isna()]
        raise UserError(
            f"{counted(len(unlisted), 'image of the entries is', 'images of the entries are')} in "
            f"neither {' nor '.join(LISTS)} of "
            f"{root}, the first {unlisted.iloc[0]}; complete the lists, or remove both."
        )
    return _divided(root, names, found)


def _divided(root: pathlib.Path, names: pd.Series, official: pd.Series) -> pd.Series:
    """Returns the splits with validation as two lists divide `train_val_list.txt`, if there are."""
    present = [pair for pair in DIVISIONS if any(any(root.glob(glob)) for glob in pair)]
    whole_list = next(iter(LISTS))
    if not present:
        _LOG.info(
            f"chestxray14: no list in {root} divides {whole_list} into train and validation; "
            "our split by patient does, where validation is needed."
        )
        return official
    both = " and ".join(present[0])
    split_of: dict[str, str] = {}
    for glob, split in zip(present[0], ("train", "validation"), strict=True):
        for name in _first_words(_only(root, glob)):
            if split_of.setdefault(name, split) != split:
                raise UserError(
                    f"{name} is in {both} of {root}, which divide {whole_list}; remove it from one."
                )
    divided = names.map(split_of)
    trained = official == "train"
    for wrong, problem in (
        (trained & divided.isna(), "in neither of the lists"),
        (~trained & divided.notna(), f"in one of the lists, but not in {whole_list}"),
    ):
        if wrong.any():
            raise UserError(
                f"{root}: {both} do not divide {whole_list}: "
                f"{counted(int(wrong.sum()), 'image is', 'images are')} {problem}, the first "
                f"{names[wrong].iloc[0]}; remove these lists, or use those of the official split."
            )
    return divided.fillna("test")


def _only(root: pathlib.Path, glob: str) -> pathlib.Path:
    """Returns the only file of a directory that a glob matches."""
    found = sorted(root.glob(glob))
    if len(found) != 1:
        names = some([path.name for path in found]) or "none"
        raise UserError(f"{root} has {names} for the list {glob}; expected one file.")
    return found[0]


def _first_words(path: pathlib.Path) -> list[str]:
    lines = spreadsheet.read_bytes(path).decode(errors="replace").splitlines()
    return [line.split()[0] for line in lines if line.strip()]
