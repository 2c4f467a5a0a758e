"""A server under load: answers, waiting, images per second beside those of its engine, and memory.

    python benchmarks/serving.py [--engines=savedmodel,onnx] [--clients=16] [--seconds=60] [--kill]

A classifier on a 50x1 with random weights, 224 pixels, is served by `remedis serve` in a process of
its own, as the SavedModel or as an export. Each client posts one JPEG file, made-up radiographs of
512 pixels, waits for the answer, and posts the next. The engine's own throughput is measured in
another process, on full batches of prepared pixels, before and after the load: A B A. Printed are
the errors, the median and the 99th percentile of the waiting, images per second and their ratio to
the engine's own, and the server's resident memory over the time.

`--kill` kills the server in the middle of the load (SIGKILL), starts it again, and says after how
many seconds it answered, and whether it left anything in the model's folder. `--out` writes the
table into the section `serving` of a document. `--quick` takes a tiny network, for a test.
"""

import argparse
import contextlib
import dataclasses
import http.client
import io
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import results
from PIL import Image

from remedis.serving.settings import ServingSettings

BOUNDARY = "a-line-between-parts"
FILES = 8  # different images
START_SECONDS = 600.0
MEMORY_SECONDS = 0.5  # between two looks at the memory
POINTS = 6  # of the memory in the table
OWN_SECONDS = 15.0  # of the engine alone, before and after


@dataclasses.dataclass(frozen=True)
class Size:
    """What is served.

    Attributes:
      architecture: of the backbone.
      pixels: height and width of the network's input.
      picture: height and width of the files.
    """

    architecture: str
    pixels: int
    picture: int


FULL, QUICK = Size("50x1", 224, 512), Size("1-1-1-1x0.5", 32, 64)


@dataclasses.dataclass
class Load:
    """The answers of a load, from all clients.

    Attributes:
      seconds: of the whole load.
      waits: seconds of every answer with scores.
      faults: what went wrong, by sentence.
    """

    seconds: float = 0.0
    waits: list[float] = dataclasses.field(default_factory=list)
    faults: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def images_per_second(self) -> float:
        """Answers per second."""
        return len(self.waits) / self.seconds

    def milliseconds(self, percent: float) -> float:
        """Returns a percentile of the waiting in milliseconds."""
        return 1000 * float(np.percentile(self.waits, percent)) if self.waits else float("nan")

    def fault(self, sentence: str) -> None:
        """Counts something that went wrong."""
        self.faults[sentence] = self.faults.get(sentence, 0) + 1


def make_model(folder: pathlib.Path, size: Size, engine: str) -> pathlib.Path:
    """Writes a classifier with random weights, and its export for an engine; returns its path."""
    from remedis.conversion import convert, formats
    from remedis.models.classifier import Classifier
    from remedis.preprocess import parse
    from remedis.serving.engine_names import SAVED_MODEL
    from remedis.zoo import checkpoint, resolve, save_classifier

    weights = resolve.read_weights(f"scratch:{size.architecture}", seed=0)
    classifier = Classifier(checkpoint.build_backbone(weights), ("effusion", "pneumothorax"))
    model = save_classifier.save(
        classifier,
        parse(f"resize({size.pixels})", deterministic=True),
        name=f"classifier-{size.architecture}",
        directory=folder / "model",
        provenance=weights.provenance,
    )
    if engine == SAVED_MODEL:
        return model
    out = folder / f"export{formats.get(engine).suffix}"
    convert.convert(model, engine, out)
    return out


def own_throughput(model: pathlib.Path, engine: str, batch: int, seconds: float) -> float:
    """Returns the images per second of an engine on full batches of prepared pixels."""
    from remedis.serving.engines import open_engine

    loaded = open_engine(model, engine)
    assert loaded.image_size is not None
    images = np.random.default_rng(0).random((batch, *loaded.image_size, 3), np.float32)
    loaded.predict(images)  # the first call prepares the graph
    begun, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds:
        loaded.predict(images)
        done += batch
    return done / passed


def pictures(size: Size) -> list[bytes]:
    """Returns made-up radiographs as the bytes of JPEG files."""
    from remedis.synthetic import chest, cohort

    found = []
    shape = (size.picture, size.picture)
    for patient in cohort.patients(0, 0, FILES, chest.HOSPITAL_A, most_studies=1):
        pixels = patient.draw(patient.studies[0], 0, "PA", chest.HOSPITAL_A, shape)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def form(file: bytes) -> bytes:
    """Returns the body of a form with one file."""
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()


