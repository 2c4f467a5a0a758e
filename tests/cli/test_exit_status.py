"""Errors of files become one sentence that names the path, whichever library raises them."""

import errno
import os
import subprocess
import sys
import types

import pytest

from remedis.cli import exit_status
from remedis.errors import UserError


class OpError(Exception):
    """Stands for the errors of TensorFlow."""


def caused(error, cause):
    error.__cause__ = cause
    return error


def said(of, error, capsys, output="runs/own"):
    def fail():
        raise error

    assert of(fail, exit_status.Output(output)) == exit_status.MISTAKE
    sentence = capsys.readouterr().err
    assert sentence.startswith("error: ")
    assert sentence.count("\n") == 1
    return sentence.removeprefix("error: ").rstrip("\n")


FULL = "No space left on device"
TFDS = (
    'ResourceExhaustedError: Failed to finalize writing of split "train": '
    f"/data/.out.partial-host-17/own/own-train.tfrecord-00000-of-00001; {FULL}"
)
HDF5 = (
    "Unable to synchronously create file (unable to open file: name = '/data/a b.h5', "
    "errno = 13, error message = 'Permission denied', flags = 13, o_flags = 242)"
)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, FULL), f"runs/own cannot be written ({FULL}); free space, and "),
        (OSError(errno.EFBIG, "too large", "x.npz"), "x.npz cannot be written (File too large); "),
        (PermissionError(errno.EACCES, "no", "x"), "x cannot be opened (Permission denied); corre"),
        (OpError(f"own/t.npz; {FULL} [Op:X]"), f"own/t.npz cannot be written ({FULL}); free "),
        (
            OpError(f"out/own/incomplete.1_1.0.0/own-train.tfrecord; {FULL}"),
            f"runs/own cannot be written ({FULL}); ",
        ),
        (OpError(f"/data/t.npz; {FULL} [Op:X]"), f"/data/t.npz cannot be written ({FULL}); free "),
        (
            OpError("/a/b.pb; No such file or directory"),
            "/a/b.pb cannot be opened (No such file or",
        ),
        (
            OpError("/a/b.pb; Permission denied"),
            "/a/b.pb cannot be opened (Permission denied); cor",
        ),
        (RuntimeError(TFDS), f"runs/own cannot be written ({FULL}); free space, and "),
        (
            caused(RuntimeError("x"), OpError(f"/d; {FULL}")),
            f"/d cannot be written ({FULL}); ",
        ),
        (
            OSError(HDF5),
            "/data/a b.h5 cannot be opened (Permission denied); correct the rights, an",
        ),
        (OSError(f"Error writing bytes to file. {FULL}"), f"runs/own cannot be written ({FULL}); "),
    ],
)
def test_a_full_disk_and_missing_rights_are_a_sentence(error, sentence, capsys, monkeypatch):
    tensorflow = types.SimpleNamespace(errors=types.SimpleNamespace(OpError=OpError))
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    command = said(exit_status.of_command, error, capsys)
    assert command.startswith(sentence)
    assert command.endswith(", and start again.")
    job = said(exit_status.of_job, error, capsys)
    assert job.startswith(sentence)
    assert job.endswith(", and the same command resumes from the last checkpoint.")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a fault of the program"),
        OSError(errno.ENOENT, "no file"),  # of which file is unknown
        OpError(f"out of memory, or {FULL}"),  # of no library that is loaded
        ValueError(FULL),
    ],
)
def test_a_fault_of_the_program_keeps_its_traceback(error):
    def fail():
        raise error

    with pytest.raises(type(error)):
        exit_status.of_job(fail)


def test_a_user_s_mistake_stays_as_it_is(capsys):
    assert said(exit_status.of_job, UserError(f"{FULL}: x."), capsys) == f"{FULL}: x."


def test_a_command_that_meets_a_full_disk_names_its_output(tmp_path):
    """The limit on the size of files stands for a full disk, and holds for root, too."""
    resource = pytest.importorskip("resource")
    out = tmp_path / "list.json"
    run = subprocess.run(
        [sys.executable, "-m", "remedis.cli", "list", f"--out={out}"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    sentence = f"error: {out} cannot be written (File too large); free space, and start again.\n"
    assert (run.returncode, run.stderr) == (1, sentence)


def test_a_reader_that_ends_early_is_no_error():
    command = [sys.executable, "-m", "remedis.cli", "finetune", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        assert run.stderr.read() == b""


def test_a_name_that_is_no_text_is_a_sentence(capsys):
    error = UnicodeEncodeError("utf-8", "runs/\udce9", 5, 6, "surrogates not allowed")
    sentence = r"The name 'runs/\udce9' is not UTF-8; rename it, and start again."
    assert said(exit_status.of_job, error, capsys) == sentence
    assert said(exit_status.of_command, caused(RuntimeError("x"), error), capsys) == sentence


def test_unreadable_images_are_counted_in_the_last_line(caplog):
    assert exit_status.of_images(0, "out.csv.bad_images.csv") == 0
    assert not caplog.records
    assert exit_status.of_images(1, "out.csv.bad_images.csv") == exit_status.INCOMPLETE == 3
    assert exit_status.of_images(1200, "b.csv") == 3
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("1 image is unreadable and left out; out.csv.bad_images.csv lists")
    assert said[1].startswith("1,200 images are unreadable and left out; b.csv lists them.")
