"""The command `search`: similar images, duplicates and outliers of a file of embeddings."""

import argparse
import logging
from typing import Any

from remedis.cli import output, shared_arguments
from remedis.errors import UserError

_LOG = logging.getLogger(__name__)
# Options that say what to look for; one of them is given.
_MODES = ("query", "duplicates", "outliers")
# The options that one of them alone takes.
_TAKEN_BY = {
    "k": ("query", "outliers"),
    "checkpoint": ("query",),
    "other_patients": ("query",),
    "engine": ("query", "outliers"),
    "similarity": ("duplicates",),
}


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    search = commands.add_parser(
        "search",
        help="finds similar images, duplicates or outliers in a file of embeddings",
        description="Finds the images of a file of `remedis embed` that are the most similar to "
        "--query, near-identical images (--duplicates), or those that are far from all others "
        "(--outliers). Similarity is the cosine of embeddings, computed exactly.",
    )
    add = search.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="a file that `remedis embed` wrote")
    add(
        "--query",
        action="append",
        metavar="IMAGE_OR_ROW",
        help="a row from 0, a path in the file or its end, or an image file; may be repeated",
    )
    add("--duplicates", action="store_true", help="find groups of near-identical images")
    add(
        "--outliers",
        nargs="?",
        const="",
        metavar="OTHER",
        help="rank images by the distance to their k-th neighbour: those of OTHER, a second file "
        "such as of another hospital, or of EMBEDDINGS itself without it",
    )
    add(
        "--k",
        type=shared_arguments.positive,
        metavar="K",
        help="neighbours of a query, or which neighbour of an outlier; 10",
    )
    add(
        "--checkpoint",
        metavar="CHECKPOINT",
        help="the checkpoint that made EMBEDDINGS, to embed an image file that is not in it",
    )
    add("--other-patients", action="store_true", help="leave out images of the query's patient")
    add("--engine", metavar="NAME", help="exact, or faiss (an extra): the same answer; exact")
    add(
        "--similarity",
        type=float,
        metavar="COSINE",
        help="least cosine of a pair of duplicates; 0.999",
    )
    add("--out", metavar="PAGE.html", help="page with pictures to write")
    add(
        "--images",
        metavar="DIR",
        help="where relative paths of the file start, for the pictures; the working directory",
    )
    shared_arguments.add_max_megapixels(search)
    output.add_table_arguments(search, "--table")
    search.set_defaults(run=_search)


def _search(parsed: argparse.Namespace) -> int:
    mode = _mode(parsed)
    from remedis.api import embedding_search

    named = {
        name: value
        for name in (*_TAKEN_BY, "images", "max_megapixels", "out")
        if (value := getattr(parsed, name)) not in (None, False)
    }
    found: Any
    if mode == "query":
        found = embedding_search.search(parsed.embeddings, parsed.query, **named)
    elif mode == "duplicates":
        found = embedding_search.find_duplicates(parsed.embeddings, **named)
    else:
        found = embedding_search.find_outliers(parsed.embeddings, parsed.outliers or None, **named)
    report = embedding_search.report_of(found)

    from remedis.reporting import search_report

    output.show_table(parsed, search_report.printed(report), search_report.to_json(report))
    if parsed.out is not None:
        _LOG.info(f"The page is {parsed.out}.")
    return 0


def _mode(parsed: argparse.Namespace) -> str:
    """Returns what to look for."""
    given = [name for name in _MODES if getattr(parsed, name) not in (None, False)]
    if len(given) != 1:
        got = " and ".join(f"--{name}" for name in given) or "none"
        raise UserError(
            f"Expected one of --query=IMAGE_OR_ROW, --duplicates and --outliers; got {got}."
        )
    for name, modes in _TAKEN_BY.items():
        if getattr(parsed, name) not in (None, False) and given[0] not in modes:
            raise UserError(
                f"--{name.replace('_', '-')} goes with {' or '.join(f'--{m}' for m in modes)}, "
                f"not with --{given[0]}; leave it out."
            )
    return given[0]