def load(port: int, bodies: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Posts files with several clients at a time; returns what came back.

    Args:
      port: of the server on this machine.
      bodies: of the requests; every client begins with another one.
      clients: number of threads, each with one connection.
      seconds: after which no client posts again; every client posts once.
    """
    found, lock = Load(), threading.Lock()
    begun = time.perf_counter()

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        for position in itertools.count(number):
            if position > number and time.perf_counter() - begun >= seconds:
                break
            posted = time.perf_counter()
            try:
                status, text = _post(connection, bodies[position % len(bodies)])
            except (OSError, http.client.HTTPException) as error:
                with lock:
                    found.fault(type(error).__name__)
                connection.close()
                time.sleep(0.1)
                continue
            waited = time.perf_counter() - posted
            with lock:
                if status == 200:
                    found.waits.append(waited)
                else:
                    found.fault(f"{status} {text[:100]}")
        connection.close()

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.perf_counter() - begun
    return found


def _post(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, str]:
    content = f"multipart/form-data; boundary={BOUNDARY}"
    connection.request("POST", "/predict", body, {"Content-Type": content})
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    if answer.status == 200 and "scores" not in json.loads(text):
        return 0, "no scores in the answer"
    return answer.status, text


def free_port() -> int:
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def serving(
    model: pathlib.Path, engine: str, port: int, options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a server and waits until it answers; ends it at the end of the block."""
    command = [sys.executable, "-m", "remedis.cli", "serve", str(model)]
    command += [f"--engine={engine}", f"--port={port}", f"--batch-size={options.batch}"]
    process = subprocess.Popen(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    try:
        wait_until_ready(process, port)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Waits until a server answers that it is ready.

    Raises:
      SystemExit: it has ended, or is not ready in time.
    """
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"The server has ended with status {process.returncode}.")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/health/ready")
            if connection.getresponse().status == 200:
                return
        connection.close()
        time.sleep(0.1)
    raise SystemExit("The server is not ready in time.")


@contextlib.contextmanager
def watched_memory(process: subprocess.Popen[bytes]) -> Iterator[list[tuple[float, float]]]:
    """Gives a list that fills with (seconds, resident MB) of a process; Linux only."""
    found: list[tuple[float, float]] = []
    end, begun = threading.Event(), time.monotonic()

    def watch() -> None:
        while not end.wait(MEMORY_SECONDS):
            with contextlib.suppress(OSError, AttributeError):
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                kilobytes = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])  # type: ignore[index]
                found.append((time.monotonic() - begun, kilobytes / 1024))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        thread.join()


def growth(memory: Sequence[tuple[float, float]]) -> float:
    """Returns the MB by which the last third's median is above that of the middle third.

    In the first third the engine and the allocators reach their size.
    """
    values = [megabytes for _, megabytes in memory]
    third = len(values) // 3
    if not third:
        return float("nan")
    return float(np.median(values[-third:]) - np.median(values[third : 2 * third]))


def in_a_process(*arguments: str) -> str:
    """Returns the last line of this program in a process of its own, which leaves no TensorFlow."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def killed_under_load(
    model: pathlib.Path, engine: str, bodies: Sequence[bytes], options: Any
) -> list[str]:
    """Kills a server under load and starts it again; returns what was seen, as lines."""
    before, port = listing(model), free_port()
    half = options.seconds / 2
    with serving(model, engine, port, options) as process:
        kill = threading.Timer(half / 2, process.kill)
        kill.start()
        first = load(port, bodies, options.clients, half)
        process.wait()
    begun = time.perf_counter()
    with serving(model, engine, port, options):
        ready = time.perf_counter() - begun
        second = load(port, bodies, options.clients, half)
    return [
        f"killed under load after {len(first.waits):,} answers; started again in {ready:.1f} s; "
        f"then {len(second.waits):,} answers, {sum(second.faults.values()):,} faults",
        f"files of the model changed: {'no' if listing(model) == before else 'YES'}",
        *faults(second),
    ]


def listing(model: pathlib.Path) -> list[tuple[str, int, int]]:
    """Returns name, size and time of change of everything beside and inside a model."""
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for path in model.parent.rglob("*")
    )


