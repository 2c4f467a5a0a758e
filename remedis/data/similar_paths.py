"""Files that a missing path may mean: "did you mean".

A path of a table is often right but for one systematic difference: it was written on Windows, from
another directory, by a program that drops leading zeros, or without the suffix. The files below a
directory are listed once, when the first path is missing. A missing path is then compared with
them, in four steps from strict to loose: as it is; without letter case; without the suffix of an
image; without leading zeros. In each step the longest end of the path (folders and name) that
exactly one file shares decides; if several share it, there is no suggestion.
"""

import collections
import functools
import os
from collections.abc import Callable, Hashable, Sequence

from remedis import files
from remedis.data import canonical_ids
from remedis.errors import quoted

# Readers load TensorFlow, which a table that is right does not need.
_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".ima", ".tif", ".tiff", ".bmp")
_MOST_FILES = 1_000_000  # the search ends there: the directory may be that of a whole archive
_MOST_PARTS = 5
_SEVERAL = ""  # stands for more than one file

Parts = tuple[str, ...]
# Folders recur in thousands of paths.
_spelt = functools.lru_cache(maxsize=100_000)(canonical_ids.spelling)


def suggestion(root: files.Path, path: str) -> str | None:
    """Returns the file below `root` that a missing path may mean, relative to it; None if unclear.

    Args:
      root: the directory that the path is relative to.
      path: as in a manifest, relative or absolute; an item after `#` is kept.
    """
    return SimilarFiles(root).find(path)


class SimilarFiles:
    """The files below a directory, to be compared with paths that do not exist."""

    def __init__(self, root: files.Path) -> None:
        """Args: root: the directory; it is listed when the first path is asked for."""
        self._root = os.fspath(root)
        self._files: list[Parts] | None = None
        self._by_end: dict[tuple[int, int], dict[Hashable, str]] = {}

    def find(self, path: str) -> str | None:
        """Returns what `suggestion` returns; the directory is listed once."""
        file, item = _located(path)
        wanted = parts_of(file)
        if not wanted:
            return None
        least = 1
        for step, simplified in enumerate(_STEPS):
            end = simplified(wanted)
            for count in range(min(len(wanted), _MOST_PARTS), least - 1, -1):
                found = self._index(step, count).get(end[-count:])
                if found == _SEVERAL:
                    # A looser comparison must agree in more of the path.
                    least = count + 1
                    break
                # A link to nowhere, perhaps the missing path itself, is listed but is no file.
                if found is not None and os.path.isfile(os.path.join(self._root, found)):
                    return found + item
        return None

    def _index(self, step: int, count: int) -> dict[Hashable, str]:
        """Returns the files by the last `count` parts of their paths, simplified."""
        key = step, count
        if key not in self._by_end:
            index: dict[Hashable, str] = {}
            for parts in self._listed():
                if len(parts) >= count:
                    end = _STEPS[step](parts[-count:])
                    index[end] = _SEVERAL if end in index else "/".join(parts)
            self._by_end[key] = index
        return self._by_end[key]

    def _listed(self) -> list[Parts]:
        if self._files is None:
            self._files = []
            for directory, below, names in os.walk(self._root):
                below[:] = sorted(name for name in below if not name.startswith("."))
                inside = os.path.relpath(directory, self._root)
                folders = () if inside == os.curdir else tuple(inside.split(os.sep))
                self._files += [(*folders, name) for name in sorted(names)]
                if len(self._files) > _MOST_FILES:
                    break
        return self._files


def sentence(root: files.Path, missing: Sequence[str]) -> str:
    r"""Returns a sentence about the files that missing paths may mean; empty if there are none.

    If the same change makes all paths right, the sentence names the change: "All 1,204 missing
    files exist with / for \, such as 'a/b.png'."

    Args:
      root: the directory that the paths are relative to.
      missing: the paths without a file.
    """
    similar = SimilarFiles(root)
    pairs = [(path, found) for path in missing if (found := similar.find(path)) is not None]
    return described(pairs, len(missing))


def described(pairs: Sequence[tuple[str, str]], total: int) -> str:
    """Returns the sentence of `sentence` from missing paths and the files they may mean.

    Args:
      pairs: missing path and similar file.
      total: number of missing paths, those without a similar file included.
    """
    if not pairs:
        return ""
    if total == 1:
        return f"Did you mean {quoted(pairs[0][1])}?"
    changes = [_change(path, found) for path, found in pairs]
    change, count = collections.Counter(changes).most_common(1)[0]
    path, found = pairs[changes.index(change)]
    example = f"{quoted(found)} for {quoted(path)}"
    if count == total:
        return f"All {total:,} missing files exist {change}, such as {example}."
    of_total = f"{len(pairs):,} of {total:,} missing files resemble one that exists"
    return f"Did you mean {example}? {of_total}, {count:,} of them {change}."


def _located(path: str) -> tuple[str, str]:
    """Returns the file of a path, and the item in it with its `#`; "" if there is none."""
    if "#" not in path:
        return path, ""
    from remedis.data import readers

    file = readers.locate(path).file
    return file, path[len(file) :]


def parts_of(path: str) -> Parts:
    r"""Returns the folders and the name of a path with / or \, without a drive."""
    parts = path.replace("\\", "/").strip().split("/")
    kept = [part for part in parts if part not in ("", ".", "..")]
    return tuple(kept[1:] if kept and kept[0].endswith(":") else kept)


def _lower(parts: Parts) -> Parts:
    return tuple(part.casefold() for part in parts)


def without_suffix(parts: Parts) -> Parts:
    """Returns the parts of a path without letter case, and without the suffix of an image."""
    *folders, name = _lower(parts)
    stem, mark, suffix = name.rpartition(".")
    return (*folders, stem if mark and f".{suffix}" in _SUFFIXES else name)


def _without_zeros(parts: Parts) -> Parts:
    return tuple(_spelt(part) for part in without_suffix(parts))


_STEPS: tuple[Callable[[Parts], Parts], ...] = (tuple, _lower, without_suffix, _without_zeros)


def _change(path: str, found: str) -> str:
    r"""Returns how a found path differs from a missing one, such as "with / for \"."""
    *folders, name = parts_of(_located(path)[0])
    *found_folders, found_name = parts_of(_located(found)[0])
    changes = ["with / for \\"] if "\\" in path else []
    common = 0
    for ours, theirs in zip(reversed(folders), reversed(found_folders), strict=False):
        if ours != theirs and _spelt(ours) != _spelt(theirs):
            break
        common += 1
    lost = "/".join(folders[: len(folders) - common])
    added = "/".join(found_folders[: len(found_folders) - common])
    if path.startswith(("/", "\\")) or path[1:2] == ":":
        changes.append("below the directory of the data")
    elif lost and added:
        changes.append(f"in {added}/ instead of {lost}/")
    elif lost or added:
        changes.append(f"without {lost}/" if lost else f"in {added}/")
    stem, suffix = os.path.splitext(name)
    found_stem, found_suffix = os.path.splitext(found_name)
    if suffix != found_suffix:
        changes.append(f"with the suffix {found_suffix}" if found_suffix else "without the suffix")
    before = [*folders[len(folders) - common :], stem]
    after = [*found_folders[len(found_folders) - common :], found_stem]
    if before != after:
        if [part.casefold() for part in before] == [part.casefold() for part in after]:
            changes.append("in another letter case")
        elif len("".join(before)) < len("".join(after)):
            changes.append("with leading zeros")
        else:
            changes.append("under a similar name")
    return ", ".join(changes)
