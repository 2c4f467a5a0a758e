r"""Your own images sorted into folders: `split/class/*`, or `class/*`; no code and no table.

Layout:
    sorted/
        train/normal/person12_1.png
        train/pneumonia/person17_2.png
        test/normal/person31_1.png
        test/pneumonia/person40_3.png

Input: `.png`, `.jpg` and `.jpeg` files, small `.tif` and `.tiff` files, and DICOM files with a name
that the reader knows (`remedis.data.readers.dicom_image`), in the folder of their class or below
it. Links to folders are followed. Other files are skipped and counted; names and folders that begin
with a dot are skipped.
Labels: one column per class, with the name of its folder: 1 for images of the class, 0 for others.
With two classes you may name one, such as ("pneumonia",): then there is only that column.
Metadata: the patient, if a pattern finds it in the names of files. The same id in two classes is
the same patient.
Splits: folders `train`, `test`, and `val`, `valid` or `validation`. Without them: to be assigned.
Get it: sort your images, or links to them, into a folder per class.
Citation and terms: yours.

Check it:
    remedis doctor /data/sorted --source=folder --option='patient_pattern=person(\d+)_'
"""

import logging
import pathlib
import re
from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data import canonical_ids
from remedis.data.manifest import Manifest, check_labels
from remedis.data.readers import dicom_image, tiff_image
from remedis.data.sources import file_tree
from remedis.data.tables import missing
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, counted, quoted, some, unknown_choice
from remedis.options import spelled, spelled_option

_LOG = logging.getLogger(__name__)

_SUFFIXES = (".png", ".jpg", ".jpeg", *tiff_image.SUFFIXES)
SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


def _opt_out() -> str:
    return f"set {spelled('allow_missing_patient_ids')} to take every image as a patient of its own"


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    patient_pattern: str = "",
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    r"""Returns the manifest of a folder.

    Args:
      data_dir: the directory with the folders of splits or classes.
      labels: all classes in the order wanted, or one of two; all, sorted by name, if not given.
      patient_pattern: regular expression to search in the name of every file (with the folders
        below that of its class). Its first group is the patient's id: `person(\d+)_` finds `17` in
        `person17_2.png`.
      allow_missing_patient_ids: accept images whose patient is unknown.

    Raises:
      UserError: the folders are not as described above, patients are unknown without the opt-out,
        the labels or the pattern do not fit the folders, or a name is not UTF-8.
    """
    root = pathlib.Path(data_dir)
    if not root.is_dir():
        raise UserError(f"There is no directory {root}; expected split/class/* or class/* there.")
    pattern = _compiled(patient_pattern)
    folders = _folders(root)
    images = _images(root, folders)
    names = sorted({name for _, name, _ in folders})
    chosen = _choose(root, names, labels)
    patients = pd.Series([_patient(pattern, below) for *_, below in images], dtype=STRING)
    unknown = canonical_ids.column(patients).isna()
    if unknown.any() and not allow_missing_patient_ids:
        first = images[int(unknown.argmax())][0]
        remark = missing.remark(patients[unknown])
        raise UserError(_no_patient(root, first, int(unknown.sum()), len(images), pattern, remark))
    of_class = pd.Series([name for _, _, name, _ in images])
    table = pd.DataFrame(
        {
            "path": [path for path, _, _, _ in images],
            "patient_id": patients,
            "study_id": None,
            "site": None,
            "split": [split for _, split, _, _ in images],
            **{name: (of_class == name).astype("float32") for name in chosen},
        }
    )
    return Manifest(table, chosen, root, "folder")


def lacks_classes(data_dir: files.Path) -> bool:
    """Returns whether a directory has neither folders of splits nor those of two classes."""
    root = pathlib.Path(data_dir)
    names = [folder.name for folder in _subfolders(root)] if root.is_dir() else []
    return root.is_dir() and len(names) < 2 and not any(name.lower() in SPLITS for name in names)


def _folders(root: pathlib.Path) -> list[tuple[str | None, str, pathlib.Path]]:
    """Returns split, class and path of every folder of a class.

    Raises:
      UserError: folders of splits and classes are mixed, a split has two folders, or splits have
        different classes.
    """
    top = _subfolders(root)
    splits = [folder for folder in top if folder.name.lower() in SPLITS]
    if not splits:
        return [(None, folder.name, folder) for folder in top]
    if others := [folder.name for folder in top if folder not in splits]:
        raise UserError(
            f"{root} has folders of splits ({some([s.name for s in splits])}) and others "
            f"({some(others)}) side by side; expected split/class/* or class/*, not both."
        )
    classes: dict[str, tuple[pathlib.Path, list[pathlib.Path]]] = {}  # folders by split
    for folder in splits:
        split = SPLITS[folder.name.lower()]
        if split in classes:
            raise UserError(
                f"{classes[split][0]} and {folder} both mean the split {split}; keep one."
            )
        classes[split] = folder, _subfolders(folder)
    names = sorted({folder.name for _, folders in classes.values() for folder in folders})
    for split_folder, folders in classes.values():
        if missing := sorted(set(names) - {folder.name for folder in folders}):
            raise UserError(
                f"{split_folder} has no folder {missing[0]!r}, but another split has; every split "
                f"needs the same classes ({some(names)}), if need be as an empty folder."
            )
    return [(split, f.name, f) for split, (_, folders) in classes.items() for f in folders]


