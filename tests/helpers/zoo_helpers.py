"""Functions that tests of models and of the zoo share."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from remedis.errors import UserError
from remedis.models.architectures import Architecture

TINY = Architecture((1, 1, 1, 1), 0.5)
BUILD = pathlib.Path(__file__).parents[2] / "saved_models" / "build.py"


def said(call, *args, **kwargs):
    """Returns the message of the UserError that a call must raise, which must be one line."""
    with pytest.raises(UserError) as caught:
        call(*args, **kwargs)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def relative_error(got, expected):
    return np.linalg.norm(np.asarray(got) - np.asarray(expected)) / np.linalg.norm(expected)


def small_builds(patch):
    """Makes the tiny architecture that of every checkpoint name."""
    patch.setattr(Architecture, "parse", classmethod(lambda cls, name: TINY))


def run_build(*args, check=False):
    """Runs saved_models/build.py in a process of its own."""
    return subprocess.run(
        [sys.executable, str(BUILD), *args], capture_output=True, text=True, check=check
    )
