"""Settings of a server."""

import dataclasses
import ipaddress
import math

from remedis import limits
from remedis.errors import UserError
from remedis.options import spelled

EXTRA = "serve"  # installs the packages that a server needs

# (smallest, largest) of each setting. Beyond them a server could not keep its promises.
_BOUNDS: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "max_bytes": (1_000, 4 << 30),
    "max_pixels": (1, limits.MOST_MEGAPIXELS * 1e6),
    "max_queue": (1, 100_000),
    "batch_size": (1, 4_096),
    "batch_wait_ms": (0, 10_000),
    "timeout_seconds": (0.001, 3_600),
    "body_seconds": (0.001, 3_600),
    "concurrency": (1, 100_000),
    "decoders": (1, 256),
    "max_json_depth": (2, 100),
    "neighbours": (1, 100),
}


@dataclasses.dataclass(frozen=True)
class ServingSettings:
    """What a server accepts, and how long it works on it.

    They bound the memory of requests: bodies hold at most 4 * `max_bytes` together (the constant is
    `request_guard`'s), beside copies of those that are read. `decoders` bodies of JSON are parsed
    or images of `max_pixels` decoded at a time. At most `max_queue` images in the size of the
    network, 512 MB together, wait or are computed (the bytes are `batching.HELD_BYTES`); requests
    of several files that are prepared hold as many bytes again.

    Attributes:
      host: address to listen on; other computers reach it only if it is not a loopback address.
      port: to listen on; 0 for any that is free.
      token: that requests must carry, 16 characters or more; None for none.
      no_token: whether a server beyond the loopback address may do without a token.
      max_bytes: the largest body of a request.
      max_pixels: the most pixels of an image, height times width, checked before it is decoded.
      max_queue: the most images that wait or are computed; further requests are refused.
      batch_size: the most images that are computed at once.
      batch_wait_ms: milliseconds that an image waits for others to be computed with.
      timeout_seconds: the longest time from the end of a request's body to its answer.
      body_seconds: the longest time that a client may take to send a request, and to take its
        answer.
      concurrency: the most requests at a time.
      decoders: the most images that are decoded at a time.
      max_json_depth: of lists and objects inside each other.
      neighbours: images of an embedding file that an answer lists.

    Raises:
      UserError: a value is outside its bounds, a full batch never fits into the queue, the token is
        short, or a host beyond loopback has neither a token nor `no_token`.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    token: str | None = dataclasses.field(default=None, repr=False)
    no_token: bool = False
    max_bytes: int = 64 << 20
    max_pixels: int = round(limits.DEFAULT_MEGAPIXELS * 1e6)
    max_queue: int = 64
    # Half of what 16 clients ask at once: one half is decoded while the other is computed.
    batch_size: int = 8
    batch_wait_ms: float = 5.0
    timeout_seconds: float = 60.0
    body_seconds: float = 30.0
    concurrency: int = 64
    decoders: int = 2
    max_json_depth: int = 16
    neighbours: int = 5

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= most):
                raise UserError(f"{spelled(name, value)}: expected {least:,g} to {most:,g}.")
        if self.max_queue < self.batch_size:
            raise UserError(
                f"{spelled('max_queue', self.max_queue)} is less than "
                f"{spelled('batch_size', self.batch_size)}: a full batch could never wait; raise "
                "the first or lower the second."
            )
        if self.token is not None and len(self.token) < 16:
            raise UserError("The token has fewer than 16 characters; take a longer, random one.")
        if not (self.loopback or self.token or self.no_token):
            raise UserError(
                f"{spelled('host', self.host)} is reached from other computers, and there is no "
                f"token; give {spelled('token_file')}, or {spelled('no_token')} if everyone there "
                "may use the model."
            )

    @property
    def loopback(self) -> bool:
        """Whether only programs on this computer reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Returns whether a host, a name or an address, is this computer alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
