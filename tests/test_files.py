import contextlib
import errno
import hashlib
import os
import pathlib
import random
import stat
import subprocess
import sys
import time

import pytest
from json_file import read_json

from remedis import files, kernel_locks
from remedis.errors import UserError


def test_a_file_is_whole_or_not_there(tmp_path):
    def fail():
        with files.whole_file(tmp_path / "a.json") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
    files.write_json(tmp_path / "a.json", {"x": 1})
    assert read_json(tmp_path / "a.json") == {"x": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.txt", float("nan"))
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_directory_is_whole_or_not_there(tmp_path):
    def fail():
        with files.whole_directory(tmp_path / "d") as temporary:
            (temporary / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_refused_unless_it_may_be_replaced(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").touch()
    with (
        pytest.raises(UserError, match="exists already; remove it, or set overwrite"),
        files.whole_directory(tmp_path / "d"),
    ):
        pass
    with files.whole_directory(tmp_path / "d", overwrite=True) as temporary:
        (temporary / "new").touch()
        assert (tmp_path / "d" / "old").exists()
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["new"]


# A program that writes sys.argv[2] by the function sys.argv[1], and stops in the middle.
WRITER = """
import sys
from remedis import files, kernel_locks
with getattr(files, sys.argv[1])(sys.argv[2]) as temporary:
    (temporary / "half" if temporary.is_dir() else temporary).write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""
BOTH = pytest.mark.parametrize("writer", [files.whole_file, files.whole_directory])


@contextlib.contextmanager
def writing_process(writer, path):
    """Yields a process that writes `path` until its standard input ends."""
    command = [sys.executable, "-c", WRITER, writer.__name__, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        try:
            yield process
        finally:
            process.kill()


@BOTH
def test_the_next_write_removes_what_a_killed_writer_left_and_nothing_of_a_living_one(
    writer, tmp_path
):
    path = tmp_path / "d[1].txt"
    with writing_process(writer, path) as process:
        with writer(path):
            assert len(os.listdir(tmp_path)) == 2
        process.kill()
    left = min(os.listdir(tmp_path))
    assert left.startswith(".d[1].")
    assert ".partial-" in left
    with writer(path, overwrite=True):
        assert len(os.listdir(tmp_path)) == 2
    assert os.listdir(tmp_path) == [path.name]


@BOTH
def test_what_another_host_is_writing_stays(writer, tmp_path, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(kernel_locks, "_kernel", lambda: "another host")
        elsewhere.setattr(kernel_locks.fcntl, "flock", lambda *_: None)  # not seen from here
        of_other, descriptor = files._new(tmp_path / "d", "", folder=writer is not files.whole_file)
        os.close(descriptor)
    with writer(tmp_path / "d"):
        pass
    assert of_other.exists()


@BOTH
def test_a_file_system_without_locks_keeps_everything_and_still_writes(
    writer, tmp_path, monkeypatch
):
    left, descriptor = files._new(tmp_path / "d", "", folder=writer is not files.whole_file)
    os.close(descriptor)
    monkeypatch.setattr(kernel_locks.fcntl, "flock", unsupported)
    with writer(tmp_path / "d"):
        pass
    assert sorted(os.listdir(tmp_path)) == sorted([left.name, "d"])


def unsupported(*_: object, **__: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "not supported")


def test_two_writers_with_one_process_id_do_not_meet(tmp_path):
    """Containers count their own processes; threads share one."""
    with files.whole_file(tmp_path / "a") as last, files.whole_file(tmp_path / "a") as first:
        last.write_text("last")
        first.write_text("first")
    assert (os.listdir(tmp_path), (tmp_path / "a").read_text()) == (["a"], "last")


def test_a_planted_link_is_neither_followed_nor_overwritten(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "out"
    folder.mkdir()
    names = iter(["0" * 12, "1" * 12])
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: next(names))
    reached = kernel_locks.reach(folder)
    (folder / f".a.partial-{reached}-{'0' * 12}.txt").symlink_to(victim)
    with pytest.raises(FileExistsError):
        files.write_text(folder / "a.txt", "new")
    (folder / "b.txt").symlink_to(victim)
    files.write_text(folder / "b.txt", "new")
    assert not (folder / "b.txt").is_symlink()
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("links", [True, False])
@BOTH
def test_of_two_writers_that_must_not_replace_one_succeeds(writer, links, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", unsupported)
    path = tmp_path / "a.txt"
    late = writer(path, overwrite=False)
    late.__enter__()
    with writer(path, overwrite=False) as first:
        (first if first.is_file() else first / "first").write_text("first")
    with pytest.raises(UserError, match="exists already; remove it, or "):
        late.__exit__(None, None, None)
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (path if path.is_file() else path / "first").read_text() == "first"


@pytest.fixture(params=[True, False], ids=["exchange", "two renamings"])
def exchange(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(files.ctypes, "CDLL", unsupported)


@pytest.mark.usefixtures("exchange")
def test_the_last_of_two_writers_that_may_replace_a_directory_wins(tmp_path):
    path = tmp_path / "d"
    with files.whole_directory(path, overwrite=True) as late:
        (late / "late").touch()
        with files.whole_directory(path, overwrite=True) as first:
            (first / "first").touch()
    assert (os.listdir(tmp_path), os.listdir(path)) == (["d"], ["late"])


def test_there_is_no_moment_without_a_directory_that_is_replaced(tmp_path, monkeypatch):
    path = tmp_path / "d"
    path.mkdir()
    monkeypatch.setattr(os, "rename", lambda *_: unsupported_rename(path))
    with files.whole_directory(path, overwrite=True) as temporary:
        (temporary / "new").touch()
    assert (os.listdir(tmp_path), os.listdir(path)) == (["d"], ["new"])


def unsupported_rename(path: object) -> None:
    raise OSError(errno.ENOTEMPTY, "not empty", str(path))


@pytest.mark.usefixtures("exchange")
def test_a_link_in_place_of_a_directory_is_replaced_and_its_target_kept(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "kept").touch()
    (tmp_path / "d").symlink_to(tmp_path / "target")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    for name in ("d", "nowhere"):
        with (
            pytest.raises(UserError, match="exists already"),
            files.whole_directory(tmp_path / name),
        ):
            pass
    with files.whole_directory(tmp_path / "d", overwrite=True):
        pass
    assert not (tmp_path / "d").is_symlink()
    assert (tmp_path / "target" / "kept").exists()


@BOTH
def test_rights_are_those_of_the_user_s_mask(writer, tmp_path):
    before = os.umask(0o027)
    try:
        with writer(tmp_path / "d"):
            pass
    finally:
        os.umask(before)
    expected = 0o640 if writer is files.whole_file else 0o750
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == expected


@BOTH
def test_the_longest_names_are_written(writer, tmp_path):
    name = "ü" * 124 + ".txt"  # 252 bytes of at most 255
    with writer(tmp_path / name):
        pass
    assert os.listdir(tmp_path) == [name]


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    synced = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))
    )
    monkeypatch.setattr(os, "replace", lambda *a: (synced.append("renamed"), replace(*a)))
    files.write_text(tmp_path / "a.txt", "x")
    assert synced[0].endswith(".txt")
    assert synced[1:] == ["renamed", str(tmp_path)]


def test_a_disk_that_loses_bytes_is_an_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    files.write_text(tmp_path / "a.txt", "old")

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        files.write_text(tmp_path / "a.txt", "new")
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_writer_that_meets_a_cleaner_takes_another_name(tmp_path, monkeypatch):
    """A cleaner comes between the making of a temporary file and its lock."""
    take, names = kernel_locks.take, []

    def taken(descriptor: int) -> bool | None:
        if not names:
            names.append(os.listdir(tmp_path)[0])
            files._remove_abandoned(tmp_path / "d", "")
        return take(descriptor)

    monkeypatch.setattr(kernel_locks, "take", taken)
    with files.whole_directory(tmp_path / "d") as temporary:
        assert temporary.name not in names
    assert os.listdir(tmp_path) == ["d"]


# A program that writes a file, a folder, and a file that must not exist, again and again.
WRITERS = """
import hashlib, os, random, sys
from remedis import errors, files
while True:
    content = os.urandom(random.randint(0, 200_000))
    with files.whole_file("file") as temporary:
        temporary.write_bytes(hashlib.sha256(content).digest() + content)
    with files.whole_directory("folder", overwrite=True) as temporary:
        for name in "abc":
            (temporary / name).write_bytes(content[:10])
    try:
        with files.whole_file("once", overwrite=False):
            pass
        print("made", flush=True)
    except errors.UserError:
        pass
"""


@pytest.mark.slow
def test_writers_that_are_killed_at_any_moment_leave_whole_files_alone(tmp_path):
    """Four writers of the same paths, one of which is killed at 100 random moments."""
    choose = random.Random(0)
    pipe = subprocess.PIPE

    def start():
        environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[1])}
        command = [sys.executable, "-c", WRITERS]
        return subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, env=environment)

    def end(process):
        process.kill()
        out, error = process.communicate()
        assert error == b""
        return out.count(b"made")

    running = [start() for _ in range(4)]
    while not all((tmp_path / name).exists() for name in ("file", "folder", "once")):
        time.sleep(0.05)
    made = 0
    for _ in range(100):
        time.sleep(0.2 * choose.random())
        content = (tmp_path / "file").read_bytes()
        assert hashlib.sha256(content[32:]).digest() == content[:32]
        assert sorted(os.listdir(tmp_path / "folder")) == ["a", "b", "c"]
        made += end(running.pop(choose.randrange(4)))
        running.append(start())
    assert made + sum(map(end, running)) == 1
    for writer, name in (
        (files.whole_file, "file"),
        (files.whole_directory, "folder"),
        (files.whole_file, "once"),
    ):
        with writer(tmp_path / name, overwrite=True):
            pass
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "once"]
