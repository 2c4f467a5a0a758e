"""A server of a network in NumPy, whose outputs follow from the pixels in closed form."""

import contextlib
import io
import struct
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from remedis.errors import UserError
from remedis.serving.app import create_app
from remedis.serving.batching import Batcher
from remedis.serving.engines import compute
from remedis.serving.served_facts import ServedFacts
from remedis.serving.settings import ServingSettings

SIDE = 8
LABELS = ("Bright", "Red")
SHA256 = "ab" * 32
URL = "http://127.0.0.1:8501"


class FakeEngine:
    """Its logits are the mean of an image and that of its red channel; so is its embedding."""

    name = "savedmodel"
    image_size = (SIDE, SIDE)

    def __init__(self, labels: tuple[str, ...] = LABELS, **facts: Any) -> None:
        self.provenance = ServedFacts(
            **{
                "model": "fake 1x0.25",
                "engine": self.name,
                "weights_sha256": SHA256,
                "weights": "Random weights of a test.",
                "random_weights": True,
                "labels": labels,
                "preprocess": f"resize({SIDE})",
                **facts,
            }
        )
        self.labels = labels
        self.explains = bool(labels)
        self.predicted: list[np.ndarray] = []

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Takes the nearest pixel of each place."""
        rows, columns = (np.arange(SIDE) * side // SIDE for side in image.shape[:2])
        small = image[np.ix_(rows, columns)].astype(np.float32)
        return np.repeat(small, 3, axis=-1) if small.shape[-1] == 1 else small

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the means."""
        if images.max() > 1.5:
            raise UserError("The images look like values from 0 to 255.")
        self.predicted.append(images)
        means = np.stack([images.mean((1, 2, 3)), images[..., 0].mean((1, 2))], 1)
        if not self.labels:
            return {"embedding": means}
        return {"probabilities": 1 / (1 + np.exp(-means)), "logits": means, "embedding": means}

    def explain(self, images: np.ndarray, label: str) -> np.ndarray:
        """Returns the mean of the channels in 2 x 2 cells, less one half."""
        cells = images.mean(-1).reshape(len(images), 2, SIDE // 2, 2, SIDE // 2)
        return cells.mean((2, 4)) - np.float32(0.5)

    def place(self, cells: np.ndarray, height: int, width: int) -> np.ndarray:
        """Repeats every cell over its share of the image."""
        rows, columns = (np.arange(side) * 2 // side for side in (height, width))
        return cells[np.ix_(rows, columns)]


@contextlib.contextmanager
def client(engine: Any = None, **settings: Any) -> Iterator[Any]:
    """Yields a client of a server inside this process.

    Args:
      engine: `FakeEngine()` if None.
      **settings: of `ServingSettings`.
    """
    from starlette.testclient import TestClient

    chosen = ServingSettings(**settings)
    # One loop for all requests of a test: the limits of the guard count them together.
    with (
        application(engine or FakeEngine(), chosen) as app,
        TestClient(app, URL, raise_server_exceptions=True) as opened,
    ):
        yield opened


@contextlib.contextmanager
def on_a_socket(
    app: Any, chosen: ServingSettings, **options: Any
) -> Iterator[tuple[Any, tuple[str, int]]]:
    """Yields a server of an application in a thread, and its address.

    Args:
      app: an ASGI application.
      chosen: the settings; the port 0 takes any that is free.
      **options: of `run_server.configuration`.
    """
    import uvicorn

    from remedis.serving.run_server import configuration, listening

    server = uvicorn.Server(configuration(app, chosen, **options))
    with listening(chosen) as opened:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
        thread.start()
        try:
            yield server, opened.getsockname()
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def application(engine: Any, chosen: ServingSettings, **options: Any) -> Iterator[Any]:
    """Yields the application of an engine; its batcher ends with the block.

    Args:
      engine: any engine.
      chosen: the settings.
      **options: of `create_app`.
    """
    batcher = Batcher(
        compute(engine),
        batch_size=chosen.batch_size,
        wait_seconds=chosen.batch_wait_ms / 1000,
        max_queue=chosen.max_queue,
        timeout_seconds=chosen.timeout_seconds,
    )
    try:
        yield create_app(engine, batcher, chosen, **options)
    finally:
        batcher.stop()


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    """Returns an image [H, W] or [H, W, 3] uint8 as a file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def grey(value: int, height: int = 16, width: int = 12) -> bytes:
    """Returns a PNG file of one grey value."""
    return encoded(np.full((height, width), value, np.uint8))


def huge_png(height: int, width: int) -> bytes:
    """Returns a PNG file whose header states a size, with hardly any data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
