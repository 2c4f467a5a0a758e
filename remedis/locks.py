"""Locks on runs and outputs: one process writes a path at a time, and the others are told which.

A lock is a small file that names its holder: host, process and start. The kernel's lock on this
file (`kernel_locks`) shows whether the holder is alive. The kernel releases it when the process
ends for any reason, so that the lock of a killed process is free at once. Another host may not see
the kernel's lock. The holder therefore changes the file every few seconds (a heartbeat), and a
process on another host watches whether it changes. No clocks are compared.

The package `filelock` does not suffice. Its locks are either the kernel's alone, which network
drives may keep per host, or files that remain when their process is killed. Neither names the
holder.
"""

import contextlib
import dataclasses
import datetime
import errno
import json
import logging
import os
import pathlib
import platform
import secrets
import signal
import stat
import threading
import time
from collections.abc import Iterator
from typing import Any

from remedis import kernel_locks
from remedis.errors import UserError
from remedis.options import spelled

_LOG = logging.getLogger(__name__)

Path = str | os.PathLike[str]

_own_tokens: set[str] = set()  # of the locks that this process has or had
# Network drives show a change after some seconds; a newcomer waits for four heartbeats.
BEAT_SECONDS, WATCHED_SECONDS = 5.0, 20.0
# Two newcomers on hosts that do not see each other's locks may both take over an abandoned one.
# The one whose name is in the file after this time has it.
_CONFIRM_SECONDS = 1.0
_ATTEMPTS = 5  # other processes may look at the same moment
_BYTES = 512  # of a lock file: of constant size, so that no reader sees a partial write


@dataclasses.dataclass(frozen=True)
class Holder:
    """The process that has a lock.

    Attributes:
      host: name of its host.
      process: id of the process there.
      since: when it took the lock, by the clock of its host, to be read by people.
      reach: of `kernel_locks`: the kernel and the mount.
      token: random, so that no two holders are equal.
      subject: what the holder works on, as text to compare.
    """

    host: str
    process: int
    since: str
    reach: str
    token: str
    subject: str = ""

    def is_this_process(self) -> bool:
        """Returns whether the holder is this process."""
        return self.token in _own_tokens

    def __str__(self) -> str:
        return f"process {self.process} on host {self.host} since {self.since}"


def file_in(directory: Path) -> pathlib.Path:
    """Returns the lock file of a directory that exists or that the job makes, inside it."""
    return pathlib.Path(directory) / ".lock"


def file_beside(path: Path) -> pathlib.Path:
    """Returns the lock file of a file or folder that is written whole, beside it."""
    final = pathlib.Path(os.path.abspath(path))
    return final.with_name(f".{final.name}.lock")


def of_output(out: Path) -> contextlib.AbstractContextManager[None]:
    """Has the lock of what a command writes to `--out`."""
    return held(file_beside(out), spelled("out", out))


@contextlib.contextmanager
def held(file: Path, what: object, subject: str = "") -> Iterator[None]:
    """Holds a lock in the block, and removes the lock file at its end.

    Args:
      file: the lock file, of `file_in` or `file_beside`; its folder is made if it is missing, and
        removed again if it is empty at the end.
      what: the thing that is locked; the error message begins with it.
      subject: of `Holder`, at most 100 characters of ASCII.

    Raises:
      UserError: another process has the lock, or the file cannot be written.
    """
    file = pathlib.Path(file)
    made = [folder for folder in file.parents if not folder.exists()]
    descriptor, own = _taken(file, what, subject)
    try:
        with _beating(file, descriptor, own, what):
            yield
    finally:
        with contextlib.suppress(OSError):
            if kernel_locks.is_at(descriptor, file) and _holder(_content(descriptor)) == own:
                os.unlink(file)
                for folder in made:
                    folder.rmdir()  # raises an error if anything is in it
        os.close(descriptor)


