"""Arguments of configs: each is named in its config's docstring, and checked in a moment."""

import importlib
import pathlib
import re
import subprocess
import sys

import pytest

import configs
from remedis.errors import UserError

FOLDER = pathlib.Path(configs.__file__).parent
NAMES = sorted(
    path.stem for path in FOLDER.glob("*.py") if "\ndef get_config(" in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_names_every_argument_and_no_other(name):
    module = importlib.import_module(f"configs.{name}")
    with pytest.raises(UserError) as caught:
        module.get_config("not-an-argument")
    accepted = re.search(r"Choose from: (.+)\.$", str(caught.value))
    assert accepted is not None
    named = re.findall(r"(?<!\w)`:([\w,-]+)", module.__doc__)
    assert {part for text in named for part in text.split(",")} == set(accepted[1].split(", "))


def test_no_config_needs_tensorflow_to_check_its_argument():
    code = (
        "import importlib, sys\n"
        f"for name in {NAMES}:\n"
        "    importlib.import_module(f'configs.{name}').get_config('')\n"
        "    assert 'tensorflow' not in sys.modules, name"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=FOLDER.parent, check=False
    )
    assert done.returncode == 0, done.stderr
