"""Images named by paths: folders, globs, image files, DICOM files and whole slides."""

import dataclasses
import glob
import os
import pathlib
from collections.abc import Collection, Sequence

from remedis import files
from remedis.data import layout_guess, readers
from remedis.data.readers import dicom_image, slide, tiff_image
from remedis.data.sources import file_tree
from remedis.errors import UserError, quoted, some

ENCODED = (".png", ".jpg", ".jpeg", *tiff_image.SUFFIXES)
# Archives made on a Mac have such a folder, whose files have the names of images.
SKIPPED = ("__MACOSX",)


@dataclasses.dataclass(frozen=True)
class Found:
    """The files that paths name.

    Attributes:
      root: the directory given; the common directory of several paths.
      images: files of images, DICOM files and items of containers, relative to it, sorted.
      slides: files of whole slides.
      others: files without the name of an image; whole slides in folders of images.
    """

    root: pathlib.Path
    images: Sequence[str]
    slides: Sequence[str]
    others: Sequence[str]


def matching(data: files.Path | Sequence[files.Path]) -> list[pathlib.Path]:
    """Returns paths with each glob, such as `scans/**/*.png`, replaced by what it matches, sorted.

    Raises:
      UserError: there is no path, one is empty, or nothing matches a glob.
    """
    given = [data] if isinstance(data, str | os.PathLike) else list(data)
    if not given:
        layout_guess.refuse_empty("")
    paths: list[pathlib.Path] = []
    for text in (os.fspath(path) for path in given):
        layout_guess.refuse_empty(text)
        if os.path.lexists(text) or not glob.has_magic(text):
            paths.append(pathlib.Path(text))
            continue
        matches = sorted(glob.glob(text, recursive=True))
        if not matches:
            raise UserError(
                f"No file matches {quoted(text)}; correct the glob, or name a folder, which is "
                "searched at any depth."
            )
        paths += map(pathlib.Path, matches)
    return paths


def find(
    paths: Sequence[pathlib.Path], all_slides: bool = False, skipped: Collection[str] = ()
) -> Found:
    """Returns the files that paths name; folders are searched at any depth.

    Whole slides in a folder count only if it has no images: their tiles would outnumber the images.

    Args:
      paths: of folders and files, without globs.
      all_slides: whether all files are whole slides, those in TIFF files included.
      skipped: names of folders to skip.

    Raises:
      UserError: a path does not exist, or a name is not UTF-8.
    """
    kinds: tuple[list[str], list[str], list[str]] = ([], [], [])
    images, slides, others = kinds
    for path in paths:
        if not path.is_dir():
            _refuse_absent(path)
            kinds[_kind(path.name, all_slides)].append(os.path.abspath(path))
            continue
        below: tuple[list[str], list[str], list[str]] = ([], [], [])
        for name in file_tree.walk(path, (*SKIPPED, *skipped)):
            below[_kind(name, all_slides)].append(os.path.abspath(path / name))
        images += below[0]
        (others if below[0] else slides).extend(below[1])
        others += below[2]
    root = paths[0] if len(paths) == 1 and paths[0].is_dir() else common(paths)
    absolute = os.path.abspath(root)
    found = [sorted({os.path.relpath(file, absolute) for file in kind}) for kind in kinds]
    # One file may be named twice, as in `scans scans/1.svs`.
    chosen = {*found[0], *found[1]}
    file_tree.refuse_undecodable(root, [*found[0], *found[1]])
    return Found(root, found[0], found[1], [name for name in found[2] if name not in chosen])


def common(paths: Sequence[pathlib.Path]) -> pathlib.Path:
    """Returns the deepest directory that holds all paths."""
    folders = [path if path.is_dir() else path.parent for path in paths]
    if len(set(folders)) == 1:
        return folders[0]
    return pathlib.Path(os.path.commonpath([os.path.abspath(folder) for folder in folders]))


def no_images(found: Found, dicom_only: bool = False) -> UserError:
    """Returns the error for paths without any image, or without any DICOM image."""
    suffixes = ", ".join((*(() if dicom_only else ENCODED), *dicom_image.SUFFIXES))
    kind = "DICOM images" if dicom_only else "images"
    has = f"; it has {some(found.others)}." if found.others else "."
    return UserError(
        f"{found.root} does not hold {kind}: no file in it or below ends in {suffixes}{has}"
    )


def is_image(path: files.Path) -> bool:
    """Returns whether the name of a path is that of an image or a whole slide."""
    return _kind(os.path.basename(path), all_slides=False) < 2


def is_image_file(name: str) -> bool:
    """Returns whether a name is that of a file with one image or a DICOM file."""
    return name.lower().endswith(ENCODED) or bool(dicom_image.NAMES.search(name))


def _kind(name: str, all_slides: bool) -> int:
    """Returns 0 for the name of an image, 1 for a whole slide, 2 for other files."""
    name = os.path.basename(name)
    if all_slides:
        return 1 if slide.NAMES.search(name) else 2
    if is_image_file(name) or readers.locate(name).item:
        return 0
    return 1 if slide.NAMES.search(name) else 2


def _refuse_absent(path: pathlib.Path) -> None:
    # A link to nowhere exists: the scan lists it with the unreadable images.
    if not os.path.lexists(readers.locate(os.fspath(path)).file):
        raise UserError(
            f"There is no file or folder {path}; expected images there. A glob in quotes, such as "
            "'scans/**/*.png', names files by a pattern."
        )
