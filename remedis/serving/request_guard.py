"""Limits on every request before any route sees it: callers, bytes, time and concurrency.

`Guard` is an ASGI application around another one. It reads the body itself, so that no route can
read without a limit, and it turns whatever goes wrong inside into one sentence of JSON. Nothing of
a request is logged except its method, its status and the route that it matched.
"""

import asyncio
import hmac
import logging
import os
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from remedis.serving.batching import TooLate
from remedis.serving.page_files import page_files
from remedis.serving.refusals import Refusal, busy
from remedis.serving.settings import ServingSettings, is_loopback

_LOG = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Observe = Callable[[str, str, int, float], None]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Probes and the files of the page hold nothing secret: they are read without the token, for which
# the page asks. Nothing else is, and no body is taken: its bytes and its slot would be another's.
PROBES = ("/healthz", "/v2/health/live", "/v2/health/ready")
_READING = ("GET", "HEAD")
UNKNOWN_ROUTE = "other"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# All bodies together take at most the bytes of this many of the largest.
_LARGEST_BODIES = 4
_FULL = "All requests together hold as many bytes as the server takes; send this one again later."
# A client that is still sending when it is refused would see a reset and not the sentence.
_LINGER_SECONDS = 1.0
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}


class Guard:
    """The application that stands before all others.

    Args:
      app: the application inside.
      settings: the limits.
      observe: called once per request with the method, the route, the status and the seconds.
    """

    def __init__(self, app: Any, settings: ServingSettings, observe: Observe) -> None:
        self._app = app
        self._settings = settings
        self._observe = observe
        self._open = {*PROBES, *(file.path for file in page_files())}
        self._running = 0
        self._held = 0  # bytes of bodies

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = time.monotonic()
        answer = _Answer(send)
        try:
            await self._answer(scope, receive, answer)
        except Refusal as refusal:
            await answer.refuse(refusal)
        except _Left:
            answer.status = answer.status or 499  # as web servers count clients that left
        except Exception as error:
            # The text of an error may quote the request; its class and its place do not.
            *_, (frame, line) = traceback.walk_tb(error.__traceback__)
            file = os.path.basename(frame.f_code.co_filename)
            _LOG.error(f"{type(error).__name__} in line {line} of {file}.")
            await answer.refuse(
                Refusal(500, "The server failed at this request; its log names the place.")
            )
        method = scope["method"] if scope["method"] in METHODS else UNKNOWN_ROUTE
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
        seconds = time.monotonic() - begun
        _LOG.debug(f"{method} {route} {answer.status} {1000 * seconds:.0f} ms")
        self._observe(method, route, answer.status, seconds)

    async def _answer(
        self, scope: MutableMapping[str, Any], receive: Receive, answer: "_Answer"
    ) -> None:
        headers = _Headers(scope["headers"])
        has_body = "content-length" in headers or "transfer-encoding" in headers
        try:
            self._check_caller(scope["method"], scope["path"], headers)
            if scope["method"] in _READING:
                # Probes and metrics are answered during a flood, too: they take no slot.
                answer.last |= has_body
                await self._app(scope, _nothing, answer)
                return
            self._check_body(headers)
            if self._running >= self._settings.concurrency:
                raise busy(
                    f"The server works on {self._running:,} requests, its limit; send this one "
                    "again later.",
                    1,
                )
        except Refusal:
            answer.last |= has_body
            if has_body and headers.get("expect", "").lower() != "100-continue":
                await _discard(receive)
            raise
        self._running += 1
        try:
            await self._run(scope, receive, answer)
        finally:
            self._running -= 1

    async def _run(
        self, scope: MutableMapping[str, Any], receive: Receive, answer: "_Answer"
    ) -> None:
        body = await self._whole(receive, answer)
        held, seconds = len(body), self._settings.timeout_seconds
        inside = asyncio.ensure_future(self._app(scope, _replayed(body, receive), answer))
        leaves = asyncio.ensure_future(_left(receive))
        del body
        try:
            await asyncio.wait(
                (inside, leaves), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if inside.done():
                inside.result()
            elif leaves.done():
                raise _Left
            else:
                raise busy(str(TooLate(seconds)), 1)
        finally:
            for task in (inside, leaves):
                task.cancel()
            await asyncio.gather(inside, leaves, return_exceptions=True)
            self._held -= held

    async def _whole(self, receive: Receive, answer: "_Answer") -> bytes:
        """Returns the body of a request, whose bytes are held until they are given back."""
        seconds, body = self._settings.body_seconds, bytearray()
        try:
            await asyncio.wait_for(self._read(receive, body), seconds)
            return bytes(body)
        except BaseException as error:
            self._release(body)
            answer.last = True
            if isinstance(error, asyncio.TimeoutError):
                raise Refusal(
                    408, f"The body did not arrive within {seconds:g} seconds; send it faster."
                ) from None
            raise

    async def _read(self, receive: Receive, body: bytearray) -> None:
        most = self._settings.max_bytes
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Left
            part = message.get("body", b"")
            body += part
            self._held += len(part)
            ends = not message.get("more_body", False)
            if len(body) > most or self._held > _LARGEST_BODIES * most:
                refusal = _too_large(most) if len(body) > most else busy(_FULL, 1)
                self._release(body)
                if not ends:
                    await _discard(receive)
                raise refusal
            if ends:
                return

    def _release(self, body: bytearray) -> None:
        self._held -= len(body)
        body.clear()

    def _check_body(self, headers: "_Headers") -> None:
        """Refuses a body by its headers."""
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "The body is compressed; send it without Content-Encoding.")
        length = headers.get("content-length", "0")
        # The server has checked that it is a number. Longer than 18 digits is beyond every limit.
        if len(length) > 18 or not length.isascii() or not length.isdigit():
            raise _too_large(self._settings.max_bytes)
        if int(length) > self._settings.max_bytes:
            raise _too_large(self._settings.max_bytes)

    def _check_caller(self, method: str, path: str, headers: "_Headers") -> None:
        """Refuses callers without the token, and web pages of other servers."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and _split(origin).netloc.lower() != host.lower():
            raise Refusal(403, "A web page of another server sent this request; open this page.")
        if self._settings.token is None:
            # A name of an attacker that resolves to this machine makes his page this server's.
            if self._settings.loopback and not is_loopback(_split(f"//{host}").hostname or ""):
                raise Refusal(
                    421,
                    "The Host header names another machine; this server answers to "
                    f"{', '.join(_LOOPBACK)} only, unless it is started with a token.",
                )
            return
        if method in _READING and path in self._open:
            return
        kind, _, token = headers.get("authorization", "").partition(" ")
        given, expected = token.strip().encode(), self._settings.token.encode()
        if kind.lower() != "bearer" or not hmac.compare_digest(given, expected):
            raise Refusal(
                401,
                "This server needs its token; send the header Authorization: Bearer TOKEN.",
                {"WWW-Authenticate": "Bearer"},
            )


class _Left(Exception):
    """The client closed the connection."""


class _Headers(dict[str, str]):
    """Headers by lower-case name; of a repeated header the values joined, so that none counts."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        super().__init__()
        for name, value in raw:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self[key] = f"{self[key]}, {text}" if key in self else text


