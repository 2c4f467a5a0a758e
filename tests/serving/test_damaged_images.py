"""A thousand truncated files and files with flipped bits: an answer each, no crash and no leak."""

import json
import pathlib
import subprocess
import sys

import pytest

HELPER = pathlib.Path(__file__).parents[1] / "helpers" / "damaged_requests.py"


@pytest.mark.guarantee
def test_a_thousand_damaged_images_are_answered():
    done = subprocess.run(
        [sys.executable, HELPER, "1000", "20261129"], capture_output=True, text=True
    )
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-3000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert sum(found["statuses"].values()) == 1000
    # Bits flipped in pixels leave an image; the structure is damaged in most of the others.
    assert found["statuses"]["200"] > 50
    assert found["statuses"]["400"] > 300
    # Of the second five hundred; every file is in memory once while it is decoded.
    assert found["memory_growth"] < 20 << 20
    assert found["file_growth"] == 0
