"""A server from its start to its end: a socket, an engine, a queue and the loop of requests."""

import dataclasses
import socket
from collections.abc import Callable

from remedis import extras, files
from remedis.errors import UserError
from remedis.options import spelled
from remedis.serving.app import create_app
from remedis.serving.batching import Batcher
from remedis.serving.engine_names import AUTO
from remedis.serving.engines import compute, open_engine
from remedis.serving.http_connections import protocol_class
from remedis.serving.neighbour_search import open_search
from remedis.serving.served_facts import ServedFacts
from remedis.serving.settings import EXTRA, ServingSettings

# Less than `interruption.PATIENCE_SECONDS`, after which a signal ends the process at once.
_DRAIN_SECONDS = 8
# Open connections beside those of requests, such as of probes and of browsers that keep them.
_IDLE_CONNECTIONS = 64


def serve(
    path: files.Path,
    settings: ServingSettings,
    engine: str = AUTO,
    started: Callable[[str, ServedFacts], object] = lambda address, facts: None,
    embeddings: files.Path | None = None,
) -> None:
    """Serves a model until a signal ends the process.

    Args:
      path: of the model, see `open_engine`.
      settings: of the server.
      engine: as for `open_engine`.
      started: called with the address and the model once the server takes requests.
      embeddings: file of embeddings by the same weights, to search in; None for none.

    Raises:
      UserError: there is no such model or engine, a package is not installed, or the address cannot
        be used.
    """
    uvicorn = extras.load("uvicorn", EXTRA)
    extras.load("fastapi", EXTRA)
    # Before the model is loaded, which may take a minute.
    with listening(settings) as opened:
        loaded = open_engine(path, engine)
        search = (
            open_search(embeddings, path, loaded.provenance, settings.neighbours)
            if embeddings is not None
            else None
        )
        batcher = Batcher(
            compute(loaded),
            batch_size=settings.batch_size,
            wait_seconds=settings.batch_wait_ms / 1000,
            max_queue=settings.max_queue,
            timeout_seconds=settings.timeout_seconds,
        )
        port = opened.getsockname()[1]
        app = create_app(loaded, batcher, dataclasses.replace(settings, port=port), search)
        server = uvicorn.Server(configuration(app, settings))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        started(f"http://{host}:{port}", loaded.provenance)
        try:
            server.run(sockets=[opened])
        finally:
            batcher.stop()
            app.state.service.close()


def configuration(app: object, settings: ServingSettings, spare: int = _IDLE_CONNECTIONS) -> object:
    """Returns uvicorn's configuration: limits of connections, and no line of a log.

    Args:
      app: of `create_app`.
      settings: of the server.
      spare: connections beside one per request that may be worked on.
    """
    uvicorn = extras.load("uvicorn", EXTRA)
    return uvicorn.Config(
        app,
        http=protocol_class(settings.body_seconds, settings.concurrency + spare),
        ws="none",
        lifespan="off",
        # Its lines name addresses, paths and the texts of errors. The guard logs what may be known.
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def listening(settings: ServingSettings) -> socket.socket:
    """Returns the socket of a server.

    Raises:
      UserError: the address is in use, is none of this computer, or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # A server that was killed leaves connections behind; its address is free nevertheless.
        opened = socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        raise UserError(
            f"{spelled('host', settings.host)} {spelled('port', settings.port)} cannot be used "
            f"({error.strerror or error}); choose another port or address."
        ) from error
    opened.set_inheritable(False)
    return opened