def holder(file: Path) -> Holder | None:
    """Returns the running process that has a lock; None if there is none.

    The lock file of a process that has ended is removed. If it was on another host, this takes
    `WATCHED_SECONDS`.
    """
    file = pathlib.Path(file)
    try:
        descriptor = _opened_to_look(file)
    except OSError:
        return None
    try:
        before = _content(descriptor)
        found, free = _holder(before), kernel_locks.take(descriptor)
        known_dead = found is not None and found.reach == kernel_locks.reach(file.parent)
        if free and not known_dead:
            kernel_locks.release(descriptor)  # a look must not keep another process from taking it
        if free is False or (not (free and known_dead) and _changes(file)):
            named = _named(file)
            return named or (_UNKNOWN if kernel_locks.is_at(descriptor, file) else None)
        free = kernel_locks.take(descriptor)
        same = kernel_locks.is_at(descriptor, file) and _content(descriptor) == before
        if free is not False and same:
            with contextlib.suppress(OSError):
                os.unlink(file)
        return None
    finally:
        os.close(descriptor)


_UNKNOWN = Holder("an unknown host", 0, "an unknown time", "", "")


def _taken(file: pathlib.Path, what: object, subject: str) -> tuple[int, Holder]:
    """Returns the descriptor of a lock file that this process has, and what the file says."""
    for attempt in range(_ATTEMPTS):
        descriptor, made = _opened(file, what)
        try:
            own = _take(file, descriptor, made, what, subject)
        except BaseException:
            os.close(descriptor)
            raise
        if own is not None:
            return descriptor, own
        os.close(descriptor)
        time.sleep(_CONFIRM_SECONDS * attempt / _ATTEMPTS)
    raise _in_use(what, None)


def _take(
    file: pathlib.Path, descriptor: int, made: bool, what: object, subject: str
) -> Holder | None:
    """Takes a lock by an open file; returns None if it has to be opened again."""
    free = kernel_locks.take(descriptor)
    if not kernel_locks.is_at(descriptor, file):
        return None
    content = _content(descriptor)
    found = _holder(content)
    if free is False:
        if (found := _named(file)) is None:
            return None  # the holder has ended, or another process had a look
        raise _in_use(what, found)
    reach = kernel_locks.reach(file.parent)
    certain = made or (free is True and found is not None and found.reach == reach)
    if not certain:
        if found is not None:
            _LOG.info(
                f"{what} was in use by {found}; waiting {WATCHED_SECONDS:.0f} s to see whether it "
                "still is ..."
            )
        elif content:
            _LOG.info(
                f"{file} names no process; waiting {WATCHED_SECONDS:.0f} s to see whether one on "
                "another host changes it ..."
            )
        if _changes(file):
            raise _in_use(what, _named(file))
        if not kernel_locks.is_at(descriptor, file):
            return None
    own = Holder(
        platform.node(),
        os.getpid(),
        datetime.datetime.now().astimezone().isoformat(" ", "minutes"),
        reach,
        secrets.token_hex(8),
        subject,
    )
    _own_tokens.add(own.token)
    try:
        os.ftruncate(descriptor, 0)
        _write(descriptor, own, 0)
    except OSError as error:
        os.unlink(file)
        raise _unwritable(file, what, error) from error
    if not certain:
        time.sleep(_CONFIRM_SECONDS)
        now = _holder(_fresh_content(file) or b"")
        if now != own:
            raise _in_use(what, now)
    return own


