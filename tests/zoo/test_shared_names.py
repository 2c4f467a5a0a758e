import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remedis.zoo import shared_names
from remedis.zoo.provenance import Provenance


@pytest.mark.parametrize(
    ("written", "shared"),
    [
        (["/home/u/bin/remedis", "finetune"], ["remedis", "finetune"]),
        (["--config=/home/u/mine.py:rehearsal,50x1"], ["--config=mine.py:rehearsal,50x1"]),
        (["--config.data_dir=/data/Name, Vorname/b"], ["--config.data_dir=b"]),
        (["--config.data=csv=/a/b c; tfds=d/e"], ["--config.data=csv=b c; tfds=e"]),
        (["--weights=keras:DenseNet121:/a/w.h5"], ["--weights=keras:DenseNet121:w.h5"]),
        (["--weights", "bit:a/w.npz"], ["--weights", "bit:w.npz"]),
        (["--workdir=runs/one/"], ["--workdir=one"]),
        ([r"--out=C:\Users\u\x"], ["--out=C:x"]),
        (['--config.labels=("a b", "c")'], ['--config.labels=("a b", "c")']),
        (["--config.learning_rate=0.1"], ["--config.learning_rate=0.1"]),
    ],
)
def test_a_command_holds_base_names(written, shared):
    assert shared_names.command(shlex.join(written)) == shlex.join(shared)


def test_a_page_keeps_relative_paths_and_no_absolute_one():
    line = "python finetune/x.py --config.data_dir=/home/alice/d --workdir=runs/a --w=bit:/h/w.npz"
    shown = "python finetune/x.py --config.data_dir=d --workdir=runs/a --w=bit:w.npz"
    assert shared_names.command(line, keep_relative=True) == shown


def test_the_user_s_own_folder_has_no_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/alice")
    assert shared_names.command("/x/remedis --workdir=/home/alice/") == "remedis '--workdir=~'"


@pytest.mark.parametrize(
    "parts",
    [
        *(["", "home", "alice"], ["", "home", "", "alice", ""], ["", "Users", "alice"]),
        *(["D:\\Users\\alice"], ["", "root"], ["", "root", "."]),
    ],
)
def test_the_folder_of_another_user_has_no_name(parts):
    folder = "/".join(parts)
    assert shared_names.base_name(folder) == "~"
    assert "alice" not in shared_names.command(shlex.join([f"--out={folder}", f"--d=csv={folder}"]))
    assert shared_names.base_name("/home/alice/run") == "run"


def test_a_line_that_no_shell_could_read_keeps_its_program():
    assert shared_names.command("/x/remedis 'unfinished /home/alice") == "remedis"


FOLDER = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(FOLDER, max_size=3), st.sampled_from(["", "--a=", "--a=csv=", "bit:"]))
def test_no_folder_above_the_last_name_stays(folders, prefix):
    path = "/".join(["", "SECRET", *folders, "SECRET, SECRET; x", "last"])
    assert shared_names.command(shlex.join([prefix + path])) == shlex.join([f"{prefix}last"])


def test_the_whole_lineage_is_shared():
    first = Provenance("bit", "BiT", command="/a/build --out=/b/c")
    last = Provenance("training", "t", parent=Provenance("training", "u", parent=first))
    assert last.shared().parent.parent.command == "build --out=c"
    assert last.shared().command is None


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/data/alice/klinik/manifest.csv", "klinik/manifest.csv"),
        ("klinik/manifest.csv", "klinik/manifest.csv"),
        (r"C:\data\klinik\manifest.csv", "klinik/manifest.csv"),
        ("/home/alice/manifest.csv", "manifest.csv"),
        (r"C:\Users\alice\manifest.csv", "manifest.csv"),
        (r"C:\manifest.csv", "manifest.csv"),
        ("~/manifest.csv", "manifest.csv"),
        ("~alice/manifest.csv", "manifest.csv"),
        ("../manifest.csv", "manifest.csv"),
        ("/manifest.csv", "manifest.csv"),
        ("/data/klinik/table.csv", "table.csv"),
    ],
)
def test_a_manifest_is_named_with_its_folder(path, shared):
    assert shared_names.base_name(path) == shared
    assert shared_names.base_name(shared) == shared
    command = shared_names.command(shlex.join([f"--config.data_dir={path}"]))
    # The drive of Windows stays before a name in a command.
    assert command.replace("C:", "").strip("'") == f"--config.data_dir={shared}"


def test_data_are_named_without_their_folders():
    label = {"data": "/home/alice/manifest.csv", "cases": 3}
    chosen = {"youden": {"data": 0.3}, "chosen_on": {"data": label, "x/y": label}}
    named = {"data": "manifest.csv", "cases": 3}
    assert shared_names.data_names(chosen) == {
        "youden": {"data": 0.3},
        "chosen_on": {"data": named, "x/y": named},
    }
    assert shared_names.data_names(None) is None


@pytest.mark.parametrize(
    ("call", "shared"),
    [
        ("remedis.finetune(ConfigDict, '/home/bob/runs/x')", "remedis.finetune(ConfigDict, 'x')"),
        ("remedis.build('cxr', 'bit:/d/a b.npz')", "remedis.build('cxr', 'bit:a b.npz')"),
        ('remedis.build("/o\'h/x")', "remedis.build('x')"),
        ("remedis.list_models()", "remedis.list_models()"),
    ],
)
def test_a_call_of_the_public_api_has_base_names(call, shared):
    assert shared_names.command(call) == shared


@pytest.mark.parametrize("call", ["remedis.x('a' /home/bob/y)", r"remedis.x('/home/bob\U')"])
def test_what_only_looks_like_a_call_names_no_folder_either(call):
    assert "bob" not in shared_names.command(call)
