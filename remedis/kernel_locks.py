"""Locks of the kernel on files and folders (`flock`), which end with the process that holds them.

A process id is no substitute: ids are reused, and each container has its own. All processes of one
kernel see such a lock through one mount: `reach` names both.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import pathlib
import stat
from collections.abc import Iterator

_BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


def reach(directory: str | os.PathLike[str]) -> str:
    """Returns 8 characters that name the kernel and the mount of a directory.

    Processes with the same characters see each other's locks on files and folders in it. Other
    hosts, and this host before a restart, have other characters. So have two mounts of one network
    drive, whose file system may keep locks per mount.
    """
    text = f"{_kernel()} {os.stat(directory).st_dev}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def take(descriptor: int) -> bool | None:
    """Takes the lock on an open file or folder until the descriptor is closed.

    Returns:
      True if this process has it, False if another process has it, None if the file system has no
      such locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def release(descriptor: int) -> None:
    """Gives up the lock on an open file or folder."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Returns whether an open file is still the one at `path`."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(status, os.fstat(descriptor))


@contextlib.contextmanager
def claimed(path: str | os.PathLike[str]) -> Iterator[bool]:
    """Yields whether the lock on a file or folder was free; then this process has it in the block.

    Yields False for anything but a file or folder, for one that cannot be opened, and on file
    systems without such locks.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError:
        yield False
        return
    try:
        kind = os.fstat(descriptor).st_mode
        yield (stat.S_ISREG(kind) or stat.S_ISDIR(kind)) and take(descriptor) is True
    finally:
        os.close(descriptor)


@functools.cache
def _kernel() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # a sandbox without /proc: no other process shares this value
        return os.urandom(16).hex()
