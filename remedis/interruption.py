"""Signals that stop a command: a training stops after the current step, other work at once.

A cluster that pre-empts a job sends SIGTERM, and SIGKILL 30 to 120 seconds later. Ctrl-C sends
SIGINT. A closed terminal sends SIGHUP, except to a program that `nohup` started.

Commands and jobs run within `handled`; the library installs no handler, so programs and notebooks
that import it keep their own.
"""

import contextlib
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import FrameType

from remedis.errors import UserError

SIGNALS: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Python raises in the main thread, which may stay inside a library call for long; a library may
# also swallow what is raised in a callback. Clusters grant at least twice this time.
PATIENCE_SECONDS = 15.0
_NOTE_SECONDS = 2.0  # a step that ends sooner is not announced
_TICK_SECONDS = 0.5
_END = b"\0"  # no signal has the number 0
_SHOW_CURSOR = b"\x1b[?25h"  # progress bars hide it
_LOG = logging.getLogger(__name__)


class Interrupted(KeyboardInterrupt):
    """A signal has ended the work.

    Attributes:
      number: of the signal.
    """

    def __init__(self, number: int, where: str = "") -> None:
        """Names the signal and the place.

        Args:
          number: of the signal.
          where: the place in the work, such as `after step 120 of 2,000`.
        """
        super().__init__(f"Stopped by {signal.Signals(number).name}{where and f' {where}'}")
        self.number = number

    @property
    def status(self) -> int:
        """The exit status, as shells have it: 128 and the number of the signal."""
        return 128 + self.number


class Deferral:
    """The request of a signal to stop, which the work in `deferred` looks up after every step."""

    def __init__(self, handler: "_Handler | None") -> None:
        self._handler = handler

    @property
    def number(self) -> int | None:
        """The number of the signal that asks for the stop; None if there was none."""
        return None if self._handler is None else self._handler.number

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Lets a signal raise `Interrupted` in the block, for work that need not be finished."""
        if self._handler is None:
            yield
            return
        if self._handler.number is not None:
            raise Interrupted(self._handler.number)
        self._handler.raises = True
        try:
            yield
        finally:
            self._handler.raises = False


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Raises `Interrupted` in the block at the first signal, and ends the process at the second.

    In a block of `deferred` the first signal is only recorded. A signal that is ignored, such as
    SIGHUP under `nohup`, stays ignored. The previous handlers are restored at the end. Outside the
    main thread, where Python allows no handlers, nothing changes.

    Raises:
      Interrupted: at a signal.
    """
    if threading.current_thread() is not threading.main_thread() or _HANDLER.get() is not None:
        yield
        return
    handler = _Handler()
    token = _HANDLER.set(handler)
    try:
        with handler.installed():
            yield
    except Exception as error:
        # Raised inside a callback, `Interrupted` comes out as an error of the library in between.
        if handler.number is None or not handler.raised or isinstance(error, UserError):
            raise
        raise Interrupted(handler.number) from error
    finally:
        _HANDLER.reset(token)


@contextlib.contextmanager
def deferred() -> Iterator[Deferral]:
    """Records the first signal in the block, which checks `Deferral.number` after every step.

    Raises:
      Interrupted: at the end of a block that did not check.
    """
    handler = _HANDLER.get()
    if handler is None:
        yield Deferral(None)
        return
    handler.raises, handler.deferred = False, True
    try:
        yield Deferral(handler)
    finally:
        handler.raises, handler.deferred = True, False
    if handler.number is not None:
        raise Interrupted(handler.number)


def handle_again() -> None:
    """Installs the handlers again, if this is within `handled`, after a library has replaced them.

    TensorFlow's strategy of several workers installs a handler of SIGTERM in C++, which nothing
    here needs.
    """
    handler = _HANDLER.get()
    if handler is not None:
        handler.install()


class _Handler:
    """The handler of the signals, and a thread that watches whether the process ends.

    Python's C code notifies the thread of a signal at once. The handler runs in the main thread
    between two bytecode instructions, one of which may be a TensorFlow step that takes a minute.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.raises, self.deferred, self.raised = True, False, False
        self._numbers: list[int] = []

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handles the signals in the block."""
        end, told = os.pipe()
        os.set_blocking(told, False)
        watcher = threading.Thread(target=self._watch, args=(end,), daemon=True)
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self._numbers = [n for n in SIGNALS if before[n] not in (signal.SIG_IGN, None)]
        self.install()
        wakeup = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        watcher.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number in self._numbers:
                signal.signal(number, before[number])
            os.write(told, _END)
            watcher.join()
            os.close(told)
            os.close(end)

    def install(self) -> None:
        """Makes this the handler of all signals that are not ignored."""
        for number in self._numbers:
            signal.signal(number, self._receive)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.number = self.number or number
        if self.raises:
            self.raised = True
            raise Interrupted(number)

    def _watch(self, pipe: int) -> None:
        first: int | None = None
        begun = waited = 0.0
        noted = False
        while True:
            if select.select([pipe], [], [], None if first is None else _TICK_SECONDS)[0]:
                byte = os.read(pipe, 1)
                if byte == _END:
                    return
                if byte[0] not in SIGNALS:
                    continue
                if first is not None:
                    _end_process(byte[0])
                first, begun = byte[0], time.monotonic()
            elif first is not None and self.deferred:
                if not noted and time.monotonic() - begun > _NOTE_SECONDS:
                    noted = True
                    _LOG.warning(
                        f"{signal.Signals(first).name}: stops after the current step, with a "
                        "checkpoint; a second signal stops at once, without one."
                    )
            elif first is not None:
                waited += _TICK_SECONDS
                if waited > PATIENCE_SECONDS:
                    _end_process(first)


def _end_process(number: int) -> None:
    """Ends the process with one line, whatever the main thread is doing."""
    line = f"{Interrupted(number)}.\n".encode()
    with contextlib.suppress(OSError):
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + line)
    os._exit(128 + number)


_HANDLER: ContextVar[_Handler | None] = ContextVar("_HANDLER", default=None)
