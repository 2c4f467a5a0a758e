"""Files of users, opened only if they are regular files, and read only up to a size.

Opening a pipe blocks, and a device such as `/dev/zero` has no end. Each reader of a file that a
user or a table names opens it here, or calls `check_regular` before another library opens it.
"""

import errno
import os
import stat
from typing import BinaryIO

Path = str | os.PathLike[str]

_KINDS = (
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
# Without O_NONBLOCK, opening a pipe waits for a writer.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK


class NotRegular(OSError):
    """A path names something other than a regular file, or a file that is too large.

    It is an `OSError`, so that code that reports unreadable files reports this one too. `strerror`
    is the reason without the path, such as "a pipe (FIFO), expected a regular file"; `str` is one
    sentence with the path.
    """

    def __str__(self) -> str:
        return f"{self.filename} cannot be read: {self.strerror}."


def check_regular(path: Path, max_bytes: int | None = None) -> os.stat_result:
    """Returns the status of a regular file; symbolic links are followed.

    Args:
      path: of the file.
      max_bytes: the largest size that is accepted; any if None.

    Raises:
      NotRegular: the path names a pipe, a device or a socket, or the file is larger.
      OSError: there is no such file, it is a directory (`IsADirectoryError`), or it cannot be seen.
    """
    status = os.stat(path)
    _check(status, path, max_bytes)
    return status


def open_regular(path: Path, max_bytes: int | None = None) -> BinaryIO:
    """Opens a regular file for reading bytes; never waits for another process.

    Args:
      path: of the file.
      max_bytes: the largest size that is accepted; any if None.

    Raises:
      OSError: as `check_regular`, and for a file that may not be read.
    """
    # Checked before opening, since opening a device can have an effect, and after it, since the
    # path may name another file by then.
    check_regular(path, max_bytes)
    descriptor = os.open(path, _FLAGS)
    try:
        _check(os.fstat(descriptor), path, max_bytes)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Returns the bytes of a regular file.

    Args:
      path: of the file.
      max_bytes: the largest size that is accepted.

    Raises:
      OSError: as `open_regular`; also for a file that grows beyond the size meanwhile.
    """
    with open_regular(path, max_bytes) as opened:
        contents: bytes | None = opened.read(max_bytes + 1)
    if contents is None:  # a file of /proc has no data yet
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), os.fspath(path))
    if len(contents) > max_bytes:
        raise _too_large(path, len(contents), max_bytes)
    return contents


def modified_ns(status: os.stat_result) -> int:
    """Returns the time of modification of a file in nanoseconds as int64, for comparison only.

    File systems hold times up to the year 2446, and int64 ends in 2262. Later times wrap around.
    """
    return (status.st_mtime_ns + 2**63) % 2**64 - 2**63


def _check(status: os.stat_result, path: Path, max_bytes: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "no file")
        raise NotRegular(errno.EINVAL, f"{kind}, expected a regular file", os.fspath(path))
    if max_bytes is not None and status.st_size > max_bytes:
        raise _too_large(path, status.st_size, max_bytes)


def _too_large(path: Path, size: int, max_bytes: int) -> NotRegular:
    reason = f"{size:,} bytes, expected at most {max_bytes:,}"
    return NotRegular(errno.EFBIG, reason, os.fspath(path))