def _subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    # Archives made on a Mac have such a folder, whose files have the names of images.
    inside = [f for f in folder.iterdir() if f.is_dir() and f.name != "__MACOSX"]
    return sorted(f for f in inside if not f.name.startswith("."))


def _images(
    root: pathlib.Path, folders: Sequence[tuple[str | None, str, pathlib.Path]]
) -> list[tuple[str, str | None, str, str]]:
    """Returns path relative to root, split, class and path below its class of every image.

    Raises:
      UserError: there is no image, one lies outside the folders of classes, or a name is not UTF-8.
    """
    for parent in sorted({root, *(folder.parent for _, _, folder in folders)}):
        for stray in sorted(parent.iterdir()):
            if _is_image(stray.name) and not stray.name.startswith(".") and stray.is_file():
                raise UserError(f"{stray} is in no class; move it into the folder of a class.")
    images: list[tuple[str, str | None, str, str]] = []
    skipped: list[str] = []
    for split, name, folder in folders:
        for file in file_tree.walk(folder):
            below = pathlib.Path(file)
            path = (folder.relative_to(root) / below).as_posix()
            if _is_image(below.name):
                images.append((path, split, name, below.as_posix()))
            else:
                skipped.append(path)
    if not images:
        others = f"; skipped: {some(skipped)}" if skipped else ""
        raise UserError(
            f"{root} does not hold images in split/class/* or class/*: expected files ending in "
            f"{', '.join((*_SUFFIXES, *dicom_image.SUFFIXES))}{others}."
        )
    file_tree.refuse_undecodable(root, [*(name for _, name, _ in folders), *(i[0] for i in images)])
    if skipped:
        _LOG.warning(
            f"{root}: skipped {counted(len(skipped), 'file')} without the name of an image: "
            f"{some(skipped)}."
        )
    return images


def _is_image(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) or bool(dicom_image.NAMES.search(name))


def _choose(
    root: pathlib.Path, names: Sequence[str], labels: Sequence[str] | None
) -> tuple[str, ...]:
    """Returns the label columns: all classes, or one of two.

    Raises:
      UserError: there is one class only, a label is no class, or labels name some of three or more
        classes.
    """
    if len(names) < 2:
        raise UserError(
            f"{root} has one class only, {names[0]!r}; expected the folders of two or more classes."
        )
    chosen = tuple(names) if labels is None else tuple(labels)
    check_labels(chosen if labels is None else labels)
    for label in chosen:
        if label not in names:
            raise unknown_choice("label", label, names)
    if len(chosen) < len(names) and len(names) > 2:
        raise UserError(
            f"{root} has {len(names)} classes ({some(names)}), but labels name only "
            f"{some(chosen)}; name all of them, or sort the images into two folders."
        )
    return chosen


def _compiled(pattern: str) -> re.Pattern[str] | None:
    if not pattern:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"patient_pattern {quoted(pattern)} is no regular expression ({error})."
        ) from error
    if not compiled.groups:
        raise UserError(
            f"patient_pattern {quoted(pattern)} has no group; put parentheses around the patient's "
            "id."
        )
    return compiled


def _patient(pattern: re.Pattern[str] | None, name: str) -> str | None:
    match = pattern.search(name) if pattern else None
    return (match[1] or None) if match else None


def _no_patient(
    root: pathlib.Path,
    first: str,
    count: int,
    total: int,
    pattern: re.Pattern[str] | None,
    remark: str,
) -> str:
    if pattern is None:
        return (
            f"{root} does not say which patient an image is of, and images of one person can be in "
            f"training and in test; set {spelled_option('patient_pattern', 'REGEX')}, whose first "
            f"group finds the patient in a file's name, or {_opt_out()}."
        )
    return (
        f"patient_pattern {quoted(pattern.pattern)} finds no patient in {count:,} of {total:,} "
        f"names in {root}, the first {quoted(first)}{remark and ' (' + remark + ')'}; widen it, or "
        f"{_opt_out()}."
    )
