"""A fuzzer of readers: valid files are damaged, and each reader returns or raises one sentence.

Inputs come from hypothesis, so a failure is reduced to a small input before it is saved. They run
in a child with a limit on memory, on processor time per input and on waiting, so that a crash of
native code, a hang and an exhausted memory are found too. A target stands in `NAME_targets.py`, and
NAME in `test_fuzz.py`:

    TARGETS = {
        "csv": harness.Target(
            seeds=lambda: (b"path,ill\na.png,1\n", b"path;ill\na.png;0\n"),
            read=lambda contents, folder: read_one(contents, folder),
        ),
    }

`make test-fuzz` runs all targets; `REMEDIS_FUZZ_MINUTES` (20) is the time of all together, and
`REMEDIS_FUZZ_SEED` repeats the draws of a run. Failing inputs are saved in `runs/fuzz/`, and

    python tests/fuzz/harness.py NAME_targets TARGET --input FILE

reads one of them without limits. Make it a quick test of the reader.
"""

import argparse
import ctypes
import dataclasses
import hashlib
import importlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOUND = ROOT / "runs" / "fuzz"

ROUND = 200  # examples that hypothesis draws at a time; it keeps a record of all of them
IMPORTS = 180.0  # seconds until the first input: imports, seeds
# Seconds beyond a target's, for an input that uses no processor or stays in native code.
WAITS = 25.0
_EXIT_FOUND = 3


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader to attack.

    Attributes:
      seeds: makes valid inputs, small and different in kind; called once per child.
      read: reads one input; its second argument is an empty folder for files. A result, or one of
        `allowed`, is right; a result that is wrong raises `AssertionError`.
      drawn: a strategy for further inputs, such as valid files with unusual values.
      allowed: the exceptions that may be raised, as `module:name`; imported in the child only.
      seconds: of processor time per input.
      memory: bytes beyond those in use after the seeds are read.
    """

    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes, pathlib.Path], object]
    drawn: st.SearchStrategy[bytes] | None = None
    allowed: tuple[str, ...] = ("remedis.errors:UserError",)
    seconds: float = 5.0
    memory: int = 1_500_000_000


# For readers of images.
UNREADABLE = ("remedis.errors:UserError", "remedis.data.readers.unreadable:Unreadable")


def damaged(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Returns seeds with bits flipped, bytes written, cut, dropped, repeated, joined or spliced."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> bytes:
        contents = bytearray(draw(st.sampled_from(seeds)))
        for _ in range(draw(st.integers(1, 6))):
            # The beginning has the structure of most formats.
            end = draw(st.sampled_from((len(contents), min(len(contents), 300))))
            place = draw(st.integers(0, max(0, end - 1)))
            length = draw(st.integers(0, 64))
            change = draw(st.sampled_from(_CHANGES))
            if change == "flip" and place < len(contents):
                contents[place] ^= 1 << draw(st.integers(0, 7))
            elif change == "write":
                new = draw(st.one_of(st.sampled_from(_BYTES), st.binary(max_size=8)))
                contents[place : place + len(new)] = new
            elif change == "insert":
                contents[place:place] = draw(st.one_of(st.sampled_from(_BYTES), st.binary()))
            elif change == "cut":
                del contents[place:]
            elif change == "drop":
                del contents[place : place + length]
            elif change == "repeat":
                times = draw(st.sampled_from((1, 2, 10, 1000)))
                contents[place:place] = bytes(contents[place : place + length]) * times
            elif change == "splice":
                other = draw(st.sampled_from(seeds))
                start = draw(st.integers(0, max(0, len(other) - 1)))
                contents[place : place + length] = other[start : start + length]
            elif change == "number" and (numbers := _numbers(contents)):
                start, stop = draw(st.sampled_from(numbers))
                contents[start:stop] = draw(st.sampled_from(_NUMBERS))
        return bytes(contents)

    return draw_one()


_CHANGES = ("flip", "write", "insert", "cut", "drop", "repeat", "splice", "number")
_BYTES = (b"\0", b"\0" * 8, b"\xff", b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\n", b'"')
# Whole texts that stand in place of a number of a text format.
_NUMBERS = (
    *(b"0", b"-1", b"1e400", b"-1e400", b"NaN", b"Infinity", b"2147483648", b"1" * 30, b"1" * 5000),
    *(b"null", b"true", b"[]", b"{}", b'""', b"[[[[[[[[", b"0x10", b"1_0", b"\xd9\xa1", b"5.5"),
)
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")
_LONGEST = 100_000  # bytes that are searched for numbers


def _numbers(contents: bytearray) -> list[tuple[int, int]]:
    """Returns the places of numbers in decimal digits, at most 200."""
    places = (m.span() for m in _NUMBER.finditer(bytes(contents[:_LONGEST])))
    return [place for place, _ in zip(places, range(200), strict=False)]


def check_seeds(target: Target, folder: pathlib.Path) -> None:
    """Reads every seed: what is not read before it is damaged tests nothing."""
    for i, contents in enumerate(target.seeds()):
        place = folder / str(i)
        place.mkdir()
        target.read(contents, place)


def attack(
    module: str, name: str, seconds: float, number: int, found: pathlib.Path = FOUND
) -> dict[str, int]:
    """Attacks a target in children for some time.

    Args:
      module: the file with `TARGETS`, without `.py`, in this folder or on `PYTHONPATH`.
      name: of the target.
      seconds: how long.
      number: seed of the draws.
      found: folder for the failing input.

    Returns:
      How many inputs were `read` and how many `refused`.

    Raises:
      AssertionError: an input failed; the message names its file and the error.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        command = [sys.executable, __file__, module, name, "--folder", temporary]
        command += ["--seconds", str(seconds), "--seed", str(number)]
        # Each arena of a thread reserves 64 MB of addresses.
        environment = os.environ | {"MALLOC_ARENA_MAX": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
        with (folder / "output").open("wb") as output:
            child = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, env=environment
            )
            try:
                problem = _watch(child, folder, seconds)
            finally:
                child.kill()
                child.wait()
        if problem:
            tail = (folder / "output").read_text(errors="backslashreplace")[-4000:]
            assert (folder / "current").exists(), f"{name}: {problem} before any input.\n{tail}"
            contents = (folder / "current").read_bytes()
            digest = hashlib.sha256(contents).hexdigest()[:12]
            found.mkdir(parents=True, exist_ok=True)
            saved = found / f"{name.replace(' ', '_')}-{digest}.bin"
            saved.write_bytes(contents)
            again = f"python tests/fuzz/harness.py {module} '{name}' --input {saved}"
            raise AssertionError(
                f"{name}, draws of seed {number}: {problem} on {len(contents):,} bytes; again: "
                f"{again}\n{tail}"
            )
        return json.loads((folder / "counts").read_text())


