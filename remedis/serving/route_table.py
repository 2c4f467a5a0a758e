"""Routes without a framework: functions from a request to values of JSON, and their description.

A module of an interface has `routes(service)`. `app` hands them to FastAPI.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from remedis.serving.refusals import JSON_TYPE
from remedis.serving.request_bodies import FILE, FORM_TYPE

Json = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """A request that has passed the guard.

    Attributes:
      body: all of it.
      headers: by name in lower case.
    """

    body: bytes
    headers: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """The stated type of the body, as it was sent."""
        return self.headers.get("content-type", "")


Handler = Callable[[Call], Awaitable[Json]]


@dataclasses.dataclass(frozen=True)
class Route:
    """One address and its answer.

    Attributes:
      method: `GET` or `POST`.
      path: without parameters: a server has one model, whose name is part of the path.
      summary: for the OpenAPI document.
      answer: schema of the JSON that is returned.
      handle: from the request to that JSON.
      body: content types of the body and their schemas; None for no body.
    """

    method: str
    path: str
    summary: str
    answer: Json
    handle: Handler
    body: Json | None = None

    def documented(self) -> dict[str, Any]:
        """Returns what FastAPI cannot see in the function: the body."""
        if self.body is None:
            return {}
        return {"requestBody": {"required": True, "content": dict(self.body)}}


def object_schema(
    description: str = "", required: bool = True, **properties: Json
) -> dict[str, Any]:
    """Returns the schema of an object; further keys may be there."""
    found: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        found["required"] = list(properties)
    if description:
        found["description"] = description
    return found


def list_schema(items: Json) -> dict[str, Any]:
    """Returns the schema of a list."""
    return {"type": "array", "items": items}


TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer"}
FLAG: Json = {"type": "boolean"}
ANY: Json = {}
FACTS = object_schema(
    "The model: its weights, calibration and thresholds with where each comes from.",
    model=TEXT,
    engine=TEXT,
    weights_sha256=TEXT,
    weights=TEXT,
    random_weights=FLAG,
    use=TEXT,
)
ERROR = object_schema("One sentence.", error=TEXT)


def image_body(**fields: Json) -> dict[str, Any]:
    """Returns the two kinds of bodies with an image, and their further fields.

    Args:
      **fields: schemas of the fields, which may be left out.
    """

    def schema(file: Json) -> dict[str, Any]:
        return {
            "schema": {
                "type": "object",
                "properties": {FILE: file, **fields},
                "required": [FILE],
                "additionalProperties": False,
            }
        }

    base64 = {"type": "string", "format": "byte", "description": "JPEG, PNG or DICOM in base64"}
    binary = {"type": "string", "format": "binary", "description": "JPEG, PNG or DICOM"}
    return {FORM_TYPE: schema(binary), JSON_TYPE: schema(base64)}


def json_body(schema: Json) -> dict[str, Any]:
    """Returns the one kind of body of an interface that takes JSON alone."""
    return {JSON_TYPE: {"schema": schema}}
