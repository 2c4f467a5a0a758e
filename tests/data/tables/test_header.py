"""Headers that are read without pandas, and those that are left to the reader of tables."""

import os

import pytest

from remedis.data.tables import header


@pytest.mark.parametrize(
    "contents",
    [
        b"path,label\n",
        b"\xef\xbb\xbfpath, label\r\na.png,1\r\n",
        b'path,"label"\na.png,"1\n2"\n',
        b"path,label\na.png;b,\xff\n",
    ],
)
def test_a_plain_header_is_read(contents, tmp_path):
    (tmp_path / "a.csv").write_bytes(contents)
    assert header.plain(tmp_path / "a.csv") == ["path", "label"]


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"path\na.png\n",
        b"path;label,mass\n",
        b"path,label\ra.png,1\r",
        b"sep=,\npath,label\n",
        b"\npath,label\n",
        b"path,\xe4\n",
        "path,label\n".encode("utf-16"),
        b'path,"lab\nel"\n',
        b"path,label",
        b"path," + b"a" * 70_000 + b"\n",
    ],
)
def test_any_other_header_is_left_to_the_reader_of_tables(contents, tmp_path):
    (tmp_path / "a.csv").write_bytes(contents)
    assert header.plain(tmp_path / "a.csv") == []


def test_no_file_has_no_header(tmp_path):
    assert header.plain(tmp_path / "no.csv") == []


def test_a_pipe_is_left_to_the_reader_of_tables(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    assert header.plain(tmp_path / "a.csv") == []  # does not wait
