"""Contenders that do the same work in turns, each in a process of its own: A B C A B C.

A contender is a program. One that stands by calls `turn.take_turns` and works when it is told to;
so only its work is measured. One that is restarted is measured from its start to its end. Processor
seconds and memory are those of the program and of all that it starts. Linux only.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

from turn import READY

PAUSE = 0.3  # seconds between two turns; threads that wait for work may spin for 0.2
BUSY = 0.05  # share of all processors for other programs, above which a machine is not quiet
_TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Contender:
    """A program that takes part.

    Attributes:
      name: as tables show it.
      command: that starts it.
      restarted: whether every turn is a process of its own; if not, one process stands by.
    """

    name: str
    command: tuple[str, ...]
    restarted: bool = False


@dataclasses.dataclass(frozen=True)
class Turn:
    """What one turn took.

    Attributes:
      seconds: per unit of the work.
      processor: processor seconds per unit.
      gigabytes: the most memory of the process so far.
    """

    seconds: float
    processor: float
    gigabytes: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """The turns of all contenders, and how busy the machine was with other things.

    Attributes:
      turns: by the name of the contender, in order of time.
      others: processor time of other programs, as a share of the time of all processors.
    """

    turns: dict[str, list[Turn]]
    others: float


def alternate(contenders: Sequence[Contender], rounds: int) -> Measured:
    """Lets contenders work in turns.

    Raises:
      SystemExit: a contender has ended.
    """
    turns: dict[str, list[Turn]] = {contender.name: [] for contender in contenders}
    with contextlib.ExitStack() as stack:
        standing = {
            contender.name: stack.enter_context(_running(contender))
            for contender in contenders
            if not contender.restarted
        }
        for contender in contenders:  # they prepare at the same time
            if not contender.restarted:
                _line(contender, standing[contender.name], READY)
        own, before = 0.0, _busy()
        begun = time.perf_counter()
        for _ in range(rounds):
            for contender in contenders:
                if contender.restarted:
                    turn, spent = _whole_process(contender), None
                else:
                    turn, spent = _told(contender, standing[contender.name])
                turns[contender.name].append(turn)
                own += turn.processor if spent is None else spent
                time.sleep(PAUSE)
        passed = time.perf_counter() - begun
        others = max(0.0, _busy() - before - own) / (passed * (os.cpu_count() or 1))
    return Measured(turns, others)


def quiet(seconds: float = 3.0) -> float:
    """Returns the share of all processors' time that other programs take now."""
    before = _busy()
    time.sleep(seconds)
    return (_busy() - before) / (seconds * (os.cpu_count() or 1))


@contextlib.contextmanager
def _running(contender: Contender) -> Iterator["subprocess.Popen[str]"]:
    """Starts a program that will stand by; ends it and what it has started."""
    process = subprocess.Popen(
        contender.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # by which its own processes are found
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _told(contender: Contender, process: "subprocess.Popen[str]") -> tuple[Turn, float]:
    """Returns a turn of a program that stands by, and all processor seconds of it."""
    assert process.stdin is not None
    before = _session_seconds(process.pid)
    process.stdin.write("go\n")
    process.stdin.flush()
    found = json.loads(_line(contender, process, "{"))
    spent = _session_seconds(process.pid) - before
    count = found["count"]
    turn = Turn(found["seconds"] / count, spent / count, _peak(process.pid))
    return turn, spent


def _whole_process(contender: Contender) -> Turn:
    begun = time.perf_counter()
    process = subprocess.Popen(
        contender.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 2):  # a wrong call is measured, too; a crash is not
        raise SystemExit(f"{contender.name}: ended with {process.returncode}: {said[-500:]!r}")
    seconds = time.perf_counter() - begun
    return Turn(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9)


def _line(contender: Contender, process: "subprocess.Popen[str]", begins: str) -> str:
    """Returns the next line that begins so; libraries print others."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(begins):
            return line
    raise SystemExit(f"{contender.name}: ended with status {process.wait()}.")


def _session_seconds(session: int) -> float:
    """Returns the processor seconds of the processes of a session and of those they waited for."""
    ticks = 0
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # After the name, which may hold spaces: state, parent, group, session, ...
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    ticks += sum(map(int, fields[11:15]))
    return ticks / _TICK


def _busy() -> float:
    """Returns the seconds that the processors have worked, for anyone, since the start."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / _TICK


def _peak(process: int) -> float:
    for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError("No VmHWM in /proc/PID/status.")
