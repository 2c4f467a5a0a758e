import pathlib
import shlex
import subprocess
import sys

import pytest

from remedis.cli import build_job
from remedis.zoo import builder, names

SCRIPT = pathlib.Path(__file__).parents[2] / "saved_models" / "build.py"


@pytest.fixture
def built():
    """The arguments of the builds that `run` records in place of building."""
    return []


@pytest.fixture
def run(built, monkeypatch, capsys):
    """Returns `run(*args)`: exit status and lines on standard error; builds are only recorded."""

    def build(name, source, out, **options):
        built.append((name, source, str(out), options))
        raise KeyboardInterrupt

    monkeypatch.setattr(builder, "build", build)

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["build.py", *args])
        return build_job.main(), capsys.readouterr().err.splitlines()

    return call


ONE_OR_ALL = "error: Say either --model=NAME (repeatable) or --all."


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--weights=random:0"], ONE_OR_ALL),
        (["--weights=random:0", "--all", "--model=cxr-50x1-remedis-m"], ONE_OR_ALL),
        (
            ["--weights=random:0", "--model=cxr-52x2-remedis-m"],
            "error: Unknown model 'cxr-52x2-remedis-m': did you mean 'cxr-152x2-remedis-m'? "
            f"Choose from: {', '.join(names.NAMES)}.",
        ),
        (
            ["--weights=random:0", "--model=cxr-50x1-remedis-m", "--model=x"],
            f"error: Unknown model 'x'. Choose from: {', '.join(names.NAMES)}.",
        ),
    ],
)
def test_wrong_models_are_one_line_before_anything_is_built(run, built, args, line):
    assert run(*args) == (1, [line])
    assert built == []


@pytest.mark.parametrize(
    "args",
    [
        ["--model=cxr-50x1-remedis-m"],
        ["--model=cxr-50x1-remedis-m", "--weights=random:0", "--graph=theirs"],
        ["--model=cxr-50x1-remedis-m", "--weights=random:0", "--weihgts=random:1"],
        ["--model=cxr-50x1-remedis-m", "--weights=random:0", "stray"],
        ["--model"],
    ],
    ids=["no weights", "wrong graph", "unknown flag", "stray word", "no value"],
)
def test_wrong_options_are_one_line(run, built, args):
    status, lines = run(*args)
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert "Traceback" not in lines[0]
    assert built == []


def test_what_is_asked_for_is_built_with_the_command_as_provenance(
    run, built, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(builder, "check", lambda name, weights: None)  # the folder is empty
    args = ["--model=path-50x1-remedis-s", "--weights=release:a b", "--out=o", "--graph=release"]
    assert run(*args) == (130, ["Stopped; the same command resumes."])
    assert built == [
        (
            "path-50x1-remedis-s",
            "release:a b",
            "o",
            {
                "command": shlex.join(["build.py", *args]),
                "keep_graph": True,
                "pixel_range": "checked",
                "overwrite": False,
            },
        )
    ]


def test_a_mistake_is_one_line_and_status_1_and_nothing_written(tmp_path):
    out = tmp_path / "out"
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            "--model=cxr-50x1-remedis-m",
            "--weights=bit:nothing.npz",
            f"--out={out}",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "error: nothing.npz does not exist. Expected a checkpoint folder, a run, bit:FILE.npz, "
        "release:DIR, random:SEED, scratch:50x1, keras:DenseNet121:FILE.\n"
    )
    assert not out.exists()
