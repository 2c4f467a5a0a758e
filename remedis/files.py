"""Files and folders written whole or not at all, and hashes of files."""

import contextlib
import ctypes
import errno
import glob
import hashlib
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator
from typing import Any

from remedis import kernel_locks
from remedis.errors import UserError
from remedis.options import spelled

Path = str | os.PathLike[str]

_LONGEST_NAME = 255  # bytes, on the file systems of Linux
# A file system without hard links answers with one of these: FAT, some network drives and FUSE.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
# Folders without read permission, links, pipes, and network drives that do not support it.
_NO_SYNC = (errno.EACCES, errno.ELOOP, errno.ENXIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


@contextlib.contextmanager
def whole_file(path: Path, overwrite: bool = True) -> Iterator[pathlib.Path]:
    """Yields an empty temporary file beside `path`, renamed to it when the block ends well.

    The name of the temporary file is random, so that writers of one path do not collide; the last
    one to end wins. It begins with a dot, and its suffix is that of `path`, since some writers
    (matplotlib, pandas) choose the format by it. The bytes are flushed to the disk before the
    rename: a power failure leaves the old file or the new one. Files of killed writers of `path`
    on this machine are removed; those of other machines stay, since their writers may be alive.

    Args:
      path: of the file.
      overwrite: whether a file that exists, or that another process writes in the meantime, is
        replaced.

    Raises:
      UserError: `path` exists and `overwrite` is false.
    """
    final = pathlib.Path(path)
    if not overwrite:
        refuse_existing(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(final, final.suffix)
    temporary, descriptor = _new(final, final.suffix, folder=False)
    try:
        try:
            yield temporary
            _sync(temporary)
            if overwrite:
                os.replace(temporary, final)
            else:
                _rename_to_free(temporary, final)
            _sync(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def refuse_existing(path: Path, overwrite: bool | None = None) -> None:
    """Raises a UserError if `path` exists and may not be overwritten.

    Args:
      path: of a file or directory; a broken symbolic link exists, too.
      overwrite: the user's choice; None if the user has none.
    """
    if os.path.lexists(path) and not overwrite:
        choice = "name another path" if overwrite is None else f"set {spelled('overwrite')}"
        raise UserError(f"{path} exists already; remove it, or {choice}.")


@contextlib.contextmanager
def whole_directory(path: Path, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """Yields a temporary directory beside `path`, renamed to it when the block ends without error.

    What `whole_file` says about names, killed writers and power failures holds here, too.

    Raises:
      UserError: `path` exists and `overwrite` is false, at the start or at the end.
    """
    final = pathlib.Path(path)
    refuse_existing(final, overwrite)
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(final, "")
    temporary, descriptor = _new(final, "", folder=True)
    old = temporary.with_name(f"{temporary.name}-old")
    try:
        try:
            yield temporary
            for folder, _, names in os.walk(temporary):
                for name in names:
                    _sync(os.path.join(folder, name))
                _sync(folder)
            # A rename replaces an empty directory only, whatever other writers do.
            while not _renamed(temporary, final):
                refuse_existing(final, overwrite)
                if _exchanged(temporary, final):
                    break
                # A kill must not leave half of the old directory under the final name.
                with contextlib.suppress(FileNotFoundError):
                    os.rename(final, old)
                _remove(old)
            _sync(final.parent)
        finally:
            _remove(temporary)
    finally:
        os.close(descriptor)


def _new(final: pathlib.Path, suffix: str, folder: bool) -> tuple[pathlib.Path, int]:
    """Makes a temporary file or folder beside `final`; returns its path and a locked descriptor.

    Its permissions follow the user's umask.
    """
    prefix = _prefix(final, suffix) + kernel_locks.reach(final.parent)
    while True:
        temporary = final.with_name(f"{prefix}-{secrets.token_hex(6)}{suffix}")
        flags = os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            if folder:
                temporary.mkdir()
                descriptor = os.open(temporary, flags | os.O_RDONLY | os.O_DIRECTORY)
            else:
                # O_EXCL refuses what another user has put there, a symbolic link above all.
                descriptor = os.open(temporary, flags | os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            if not final.parent.is_dir():
                raise
            continue
        # Another writer may have removed it as abandoned before it was locked.
        taken = kernel_locks.take(descriptor) is not False
        if taken and kernel_locks.is_at(descriptor, temporary):
            return temporary, descriptor
        os.close(descriptor)
        _remove(temporary)


def _prefix(final: pathlib.Path, suffix: str) -> str:
    """Returns how the names of the temporary files of a path begin."""
    most = _LONGEST_NAME - len(".partial-01234567-0123456789ab-old") - len(os.fsencode(suffix)) - 1
    stem = os.fsencode(final.name.removesuffix(suffix))[: max(most, 0)]
    return f".{os.fsdecode(stem)}.partial-"


def _remove_abandoned(final: pathlib.Path, suffix: str) -> None:
    """Removes the temporary files of a path whose writers are dead."""
    prefix = _prefix(final, suffix) + kernel_locks.reach(final.parent)
    for path in final.parent.glob(f"{glob.escape(prefix)}-*{glob.escape(suffix)}"):
        with kernel_locks.claimed(path) as abandoned:
            if abandoned:
                _remove(path)


def _remove(path: pathlib.Path) -> None:
    """Removes a file, or a directory with all that is in it, if it exists and as far as allowed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _rename_to_free(temporary: pathlib.Path, final: pathlib.Path) -> None:
    """Gives a file its final name unless something has this name; then raises a UserError."""
    try:
        os.link(temporary, final, follow_symlinks=False)
    except FileExistsError:
        refuse_existing(final)
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        except FileExistsError:
            refuse_existing(final)
            raise
        os.replace(temporary, final)


def _renamed(temporary: pathlib.Path, final: pathlib.Path) -> bool:
    """Gives a directory its final name; returns false if something has this name."""
    try:
        os.rename(temporary, final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True


def _exchanged(temporary: pathlib.Path, final: pathlib.Path) -> bool:
    """Gives two paths each other's name at once; returns false where the system cannot.

    Between two renames there would be no directory, for readers and after a kill.
    """
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):  # an older C library
        return False
    names = (_HERE, os.fsencode(temporary), _HERE, os.fsencode(final))
    return bool(rename(*names, _EXCHANGE) == 0)


def _sync(path: Path) -> None:
    """Flushes a file or folder to the disk (`fsync`), where the file system supports it.

    Without it, XFS and others may have the new name and no bytes behind it after a power failure.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def refuse_undecodable(*paths: Path) -> None:
    """Raises a UserError that names the first path that is not UTF-8, if any.

    Neither tables nor TensorFlow can hold such a path.
    """
    for path in paths:
        try:
            os.fspath(path).encode()
        except UnicodeEncodeError:
            # The cause is suppressed: it adds nothing to the message.
            raise UserError(
                f"The name {os.fspath(path)!r} is not UTF-8; rename it, so that tables can hold it."
            ) from None


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON, whole or not at all; NaN is refused, since it is not JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
