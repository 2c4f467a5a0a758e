import os
import socket
import types

import pytest

from remedis import regular_files
from remedis.regular_files import NotRegular, check_regular, open_regular, read_bytes


def _pipe(folder):
    os.mkfifo(folder / "x")


def _socket(folder):
    with socket.socket(socket.AF_UNIX) as made:
        # A relative name: that of a socket may have 107 bytes only.
        before = os.getcwd()
        os.chdir(folder)
        try:
            made.bind("x")
        finally:
            os.chdir(before)


def _device(folder):
    (folder / "x").symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "kind"), [(_pipe, "pipe"), (_socket, "socket"), (_device, "device")]
)
@pytest.mark.parametrize("read", [check_regular, open_regular, lambda path: read_bytes(path, 9)])
def test_only_regular_files_are_opened(tmp_path, make, kind, read):
    make(tmp_path)
    with pytest.raises(NotRegular, match=rf"x cannot be read: a {kind}.*, expected a regular file"):
        read(tmp_path / "x")


@pytest.mark.parametrize("make", [_pipe, _device])
def test_a_file_that_is_replaced_after_the_check_is_refused_too(tmp_path, monkeypatch, make):
    make(tmp_path)
    monkeypatch.setattr(regular_files, "check_regular", lambda path, max_bytes=None: None)
    with pytest.raises(NotRegular):
        open_regular(tmp_path / "x")


def test_directories_and_missing_files_are_told_apart(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_a_link_to_a_regular_file_is_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link", 3) == b"abc"


def test_a_file_beyond_the_size_is_not_read(tmp_path):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(NotRegular) as error:
        read_bytes(tmp_path / "large", 1000)
    reason = "1,099,511,627,776 bytes, expected at most 1,000"
    assert error.value.strerror == reason
    assert str(error.value) == f"{tmp_path / 'large'} cannot be read: {reason}."


def test_a_file_that_tells_no_size_is_bounded_while_it_is_read():
    # The kernel states a size of 0 for files in /proc.
    if not os.path.exists("/proc/self/maps"):
        pytest.skip("no /proc")
    with pytest.raises(NotRegular, match="expected at most 10"):
        read_bytes("/proc/self/maps", 10)


def test_a_file_that_would_have_to_be_waited_for_is_an_error(tmp_path, monkeypatch):
    # As /proc/kmsg, which is regular by its status, and gives a byte only when the kernel logs.
    end, told = os.pipe()
    os.set_blocking(end, False)
    monkeypatch.setattr(regular_files, "open_regular", lambda *_: os.fdopen(end, "rb"))
    with pytest.raises(BlockingIOError) as error:
        read_bytes(tmp_path / "x", 10)
    assert error.value.filename == str(tmp_path / "x")
    os.close(told)


@pytest.mark.parametrize("year", [1902, 1970, 2026, 2261])
def test_times_are_those_of_the_file_within_64_bits(tmp_path, year):
    nanoseconds = (year - 1970) * 31_556_952 * 10**9
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(nanoseconds, nanoseconds))
    status = os.stat(tmp_path / "a")
    assert regular_files.modified_ns(status) == status.st_mtime_ns


def test_times_beyond_64_bits_still_differ():
    times = [2**63 - 1, 2**63, 2**63 + 1, 3 * 2**62]
    found = {regular_files.modified_ns(types.SimpleNamespace(st_mtime_ns=time)) for time in times}
    assert len(found) == len(times)
    assert all(-(2**63) <= time < 2**63 for time in found)
