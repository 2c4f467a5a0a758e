import contextlib
import dataclasses
import errno
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from remedis import interruption, kernel_locks, locks
from remedis.errors import UserError

# A program that holds the lock sys.argv[1] until its standard input ends.
HOLDING = """
import signal, sys
from remedis import locks
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    with locks.held(sys.argv[1], "runs/a"):
        print("held", flush=True)
        sys.stdin.read()
except BaseException as error:
    print(type(error).__name__, error, flush=True)
"""


@contextlib.contextmanager
def process(file):
    """Yields a process that tries to hold a lock, and the first line that it prints."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLDING, str(file)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as started:
        try:
            yield started, started.stdout.readline().strip()
        finally:
            started.kill()


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "WATCHED_SECONDS", 0.2)
    monkeypatch.setattr(locks, "_CONFIRM_SECONDS", 0.05)
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.05)
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / ".lock"


def of_other_host(file, **changes):
    """Writes a lock file as a process on another host does; the kernel here knows nothing of it."""
    other = locks.Holder("node7", os.getpid(), "2026-01-02 03:04+00:00", "feedbeef", "0" * 16)
    write(file, dataclasses.replace(other, **changes), 0)


def write(file, holder, beats):
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    locks._write(descriptor, holder, beats)
    os.close(descriptor)


def test_of_two_processes_the_second_is_told_about_the_first(file, monkeypatch):
    monkeypatch.setattr(locks, "WATCHED_SECONDS", 100.0)
    with process(file) as (first, said):
        assert said == "held"
        expected = (
            rf"runs/a is in use by process {first.pid} on host {re.escape(platform.node())} since "
            r"\d{4}-\d\d-\d\d \d\d:\d\d[+-]\d\d:\d\d: wait until it ends, or stop it, and start "
            r"again\."
        )
        begin = time.monotonic()
        with pytest.raises(UserError, match=f"^{expected}$"), locks.held(file, "runs/a"):
            pass
        assert time.monotonic() - begin < 50  # nothing to watch on this host
        with process(file) as (_, said):
            assert re.fullmatch(f"UserError {expected}", said)
        assert locks.holder(file).process == first.pid
        first.stdin.close()
        first.wait()
    assert locks.holder(file) is None
    assert os.listdir(file.parent) == []


def test_a_lock_is_gone_after_the_block_and_after_an_error(file):
    def fail():
        with locks.held(file, "runs/a"):
            assert json.loads(file.read_bytes())["process"] == os.getpid()
            raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            fail()
        assert os.listdir(file.parent) == []


def test_two_threads_of_one_process_exclude_each_other(file):
    with (
        locks.held(file, "runs/a"),
        pytest.raises(UserError, match=f"process {os.getpid()} "),
        locks.held(file, "runs/a"),
    ):
        pass


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_lock(by, file):
    with process(file) as (holding, said):
        assert said == "held"
        holding.send_signal(by)
        assert holding.stdout.readline().startswith("KeyboardInterrupt")
        holding.wait()
        assert os.listdir(file.parent) == []


def test_the_lock_of_a_killed_process_is_free_at_once(file, monkeypatch):
    monkeypatch.setattr(locks, "WATCHED_SECONDS", 100.0)
    for again in ("held", "holder"):
        with process(file) as (holding, said):
            assert said == "held"
            holding.kill()
            holding.wait()
            assert os.listdir(file.parent) == [".lock"]
            if again == "holder":
                assert locks.holder(file) is None
            else:
                with locks.held(file, "runs/a"):
                    assert json.loads(file.read_bytes())["process"] == os.getpid()
        assert os.listdir(file.parent) == []


def test_a_stopped_process_of_this_host_keeps_its_lock(file):
    with process(file) as (holding, said):
        assert said == "held"
        holding.send_signal(signal.SIGSTOP)
        with pytest.raises(UserError, match=f"process {holding.pid} "), locks.held(file, "runs/a"):
            pass


def test_a_process_id_that_is_used_again_holds_nothing(file, monkeypatch):
    """The dead holder had the id of a process that lives: this one's parent."""
    monkeypatch.setattr(locks, "WATCHED_SECONDS", 100.0)
    reach = kernel_locks.reach(file.parent)
    of_other_host(file, host=platform.node(), process=os.getppid(), reach=reach)
    with locks.held(file, "runs/a"):
        assert locks.holder(file).process == os.getpid()


def test_a_lock_of_another_host_that_changes_is_in_use(file, monkeypatch):
    monkeypatch.setattr(locks, "WATCHED_SECONDS", 5.0)
    of_other_host(file)
    other = locks._holder(file.read_bytes())
    ended = threading.Event()

    def beat():
        beats = 0
        while not ended.wait(0.05):
            beats += 1
            write(file, other, beats)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        expected = "runs/a is in use by process .* on host node7 since 2026-01-02 03:04"
        with pytest.raises(UserError, match=expected), locks.held(file, "runs/a"):
            pass
        assert locks.holder(file) == other
    finally:
        ended.set()
        thread.join()
    assert file.exists()


@pytest.mark.parametrize("clock", [0.0, 4e9], ids=["1970", "2096"])
def test_a_lock_of_another_host_that_does_not_change_is_taken_over(clock, file, caplog):
    """Whatever the clocks say: no time of the file is compared."""
    caplog.set_level("INFO")
    of_other_host(file)
    os.utime(file, (clock, clock))
    with locks.held(file, "runs/a"):
        assert json.loads(file.read_bytes())["host"] == platform.node()
    assert caplog.messages == [
        f"runs/a was in use by process {os.getpid()} on host node7 since 2026-01-02 03:04+00:00; "
        "waiting 0 s to see whether it still is ..."
    ]
    of_other_host(file)
    assert locks.holder(file) is None
    assert os.listdir(file.parent) == []


