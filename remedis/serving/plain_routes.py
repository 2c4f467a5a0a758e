"""The plain interface: an image file in a form or in JSON, and an answer that explains itself."""

from remedis.serving.model_service import ModelService, size_of
from remedis.serving.refusals import Refusal
from remedis.serving.request_bodies import upload
from remedis.serving.route_table import (
    ANY,
    COUNT,
    FACTS,
    NUMBER,
    TEXT,
    Call,
    Json,
    Route,
    image_body,
    list_schema,
    object_schema,
)

FRAME, LABEL = "frame", "label"
_SIZE = object_schema(height=COUNT, width=COUNT)
FRAME_FIELD = {"type": "string", "description": "frame of a DICOM file with several, from 1"}
LABEL_FIELD = {"type": "string", "description": "label of the heat map"}


def routes(service: ModelService) -> list[Route]:
    """Returns the routes of the plain interface."""

    async def healthy(call: Call) -> Json:
        return {"status": "ok"}

    async def model(call: Call) -> Json:
        settings = service.settings
        return {
            "model": service.facts,
            "explains": service.engine.explains,
            "neighbours": service.search.count if service.search else 0,
            "max_bytes": settings.max_bytes,
            "max_pixels": settings.max_pixels,
        }

    async def predict(call: Call) -> Json:
        if not service.engine.labels:
            raise Refusal(501, "The model has no labels, it embeds only; post to /embed.")
        sent = await service.in_thread(lambda: upload(call.body, call.content_type, [FRAME]))
        image = await service.prepared(sent.contents, sent.fields.get(FRAME, ""))
        outputs = await service.outputs(image.prepared[None])
        return {
            "model": service.facts,
            "image": size_of(image),
            "scores": service.scores(outputs)[0],
        }

    async def embed(call: Call) -> Json:
        sent = await service.in_thread(lambda: upload(call.body, call.content_type, [FRAME]))
        embedding = await service.embedding(sent.contents, sent.fields.get(FRAME, ""))
        return {"model": service.facts, "embedding": embedding}

    async def explain(call: Call) -> Json:
        sent = await service.in_thread(lambda: upload(call.body, call.content_type, [FRAME, LABEL]))
        if LABEL not in sent.fields:
            raise Refusal(400, f"The request has no {LABEL}; name the one to explain.")
        found = await service.explanation(
            sent.contents, sent.fields[LABEL], sent.fields.get(FRAME, "")
        )
        return {"model": service.facts, **found}

    score = object_schema(label=TEXT, probability=NUMBER, logit=NUMBER, thresholds=ANY)
    return [
        Route("GET", "/healthz", "Whether the server runs", object_schema(status=TEXT), healthy),
        Route(
            "GET",
            "/model",
            "The model and the limits of this server",
            object_schema(
                model=FACTS, explains=ANY, neighbours=COUNT, max_bytes=COUNT, max_pixels=COUNT
            ),
            model,
        ),
        Route(
            "POST",
            "/predict",
            "Scores of an image with the thresholds that they reach",
            object_schema(model=FACTS, image=_SIZE, scores=list_schema(score)),
            predict,
            image_body(frame=FRAME_FIELD),
        ),
        Route(
            "POST",
            "/embed",
            "The embedding of an image",
            object_schema(model=FACTS, embedding=list_schema(NUMBER)),
            embed,
            image_body(frame=FRAME_FIELD),
        ),
        Route(
            "POST",
            "/explain",
            "Where the network looks for a label: a map, and pictures to lay over each other",
            object_schema(model=FACTS, image=_SIZE, label=TEXT, overlay=TEXT, picture=TEXT),
            explain,
            image_body(frame=FRAME_FIELD, label=LABEL_FIELD),
        ),
    ]
