import io
import os
import re
import subprocess
import sys

import pytest

from remedis import cli
from remedis.cli import tensorflow_start

LINES = {
    "note": b"WARNING: All log messages before absl::InitializeLog() is called are written to "
    b"STDERR",
    "information": b"I0000 00:00:1795846479.056374   17487 port.cc:153] oneDNN is on.",
    "warning": b"W0000 00:00:1795846479.056374   17487 gpu/device.cc:2343] Cannot dlopen.",
    "error": b"E1128 06:12:33.123456   17487 cuda_dnn.cc:8310] Unable to register.",
    "fatal": b"F0000 00:00:1795846479.056374   17487 cpu_feature_guard.cc:9] No AVX.",
    "other": b"Traceback (most recent call last):",
    "alike": b"I0000 is the code of this failure.",
    "empty": b"",
}


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        (1, ("warning", "error", "fatal", "other", "alike", "empty")),
        (2, ("error", "fatal", "other", "alike", "empty")),
        (3, ("fatal", "other", "alike", "empty")),
    ],
)
def test_log_lines_below_the_level_are_dropped_and_all_others_passed_on(level, kept):
    out = io.BytesIO()
    tensorflow_start.pass_on(io.BytesIO(b"\n".join(LINES.values())), out, level)
    assert out.getvalue() == b"\n".join(LINES[name] for name in kept)


# A package that stands in for TensorFlow: it writes a line of C++ logging while it is imported.
LOADING = """
import os
os.write(2, b"I0000 00:00:1795846479.056374   17487 port.cc:153] oneDNN is on.\\n")
os.write(2, b"another line\\n")
"""


def run_with(imported, tmp_path, **variables):
    """Imports a stand-in for TensorFlow as commands do; returns the finished process."""
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(LOADING + imported)
    code = (
        "import sys; from remedis.cli import tensorflow_start; tensorflow_start.hush(); "
        "import tensorflow; print('after', file=sys.stderr)"
    )
    environment = {k: v for k, v in os.environ.items() if k != tensorflow_start.VARIABLE}
    paths = [str(tmp_path), *sys.path]
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **variables}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )


def test_standard_error_of_the_import_is_filtered_and_keeps_its_order(tmp_path):
    done = run_with("", tmp_path)
    assert done.stderr == "another line\nafter\n"
    assert done.returncode == 0


def test_a_traceback_of_the_import_is_shown(tmp_path):
    done = run_with("raise ImportError('no such library')", tmp_path)
    assert done.stderr.startswith("another line\nTraceback")
    assert done.stderr.endswith("ImportError: no such library\n")


def test_the_last_line_before_a_crash_is_shown(tmp_path):
    done = run_with("os.write(2, b'illegal instruction'); os.abort()", tmp_path)
    assert done.returncode < 0
    assert "illegal instruction" in done.stderr


def test_more_than_a_pipe_holds_passes_through(tmp_path):
    done = run_with("os.write(2, b'x' * 200_000 + b'\\n')", tmp_path)
    assert "x" * 200_000 + "\nafter\n" in done.stderr


def test_the_level_that_the_user_has_set_wins(tmp_path):
    done = run_with("print(os.environ['TF_CPP_MIN_LOG_LEVEL'])", tmp_path, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.stdout == "0\n"
    assert done.stderr.splitlines()[0].endswith("oneDNN is on.")


@pytest.mark.guarantee
@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor", "{data}", "--labels=ill", "--json"],
        [
            *("embed", "{checkpoint}", "{data}", "--labels=ill"),
            *("--preprocess=resize(16)", "--out={out}"),
        ],
    ],
    ids=["doctor", "embed"],
)
def test_commands_write_their_own_lines_only(arguments, data, tiny_checkpoint, tmp_path):
    names = {"data": data, "checkpoint": tiny_checkpoint, "out": tmp_path / "e.npz"}
    command = [sys.executable, "-m", "remedis.cli", *(a.format(**names) for a in arguments)]
    environment = {k: v for k, v in os.environ.items() if k != tensorflow_start.VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert done.returncode in (0, cli.UNWELL)
    lines = done.stderr.splitlines()
    progress = re.compile(r"(Scanning|Embedding) .*\d+.*")
    assert lines
    assert [line for line in lines if not progress.fullmatch(line)] == []
