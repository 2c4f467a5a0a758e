"""What a directory holds that the source `csv` cannot read, and which source reads it.

A directory without `manifest.csv` is often that of another source. The guess looks at names only,
and at no more than the first few thousand of them. Readers, which load TensorFlow, are not needed.
"""

import itertools
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import NoReturn

from remedis import files
from remedis.errors import UserError, some
from remedis.options import spelled

TABLE = "manifest.csv"
# A path that does not exist and ends so is a missing file, not a missing directory.
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".gz", ".xlsx", ".xls")
# As the readers of these files have it.
DICOM = re.compile(
    r"\.(?:dcm|dicom|ima)$|^(?:[a-z]{2,10}\.)?[0-9]+(?:\.[0-9]+){3,}$", re.IGNORECASE
)
SLIDES = re.compile(r"\.(?:svs|tiff?|ndpi|mrxs|scn|vms|vmu|bif|svslide)$", re.IGNORECASE)
IMAGES = (".png", ".jpg", ".jpeg")
_TIFF = (".tif", ".tiff")  # a small image or a slide
_MOST_NAMES = 5000
# Sources, and globs of files that together only their data sets have.
_PUBLISHED = (
    ("chexpert", ("CheXpert-v1.0*",)),
    ("chexpert", ("train.csv", "valid.csv", "train/patient*")),
    ("chestxray14", ("Data_Entry_2017*.csv",)),
    ("mimic_cxr", ("mimic-cxr-*-metadata.csv*",)),
    ("openi", ("indiana_projections.csv",)),
    ("openi", ("ecgen-radiology/*.xml",)),
    ("openi", ("NLMCXR_reports/ecgen-radiology/*.xml",)),
    ("padchest", ("PADCHEST_chest_x_ray_images_labels_160K*.csv*",)),
    ("patch_camelyon", ("camelyonpatch_level_2_split_*",)),
    ("rsna_pneumonia", ("stage_2_train_labels.csv",)),
    ("siim_pneumothorax", ("stage_2_train.csv", "dicom-images-*")),
    ("siim_pneumothorax", ("train-rle.csv",)),
    ("medmnist", ("*mnist*.npz",)),
    ("pcam_kaggle", ("train_labels.csv", "train/*.tif")),
    ("camelyon_patches", ("*/normal/normal_[0-9]*.png", "*/tumor/tumor_[0-9]*.png")),
    ("camelyon_patches", ("normal/normal_[0-9]*.png", "tumor/tumor_[0-9]*.png")),
    ("vindr_cxr", ("annotations/image_labels_train.csv",)),
    ("vindr_cxr", ("train.csv", "train/*.dicom")),
    ("wilds_camelyon17", ("metadata.csv", "patches/patient_*_node_*")),
    ("camelyon17", ("stage_labels.csv",)),
    ("tfds", ("dataset_info.json",)),
    ("tfds", ("*/*/dataset_info.json",)),
)


def choose(source: str) -> str:
    """Returns how to choose a source, as a part of a sentence."""
    return f"set {spelled('source', source)}"


def refuse_other_layout(data: files.Path, choose: Callable[[str], str] = choose) -> None:
    """Raises a UserError for a directory without a table that looks like that of another source.

    Args:
      data: what the source `csv` is given.
      choose: turns the name of a source into how to choose it.
    """
    path = pathlib.Path(data)
    if not has_table(path) and (sentence := advice(path, choose)):
        raise UserError(f"There is no file {path / TABLE}. {sentence}")


def table_of(data: files.Path) -> pathlib.Path:
    """Returns the table that the source `csv` reads: the file, or that of a directory."""
    path = pathlib.Path(data)
    is_file = path.exists() and not path.is_dir()
    return path if is_file or path.suffix.lower() in TABLE_SUFFIXES else path / TABLE


def has_table(directory: pathlib.Path) -> bool:
    """Returns whether a directory has a table, also one that its reader refuses, such as a pipe."""
    return os.path.lexists(directory / TABLE)


def refuse_without_labels() -> NoReturn:
    """Raises the UserError for a table whose label columns are not named."""
    raise UserError(
        "The source 'csv' needs the names of its label columns: set "
        f"{spelled('labels', ('LABEL_A', 'LABEL_B'))}."
    )


