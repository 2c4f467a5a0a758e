"""Refused requests: a status, one sentence and the headers that belong to it."""

import json
from collections.abc import Mapping
from typing import Any

JSON_TYPE = "application/json"


class Refusal(Exception):
    """A request is answered by an error.

    Its sentence goes to the client alone and may quote the request; it is never logged.

    Attributes:
      status: HTTP status, 400 to 599.
      sentence: what is wrong, what was expected, what to do.
      headers: further headers of the answer.
    """

    def __init__(
        self, status: int, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Returns the answer, `{"error": "..."}` as every interface here has it."""
        # A lone surrogate of a name that is not UTF-8 stays escaped.
        return json.dumps({"error": self.sentence}).encode()

    def full_headers(self) -> dict[str, str]:
        """Returns all headers of the answer."""
        return {
            "Content-Type": JSON_TYPE,
            "Content-Length": str(len(self.body())),
            **self.headers,
        }

    def messages(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns start and body of the answer, as an ASGI application sends them."""
        headers = [(k.lower().encode(), v.encode()) for k, v in self.full_headers().items()]
        return (
            {"type": "http.response.start", "status": self.status, "headers": headers},
            {"type": "http.response.body", "body": self.body()},
        )


def busy(sentence: str, retry_after: float) -> Refusal:
    """Returns the answer to a request that may be sent again.

    Args:
      sentence: what there is too much of.
      retry_after: in seconds; rounded up, since the header holds whole seconds.
    """
    seconds = max(1, -int(-retry_after // 1))
    return Refusal(503, sentence, {"Retry-After": str(seconds)})
