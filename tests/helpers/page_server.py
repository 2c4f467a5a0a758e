"""A server of the page with a made-up model, in a thread of the test."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from fake_serving import application

from remedis.evaluation.thresholds import Thresholds
from remedis.serving.served_facts import EMBEDDING, ServedFacts
from remedis.serving.settings import ServingSettings

LABELS = ("pneumonia", "edema", "enlarged_cardiomediastinum")
THRESHOLDS = Thresholds(
    {"pneumonia": 0.41, "edema": 0.6, "enlarged_cardiomediastinum": None},
    {"pneumonia": 0.2, "edema": 0.3, "enlarged_cardiomediastinum": None},
    0.9,
    chosen_on={"pneumonia": {"data": "Hospital A", "positives": 7, "negatives": 8}},
)
FACTS = ServedFacts(
    model="made-up",
    engine="savedmodel",
    weights_sha256="0123456789abcdef" * 4,
    weights="Drawn at random (seed 0) for a test.",
    random_weights=True,
    labels=LABELS,
    preprocess="resize(8)",
    thresholds=THRESHOLDS.to_json(),
)
CELLS = np.array([[0, 0, 0], [0, 2, 0], [-1, 0, 0]], np.float32)


@dataclasses.dataclass(frozen=True)
class MadeUpEngine:
    """An engine whose logits follow from the mean of the image, m: 8 m - 4, 0 and 2 - 8 m.

    Attributes:
      provenance: of the model.
      explains: whether it has heat maps.
    """

    provenance: ServedFacts = FACTS
    explains: bool = True
    name: str = "savedmodel"
    image_size: tuple[int, int] | None = (8, 8)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.provenance.labels

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Returns an image of 8 x 8 pixels that have the mean of all."""
        return np.full((8, 8, 3), image.mean(), np.float32)

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the outputs."""
        mean = images.mean((1, 2, 3))
        embeddings = np.stack([np.cos(3 * mean), np.sin(3 * mean)], 1).astype(np.float32)
        if not self.labels:
            return {EMBEDDING: embeddings}
        logits = np.stack([8 * mean - 4, 0 * mean, 2 - 8 * mean], 1).astype(np.float32)
        probabilities = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return {"probabilities": probabilities, "logits": logits, EMBEDDING: embeddings}

    def explain(self, images: np.ndarray, label: str) -> np.ndarray:
        """Returns the same map for all labels."""
        return np.repeat(CELLS[None], len(images), 0)

    def place(self, cells: np.ndarray, height: int, width: int) -> np.ndarray:
        """Returns every cell as a rectangle."""
        rows, columns = (np.arange(n) * 3 // n for n in (height, width))
        return cells[np.ix_(rows, columns)]


@contextlib.contextmanager
def serving(
    engine: Any, settings: ServingSettings | None = None, **options: Any
) -> Iterator[tuple[str, list[bytes]]]:
    """Yields the address of a server, and the bodies that it is sent."""
    import uvicorn

    bodies: list[bytes] = []
    with application(engine, settings or ServingSettings(), **options) as made:

        async def recorded(scope: Any, receive: Any, send: Any) -> None:
            async def noted() -> Any:
                message = await receive()
                bodies.append(message.get("body", b""))
                return message

            await made(scope, noted, send)

        server = uvicorn.Server(
            uvicorn.Config(recorded, port=0, log_level="critical", lifespan="off")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}", bodies
        finally:
            server.should_exit = True
            thread.join()
