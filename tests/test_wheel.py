"""The wheel, installed apart from the checkout, works from another directory."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def run(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_installed_wheel_works_from_another_directory(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "remedis", source / "remedis")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source)
    (wheel,) = tmp_path.glob("remedis-*.whl")
    target = tmp_path / "installed"
    run(*pip, "install", "--no-deps", "--no-index", "--target", target, wheel)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(target)}
    code = (
        "import remedis.cli, remedis.finetuning.finetune, remedis.synthetic as r; "
        "print(remedis.__file__); r.write_chexpert('made', 2, 2, image_size=32); "
        "remedis.cli.main(['list']); "
        "from remedis.reporting.ood_report import page; "
        "page.environment().get_template('report.html.jinja')"
    )
    printed = run(sys.executable, "-c", code, cwd=elsewhere, env=environment)
    assert printed.startswith(str(target))
    assert "cxr-50x1-remedis-m" in printed
    assert (elsewhere / "made" / "CheXpert-v1.0-small" / "train.csv").is_file()
    assert (target / "bin" / "remedis").is_file()
    assert (target / "remedis" / "py.typed").is_file()