def faults(found: Load) -> list[str]:
    """Returns a line per kind of fault."""
    return [f"fault: {sentence}: {count:,}" for sentence, count in sorted(found.faults.items())]


def row(engine: str, found: Load, own: float, memory: Sequence[tuple[float, float]]) -> str:
    """Returns the row of the table."""
    shown = memory[:: max(1, len(memory) // POINTS)][:POINTS]
    over_time = ", ".join(f"{megabytes:,.0f}" for _, megabytes in shown)
    return (
        f"| {engine} | {len(found.waits):,} | {sum(found.faults.values()):,} | "
        f"{found.milliseconds(50):,.0f} | {found.milliseconds(99):,.0f} | "
        f"{found.images_per_second:.2f} | {own:.2f} | {found.images_per_second / own:.2f} | "
        f"{over_time} | {growth(memory):+.1f} |"
    )


def report(rows: Sequence[str], size: Size, options: Any) -> str:
    """Returns the section of the document."""
    return "\n".join(
        [
            "## A server under load",
            "",
            f"Written by `python benchmarks/serving.py`: {options.clients} clients for "
            f"{options.seconds:g} s, JPEG files of {size.picture} pixels, {size.architecture} with "
            f"random weights at {size.pixels} pixels, batches of at most {options.batch}, "
            f"{os.cpu_count()} processors. The engine alone computes full batches of prepared "
            "pixels. Growth is the median memory of the last third above that of the middle third.",
            "",
            "| engine | answers | faults | p50, ms | p99, ms | images per second | engine alone | "
            "ratio | resident MB over the time | growth, MB |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---|---:|",
            *rows,
        ]
    )


def measured(options: Any, size: Size, folder: pathlib.Path) -> str:
    """Serves a model under load by each engine, and returns the text for the document."""
    bodies = [form(file) for file in pictures(size)]
    rows, lines = [], []
    for engine in options.engines:
        quick = ["--quick"] if size == QUICK else []
        model = pathlib.Path(
            in_a_process(f"--make={folder / engine}", f"--engines={engine}", *quick)
        )
        seconds = f"--seconds={min(OWN_SECONDS, options.seconds)}"
        alone = (f"--own={model}", f"--engines={engine}", f"--batch={options.batch}", seconds)
        own = [float(in_a_process(*alone))]
        port = free_port()
        with serving(model, engine, port, options) as process:
            load(port, bodies, options.clients, options.seconds / 10)  # warms up
            with watched_memory(process) as memory:
                found = load(port, bodies, options.clients, options.seconds)
        own.append(float(in_a_process(*alone)))
        rows.append(row(engine, found, float(np.mean(own)), memory))
        lines += ["", f"{engine} alone, before and after: {own[0]:.2f}, {own[1]:.2f}"]
        lines += faults(found)
        if options.kill:
            lines += killed_under_load(model, engine, bodies, options)
    text = report(rows, size, options)
    print("\n".join([text, *lines]))
    return text


def main() -> None:
    """Measures a server; `--make` and `--own` are for processes that it starts itself."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--engines",
        type=lambda names: names.split(","),
        default=["savedmodel"],
        help="as remedis serve takes them, with commas between; savedmodel",
    )
    parser.add_argument("--clients", type=int, default=16, help="connections at a time; 16")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the load; 60")
    parser.add_argument(
        "--batch",
        type=int,
        default=ServingSettings().batch_size,
        help="images, for the server and the engine alone; the server's default",
    )
    parser.add_argument("--kill", action="store_true", help="kill the server under load, too")
    parser.add_argument("--quick", action="store_true", help="a tiny network, for a test")
    parser.add_argument("--out", type=pathlib.Path, help="Markdown file for the section serving")
    for own in ("--make", "--own"):
        parser.add_argument(own, type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    if options.make:
        print(make_model(options.make, size, options.engines[0]))
        return
    if options.own:
        print(own_throughput(options.own, options.engines[0], options.batch, options.seconds))
        return
    with tempfile.TemporaryDirectory() as temporary:
        text = measured(options, size, pathlib.Path(temporary))
    if options.out:
        results.write(options.out, "serving", text)


if __name__ == "__main__":
    main()