def test_of_two_that_take_over_at_once_one_has_the_lock(file, monkeypatch):
    """On two hosts that do not see each other's kernel locks."""
    of_other_host(file)
    monkeypatch.setattr(locks, "_CONFIRM_SECONDS", 0.3)
    monkeypatch.setattr(kernel_locks.fcntl, "flock", lambda *_: None)
    found, both = [], threading.Barrier(2)

    def take():
        try:
            with locks.held(file, "runs/a"):
                found.append("held")
                both.wait(5)
        except UserError as error:
            found.append(str(error)[:16])
            both.wait(5)

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["held", "runs/a is in use"]
    assert os.listdir(file.parent) == []


def test_without_locks_of_the_kernel_the_beat_decides(file, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(kernel_locks.fcntl, "flock", unsupported)
    monkeypatch.setattr(locks, "WATCHED_SECONDS", 1.0)
    with locks.held(file, "runs/a"):
        with pytest.raises(UserError, match="in use"), locks.held(file, "runs/a"):
            pass
        assert locks.holder(file) is not None
    assert os.listdir(file.parent) == []
    monkeypatch.setattr(locks, "WATCHED_SECONDS", 0.2)
    of_other_host(file)
    with locks.held(file, "runs/a"):
        pass


@pytest.mark.parametrize("in_background", [False, True])
def test_a_process_whose_lock_was_taken_over_stops(in_background, file, caplog):
    """A laptop that slept, or a network that was down, while another host took over."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_background else None

    def sleep():
        with locks.held(file, "runs/a"):
            of_other_host(file)
            time.sleep(60)

    try:
        with pytest.raises(KeyboardInterrupt), interruption.handled():
            sleep()
    finally:
        if in_background:
            signal.signal(signal.SIGINT, before)
    assert "runs/a was taken over by process" in caplog.text
    assert json.loads(file.read_bytes())["host"] == "node7"  # not removed: it is the other's


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"[]", b"1", b"[" * 500, b'{"host": 1, "process": "x"}']
)
def test_a_damaged_lock_file_is_taken_over(content, file, caplog):
    caplog.set_level("INFO")
    file.write_bytes(content)
    with locks.held(file, "runs/a"):
        pass
    waiting = (
        f"{file} names no process; waiting 0 s to see whether one on another host changes it ..."
    )
    assert caplog.messages == [waiting] * bool(content)
    assert os.listdir(file.parent) == []


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("link", "a symbolic link"),
        ("loop", "a symbolic link"),
        ("second name", r"a file with a second name \(a hard link\)"),
        ("fifo", "no regular file"),
        ("folder", "no regular file"),
        ("large", "a larger file than a lock"),
    ],
)
def test_what_is_no_lock_file_is_a_sentence_and_stays(kind, named, file):
    victim = file.parent / "victim"
    victim.write_text("precious")
    {
        "link": lambda: file.symlink_to(victim),
        "loop": lambda: file.symlink_to(file),
        "second name": lambda: file.hardlink_to(victim),
        "fifo": lambda: os.mkfifo(file),
        "folder": file.mkdir,
        "large": lambda: file.write_bytes(b"precious" * 100),
    }[kind]()
    expected = (
        rf"^runs/a cannot be locked: .*\.lock is {named}, expected a lock file or none; remove"
    )
    with pytest.raises(UserError, match=expected):
        locks.held(file, "runs/a").__enter__()
    assert victim.read_text() == "precious"
    assert file.is_symlink() or file.exists()
    if kind == "large":
        assert file.read_bytes() == b"precious" * 100


def test_a_file_above_is_named(tmp_path):
    above = tmp_path / "0.png"
    above.write_bytes(b"")
    expected = f"^out cannot be written: {above} is no folder; name another place\\.$"
    with pytest.raises(UserError, match=expected):
        locks.held(locks.file_beside(above / "deep" / "out"), "out").__enter__()


def test_a_file_system_that_is_read_only_is_a_sentence(file, monkeypatch):
    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(locks.os, "open", read_only)
    expected = (
        r"^runs/a cannot be locked: .*/run/.lock cannot be written \(Read-only file system\); "
        r"make room or correct the rights, or name another place\.$"
    )
    with pytest.raises(UserError, match=expected):
        locks.held(file, "runs/a").__enter__()


def test_a_full_disk_is_a_sentence_and_leaves_nothing(file, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(locks.os, "pwrite", full)
    with pytest.raises(
        UserError, match=r"cannot be written \(No space left on device\); make room"
    ):
        locks.held(file, "runs/a").__enter__()
    assert list(file.parent.glob("*")) == []


def test_a_folder_that_was_made_for_a_lock_is_removed_if_nothing_came_into_it(tmp_path):
    out = tmp_path / "a" / "b" / "out"
    with locks.held(locks.file_beside(out), "out"):
        pass
    assert os.listdir(tmp_path) == []
    (tmp_path / "own").mkdir()
    with locks.held(tmp_path / "own" / "x" / ".lock", "out"):
        (tmp_path / "own" / "x" / "result").touch()
    with locks.held(tmp_path / "own" / ".lock", "out"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["own", "x", "result"]


def test_the_lock_beside_an_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert locks.file_beside("out/") == tmp_path / ".out.lock"
    assert locks.file_beside("a/b.npz") == tmp_path / "a" / ".b.npz.lock"
    assert locks.file_in("run").name == ".lock"
