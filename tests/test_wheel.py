"""The wheel, installed apart from the checkout, works from another directory."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# Lines of progress, the only ones that a job without warnings writes to standard error.
PROGRESS = re.compile(r"[\w:.,() -]+ [\d,]+/[\d,]+( .*)?")


def run(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The directory that the wheel is installed to."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("remedis", "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source)
    (wheel,) = folder.glob("remedis-*.whl")
    target = folder / "installed"
    run(*pip, "install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


@pytest.fixture
def command(installed, tmp_path):
    """Returns a function that runs `remedis ARGUMENTS` elsewhere; the dependencies are ours."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPP_")}
    environment["PYTHONPATH"] = str(installed)

    def call(*arguments):
        program = (sys.executable, installed / "bin" / "remedis")
        return run(*program, *arguments, cwd=tmp_path, env=environment)

    return call


@pytest.mark.guarantee
def test_installed_wheel_works_from_another_directory(installed, command, tmp_path):
    code = (
        "import remedis.cli, remedis.finetuning.finetune, remedis.synthetic as r; "
        "print(remedis.__file__); r.write_chexpert('made', 2, 2, image_size=32)"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = run(sys.executable, "-c", code, cwd=tmp_path, env=environment)
    assert done.stdout.startswith(str(installed))
    assert (tmp_path / "made" / "CheXpert-v1.0-small" / "train.csv").is_file()
    assert "cxr-50x1-remedis-m" in command("list").stdout
    assert (installed / "remedis" / "py.typed").is_file()
    page = {path.name for path in (ROOT / "remedis" / "serving" / "page").iterdir()}
    assert {p.name for p in (installed / "remedis" / "serving" / "page").iterdir()} == page


def test_the_wheel_has_the_configs_and_nothing_beside_the_package(installed, command):
    names = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert names <= {"remedis", "bin", "__pycache__"}
    packaged = {path.name for path in (installed / "remedis" / "share" / "configs").glob("*.py")}
    assert packaged == {path.name for path in (ROOT / "configs").glob("*.py")}
    printed = " ".join(command("finetune", "--help").stdout.split())
    names = sorted(name.removesuffix(".py") for name in packaged)
    names = [n for n in names if not n.startswith(("__init__", "arguments", "common"))]
    assert f"Configs of this version: {', '.join(names)}." in printed


def test_the_text_for_a_package_index_has_no_links_into_the_repository(installed):
    (metadata,) = installed.glob("remedis-*.dist-info/METADATA")
    headers, _, text = metadata.read_text().partition("\n\n")
    assert "Description-Content-Type: text/markdown" in headers
    assert text.startswith("# REMEDIS in TensorFlow")
    assert "`docs/quickstart.md`" in text
    assert not re.findall(r"\]\((?!https:)", text)


TINY = "scratch:1-1-1-1x0.5"
FEW_STEPS = ("steps=2", "evaluate_every=2", "checkpoint_every=2")


@pytest.mark.guarantee
@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (("build", "--model=path-50x1-remedis-m", "--weights=random:0", "--out=w"), "w"),
        (
            (
                *("finetune", "--config=own_data:rehearsal", "--workdir=w"),
                f"--config.checkpoint={TINY}",
                *(f"--config.{setting}" for setting in (*FEW_STEPS, "resamples=40")),
            ),
            "w/export/saved_model.pb",
        ),
        (
            (
                *("pretrain", "--config=pretrain_path:rehearsal", "--workdir=w"),
                f"--config.checkpoint={TINY}",
                *(f"--config.{setting}" for setting in (*FEW_STEPS, "epochs=0")),
            ),
            "w/export/saved_model.pb",
        ),
        (
            (
                *("ood-curves", "--config=ood_own:rehearsal", "--workdir=w"),
                *(f"--config.arms=tiny={TINY}", "--config.baseline=tiny"),
                *("--config.seeds=1", "--config.id_trainings=1"),
                *("--config.resamples=40", "--config.budgets=100%"),
                *(f"--config.{side}.{s}" for side in ("id", "ood") for s in FEW_STEPS),
            ),
            "w/report.html",
        ),
    ],
    ids=["build", "finetune", "pretrain", "ood-curves"],
)
def test_the_jobs_of_the_wheel_run_to_the_end(arguments, made, command, tmp_path):
    done = command(*arguments)
    assert (tmp_path / made).exists()
    lines = done.stderr.splitlines()
    assert [line for line in lines if not PROGRESS.fullmatch(line)] == []
