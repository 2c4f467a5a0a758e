"""Files written whole or not at all, and their hashes."""

import contextlib
import glob
import hashlib
import json
import os
import pathlib
import platform
import shutil
from collections.abc import Iterator
from typing import Any

from remedis.errors import UserError
from remedis.options import spelled

Path = str | os.PathLike[str]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, renamed to it when the block ends without an error."""
    final = pathlib.Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two writers of one path apart; the suffix stays last, since some writers
    # (matplotlib, pandas) choose the format by it.
    temporary = final.with_name(f".{final.stem}.{os.getpid()}.partial{final.suffix}")
    try:
        yield temporary
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_existing(path: Path, overwrite: bool | None = None) -> None:
    """Raises a UserError if `path` exists and may not be overwritten.

    Args:
      path: of a file or directory.
      overwrite: what the user says; None if the user has no such choice.
    """
    if pathlib.Path(path).exists() and not overwrite:
        choice = "name another path" if overwrite is None else f"set {spelled('overwrite')}"
        raise UserError(f"{path} exists already; remove it, or {choice}.")


@contextlib.contextmanager
def whole_directory(path: Path, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """Yields a temporary directory beside `path`, renamed to it when the block ends without error.

    Temporary directories of killed processes of this machine are removed.

    Raises:
      UserError: `path` exists and `overwrite` is false.
    """
    final = pathlib.Path(path)
    refuse_existing(final, overwrite)
    final.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{final.name}.partial-{platform.node()}-"
    for abandoned in final.parent.glob(f"{glob.escape(prefix)}*"):
        if not _runs(abandoned.name.removeprefix(prefix).removesuffix("-old")):
            shutil.rmtree(abandoned, ignore_errors=True)
    temporary = final.with_name(f"{prefix}{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        if final.exists():
            # Renamed first: a kill must not leave half of the old directory under the final name.
            old = temporary.with_name(f"{temporary.name}-old")
            os.replace(final, old)
            os.replace(temporary, final)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _runs(process: str) -> bool:
    """Returns whether a process of this number runs; true for a name that is no number."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        pass
    return True


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON, whole or not at all; NaN is refused, since it is not JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Returns what a JSON file holds."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
