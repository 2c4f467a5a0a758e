"""The load of the serving benchmark on a small server, its numbers, and the whole on a tiny one."""

import argparse
import http.server
import io
import json
import threading
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("serving")


@pytest.fixture
def server():
    """A server that answers `answers[i % 3]` to request i, and keeps the bodies."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        bodies: ClassVar = []
        lock = threading.Lock()
        answers: ClassVar = [(200, {"scores": []})] * 2 + [(503, {"error": "busy"})]

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with self.lock:
                status, answer = self.answers[len(self.bodies) % 3]
                self.bodies.append(body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield listening
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_every_answer_is_counted_once_and_refusals_are_faults(benchmark, server):
    bodies = [benchmark.form(b"first"), benchmark.form(b"second")]
    found = benchmark.load(server.server_port, bodies, clients=4, seconds=0.2)
    handler = server.RequestHandlerClass
    refused = sum(found.faults.values())
    assert len(found.waits) + refused == len(handler.bodies)
    assert refused == len(handler.bodies) // 3
    assert list(found.faults) == ['503 {"error": "busy"}']
    assert set(handler.bodies) == set(bodies)
    assert found.images_per_second == len(found.waits) / found.seconds
    assert found.seconds >= 0.2


def test_an_answer_without_scores_is_a_fault(benchmark, server):
    server.RequestHandlerClass.answers = [(200, {})] * 3
    found = benchmark.load(server.server_port, [benchmark.form(b"")], clients=1, seconds=0.01)
    assert not found.waits
    assert list(found.faults) == ["0 no scores in the answer"]


def test_a_server_that_is_not_there_is_a_fault(benchmark):
    found = benchmark.load(benchmark.free_port(), [b""], clients=1, seconds=0.05)
    assert not found.waits
    assert list(found.faults) == ["ConnectionRefusedError"]


def test_numbers_of_the_table(benchmark):
    found = benchmark.Load(seconds=50.0, waits=[i / 1000 for i in range(1, 101)])
    found.fault("503")
    memory = [(i, 100.0) for i in range(10)] + [(i, 500.0) for i in range(10, 20)]
    memory += [(i, 502.5) for i in range(20, 30)]
    assert benchmark.growth(memory) == 2.5
    assert np.isnan(benchmark.growth(memory[:2]))
    assert benchmark.row("onnx", found, 2.5, memory) == (
        "| onnx | 100 | 1 | 50 | 99 | 2.00 | 2.50 | 0.80 | 100, 100, 500, 500, 502, 502 | +2.5 |"
    )


def test_files_are_radiographs_of_the_size(benchmark):
    pictures = benchmark.pictures(benchmark.QUICK)
    assert len(set(pictures)) == benchmark.FILES
    assert Image.open(io.BytesIO(pictures[0])).size == (64, 64)


@pytest.mark.guarantee
def test_a_tiny_model_is_served_killed_and_served_again(benchmark, tmp_path, capsys):
    options = argparse.Namespace(
        engines=["savedmodel"], clients=4, seconds=4.0, batch=8, kill=True, quick=True
    )
    text = benchmark.measured(options, benchmark.QUICK, tmp_path)
    cells = text.splitlines()[-1].split("|")[1:-1]
    assert cells[0].strip() == "savedmodel"
    assert int(cells[1].replace(",", "")) > 10
    assert int(cells[2]) == 0
    printed = capsys.readouterr().out
    assert "files of the model changed: no" in printed
    assert "answers, 0 faults" in printed
