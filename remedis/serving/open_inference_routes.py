"""The Open Inference Protocol, version 2 of KServe's, for the one model of this server.

Input `images` has prepared images as numbers, `image_bytes` has image files: in JSON in base64.
Tensors after the JSON, the extension `binary_tensor_data`, are read; answers are JSON alone.
"""

from typing import Annotated, Any

import numpy as np
from annotated_types import Len
from typing_extensions import NotRequired, TypedDict

import remedis
from remedis.json_records import Count, Name, Object
from remedis.serving.model_service import UNKNOWN, Floats, ModelService
from remedis.serving.refusals import Refusal, busy
from remedis.serving.request_bodies import decoded_base64, parsed
from remedis.serving.route_table import (
    ANY,
    COUNT,
    FLAG,
    TEXT,
    Call,
    Json,
    Route,
    json_body,
    list_schema,
    object_schema,
)

IMAGES, IMAGE_BYTES = "images", "image_bytes"
NUMBERS, FILES = "FP32", "BYTES"
# Of the JSON, if tensors follow it.
LENGTH = "inference-header-content-length"
SIZE = "binary_data_size"
# Every item that is of another kind becomes an error of its own: millions would take gigabytes.
_MOST_TENSORS, _MOST_DIMENSIONS = 16, 8


class InputTensor(TypedDict):
    """One input of a request; `data` flat or nested, or bytes after the JSON."""

    name: Name
    shape: Annotated[list[Count], Len(0, _MOST_DIMENSIONS)]
    datatype: Name
    parameters: NotRequired[Object]
    data: NotRequired[list[Any]]


class OutputName(TypedDict):
    """An output that is asked for."""

    name: Name
    parameters: NotRequired[Object]


class InferRequest(TypedDict):
    """The body of `infer`."""

    id: NotRequired[Name]
    parameters: NotRequired[Object]
    inputs: Annotated[list[InputTensor], Len(0, _MOST_TENSORS)]
    outputs: NotRequired[Annotated[list[OutputName], Len(0, _MOST_TENSORS)]]


def routes(service: ModelService) -> list[Route]:
    """Returns the routes of the Open Inference Protocol."""
    names = service.engine.provenance.outputs
    sha256 = str(service.facts["weights_sha256"])

    async def live(call: Call) -> Json:
        return {"live": True}

    async def ready(call: Call) -> Json:
        return {"ready": _ready(service)}

    async def server(call: Call) -> Json:
        return {
            "name": "remedis",
            "version": remedis.__version__,
            "extensions": ["binary_tensor_data"],
        }

    async def model(call: Call) -> Json:
        return {
            "name": service.address,
            "versions": [sha256],
            "platform": f"remedis_{service.engine.name}",
            "inputs": [
                _described(IMAGES, NUMBERS, UNKNOWN, *service.input_size, 3),
                _described(IMAGE_BYTES, FILES, UNKNOWN),
            ],
            "outputs": [
                _described(name, NUMBERS, UNKNOWN, service.values_per_image(name)) for name in names
            ],
            "parameters": dict(service.facts),
        }

    async def model_ready(call: Call) -> Json:
        return {"name": service.address, "ready": _ready(service)}

    async def infer(call: Call) -> Json:
        identifier, wanted, images = await service.in_thread(lambda: _asked(service, call))
        if isinstance(images, list):
            outputs = await service.outputs_of_files(images)
        else:
            outputs = await service.outputs(images)
        return {
            "model_name": service.address,
            "model_version": sha256,
            **({} if identifier is None else {"id": identifier}),
            "parameters": dict(service.facts),
            "outputs": [_tensor(name, outputs[name]) for name in wanted],
        }

    tensor = object_schema(name=TEXT, shape=list_schema(COUNT), datatype=TEXT)
    answer = object_schema(
        model_name=TEXT, model_version=TEXT, parameters=ANY, outputs=list_schema(tensor)
    )
    sent_tensor = {**tensor, "properties": {**tensor["properties"], "data": list_schema(ANY)}}
    body = json_body(object_schema(inputs=list_schema(sent_tensor)))
    found = [
        Route("GET", "/v2/health/live", "Whether the server runs", object_schema(live=FLAG), live),
        Route("GET", "/v2/health/ready", "Whether it answers", object_schema(ready=FLAG), ready),
        # The protocol's text has one of them, its OpenAPI document the other.
        *(
            Route("GET", place, "The server", object_schema(name=TEXT, version=TEXT), server)
            for place in ("/v2", "/v2/")
        ),
    ]
    for place in (
        f"/v2/models/{service.address}",
        f"/v2/models/{service.address}/versions/{sha256}",
    ):
        found += [
            Route(
                "GET", place, "Inputs and outputs", object_schema(name=TEXT, platform=TEXT), model
            ),
            Route(
                "GET",
                f"{place}/ready",
                "Whether the model answers",
                object_schema(name=TEXT, ready=FLAG),
                model_ready,
            ),
            Route("POST", f"{place}/infer", "Outputs of the network", answer, infer, body),
        ]
    return found


