"""Readers with a fault each, on which the harness itself is tested."""

import ctypes
import pathlib
import time

from harness import UNREADABLE, Target

from remedis.data.readers.unreadable import Unreadable
from remedis.errors import UserError

SEEDS = (b"header 12 body", b"header 7")


def sound(contents: bytes, folder: pathlib.Path) -> None:
    (folder / "a").write_bytes(contents)
    if not contents.startswith(b"header"):
        raise UserError("This is no header.")


def raising(contents: bytes, folder: pathlib.Path) -> None:
    if contents not in SEEDS and b"body" not in contents and len(contents) > 3:
        raise IndexError("no body")


def looping(contents: bytes, folder: pathlib.Path) -> None:
    while contents not in SEEDS:
        pass


def waiting(contents: bytes, folder: pathlib.Path) -> None:
    if contents not in SEEDS:
        time.sleep(1000)


def crashing(contents: bytes, folder: pathlib.Path) -> None:
    if contents not in SEEDS:
        ctypes.string_at(0)


def growing(contents: bytes, folder: pathlib.Path) -> None:
    if contents not in SEEDS:
        bytes(1 << 31)


def talking(contents: bytes, folder: pathlib.Path) -> None:
    if contents not in SEEDS:
        raise Unreadable("word " * 5000)  # `UserError` shortens itself


TARGETS = {
    read.__name__: Target(lambda: SEEDS, read, allowed=UNREADABLE, seconds=0.3)
    for read in (sound, raising, looping, waiting, crashing, growing, talking)
}
