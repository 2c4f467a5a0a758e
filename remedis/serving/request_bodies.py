"""Bodies of requests: a form with a file, or JSON with the file in base64."""

import base64
import binascii
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from remedis import extras, json_records
from remedis.errors import Damaged, counted, quoted, some
from remedis.json_records import Object
from remedis.serving.refusals import JSON_TYPE, Refusal
from remedis.serving.settings import EXTRA

FILE = "image"
FORM_TYPE = "multipart/form-data"
# Of a field that is no file, such as the name of a label.
_MOST_TEXT = 1_000
_MOST_PARTS = 8
_BODY, _ADVICE = "The body", "send JSON as GET /openapi.json describes it"

Kind = TypeVar("Kind")


@dataclasses.dataclass(frozen=True)
class Upload:
    """One image file and what a client says about it.

    Attributes:
      contents: the bytes of the file.
      fields: the other values by name, as text.
    """

    contents: bytes
    fields: Mapping[str, str]


def upload(body: bytes, content_type: str, allowed: Sequence[str]) -> Upload:
    """Returns the image file of a request.

    Args:
      body: the whole body.
      content_type: its header.
      allowed: names of the other values that may be there.

    Raises:
      Refusal: the body is none of the two kinds, or has no file, or has more than may be there.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM_TYPE:
        contents, fields = _form(body, content_type)
    elif kind == JSON_TYPE:
        contents, fields = _json(body)
    else:
        raise Refusal(
            415,
            f"The Content-Type is {quoted(kind)}; expected {FORM_TYPE} with a file named {FILE}, "
            f"or {JSON_TYPE} with {FILE} in base64.",
        )
    if unknown := [name for name in fields if name not in allowed]:
        raise Refusal(
            400, f"The request has the field {quoted(unknown[0])}; expected {_listed(allowed)}."
        )
    if not contents:
        raise Refusal(400, f"The file named {FILE} is empty; send the bytes of an image.")
    return Upload(contents, fields)


def parsed(body: bytes, kind: type[Kind], depth: int) -> Kind:
    """Returns a JSON body, of at most `json_records.MAX_VALUES` values.

    Args:
      body: the whole body.
      kind: a `TypedDict`, as for `json_records.read`.
      depth: of lists and objects inside each other, at most.

    Raises:
      Refusal: it is not JSON or not of the kind, or is deeper or has more values, or a number is
        not finite.
    """
    try:
        value = json_records.parse(body, cast(Any, object), _BODY, _ADVICE)
        _check_depth(value, depth)
        return json_records.checked(value, kind, _BODY, _ADVICE)
    except Damaged as error:
        raise Refusal(400, str(error)) from None


def decoded_base64(text: object, what: str) -> bytes:
    """Returns the bytes that a text holds in base64.

    Raises:
      Refusal: it is no text in base64.
    """
    if not isinstance(text, str) or not text:
        raise Refusal(400, f"{what} is no text; expected the bytes of an image file in base64.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(
            400,
            f"{what} is not base64; expected the bytes of an image file in base64, without spaces "
            "and without the start of a data address.",
        ) from None


def _json(body: bytes) -> tuple[bytes, dict[str, str]]:
    values = parsed(body, Object, depth=1)
    if FILE not in values:
        raise Refusal(400, f'The body has no {FILE}; expected {{"{FILE}": "..."}} in base64.')
    contents = decoded_base64(values.pop(FILE), FILE)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise Refusal(400, f"The field {quoted(name)} is neither a text nor a whole number.")
        if isinstance(value, str) and len(value) > _MOST_TEXT:
            raise Refusal(400, f"The field {quoted(name)} has more than {_MOST_TEXT:,} characters.")
    return contents, {name: str(value) for name, value in values.items()}


def _check_depth(value: Any, most: int) -> None:
    level = [value]
    for _ in range(most + 1):
        level = [item for item in level if isinstance(item, list | dict)]
        if not level:
            return
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    raise Refusal(400, f"The body is nested more than {most} levels deep.")


class _Form:
    """The parts of a form, collected in memory: a file is never written to a disk."""

    def __init__(self) -> None:
        self.files: list[tuple[str, bytearray]] = []
        self.texts: list[tuple[str, bytearray]] = []
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._data = bytearray()

    def callbacks(self) -> dict[str, Any]:
        """Returns the functions that the parser calls."""
        names = ("part_begin", "part_data", "header_field", "header_value", "header_end")
        return {f"on_{name}": getattr(self, name) for name in (*names, "headers_finished")}

    def part_begin(self) -> None:
        self._disposition = b""
        if len(self.files) + len(self.texts) >= _MOST_PARTS:
            raise Refusal(400, f"The form has more than {_MOST_PARTS} parts.")

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def headers_finished(self) -> None:
        options = _options(self._disposition)[1]
        if b"name" not in options:
            raise Refusal(400, "A part of the form has no name.")
        name = options[b"name"].decode("utf-8", "backslashreplace")
        self._data = bytearray()
        # A file is what has a file name; the name itself is not looked at.
        (self.files if b"filename" in options else self.texts).append((name, self._data))

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += memoryview(data)[start:end]


def _options(header: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    found: tuple[bytes, dict[bytes, bytes]] = extras.load(
        "python_multipart.multipart", EXTRA
    ).parse_options_header(header)
    return found


def _form(body: bytes, content_type: str) -> tuple[bytes, dict[str, str]]:
    multipart = extras.load("python_multipart.multipart", EXTRA)
    boundary = _options(content_type.encode("latin-1", "replace"))[1].get(b"boundary", b"")
    form = _Form()
    try:
        parser = multipart.MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except (ValueError, KeyError):
        raise Refusal(400, "The form is damaged or truncated; send it again.") from None
    # The parser takes a form without its last boundary, whose file is cut.
    if not boundary or not body.rstrip().endswith(b"--" + boundary + b"--"):
        raise Refusal(400, "The form is truncated: its last boundary is missing; send it again.")
    names = [name for name, _ in (*form.files, *form.texts)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Refusal(400, f"The form has {quoted(twice[0])} twice; send one image per request.")
    if [name for name, _ in form.files] != [FILE]:
        raise Refusal(
            400,
            f"The form has {counted(len(form.files), 'file')}, expected one, named {FILE}: "
            f"curl --form {FILE}=@FILE.",
        )
    if any(len(text) > _MOST_TEXT for _, text in form.texts):
        raise Refusal(400, f"A field of the form has more than {_MOST_TEXT:,} bytes.")
    texts = {name: text.decode("utf-8", "backslashreplace") for name, text in form.texts}
    return bytes(form.files[0][1]), texts


def _listed(allowed: Sequence[str]) -> str:
    return some([FILE, *allowed]) + (" alone" if not allowed else "")
