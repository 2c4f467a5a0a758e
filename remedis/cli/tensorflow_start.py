"""The import of TensorFlow without the log lines that its libraries write while they are loaded.

TensorFlow obeys TF_CPP_MIN_LOG_LEVEL only once its shared libraries are loaded. Before that their
static initialisers write lines on oneDNN, CUDA drivers and absl to file descriptor 2, whatever the
variable says (TensorFlow 2.21, `port.cc` and `cudart_stub.cc`), and no setting keeps them back.
During this one import, therefore, a second process reads the descriptor, drops lines below the
level and passes on all others at once: the last line of a crash is not lost in a buffer.

Run as a program, this file is that second process; it imports nothing but the standard library.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
# Lines of absl's C++ logging such as `I0000 00:00:1795846479.056374   17487 port.cc:153] oneDNN`,
# and the note with which it begins.
_LOG_LINE = re.compile(rb"([IWEF])\d{4} \d\d:\d\d:[\d.]+ +\d+ [^\s\]]+:\d+\] ")
_NOTE = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
_SEVERITIES = b"IWEF"


def hush() -> None:
    """Keeps TensorFlow's log lines off standard error, also those of the import that is to come.

    TF_CPP_MIN_LOG_LEVEL decides which: 1 drops information, 2 warnings too, 3 errors too. It is set
    to 3 unless the user has set it; with 0 every line is shown.
    """
    os.environ.setdefault(VARIABLE, "3")
    if "tensorflow" not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds TensorFlow as Python does, and has its import filtered; finds nothing else."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        """Returns the specification of the module `tensorflow`; None for any other module."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_filtered(module: Any) -> None:
                with filtered():
                    execute(module)

            spec.loader.exec_module = execute_filtered  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def filtered() -> Iterator[None]:
    """Drops the log lines of C++ below TF_CPP_MIN_LOG_LEVEL from standard error in the block."""
    level = os.environ.get(VARIABLE, "0")
    if not level.isdigit() or int(level) == 0:
        yield
        return
    import subprocess

    with contextlib.ExitStack() as stack:
        try:
            standard_error = os.dup(2)
            stack.callback(os.close, standard_error)
            # In a session of its own: Ctrl-C ends the program and not the reader of its lines.
            reader = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, level],
                stdin=subprocess.PIPE,
                stdout=standard_error,
                start_new_session=True,
            )
        except OSError:  # without a standard error, or at a limit of processes
            yield
            return
        assert reader.stdin is not None
        os.dup2(reader.stdin.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            reader.stdin.close()
            # A process started in the block may hold the pipe open for longer.
            with contextlib.suppress(subprocess.TimeoutExpired):
                reader.wait(timeout=5)


def pass_on(lines: BinaryIO, out: BinaryIO, level: int) -> None:
    """Copies lines except those of C++ logging below a level: 1 information, 2 warnings, ..."""
    for line in lines:
        match = _LOG_LINE.match(line)
        if line.startswith(_NOTE) or (match and _SEVERITIES.index(match[1]) < level):
            continue
        out.write(line)
        out.flush()


if __name__ == "__main__":
    pass_on(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
