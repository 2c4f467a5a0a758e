"""The interface for similar images: an image file, and its neighbours in a file of embeddings."""

from remedis.serving.model_service import ModelService
from remedis.serving.neighbour_search import NeighbourSearch
from remedis.serving.plain_routes import FRAME, FRAME_FIELD
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


def routes(service: ModelService, search: NeighbourSearch) -> list[Route]:
    """Returns the routes of a server with a file of embeddings."""

    async def neighbours(call: Call) -> Json:
        sent = await service.in_thread(lambda: upload(call.body, call.content_type, [FRAME]))
        embedding = await service.embedding(sent.contents, sent.fields.get(FRAME, ""))
        found = await service.in_thread(lambda: search.nearest(embedding))
        return {"model": service.facts, **found}

    near = object_schema(rank=COUNT, similarity=NUMBER, row=COUNT, labels=ANY)
    share = object_schema(
        label=TEXT, positive=COUNT, known=COUNT, file_positive=COUNT, file_known=COUNT
    )
    return [
        Route(
            "POST",
            "/neighbours",
            "The most similar images of the server's file of embeddings",
            object_schema(
                model=FACTS, images=COUNT, neighbours=list_schema(near), labels=list_schema(share)
            ),
            neighbours,
            image_body(frame=FRAME_FIELD),
        )
    ]