def _opened(file: pathlib.Path, what: object) -> tuple[int, bool]:
    """Returns the descriptor of a lock file, and whether this process made it."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        while True:
            file.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # its maker removed the folder again
                with contextlib.suppress(FileExistsError):
                    return os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o666), True
                descriptor = os.open(file, flags)
                break
        if _foreign(os.fstat(descriptor)):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a lock file")
    except OSError as error:
        if isinstance(error, PermissionError) and (other := holder(file)) is not None:
            raise _in_use(what, other) from error
        raise _unwritable(file, what, error) from error
    return descriptor, False


def _foreign(status: os.stat_result) -> str:
    """Returns what a file is that belongs to the user and is not overwritten; else nothing."""
    if stat.S_ISLNK(status.st_mode):
        return "a symbolic link"
    if not stat.S_ISREG(status.st_mode):
        return "no regular file"
    if status.st_nlink > 1:
        return "a file with a second name (a hard link)"
    return "a larger file than a lock" if status.st_size > _BYTES else ""


@contextlib.contextmanager
def _beating(file: pathlib.Path, descriptor: int, own: Holder, what: object) -> Iterator[None]:
    """Changes the lock file every few seconds, for processes that watch it from other hosts."""
    ended = threading.Event()

    def beat() -> None:
        beats = 0
        while not ended.wait(BEAT_SECONDS):
            now = _holder(_fresh_content(file) or b"")
            if now not in (None, own):
                # This process was suspended, for example on a laptop that slept.
                _LOG.error(f"{what} was taken over by {now}; this process stops.")
                # As Ctrl-C does: it also interrupts a long system call of the main thread. A shell
                # ignores it for programs in the background.
                ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
                number = signal.SIGTERM if ignored else signal.SIGINT
                signal.pthread_kill(threading.main_thread().ident or 0, number)
                return
            beats += 1
            with contextlib.suppress(OSError):  # a full disk, or a network that is down
                _write(descriptor, own, beats)

    thread = threading.Thread(target=beat, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _changes(file: pathlib.Path) -> bool:
    """Returns whether a lock file changes while it is watched; false if it disappears."""
    before = _fresh_content(file)
    # A file is empty if its maker was killed at once, or has not written yet.
    seconds = WATCHED_SECONDS if before else _CONFIRM_SECONDS
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, seconds / 20))
        now = _fresh_content(file)
        if now != before:
            return now is not None
    return False


def _named(file: pathlib.Path) -> Holder | None:
    """Returns the holder that a lock file names; waits a second for one that is about to write."""
    for _ in range(10):
        if (found := _holder(_fresh_content(file) or b"")) is not None:
            return found
        time.sleep(_CONFIRM_SECONDS / 10)
    return None


def _fresh_content(file: pathlib.Path) -> bytes | None:
    """Returns the content of a lock file, opened again: network drives then ask their server.

    None if it cannot be opened.
    """
    try:
        descriptor = _opened_to_look(file)
    except OSError:
        return None
    try:
        return _content(descriptor)
    finally:
        os.close(descriptor)


def _opened_to_look(file: pathlib.Path) -> int:
    """Returns the descriptor of an existing lock file, which may be another user's."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(file, os.O_RDWR | flags)  # the locks of network drives need this
    except PermissionError:
        return os.open(file, os.O_RDONLY | flags)


def _content(descriptor: int) -> bytes:
    try:
        return os.pread(descriptor, _BYTES, 0)
    except OSError:  # a pipe, or a network that is down
        return b""


def _write(descriptor: int, own: Holder, beats: int) -> None:
    text = json.dumps({**dataclasses.asdict(own), "beats": beats})
    os.pwrite(descriptor, text.encode().ljust(_BYTES - 1) + b"\n", 0)
    with contextlib.suppress(OSError):  # network drives send it then; some file systems cannot
        os.fsync(descriptor)


def _holder(content: bytes) -> Holder | None:
    """Returns the holder that a lock file names; None if it is damaged or of another program."""
    try:
        values: dict[str, Any] = json.loads(content)
        found = Holder(*(values[field.name] for field in dataclasses.fields(Holder)))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = (found.host, found.since, found.reach, found.token, found.subject)
    valid = isinstance(found.process, int) and all(isinstance(text, str) for text in texts)
    return found if valid else None


def _in_use(what: object, found: Holder | None) -> UserError:
    return UserError(
        f"{what} is in use by {found or 'another process'}: wait until it ends, or stop it, and "
        "start again."
    )


def _unwritable(file: pathlib.Path, what: object, error: OSError) -> UserError:
    above = next((folder for folder in file.parents if os.path.lexists(folder)), file.parent)
    if not above.is_dir():
        return UserError(f"{what} cannot be written: {above} is no folder; name another place.")
    with contextlib.suppress(OSError):
        if kind := _foreign(os.lstat(file)):
            return UserError(
                f"{what} cannot be locked: {file} is {kind}, expected a lock file or none; remove "
                "it, or name another place."
            )
    return UserError(
        f"{what} cannot be locked: {file} cannot be written ({error.strerror or error}); make "
        "room or correct the rights, or name another place."
    )
