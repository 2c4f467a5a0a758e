"""The command `robustness`: a trained classifier under corruptions of its images."""

import argparse
import logging
import re
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from remedis.cli import output, shared_arguments
from remedis.errors import UserError
from remedis.options import items, label_list

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    robustness = commands.add_parser(
        "robustness",
        help="measures a trained classifier under noise, blur and other corruptions",
        description="Scores labelled images clean and under corruptions in five strengths: AUROC "
        "and calibration with changes paired by patient, and the cosine of the embeddings of "
        "clean and corrupted images. Writes a page with curves and a contact sheet, a table and "
        "all numbers. If it is killed, the same command resumes.",
    )
    add = robustness.add_argument
    add("model", metavar="RUN_OR_MODEL", help="a run's directory, or an exported classifier's")
    shared_arguments.add_data(robustness)
    shared_arguments.add_batches(robustness)
    shared_arguments.add_judged_policies(robustness)
    add("--out", required=True, metavar="DIR", help="directory to write to")
    add(
        "--corruptions",
        metavar="A,B",
        help="noise, blur, contrast, gamma, jpeg, rotation, crop, stain; all, without stain if the "
        "images are grey",
    )
    add(
        "--strengths",
        default="1-5",
        metavar="N-M",
        help="such as 1-5 or 1,3,5; 0 repeats the clean images; 1-5",
    )
    add("--split", metavar="NAME", help="score this split alone; all if not given")
    add("--seed", type=int, default=0, help="of the resamples; 0")
    add("--resamples", type=int, default=1000, metavar="N", help="behind intervals; 1000")
    output.add_table_arguments(robustness, "--table")
    robustness.set_defaults(run=_robustness)


def _strengths(written: str) -> tuple[int, ...]:
    """Returns the numbers of `--strengths`, such as `1-5` or `1,3,5`."""
    found: list[int] = []
    for part in items(written, ","):
        match = re.fullmatch(r"(\d)(?:-(\d))?", part)
        if match is None:
            found = []
            break
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not found or max(found) > 5:
        raise UserError(
            f"--strengths={written}: expected numbers from 0 to 5, such as 1-5 or 1,3,5."
        )
    return tuple(found)


def _robustness(parsed: argparse.Namespace) -> int:
    strengths = _strengths(parsed.strengths)
    from remedis.api.robustness_sweep import PAGE, robustness
    from remedis.reporting import robustness_page
    from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE

    policies: dict[str, Any] = shared_arguments.named_policies(parsed)
    done = robustness(
        parsed.model,
        parsed.data,
        parsed.out,
        corruptions=None if parsed.corruptions is None else items(parsed.corruptions, ","),
        strengths=strengths,
        labels=None if parsed.labels is None else label_list(parsed.labels),
        source=parsed.source,
        options=shared_arguments.source_options(parsed),
        **policies,
        split=parsed.split,
        batch_size=parsed.batch_size,
        max_bad_images=parsed.max_bad_images,
        seed=parsed.seed,
        resamples=parsed.resamples,
    )
    parts: list[RenderableType] = [Text(answer) for answer in done.answers]
    # Calibration and single labels would be too wide for a terminal.
    parts.append(robustness_page.printed(robustness_page.tables(done.record)[0]))
    parts += map(Text, done.record["notes"])
    if done.record["random_weights"]:
        parts.append(Text(RANDOM_WEIGHTS, style="bold red"))
    parts.append(Text(RESEARCH_USE, style="dim"))
    output.show_table(parsed, Group(*parts), done.record)
    _LOG.info(f"Curves, tables and the contact sheet are in {parsed.out}; read {PAGE}.")
    return 0
