"""The application: the routes of all interfaces behind the guard, for FastAPI."""

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import remedis
from remedis import extras
from remedis.serving import (
    neighbour_routes,
    open_inference_routes,
    plain_routes,
    tf_serving_routes,
)
from remedis.serving.batching import Batcher
from remedis.serving.engines import Engine
from remedis.serving.model_service import ModelService
from remedis.serving.neighbour_search import NeighbourSearch
from remedis.serving.page_files import PageFile, page_files
from remedis.serving.refusals import JSON_TYPE, Refusal
from remedis.serving.request_guard import Guard
from remedis.serving.route_table import ERROR, Call, Route
from remedis.serving.served_facts import RESEARCH_USE
from remedis.serving.serving_metrics import ServingMetrics
from remedis.serving.settings import EXTRA, ServingSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

# Refusals that any route may answer with.
_FAULTS = {
    400: "a fault of the request",
    401: "no token",
    403: "a web page of another server",
    408: "a body that arrives too slowly",
    413: "too many bytes or pixels",
    415: "another kind of body or file",
    421: "a Host header of another machine",
    500: "a fault of the server",
    501: "the model or the engine has no such output",
    503: "too much to do; Retry-After says when to come back",
}


def create_app(
    engine: Engine,
    batcher: Batcher,
    settings: ServingSettings,
    search: NeighbourSearch | None = None,
) -> "FastAPI":
    """Returns the application of one model.

    Args:
      engine: of the model.
      batcher: that computes with it; whoever made it stops it.
      settings: the limits.
      search: a file of embeddings to search in; None for none.

    Raises:
      UserError: a package of the extra `serve` is not installed.
    """
    fastapi = extras.load("fastapi", EXTRA)
    service = ModelService(engine, batcher, settings, search)
    metrics = ServingMetrics(lambda: service.held)
    # Its warnings quote bytes of requests.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    # FastAPI's pages of documentation load scripts from elsewhere: only the document is served.
    app: FastAPI = fastapi.FastAPI(
        title=f"remedis: {service.facts['model']}",
        version=remedis.__version__,
        description=f"{RESEARCH_USE} {service.facts['weights']}",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.service = service
    for interface in (plain_routes, tf_serving_routes, open_inference_routes):
        add_routes(app, interface.routes(service))
    if search is not None:
        add_routes(app, neighbour_routes.routes(service, search))
    for file in page_files():
        app.add_api_route(file.path, _file_endpoint(file), methods=["GET"], include_in_schema=False)
    app.add_api_route(
        "/metrics",
        _metrics_endpoint(metrics),
        methods=["GET"],
        summary="Numbers for Prometheus",
        response_class=fastapi.responses.PlainTextResponse,
    )
    starlette = extras.load("starlette.exceptions", EXTRA)
    app.add_exception_handler(starlette.HTTPException, _framework_fault)
    app.add_middleware(Guard, settings=settings, observe=metrics.observe)
    return app


def add_routes(app: "FastAPI", routes: Iterable[Route]) -> None:
    """Adds routes to an application."""
    for route in routes:
        responses: dict[int | str, dict[str, Any]] = {
            status: {"description": what, "content": {JSON_TYPE: {"schema": ERROR}}}
            for status, what in _FAULTS.items()
        }
        responses[200] = {"content": {JSON_TYPE: {"schema": route.answer}}}
        app.add_api_route(
            route.path,
            _endpoint(route),
            methods=[route.method],
            summary=route.summary,
            operation_id=f"{route.method} {route.path}",
            responses=responses,
            openapi_extra=route.documented(),
            response_model=None,
        )


def _endpoint(route: Route) -> Any:
    fastapi = extras.load("fastapi", EXTRA)
    json_type = {"Content-Type": JSON_TYPE}

    async def endpoint(request: Any) -> Any:
        body = await request.body()
        call = Call(body, {k.lower(): v for k, v in request.headers.items()})
        # FastAPI's own JSON fails at a lone surrogate, such as in the id of a request.
        answer = json.dumps(await route.handle(call), allow_nan=False, separators=(",", ":"))
        return fastapi.Response(answer.encode(), headers=json_type)

    # FastAPI reads the annotations; the module cannot name its class before it is loaded.
    endpoint.__annotations__["request"] = fastapi.Request
    return endpoint


def _file_endpoint(file: PageFile) -> Any:
    fastapi = extras.load("fastapi", EXTRA)

    async def endpoint() -> Any:
        return fastapi.Response(file.content, headers={"Content-Type": file.content_type})

    return endpoint


def _metrics_endpoint(metrics: ServingMetrics) -> Any:
    fastapi = extras.load("fastapi", EXTRA)

    async def endpoint() -> Any:
        text, content_type = metrics.text()
        return fastapi.Response(text, headers={"Content-Type": content_type})

    return endpoint


async def _framework_fault(request: Any, error: Any) -> Any:
    """Raises the framework's own errors as sentences, which the guard answers."""
    headers = dict(error.headers or {})
    if error.status_code == 404:
        name = request.app.state.service.address
        raise Refusal(
            404,
            f"There is no such address here; the model is {name} in addresses, and /openapi.json "
            "lists all of them.",
        )
    if error.status_code == 405:
        allowed = headers.get("Allow") or headers.get("allow", "another one")
        raise Refusal(405, f"This address does not take the method; expected {allowed}.", headers)
    raise Refusal(error.status_code, "The request cannot be read; send it again.", headers)
