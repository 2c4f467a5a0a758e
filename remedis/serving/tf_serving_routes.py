"""The REST interface of TensorFlow Serving, version 1, for the one model of this server.

Its clients find the answers they know, with one more key, `model`. A classifier has the signatures
`serving_default`, from prepared images, and `serve_bytes`, from image files; a backbone has `embed`
in place of the first. They are those of the SavedModel that TensorFlow Serving itself would load.
"""

from collections.abc import Mapping
from typing import Any

from typing_extensions import NotRequired, TypedDict

from remedis.json_records import Json as Value
from remedis.json_records import Name
from remedis.serving.batching import Outputs
from remedis.serving.model_service import UNKNOWN, Floats, ModelService
from remedis.serving.refusals import Refusal
from remedis.serving.request_bodies import decoded_base64, parsed
from remedis.serving.route_table import (
    ANY,
    FACTS,
    TEXT,
    Call,
    Json,
    Route,
    json_body,
    list_schema,
    object_schema,
)

BYTES = "serve_bytes"
IMAGE_BYTES, BASE64 = "image_bytes", "b64"
VERSION = "1"


class PredictRequest(TypedDict):
    """The body of `:predict`: images in rows, `instances`, or in columns, `inputs`."""

    signature_name: NotRequired[Name]
    instances: NotRequired[list[Value]]
    inputs: NotRequired[Value]


def routes(service: ModelService) -> list[Route]:
    """Returns the routes of TensorFlow Serving's interface."""
    default, images = (
        ("serving_default", "images") if service.engine.labels else ("embed", "input_1")
    )
    inputs = {default: images, BYTES: IMAGE_BYTES}

    async def status(call: Call) -> Json:
        state = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return {"model_version_status": [{"version": VERSION, **state}], "model": service.facts}

    async def metadata(call: Call) -> Json:
        signatures = {name: _signature(service, name, of) for name, of in inputs.items()}
        return {
            "model_spec": {"name": service.address, "signature_name": "", "version": VERSION},
            "metadata": {"signature_def": {"signature_def": signatures}},
            "model": service.facts,
        }

    async def predict(call: Call) -> Json:
        by_row, images = await service.in_thread(lambda: _images(service, call.body, inputs))
        if isinstance(images, list):
            outputs = await service.outputs_of_files(images)
        else:
            outputs = await service.outputs(images)
        key = "predictions" if by_row else "outputs"
        return {key: _rows(outputs) if by_row else _columns(outputs), "model": service.facts}

    answers = object_schema(
        "predictions for instances, outputs for inputs",
        required=False,
        predictions=list_schema(ANY),
    )
    body = json_body(
        object_schema(required=False, signature_name=TEXT, instances=list_schema(ANY), inputs=ANY)
    )
    found = []
    for place in (f"/v1/models/{service.address}", f"/v1/models/{service.address}/versions/1"):
        found += [
            Route(
                "GET", place, "Whether the model can be used", object_schema(model=FACTS), status
            ),
            Route(
                "GET",
                f"{place}/metadata",
                "Inputs and outputs of the model",
                object_schema(model_spec=ANY, metadata=ANY, model=FACTS),
                metadata,
            ),
            Route("POST", f"{place}:predict", "Outputs of the network", answers, predict, body),
        ]
    return found


def _images(
    service: ModelService, body: bytes, inputs: Mapping[str, str]
) -> tuple[bool, Floats | list[bytes]]:
    """Returns whether images are in rows, and the images: numbers or files.

    Parsed JSON takes many times its bytes: it is gone before another decoder parses the next.

    Args:
      service: the model.
      body: of the request.
      inputs: name of the input by signature, the default first.
    """
    sent = parsed(body, PredictRequest, service.settings.max_json_depth)
    name = sent.get("signature_name", next(iter(inputs)))
    if name not in inputs:
        raise Refusal(400, f"There is no such signature; expected {' or '.join(inputs)}.")
    if ("instances" in sent) == ("inputs" in sent):
        raise Refusal(400, "The body has instances and inputs, or neither; expected one.")
    by_row = "instances" in sent
    if by_row:
        values: Value = [_column(value, inputs[name]) for value in sent["instances"]]
    else:
        values = _column(sent["inputs"], inputs[name])
    if name != BYTES:
        return by_row, service.numbers(values)
    files = values if isinstance(values, list) else [values]
    service.check_count(len(files))
    return by_row, _files(files)


def _column(value: Value, name: str) -> Value:
    """Returns the values of an input that may be named."""
    if isinstance(value, dict) and set(value) != {BASE64}:
        if set(value) != {name}:
            raise Refusal(400, f"The body names other inputs; expected {name} alone.")
        return value[name]
    return value


def _files(values: list[Value]) -> list[bytes]:
    what = f"{IMAGE_BYTES} without {BASE64}"
    return [
        decoded_base64(value[BASE64] if isinstance(value, dict) and BASE64 in value else None, what)
        for value in values
    ]


def _rows(outputs: Outputs) -> list[Any]:
    """Returns one value per image; of one output its value, of several an object."""
    if len(outputs) == 1:
        return _columns(outputs)  # type: ignore[no-any-return]
    lists = {name: value.tolist() for name, value in outputs.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _columns(outputs: Outputs) -> Any:
    lists = {name: value.tolist() for name, value in outputs.items()}
    return lists if len(lists) > 1 else next(iter(lists.values()))


def _signature(service: ModelService, name: str, images: str) -> Json:
    shape = (UNKNOWN,) if name == BYTES else (UNKNOWN, *service.input_size, 3)
    kind = "DT_STRING" if name == BYTES else "DT_FLOAT"
    return {
        "inputs": {images: _tensor(f"{name}_{images}:0", kind, shape)},
        "outputs": {
            output: _tensor(
                f"{name}_{output}:0", "DT_FLOAT", (UNKNOWN, service.values_per_image(output))
            )
            for output in service.engine.provenance.outputs
        },
        "method_name": "tensorflow/serving/predict",
    }


def _tensor(name: str, kind: str, shape: tuple[int, ...]) -> Json:
    dimensions = [{"size": str(size), "name": ""} for size in shape]
    return {
        "dtype": kind,
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
        "name": name,
    }
