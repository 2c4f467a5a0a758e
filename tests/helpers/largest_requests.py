"""Sends images of the most permitted pixels to a server in this process, and prints its memory.

    python tests/helpers/largest_requests.py MEGAPIXELS

The last line of the output is JSON: per kind of file, how much more memory the process has at its
peak, while several requests with the file are answered at once. The process is one of its own, so
that nothing else of a test run is in its memory.
"""

import concurrent.futures
import ctypes
import gc
import io
import json
import sys
import threading
from typing import Any

import dicom_helpers
import fake_serving
import numpy as np
from damaged_requests import memory, send, stored
from PIL import Image

CLIENTS = 6


def largest(side: int) -> dict[str, bytes]:
    """Returns files of `side` x `side` pixels, of the kinds that take most memory."""
    rows, columns = np.mgrid[:side, :side].astype(np.uint16)
    grey = ((rows // 7 + columns // 5) % 256).astype(np.uint8)
    colour = np.stack([grey, grey[::-1], 255 - grey], -1)
    found = {
        name: fake_serving.encoded(image, kind)
        for name, image, kind in (
            ("grey.jpg", grey, "JPEG"),
            ("colour.jpg", colour, "JPEG"),
            ("grey.png", grey, "PNG"),
            ("colour.png", colour, "PNG"),
            ("sixteen.png", grey.astype(np.uint16) * 250, "PNG"),
        )
    }
    buffer = io.BytesIO()
    Image.fromarray(colour).save(buffer, "JPEG", progressive=True)
    found["progressive.jpg"] = buffer.getvalue()
    found["grey.dcm"] = stored(dicom_helpers.dataset(grey.astype(np.uint16) * 16, 12))
    found["colour.dcm"] = stored(dicom_helpers.dataset(colour))
    return found


class Peak:
    """The most memory of this process while it is entered, from 200 readings a second."""

    def __enter__(self) -> "Peak":
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # else the memory of the kind before counts as the base
        self.before = self.most = memory()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self) -> None:
        while not self._over.wait(0.005):
            self.most = max(self.most, memory())

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()


def main() -> None:
    """Sends the requests; see the docstring of this file."""
    side = int((float(sys.argv[1]) * 1e6) ** 0.5)
    found: dict[str, dict[str, Any]] = {}
    for name, contents in largest(side).items():
        with fake_serving.client(max_pixels=side * side, max_bytes=len(contents) + 1000) as server:
            send(server, fake_serving.grey(1))
            with Peak() as peak, concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
                answers = list(clients.map(send, [server] * CLIENTS, [contents] * CLIENTS))
        found[name] = {
            "bytes": len(contents),
            "peak_bytes": peak.most - peak.before,
            "statuses": [answer.status_code for answer in answers],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