class _Answer:
    """The way back to the client, with the headers that every answer has.

    Attributes:
      status: of the answer; 0 before it starts.
      last: whether the connection closes after it.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.last = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = list(message.get("headers", []))
            names = {name.lower() for name, _ in own}
            own += [pair for pair in _HEADERS.items() if pair[0] not in names]
            if self.last:
                own.append((b"connection", b"close"))
            message = {**message, "headers": own}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answers with a sentence, unless an answer has begun."""
        if self.status:
            return
        for message in refusal.messages():
            await self(message)


def _split(address: str) -> SplitResult:
    """Returns the parts of an address; empty ones of what is no address."""
    try:
        return urlsplit(address)
    except ValueError:  # a bracket without its end
        return urlsplit("")


def _too_large(most: int) -> Refusal:
    return Refusal(
        413,
        f"The body has more than {most:,} bytes, the limit of this server; send a smaller image.",
    )


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that gives the body at once, and then waits for the end."""
    parts = [body]

    async def replay() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        # The guard itself waits for the client to leave, and ends the route then.
        await asyncio.Event().wait()
        raise AssertionError

    del body
    return replay


async def _left(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _discard(receive: Receive) -> None:
    """Reads and drops what a client still sends, for a moment."""

    async def read() -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return

    try:
        await asyncio.wait_for(read(), _LINGER_SECONDS)
    except asyncio.TimeoutError:
        return
