"""The command `serve`: a model behind an address."""

import argparse
import logging
from typing import TYPE_CHECKING, Any

from remedis import limits, regular_files
from remedis.cli import shared_arguments
from remedis.errors import UserError

if TYPE_CHECKING:
    from remedis.serving.served_facts import ServedFacts

_LOG = logging.getLogger(__name__)

_MOST_TOKEN_BYTES = 4_096


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    from remedis.serving.engine_names import AUTO, ENGINES
    from remedis.serving.settings import ServingSettings

    serve = commands.add_parser(
        "serve",
        help="serves a model at an address, for programs and for a browser",
        description="Serves a run, an export or a checkpoint folder over HTTP: plain requests with "
        "an image file, TensorFlow Serving's REST interface, and the Open Inference Protocol. Only "
        "this computer reaches it unless --host says otherwise; beyond it a token is required. "
        "Research software, not a diagnostic device.",
    )
    add = serve.add_argument
    default = ServingSettings()
    add("model", metavar="RUN_OR_EXPORT", help="a run's directory, a model's folder or an export")
    add(
        "--engine",
        default=AUTO,
        metavar="NAME",
        help=f"what computes: {', '.join(ENGINES)}; {AUTO}: the fastest that is installed",
    )
    add("--host", default=default.host, help=f"address to listen on; {default.host}")
    add("--port", type=int, default=default.port, help=f"0 for any that is free; {default.port}")
    add("--token-file", metavar="FILE", help="file with the token that requests must carry")
    add("--no-token", action="store_true", help="serve other computers without a token")
    add(
        "--embeddings",
        metavar="FILE",
        help="file of embeddings by the same weights: answers name its most similar images",
    )
    shared_arguments.add_max_megapixels(serve)
    numbers = {
        "max_bytes": "the largest body of a request",
        "max_queue": "images that wait or are computed, at most",
        "batch_size": "images that are computed at once, at most",
        "batch_wait_ms": "milliseconds that an image waits for others",
        "timeout_seconds": "from the end of a request's body to its answer, at most",
        "body_seconds": "for a request to arrive, and for a client to take its answer, at most",
        "concurrency": "requests at a time, at most",
        "neighbours": "images of the file of embeddings that an answer names",
        "decoders": "images that are decoded at a time, at most",
    }
    for name, meaning in numbers.items():
        value = getattr(default, name)
        add(
            f"--{name.replace('_', '-')}",
            type=type(value),
            default=value,
            metavar="N",
            help=f"{meaning}; {value:,}",
        )
    serve.set_defaults(run=_serve, numbers=tuple(numbers))


def _serve(parsed: argparse.Namespace) -> int:
    from remedis.serving import engines
    from remedis.serving.settings import ServingSettings

    engines.check(parsed.model, parsed.engine)
    settings = ServingSettings(
        host=parsed.host,
        port=parsed.port,
        token=None if parsed.token_file is None else _token(parsed.token_file),
        no_token=parsed.no_token,
        max_pixels=limits.max_pixels(),
        **{name: getattr(parsed, name) for name in parsed.numbers},
    )
    if not settings.loopback and settings.token is None:
        _LOG.warning("Everyone who reaches this server may use its model: there is no token.")
    # TensorFlow, which comes with it, takes seconds to load.
    from remedis.serving.run_server import serve

    serve(parsed.model, settings, parsed.engine, _started, parsed.embeddings)
    return 0


def _started(address: str, facts: "ServedFacts") -> None:
    from remedis.reporting.notes import RANDOM_WEIGHTS
    from remedis.serving.served_facts import RESEARCH_USE

    _LOG.info(f"{facts.model} answers at {address} by the engine {facts.engine}. {RESEARCH_USE}")
    if facts.random_weights:
        _LOG.warning(f"{RANDOM_WEIGHTS}.")


def _token(file: str) -> str:
    """Returns the token in a file, without the end of its line."""
    written = regular_files.read_bytes(file, _MOST_TOKEN_BYTES).strip()
    if not written.isascii() or not written.decode().isprintable() or b" " in written:
        raise UserError(
            f"{file} is not a token: expected letters, digits and signs in one line; make one by "
            "python -c 'import secrets; print(secrets.token_urlsafe())'."
        )
    return written.decode()
