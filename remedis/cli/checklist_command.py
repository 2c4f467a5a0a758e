"""The command that fills a reporting checklist from a run: `checklist`."""

import argparse
import logging
import os
from typing import Any

from remedis import files
from remedis.cli import output
from remedis.errors import UserError

_LOG = logging.getLogger(__name__)
NAMES = ("claim", "tripod-ai", "stard-ai", "model-facts")


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    checklist = commands.add_parser(
        "checklist",
        help="fills a reporting checklist from a run: CLAIM, TRIPOD+AI, STARD-AI, Model Facts",
        description="Writes a reporting checklist whose items are answered from the records of a "
        "run, each with the file and field it is from, or say what the author must write.",
    )
    add = checklist.add_argument
    add(
        "run_folder",
        metavar="RUN",
        help="directory of a finished run, an evaluation, a study or an exported classifier",
    )
    add("--for", dest="guideline", required=True, metavar="NAME", help=", ".join(NAMES))
    add("--out", metavar="FILE.md", help="file to write; else the document is printed")
    add("--json", action="store_true", help="print all answers as JSON, and nothing else")
    checklist.set_defaults(run=_checklist)


def _checklist(parsed: argparse.Namespace) -> int:
    from remedis.reporting.checklists import cited_records, document

    of = document.guideline(parsed.guideline)
    if parsed.out and not parsed.out.lower().endswith(".md"):
        raise UserError(f"--out={parsed.out} does not end in .md; the document is Markdown.")
    if parsed.out and os.path.isdir(parsed.out):
        raise UserError(f"--out={parsed.out} is a directory; expected a file to write.")
    run = cited_records.read(parsed.run_folder)
    answers = document.filled(of, run)
    text = document.text(of, run, answers)
    if parsed.out:
        files.write_text(parsed.out, text)
    if parsed.json:
        output.show_json(document.values(of, run, answers))
    elif parsed.out:
        output.show(output.line(document.summary(of, answers)))
        _LOG.info(f"The checklist is in {parsed.out}.")
    else:
        output.show(text)
    return 0
