"""The command as a process: it answers as the model does, is quiet, and ends when it is told."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from fake_serving import encoded

from remedis.inference import exported

pytestmark = pytest.mark.guarantee

NAME = "patient-1234.png"
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)


@contextlib.contextmanager
def command(*options):
    """Yields a server and the address that it names, and ends it."""
    line = [sys.executable, "-m", "remedis.cli", "--verbose", "serve", "--port=0"]
    line += ["--engine=savedmodel", *options]  # the start of another takes longer
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    ) as process:
        try:
            read = []
            for written in process.stdout:
                read.append(written)
                if found := re.search(r"answers at (http://\S+) by", written):
                    break
            else:
                pytest.fail("".join(read))
            yield process, found[1]
        finally:
            process.kill()


def test_a_run_is_served_from_its_folder_to_its_end(small_export):
    loaded = exported.load(small_export)
    with (
        command(str(small_export)) as (process, url),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        assert client.get("/v2/health/ready").json() == {"ready": True}
        file = encoded(PIXELS)
        answer = client.post("/predict", files={"image": (NAME, file)})
        assert answer.status_code == 200
        bytes_ = loaded.model.signatures["serve_bytes"]
        from_files = bytes_(image_bytes=np.array([file]))
        scores = answer.json()["scores"]
        # As the SavedModel reads the file itself; the order of its sums may differ.
        for name, key in (("probabilities", "probability"), ("logits", "logit")):
            np.testing.assert_allclose(
                [score[key] for score in scores], from_files[name][0], rtol=1e-4, atol=1e-5
            )
        map_ = client.post("/explain", files={"image": (NAME, file)}, data={"label": "ill"})
        assert map_.status_code == 200
        assert answer.json()["model"]["random_weights"] is True
        assert "of another" not in answer.text
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
        assert time.monotonic() - begun < 10
        assert process.returncode == 128 + signal.SIGTERM
        assert "Stopped by SIGTERM" in rest
        assert "POST /predict 200" in rest
        assert "patient" not in rest
        assert "Traceback" not in rest