def _asked(service: ModelService, call: Call) -> tuple[str | None, list[str], Floats | list[bytes]]:
    """Returns the id of a request, the outputs that it asks for, and the images.

    Parsed JSON takes many times its bytes: it is gone before another decoder parses the next.
    """
    text, tensors = _json_and_tensors(call)
    sent = parsed(text, InferRequest, service.settings.max_json_depth)
    names = service.engine.provenance.outputs
    wanted = [output["name"] for output in sent.get("outputs", [])] or list(names)
    if unknown := [name for name in wanted if name not in names]:
        raise Refusal(
            400, f"There is no output {unknown[0]!r}; expected some of {', '.join(names)}."
        )
    return sent.get("id"), wanted, _images(service, sent, tensors)


def _images(service: ModelService, sent: InferRequest, tensors: bytes) -> Floats | list[bytes]:
    """Returns the images of a request: numbers or files."""
    if len(sent["inputs"]) != 1:
        raise Refusal(400, f"The body has not one input; expected {IMAGES} or {IMAGE_BYTES}.")
    (given,) = sent["inputs"]
    kinds = {IMAGES: NUMBERS, IMAGE_BYTES: FILES}
    kind = kinds.get(given["name"])
    if kind is None or kind != given["datatype"]:
        listed_kinds = " or ".join(f"{name} of {kind}" for name, kind in kinds.items())
        raise Refusal(400, f"The input is none of this model; expected {listed_kinds}.")
    binary = _binary(given, tensors)
    if ("data" in given) == (binary is not None):
        raise Refusal(400, "The input has data in JSON and after it, or neither; expected one.")
    if kind == FILES:
        files = _files(service, given) if binary is None else _length_prefixed(service, binary)
        if given["shape"] not in ([len(files)], [len(files), 1]):
            raise Refusal(400, f"The shape is not that of {len(files):,} files.")
        return files
    if binary is None:
        return service.numbers(given.get("data"), given["shape"])
    if len(binary) % 4:
        raise Refusal(400, f"The tensor has {len(binary):,} bytes; expected 4 per number.")
    return service.numbers(np.frombuffer(binary, "<f4"), given["shape"])


def _ready(service: ModelService) -> bool:
    """Returns true; raises a Refusal, as probes look at the status alone."""
    if not service.ready:
        raise busy("The model computes no images now; start the server again.", 5)
    return True


def _json_and_tensors(call: Call) -> tuple[bytes, bytes]:
    """Returns the JSON of a body, and the bytes after it."""
    written = call.headers.get(LENGTH)
    if written is None:
        return call.body, b""
    if not (written.isascii() and written.isdigit() and len(written) < 16):
        raise Refusal(400, f"The header {LENGTH} is not a number of bytes.")
    length = int(written)
    if length > len(call.body):
        raise Refusal(400, f"The header {LENGTH} is beyond the end of the body.")
    return call.body[:length], call.body[length:]


def _binary(given: InputTensor, tensors: bytes) -> bytes | None:
    size = given.get("parameters", {}).get(SIZE)
    if size is None:
        if tensors:
            raise Refusal(400, f"Bytes follow the JSON, but no input has a {SIZE}.")
        return None
    if size != len(tensors) or isinstance(size, bool):
        raise Refusal(400, f"{SIZE} is not the number of bytes after the JSON, {len(tensors):,}.")
    return tensors


def _files(service: ModelService, given: InputTensor) -> list[bytes]:
    values: list[Any] = given.get("data", [])
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    service.check_count(len(values))
    return [decoded_base64(value, f"{IMAGE_BYTES} in data") for value in values]


def _length_prefixed(service: ModelService, tensors: bytes) -> list[bytes]:
    """Returns byte strings, each after its length in 4 bytes, the lower first."""
    found, start = [], 0
    while start < len(tensors):
        end = start + 4 + int.from_bytes(tensors[start : start + 4], "little")
        if end > len(tensors):
            raise Refusal(400, "A length within the tensor is beyond its end.")
        found.append(tensors[start + 4 : end])
        service.check_count(len(found))  # at once: zeros are 16 million empty files
        start = end
    return found


def _described(name: str, kind: str, *shape: int) -> Json:
    return {"name": name, "datatype": kind, "shape": list(shape)}


def _tensor(name: str, values: np.ndarray) -> Json:
    return {
        "name": name,
        "datatype": NUMBERS,
        "shape": list(values.shape),
        "data": values.ravel().tolist(),
    }
