"""Callers, bytes, time and concurrency: what is refused before any route sees it."""

import asyncio
import json
import logging
import threading

import numpy as np
import pytest
from fake_serving import SIDE, FakeEngine, client

from remedis.serving.request_guard import Guard
from remedis.serving.settings import ServingSettings

TOKEN = "0123456789abcdef"
PREDICT = "/v1/models/fake-1x0.25:predict"
ONE = {"instances": np.zeros((1, SIDE, SIDE, 3)).tolist()}


def error(answer):
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


@pytest.fixture(scope="module")
def server():
    with client(max_bytes=10_000, batch_wait_ms=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def open_server():
    with client(host="0.0.0.0", token=TOKEN, batch_wait_ms=0) as opened:
        yield opened


def test_every_answer_forbids_other_servers_and_guesses_of_types(server):
    for answer in (server.get("/healthz"), server.get("/no"), server.post(PREDICT, content=b"")):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:8501", "", "[bad", "::"])
def test_a_name_that_resolves_to_this_computer_is_refused(server, host):
    answer = server.post(PREDICT, json=ONE, headers={"Host": host})
    assert answer.status_code == 421
    assert "started with a token" in error(answer)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:8501", "[::1]:8501"])
def test_names_of_this_computer_are_answered(server, host):
    assert server.post(PREDICT, json=ONE, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["null", "http://attacker.example", "http://127.0.0.1:1", "http://[", ""]
)
def test_pages_of_other_servers_are_refused(server, origin):
    answer = server.post(PREDICT, json=ONE, headers={"Origin": origin})
    assert (answer.status_code, error(answer)) == (
        403,
        "A web page of another server sent this request; open this page.",
    )


def test_the_own_page_is_answered(server):
    origin = {"Origin": "http://127.0.0.1:8501"}
    assert server.post(PREDICT, json=ONE, headers=origin).status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer \xe9"],
)
def test_without_the_token_there_is_no_answer(open_server, header):
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for answer in (
        open_server.post(PREDICT, json=ONE, headers=headers),
        open_server.get("/metrics", headers=headers),
        open_server.get("/openapi.json", headers=headers),
        open_server.get("/no", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert error(answer).startswith("This server needs its token;")
    # Probes of a cluster have none, and the page asks for it.
    for path in ("/healthz", "/v2/health/live", "/v2/health/ready", "/", "/page/page.js"):
        assert open_server.get(path, headers=headers).status_code == 200
        # A body would take bytes and a slot from those who have the token.
        assert open_server.post(path, content=b"x", headers=headers).status_code == 401
    assert "fake" not in open_server.get("/page/no", headers=headers).text


def test_with_the_token_any_name_of_the_server_is_answered(open_server):
    headers = {"Authorization": f"bearer {TOKEN}", "Host": "gpu7.hospital.example"}
    assert open_server.post(PREDICT, json=ONE, headers=headers).status_code == 200
    twice = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]
    assert open_server.post(PREDICT, json=ONE, headers=twice).status_code == 401


def test_too_many_bytes_are_refused_by_the_header_and_by_counting(server):
    sentence = (
        "The body has more than 10,000 bytes, the limit of this server; send a smaller image."
    )

    def parts():
        for _ in range(11):
            yield b"x" * 1_000

    answers = [
        server.post(PREDICT, content=b"x" * 10_001),
        server.post(PREDICT, content=parts()),
        server.post(PREDICT, content=b"x", headers={"Content-Length": "9" * 40}),
    ]
    for answer in answers:
        assert (answer.status_code, error(answer)) == (413, sentence)
        assert answer.headers["connection"] == "close"
    assert server.post(PREDICT, content=b"x" * 10_000).status_code != 413


def test_compressed_bodies_are_refused(server):
    answer = server.post(PREDICT, content=b"x", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, error(answer)) == (
        415,
        "The body is compressed; send it without Content-Encoding.",
    )


def test_unknown_addresses_and_methods_have_a_sentence(server):
    answer = server.get("/v1/models/other")
    assert answer.status_code == 404
    assert "the model is fake-1x0.25 in addresses" in error(answer)
    answer = server.delete("/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert error(answer) == "This address does not take the method; expected POST."


class Failing(FakeEngine):
    """Its network fails with an error that quotes the request."""

    def predict(self, images):
        raise RuntimeError("patient-1234")


def test_a_fault_of_the_server_is_logged_without_the_request(caplog):
    caplog.set_level(logging.DEBUG, "remedis")
    with client(Failing()) as server:
        answer = server.post(f"{PREDICT}?name=patient-1234", json=ONE)
        server.post("/patient-1234", content=b"patient-1234")
    assert answer.status_code == 500
    assert "patient" not in error(answer)
    assert "RuntimeError in line" in caplog.text
    assert "patient" not in caplog.text
    assert f"POST {PREDICT} 500" in caplog.text


class Gate(FakeEngine):
    """Its network computes when it is let."""

    def __init__(self):
        super().__init__()
        self.opened, self.begun = threading.Event(), threading.Event()

    def predict(self, images):
        self.begun.set()
        assert self.opened.wait(10)
        return super().predict(images)


def test_requests_beyond_the_limits_are_told_to_come_back():
    gate = Gate()
    with client(gate, concurrency=2, max_queue=1, batch_size=1) as server:
        first = threading.Thread(target=server.post, args=(PREDICT,), kwargs={"json": ONE})
        first.start()
        assert gate.begun.wait(10)
        full = server.post(PREDICT, json=ONE)  # the queue holds one image
        assert (full.status_code, full.headers["retry-after"]) == (503, "1")
        assert "try again" in error(full)
        # Probes take no slot.
        assert server.get("/v2/health/ready").status_code == 200
        gate.opened.set()
        first.join()
        assert server.post(PREDICT, json=ONE).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up():
    gate = Gate()
    with client(gate, timeout_seconds=0.05) as server:
        answer = server.post(PREDICT, json=ONE)
        assert answer.status_code == 503
        assert "took longer than 0.05 seconds" in error(answer)
        gate.opened.set()


def call(app, *messages, settings=None, path="/predict", forever=False):
    """Returns what a guard around an application sends for the parts of a body."""
    sent, left = [], list(messages)

    async def receive():
        if left:
            return left.pop(0)
        if forever:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    observed = []
    guard = Guard(app, settings or ServingSettings(), lambda *of: observed.append(of[2]))
    headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(guard(scope, receive, send))
    return sent, observed, guard


def part(data, more=True):
    return {"type": "http.request", "body": data, "more_body": more}


def test_a_slow_body_is_given_up():
    sent, observed, guard = call(
        None, part(b"x"), settings=ServingSettings(body_seconds=0.02), forever=True
    )
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["error"] == (
        "The body did not arrive within 0.02 seconds; send it faster."
    )
    assert (observed, guard._held, guard._running) == ([408], 0, 0)


def test_a_client_that_leaves_takes_its_request_along():
    ended = []

    async def waiting(scope, receive, send):
        try:
            assert (await receive())["body"] == b"xy"
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    sent, observed, guard = call(waiting, part(b"x"), part(b"y", more=False))
    assert (sent, observed, ended) == ([], [499], [True])
    assert (guard._held, guard._running) == (0, 0)
    # In the middle of its body, too.
    assert call(waiting, part(b"x"))[:2] == ([], [499])


def test_all_bodies_together_are_limited():
    async def run():
        settings = ServingSettings(max_bytes=1_000)
        guard = Guard(None, settings, lambda *of: None)
        sent, opened = [], asyncio.Event()

        def caller():
            parts = [part(b"x" * 900)]

            async def receive():
                if parts:
                    return parts.pop()
                await opened.wait()
                return {"type": "http.disconnect"}

            return receive

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(b"host", b"localhost"), (b"expect", b"100-continue")],
        }
        tasks = [asyncio.ensure_future(guard(dict(scope), caller(), send)) for _ in range(5)]
        await asyncio.sleep(0.01)
        held = guard._held
        opened.set()
        await asyncio.gather(*tasks)
        return held, sent, guard

    held, sent, guard = asyncio.run(run())
    assert held == 3_600
    assert sent[0]["status"] == 503
    assert "hold as many bytes as the server takes" in json.loads(sent[1]["body"])["error"]
    assert guard._held == 0


def test_sockets_of_the_web_are_closed():
    sent = []

    async def send(message):
        sent.append(message)

    guard = Guard(None, ServingSettings(), lambda *of: None)
    asyncio.run(guard({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
