import os
import signal
import subprocess
import sys

import pytest

from remedis import files
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
    assert files.read_json(tmp_path / "a.json") == {"x": 1}
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


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    code = (
        "import os, signal, sys; from remedis import files\n"
        "with files.whole_directory(sys.argv[1]) as d:\n"
        "    (d / 'half').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "d")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name[:10] for path in tmp_path.iterdir()] == [".d.partial"]
    with files.whole_directory(tmp_path / "d"):
        assert len(list(tmp_path.iterdir())) == 1
    assert os.listdir(tmp_path) == ["d"]