def _watch(child: subprocess.Popen, folder: pathlib.Path, seconds: float) -> str:
    """Waits for a child; returns what went wrong, empty if nothing."""
    current, limit = folder / "current", folder / "limit"
    started = time.monotonic()
    while child.poll() is None:
        time.sleep(0.1)
        try:
            waited = time.time() - current.stat().st_mtime
            allowed = float(limit.read_text()) + WAITS
        except (FileNotFoundError, ValueError):
            waited, allowed = time.monotonic() - started, IMPORTS
        if waited > allowed and not (folder / "counts").exists():
            return f"no result after {waited:.0f} s"
    if child.returncode == _EXIT_FOUND:
        return (folder / "problem").read_text()
    if child.returncode < 0:
        return f"the process died of {signal.Signals(-child.returncode).name}"
    if child.returncode:
        return f"the process ended with status {child.returncode}"
    return ""


class _Slow(BaseException):
    """An input took too much processor time."""


class _Child:
    """Reads inputs one after the other, under limits."""

    def __init__(self, target: Target, folder: pathlib.Path) -> None:
        self._target, self._folder = target, folder
        self._allowed = tuple(_imported(name) for name in target.allowed)
        self.counts = {"read": 0, "refused": 0}

    def read(self, contents: bytes) -> None:
        """Reads one input; the file `current` has it, should the process die."""
        (self._folder / "current").write_bytes(contents)
        place = self._folder / "files"
        place.mkdir()
        signal.setitimer(signal.ITIMER_PROF, self._target.seconds)
        try:
            self._target.read(contents, place)
            self.counts["read"] += 1
        except self._allowed as error:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._check(error)
            self.counts["refused"] += 1
        except _Slow:
            self._end(f"more than {self._target.seconds:g} s")
        except MemoryError:
            self._end(f"more than {self._target.memory / 1e6:,.0f} MB")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            shutil.rmtree(place)

    def _check(self, error: BaseException) -> None:
        """Checks that a message is short, and can be printed."""
        message = str(error)
        assert message.strip(), "an empty message"
        assert len(message) < 3000, f"a message of {len(message):,} characters: {message[:200]}..."
        message.encode()

    def _end(self, problem: str) -> NoReturn:
        """Ends at once: after such an input the process is not to be trusted."""
        traceback.print_exc()
        self.report(problem)

    def report(self, problem: str, contents: bytes | None = None) -> NoReturn:
        """Ends the process with what is wrong with an input, which is the current one if None."""
        if contents is not None:
            (self._folder / "current").write_bytes(contents)
        (self._folder / "problem").write_text(problem, errors="backslashreplace")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_EXIT_FOUND)


