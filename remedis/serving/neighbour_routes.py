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
    listed,
    record,
)


def routes(service: ModelService, search: NeighbourSearch) -> list[Route]:
    """Returns the routes of a server with a file of embeddings."""

    async def neighbours(call: Call) -> Json:
        sent = await service.apart(lambda: upload(call.body, call.content_type, [FRAME]))
        embedding = await service.embedding(sent.contents, sent.fields.get(FRAME, ""))
        found = await service.apart(lambda: search.nearest(embedding))
        return {"model": service.facts, **found}

    near = record(rank=COUNT, similarity=NUMBER, row=COUNT, labels=ANY)
    share = record(label=TEXT, positive=COUNT, known=COUNT, file_positive=COUNT, file_known=COUNT)
    return [
        Route(
            "POST",
            "/neighbours",
            "The most similar images of the server's file of embeddings",
            record(model=FACTS, images=COUNT, neighbours=listed(near), labels=listed(share)),
            neighbours,
            image_body(frame=FRAME_FIELD),
        )
    ]