def refuse_empty(path: files.Path) -> None:
    """Raises a UserError for an empty path, as of an unset variable, which would mean `.`."""
    if not os.fspath(path):
        raise UserError("A path of images is empty; name a folder, a glob or files.")


def has_only_images(data: files.Path) -> bool:
    """Returns whether a directory holds images but no table, and is not of a published data set.

    Where neither labels nor patients are needed, such a folder is all that is needed.
    """
    path = pathlib.Path(data)
    if not path.is_dir() or has_table(path) or _published(path):
        return False
    names = list(itertools.islice(_names(path), _MOST_NAMES))
    tables = any(name.lower().endswith(TABLE_SUFFIXES) for name in names)
    return not tables and any(name.lower().endswith(IMAGES) for name in names)


def _published(directory: pathlib.Path) -> str:
    """Returns the source whose published data set a directory looks like; empty for none."""
    for source, marks in _PUBLISHED:
        if all(any(directory.glob(mark)) for mark in marks):
            return source
    return ""


def has_only_dicom(data: files.Path) -> bool:
    """Returns whether a directory has no table, and no images but DICOM files."""
    path = pathlib.Path(data)
    if not path.is_dir() or has_table(path):
        return False
    kinds = {_kind(name) for name in _names(path)}
    return "dicom" in kinds and "image" not in kinds


def _kind(name: str) -> str:
    if DICOM.search(os.path.basename(name)):
        return "dicom"
    return "image" if name.lower().endswith((*IMAGES, *_TIFF)) else ""


def advice(directory: pathlib.Path, choose: Callable[[str], str] = choose) -> str:
    """Returns a sentence about what a directory holds and how to load it; empty if unknown.

    Args:
      directory: has no `manifest.csv`; need not exist.
      choose: as for `refuse_other_layout`.
    """
    if not directory.is_dir():
        return ""
    if source := _published(directory):
        return f"The directory looks like data of the source {source!r}: {choose(source)}."
    names = list(itertools.islice(_names(directory), _MOST_NAMES))
    files = [name for name in names if not os.path.basename(name).startswith(".")]
    images = [name for name in files if name.lower().endswith(IMAGES)]
    in_folders = [name for name in files if os.sep in name and name.lower().endswith(_TIFF)]
    images = images or in_folders
    dicom = [name for name in files if DICOM.search(os.path.basename(name))]
    slides = [name for name in files if SLIDES.search(os.path.basename(name))]
    if len(dicom) > len(images):
        return f"The directory holds DICOM files, such as {dicom[0]}: {choose('dicom')}."
    if images:
        folders = sorted({name.split(os.sep)[0] for name in images if os.sep in name})
        if len(folders) > 1 and len(folders) > sum(os.sep not in name for name in images):
            return (
                f"The directory holds images in folders ({some(folders)}): if these are classes "
                f"or splits, {choose('folder')}."
            )
        tables = sorted(name for name in files if name.lower().endswith((".csv", ".tsv", ".txt")))
        if not tables:
            return (
                f"The directory holds images, such as {images[0]}, but no table: write "
                "manifest.csv with the columns path, patient_id and one per label, or sort the "
                f"images into one folder per class and {choose('folder')}."
            )
    if slides and all(name.lower().endswith(_TIFF) for name in slides):
        return (
            f"The directory holds TIFF files, such as {slides[0]}: {choose('slides')} if they are "
            "whole slides, else name them in a table."
        )
    if slides:
        return f"The directory holds whole slides, such as {slides[0]}: {choose('slides')}."
    if tables := sorted(name for name in files if name.lower().endswith((".csv", ".tsv", ".txt"))):
        named = [os.path.join(directory, table) for table in tables]
        return f"The directory holds {some(tables)}: name the table, such as {named[0]}."
    return ""


def _names(directory: pathlib.Path) -> Iterator[str]:
    """Yields the files of a directory and of those below it, relative to it."""
    for folder, below, names in os.walk(directory):
        below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
        inside = os.path.relpath(folder, directory)
        for name in sorted(names):
            yield name if inside == os.curdir else os.path.join(inside, name)
