"""Images of the most permitted pixels take no more memory than the docs say."""

import json
import pathlib
import subprocess
import sys

import pytest

from remedis.serving.settings import ServingSettings

HELPER = pathlib.Path(__file__).parents[1] / "helpers" / "largest_requests.py"
MEGAPIXELS = 10
BYTES_PER_PIXEL = 40  # docs/how-to/serve.md
BODIES = 4  # request_guard: as many bodies of the largest size are held


@pytest.mark.guarantee
def test_largest_images_take_the_memory_of_the_docs():
    done = subprocess.run(
        [sys.executable, HELPER, str(MEGAPIXELS)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 8
    decoders = ServingSettings().decoders
    for name, kind in found.items():
        permitted = decoders * BYTES_PER_PIXEL * MEGAPIXELS * 1e6 + BODIES * kind["bytes"]
        assert kind["peak_bytes"] < permitted, name
        assert kind["statuses"].count(200) >= decoders, name
        assert set(kind["statuses"]) <= {200, 503}, name  # 503: more than `BODIES` at once
