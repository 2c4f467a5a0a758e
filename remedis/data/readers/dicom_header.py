"""Headers of DICOM files, read without a trace of the patient in logs, warnings and errors.

The names, dates and comments of a header must not be output, but pydicom quotes values in its logs,
warnings and errors. Therefore only the requested attributes are read, pydicom is silenced while it
works for this package, and its errors are replaced, not chained.
"""

import contextlib
import functools
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from types import ModuleType
from typing import Any, TypeVar

from remedis import compat, extras, files
from remedis.data.readers.dicom_file import BoundedFile, open_bounded
from remedis.data.readers.unreadable import Unreadable
from remedis.errors import UserError

_T = TypeVar("_T")

_MARK_OFFSET, _MARK = 128, b"DICM"
MARK_END = _MARK_OFFSET + len(_MARK)  # number of leading bytes that identify a DICOM file
_LOGGERS = ("pydicom", "pylibjpeg", "openjpeg", "libjpeg", "rle")
_FILTER = ("ignore", None, Warning, re.compile(rf"(?:{'|'.join(_LOGGERS)})(?:\.|$)"), 0)
_LOCK = threading.Lock()
_THREAD = threading.local()
_depth = 0


def has_mark(start: bytes) -> bool:
    """Returns whether a file is DICOM, from its first `MARK_END` bytes."""
    return start[_MARK_OFFSET:MARK_END] == _MARK


def read(file: files.Path, keywords: Sequence[str]) -> Any:
    """Returns some attributes of a DICOM file, without its pixels.

    Args:
      file: the DICOM file.
      keywords: the standard's keywords of the attributes, such as `PatientID`.

    Returns:
      A `pydicom.Dataset` with those of the attributes that the file has, `file_meta`, and
      `file_size` in bytes, unpacked if the file is deflated. Its values may identify a patient and
      must not be logged.

    Raises:
      Unreadable: the file cannot be read, or is not a DICOM file.
      UserError: pydicom is not installed.
    """
    pydicom = extras.load("pydicom", "dicom")
    with opened(file) as bounded:
        header = quietly(
            lambda: pydicom.dcmread(bounded, stop_before_pixels=True, specific_tags=list(keywords)),
            "The DICOM header is damaged.",
        )
        header.file_size = bounded.size
        return header


@contextlib.contextmanager
def opened(file: files.Path) -> Iterator[BoundedFile]:
    """Yields an open DICOM file.

    Raises:
      Unreadable: the file cannot be read, or is not a DICOM file.
    """
    try:
        with open_bounded(file) as bounded:
            start = bounded.read(MARK_END)
            if not has_mark(start):
                raise Unreadable(_other_file(start))
            yield bounded.rewind()
    except OSError as error:
        raise Unreadable(f"The file cannot be read ({error.strerror}).") from None


def text(header: Any, keyword: str) -> str:
    """Returns one attribute as stripped text, the first value of several; empty if there is none.

    Raises:
      Unreadable: its value is malformed.
    """
    value = value_of(header, keyword)
    return "" if value is None else str(value).strip(" \0\t\r\n")


def value_of(header: Any, keyword: str) -> Any:
    """Returns the value of one attribute, the first of several; None if there is none.

    Raises:
      Unreadable: its value is malformed.
    """
    fault = f"The DICOM header is damaged: {keyword} is malformed."

    def first() -> Any:
        value = header.get(keyword)
        if isinstance(value, MutableSequence):
            value = value[0] if len(value) else None
        return None if value is None or value == "" else value

    return quietly(first, fault)


def quietly(work: Callable[[], _T], fault: str) -> _T:
    """Returns the result of `work`; suppresses every message of pydicom.

    Args:
      work: a function that calls pydicom.
      fault: the sentence of the error if `work` fails.

    Raises:
      Unreadable: `work` raised an error; it is not chained, since it may quote the header. An
        `Unreadable`, which does not, is passed on.
    """
    with silence():
        try:
            return work()
        except (Unreadable, UserError, KeyboardInterrupt, SystemExit):
            raise
        # Damaged bytes raise nearly everything: `RecursionError`, `MemoryError`, and the panic of
        # a decoder in Rust, which is not an `Exception`.
        except BaseException:
            pass
    # Raised outside the handler, so that pydicom's error is not the context of this one either.
    raise Unreadable(fault)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Suppresses warnings and log records of pydicom and its decoders.

    Log records are suppressed in this thread only. Python cannot filter warnings by thread: they
    are suppressed in the whole process while any thread is in this context.
    """
    global _depth
    _silence_loggers()
    with _LOCK:
        if _depth == 0:
            warnings.filterwarnings("ignore", module=_FILTER[3].pattern)
        _depth += 1
    before = getattr(_THREAD, "silent", False)
    _THREAD.silent = True
    try:
        yield
    finally:
        _THREAD.silent = before
        with _LOCK:
            _depth -= 1
            if _depth == 0:
                compat.remove_warning_filter(_FILTER)


@functools.cache
def _silence_loggers() -> None:
    # The filter of a logger does not apply to its children, so each of them gets one.
    extras.load("pydicom.pixels.decoders", "dicom")
    for name in list(logging.Logger.manager.loggerDict):
        if name.partition(".")[0] in _LOGGERS:
            logging.getLogger(name).addFilter(_is_heard)


@functools.cache
def load_silenced(module: str, extra: str) -> ModuleType:
    """Returns a module of an optional package that works on DICOM headers.

    `silence` suppresses the log records of its package, too: they may quote headers.

    Args:
      module: its full name, such as `highdicom.sr`.
      extra: the extra that installs it.

    Raises:
      UserError: the package is not installed.
    """
    loaded = extras.load(module, extra)
    for name in list(logging.Logger.manager.loggerDict):
        if name.partition(".")[0] == module.partition(".")[0]:
            logging.getLogger(name).addFilter(_is_heard)
    return loaded


def _is_heard(record: logging.LogRecord) -> bool:
    return not getattr(_THREAD, "silent", False)


def _other_file(start: bytes) -> str:
    if not start:
        return "The file is empty."
    if start.startswith((b"\xff\xd8\xff", b"\x89PNG")):
        return "This is a JPEG or PNG file with the name of a DICOM file; rename it."
    return "This is not a DICOM file; expected the letters DICM after its first 128 bytes."
