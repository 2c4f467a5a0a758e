"""The `curl` lines of the page on serving, each run as a reader would run it."""

import json
import re
import shutil
import subprocess

import document_commands
import numpy as np
import pytest
from fake_serving import application
from page_server import FACTS, MadeUpEngine, serving
from PIL import Image

from remedis.serving.settings import ServingSettings

PAGE = "docs/how-to/serve.md"
ASKING = ("curl ", "base64 ", "printf ")


def lines():
    """The lines of the page that ask the server, with those that write what they send."""
    blocks = [block for block in document_commands.blocks(PAGE) if block.language == "sh"]
    return [line for block in blocks for line in block.text.splitlines() if line.startswith(ASKING)]


@pytest.mark.guarantee
def test_every_line_gets_an_answer(tmp_path):
    assert shutil.which("curl"), "install curl"
    pixels = np.random.default_rng(0).integers(0, 255, (64, 48), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "radiograph.png")
    asked = 0
    with serving(MadeUpEngine()) as (address, _):
        for line in lines():
            assert line.startswith("curl ") == ("http://127.0.0.1:8501" in line), line
            here = line.replace("http://127.0.0.1:8501", address).replace("/mine", "/made-up")
            done = subprocess.run(
                ["bash", "-c", here], cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, (line, done.stdout[-500:], done.stderr[-500:])
            if line.startswith("curl "):
                answer = json.loads(done.stdout)
                text = json.dumps(answer)
                # Those of the health of a server name no model.
                assert FACTS.weights_sha256 in text or "/health/" in line, line
                asked += 1
    assert asked >= 9


def test_the_table_of_addresses_is_that_of_the_application():
    with application(MadeUpEngine(), ServingSettings()) as made:
        paths = {getattr(route, "path", "") for route in made.routes} | {"/neighbours"}
    text = (document_commands.ROOT / PAGE).read_text()
    named = set(re.findall(r"`(?:GET|POST) (/[\w.]+)`", text))
    named |= set(re.findall(r"http://127\.0\.0\.1:8501(/[\w./:]*)", text))
    assert len(named) > 10
    assert {path.replace("/mine", "/made-up") for path in named} <= paths
