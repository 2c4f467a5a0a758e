"""A server on a socket: slow and broken requests, floods, and what a client sees of them."""

import contextlib
import json
import socket
import time

import pytest
from fake_serving import FakeEngine, application, grey, on_a_socket

from remedis.errors import UserError
from remedis.serving.run_server import listening
from remedis.serving.settings import ServingSettings

SLOW = 0.3  # seconds for headers and bodies


@pytest.fixture(scope="module")
def address():
    settings = ServingSettings(port=0, concurrency=1, body_seconds=SLOW)
    with (
        application(FakeEngine(), settings) as app,
        on_a_socket(app, settings, spare=3) as (_, found),
    ):
        yield found


@contextlib.contextmanager
def connection(address):
    with socket.create_connection(address, timeout=10) as opened:
        yield opened


def answer(opened):
    """Returns the status, the headers and the JSON of what a server sends until it closes."""
    data = b""
    while part := opened.recv(65_536):
        data += part
        head, found, body = data.partition(b"\r\n\r\n")
        length = [int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == LENGTH]
        if found and length and len(body) >= length[0]:
            break
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.loads(body)


LENGTH = b"content-length:"


def test_a_request_on_a_socket_is_answered(address):
    with connection(address) as opened:
        for _ in range(2):  # on one connection
            opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            status, head, body = answer(opened)
            assert (status, body) == (200, {"status": "ok"})
            assert b"server:" not in head


@pytest.mark.parametrize(
    "start", [b"", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX-Slow: "], ids=["none", "some"]
)
def test_slow_headers_are_given_up(address, start):
    with connection(address) as opened:
        begun = time.monotonic()
        opened.sendall(start)
        status, head, body = answer(opened)
        assert time.monotonic() - begun == pytest.approx(SLOW, abs=0.25)
        assert status == 408
        assert b"connection: close" in head
        assert body["error"] == "The headers did not arrive within 0.3 seconds; send them faster."
        assert opened.recv(1) == b""


def test_slow_headers_of_a_second_request_are_given_up(address):
    with connection(address) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(opened)[0] == 200
        opened.sendall(b"GET /heal")
        assert answer(opened)[0] == 408


ANSWER = bytes(20_000_000)


async def large(scope, receive, send):
    """Answers more than the buffers of the system hold."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ANSWER})


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_a_client_that_takes_no_answer_is_given_up(close):
    ask = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + close + b"\r\n"
    settings = ServingSettings(port=0, body_seconds=SLOW)
    with on_a_socket(large, settings) as (server, address), connection(address) as opened:
        begun = time.monotonic()
        opened.sendall(2 * ask)
        while not server.server_state.connections and time.monotonic() - begun < 5:
            time.sleep(0.005)
        while server.server_state.connections and time.monotonic() - begun < 5:
            time.sleep(0.005)
        assert SLOW <= time.monotonic() - begun < 4


def test_a_client_that_takes_its_answer_gets_all_of_it():
    settings = ServingSettings(port=0, body_seconds=10.0)
    with on_a_socket(large, settings) as (_, address), connection(address) as opened:
        opened.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = 0
        while part := opened.recv(1 << 20):
            received += len(part)
        assert received > len(ANSWER)


def test_a_slow_body_is_given_up(address):
    with connection(address) as opened:
        opened.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
        status, head, body = answer(opened)
        assert status == 408
        assert b"connection: close" in head
        assert body["error"].startswith("The body did not arrive within 0.3 seconds")
        assert opened.recv(1) == b""


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 400_000 + b"\r\n\r\n",
    ],
    ids=["tls", "two hosts", "negative", "two lengths", "long header"],
)
def test_broken_requests_have_a_sentence(address, request_):
    with connection(address) as opened:
        opened.sendall(request_ + b"\r\n\r\n")
        status, _, body = answer(opened)
        assert status == 400
        assert body["error"].startswith("This is not a request of HTTP/1.1")


def test_connections_beyond_the_limit_are_told_to_come_back(address):
    time.sleep(0.05)  # those of other tests have ended
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connection(address)) for _ in range(6)]
        opened[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, head, body = answer(opened[-1])
        assert (status, b"retry-after: 1" in head) == (503, True)
        assert "limit of connections" in body["error"]
        # Of twice as many the rest is closed without a word.
        more = [stack.enter_context(connection(address)) for _ in range(4)]
        with contextlib.suppress(ConnectionResetError):
            assert more[-1].recv(1) == b""
    with connection(address) as again:
        time.sleep(0.05)
        again.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(again)[0] == 200


def test_an_image_on_a_socket_is_answered(address):
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        + grey(255)
        + b"\r\n--b--\r\n"
    )
    head = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with connection(address) as opened:
        opened.sendall(head + body)
        status, _, found = answer(opened)
        assert (status, found["scores"][0]["logit"]) == (200, 1)


def test_an_address_in_use_is_named():
    with listening(ServingSettings(port=0)) as opened:
        port = opened.getsockname()[1]
        with pytest.raises(UserError, match=rf"port.*{port}.*in use.*; choose another port"):
            listening(ServingSettings(port=port))


def test_an_address_of_another_computer_is_named():
    with pytest.raises(UserError, match=r"cannot be used .*; choose another port or address"):
        listening(ServingSettings(host="192.0.2.1", port=0, no_token=True))
