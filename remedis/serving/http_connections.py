"""Connections of the server: uvicorn's, with limits on time and with answers in JSON.

uvicorn waits without end for the headers of a request and for a client to take its answer, and
answers broken requests and floods in plain text.
"""

from typing import Any

from remedis import extras
from remedis.serving.refusals import Refusal, busy
from remedis.serving.settings import EXTRA

LINGER_SECONDS = 1.0
_BROKEN = "This is not a request of HTTP/1.1, or its headers are too long; send it again."


def protocol_class(header_seconds: float, most: int) -> Any:
    """Returns the class of connections, for `uvicorn.Config(http=...)`.

    Args:
      header_seconds: from the first byte of a request, or the opening of a connection, to the end
        of the request's headers; and for a client to take what was sent to it.
      most: connections at a time. Further ones get status 503, and those beyond twice as many are
        closed without an answer.

    Raises:
      UserError: a package of the extra `serve` is not installed.
    """
    implementation = extras.load("uvicorn.protocols.http.h11_impl", EXTRA)
    h11 = extras.load("h11", EXTRA)
    base: Any = implementation.H11Protocol

    class Connection(base):
        """One connection, whose headers must come and whose answers must be taken in time."""

        _deadline: Any = None
        _untaken: Any = None
        _ended = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            # `pause_writing` is called for every byte that the client does not take at once: also
            # a connection that is closed waits for it.
            transport.set_write_buffer_limits(high=0)
            if len(self.connections) > 2 * most:
                transport.abort()
                return
            if len(self.connections) > most:
                self.app = _flooded
            self._start()

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel()
            self._taken()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._taken()
            self._untaken = self.loop.call_later(header_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            self._taken()
            super().resume_writing()

        def handle_events(self) -> None:
            super().handle_events()
            # Idle after an answer, uvicorn's own limit holds: it ends with the next byte.
            waits = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
            if not waits:
                self._cancel()
            elif self._deadline is None:
                self._start()

        def data_received(self, data: bytes) -> None:
            if not self._ended:
                super().data_received(data)

        def send_400_response(self, msg: str) -> None:
            self._end(Refusal(400, _BROKEN))

        def _start(self) -> None:
            self._deadline = self.loop.call_later(header_seconds, self._too_slow)

        def _cancel(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _taken(self) -> None:
            if self._untaken is not None:
                self._untaken.cancel()
                self._untaken = None

        def _too_slow(self) -> None:
            late = (
                f"The headers did not arrive within {header_seconds:g} seconds; send them faster."
            )
            self._end(Refusal(408, late))

        def _end(self, refusal: Refusal) -> None:
            if not self._ended and not self.transport.is_closing():
                self._ended = True
                self.transport.write(raw_answer(refusal))
                self.transport.write_eof()
                # A client that still sends would see a reset, and not the answer.
                self.loop.call_later(LINGER_SECONDS, self.transport.close)

    return Connection


async def _flooded(scope: Any, receive: Any, send: Any) -> None:
    """The application of a connection beyond the limit."""
    refusal = busy("The server has reached its limit of connections; try again later.", 1)
    refusal.headers["Connection"] = "close"
    for message in refusal.messages():
        await send(message)


def raw_answer(refusal: Refusal) -> bytes:
    """Returns an answer as it is sent, where no application sends it; the connection closes."""
    body = refusal.body()
    headers = {"Connection": "close", **refusal.full_headers()}
    lines = [f"HTTP/1.1 {refusal.status} ", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