def _imported(name: str) -> type[Exception]:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _too_slow(number: int, frame: FrameType | None) -> NoReturn:
    raise _Slow


def _limit_memory(more: int) -> None:
    """Limits the addresses of this process to those in use and some more."""
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
    # A dying process writes no core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run(target: Target, folder: pathlib.Path, seconds: float, number: int) -> None:
    """Attacks a target in this process, which is a child."""
    # The parent may be killed; a child without one goes on for ever.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    (folder / "limit").write_text(str(target.seconds))
    seeds = list(target.seeds())
    (folder / "seeds").mkdir()
    check_seeds(target, folder / "seeds")
    signal.signal(signal.SIGPROF, _too_slow)
    child = _Child(target, folder)
    inputs = damaged(seeds) if target.drawn is None else st.one_of(damaged(seeds), target.drawn)
    _limit_memory(target.memory)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _draw_round(child, inputs, number, end)
        number += 1
    (folder / "counts").write_text(json.dumps(child.counts))


def _draw_round(child: _Child, inputs: st.SearchStrategy[bytes], number: int, end: float) -> None:
    """Reads inputs until `end` or the end of a round; ends the process if one fails."""
    failed: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,  # the input is saved, and may be long
        report_multiple_bugs=False,
    )
    @given(inputs)
    def read_all(contents: bytes) -> None:
        if time.monotonic() < end or failed:
            try:
                child.read(contents)
            except Exception:
                failed.append(contents)
                raise

    try:
        read_all()
    except Exception as error:
        traceback.print_exc()
        # The last failing input is the smallest.
        child.report(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", failed[-1])


def main() -> None:
    """Attacks or reads one input; see the docstring of this file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("module")
    parser.add_argument("target")
    parser.add_argument("--input", type=pathlib.Path)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(HERE), str(HERE.parent / "helpers")]
    target: Target = importlib.import_module(args.module).TARGETS[args.target]
    if args.input:
        with tempfile.TemporaryDirectory() as folder:
            target.read(args.input.read_bytes(), pathlib.Path(folder))
    else:
        _run(target, args.folder, args.seconds, args.seed)
        # Threads of libraries may hold the end of the interpreter up.
        os._exit(0)


if __name__ == "__main__":
    main()
