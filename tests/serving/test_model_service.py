"""Memory of requests that wait: what is held for them, and what is forgotten."""

import asyncio
import contextlib
import threading
import weakref

import numpy as np
import pytest
from fake_serving import SIDE, FakeEngine, client, grey

from remedis.serving import model_service
from remedis.serving.refusals import Refusal

IMAGE = SIDE * SIDE * 3 * 4  # bytes of a prepared one


class Body:
    """Something that a request holds."""

    def work(self):
        raise AssertionError


def service(opened):
    return opened.app.state.service


def test_work_of_a_client_that_left_is_not_kept():
    async def run(in_thread):
        go, body = threading.Event(), Body()
        seen = weakref.ref(body)
        first = asyncio.create_task(in_thread(go.wait))
        await asyncio.sleep(0)
        left = asyncio.create_task(in_thread(body.work))
        del body
        await asyncio.sleep(0)
        left.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await left
        del left
        kept = seen() is not None
        go.set()
        assert await first
        return kept

    with client(decoders=1) as opened:
        assert not asyncio.run(run(service(opened).in_thread))


def test_work_gives_its_result_or_its_error():
    async def run(in_thread):
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 / 0)
        return await in_thread(lambda: 3)

    with client() as opened:
        assert asyncio.run(run(service(opened).in_thread)) == 3


class SlowSecond(FakeEngine):
    """Waits at its second image."""

    def __init__(self):
        super().__init__()
        self.go, self.count = threading.Event(), 0

    def prepare(self, image):
        self.count += 1
        if self.count == 2:
            assert self.go.wait(10)
        return super().prepare(image)


def test_requests_of_several_files_share_a_bound_on_bytes(monkeypatch):
    monkeypatch.setattr(model_service, "HELD_BYTES", 3 * IMAGE)
    engine, files = SlowSecond(), [grey(51), grey(255)]

    async def run(asked):
        first = asyncio.create_task(asked.outputs_of_files(files))
        while engine.count < 2 and not first.done():
            await asyncio.sleep(0.001)
        with pytest.raises(Refusal, match="limit of images") as busy:
            await asked.outputs_of_files(files)
        assert busy.value.status == 503
        engine.go.set()
        with pytest.raises(Refusal, match="send fewer or smaller ones") as large:
            await asked.outputs_of_files(4 * files[:1])
        assert large.value.status == 400
        return await first, await asked.outputs_of_files(files)

    with client(engine, batch_wait_ms=0, decoders=2) as opened:
        for outputs in asyncio.run(run(service(opened))):
            np.testing.assert_allclose(outputs["logits"], [[0.2, 0.2], [1, 1]], rtol=1e-6)


def test_readiness_is_that_of_the_queue():
    with client() as opened:
        assert opened.get("/v2/health/ready").status_code == 200
        service(opened)._batcher.stop()
        for path in ("/v2/health/ready", "/v2/models/fake-1x0.25/ready"):
            answer = opened.get(path)
            assert answer.status_code == 503
            assert "computes no images" in answer.json()["error"]
        assert opened.get("/v2/health/live").status_code == 200
