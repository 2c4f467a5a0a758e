"""The command `explain`: heat maps of a trained classifier."""

import argparse
import logging
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.cli import exit_status, output, shared_arguments
from remedis.errors import counted
from remedis.options import label_list, literals

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    explain = commands.add_parser(
        "explain",
        help="draws heat maps of where an exported classifier looks",
        description="Draws heat maps over images: overlays as PNG files at the images' own size, a "
        "table and a page. With boxes around findings it judges the maps: pointing game and IoU "
        "per finding, beside the centre of the image, the average box of the finding and "
        "randomised weights. Images need neither labels nor patients; intervals count patients "
        "where they are known.",
    )
    add = explain.add_argument
    add("model", metavar="RUN_OR_MODEL", help="a run's directory, or an exported classifier's")
    shared_arguments.add_images(explain)
    add("--labels", metavar="A,B", help="labels to explain; all if not given")
    add(
        "--method",
        default="cam",
        metavar="NAME",
        help="cam, grad_cam or grad_cam++; cam, which is exact for these classifiers",
    )
    add(
        "--endpoint",
        metavar="NAME",
        help="map that grad_cam and grad_cam++ are taken at: block1 (fine) to block4 (coarse) or "
        "head; block4",
    )
    add("--out", required=True, metavar="DIR", help="folder to make")
    add("--overwrite", action="store_true", help="replace an existing folder")
    add(
        "--boxes",
        metavar="FILE",
        help="judge by boxes: ChestX-ray14's BBox_List_2017.csv, or a CSV file with path, label, "
        "x, y, width and height; only images with boxes are explained",
    )
    add(
        "--tolerance",
        type=float,
        default=0.03,
        metavar="SHARE",
        help="distance from a box that still is a hit, as a share of the image's longer side; 0.03",
    )
    add(
        "--sanity-images",
        type=int,
        default=16,
        metavar="N",
        help="images of the sanity check with randomised weights; 16. 0 for none, and for no "
        "comparison with randomised weights by boxes",
    )
    add("--seed", type=int, default=0, help="of randomised weights and resamples; 0")
    add("--resamples", type=int, default=1000, metavar="N", help="behind intervals; 1000")
    shared_arguments.add_batches(explain, limited=False)
    output.add_table_arguments(explain, "--table")
    explain.set_defaults(run=_explain)


def _explain(parsed: argparse.Namespace) -> int:
    from remedis.api.explanations import PAGE, explain
    from remedis.data.checks import scan
    from remedis.reporting import heat_map_page
    from remedis.reporting.notes import RANDOM_WEIGHTS

    done = explain(
        parsed.model,
        parsed.data,
        parsed.out,
        labels=None if parsed.labels is None else label_list(parsed.labels),
        method=parsed.method,
        endpoint=parsed.endpoint,
        boxes=parsed.boxes,
        tolerance=parsed.tolerance,
        sanity_images=parsed.sanity_images,
        source=parsed.source,
        options=literals(parsed.option, "--option"),
        batch_size=parsed.batch_size,
        max_bad_images=parsed.max_bad_images,
        seed=parsed.seed,
        resamples=parsed.resamples,
        overwrite=parsed.overwrite,
    )
    parts: list[RenderableType] = []
    if done.localisation:
        parts.append(Text(heat_map_page.answer(done.localisation[-1])))
        parts += [_table(each) for each in heat_map_page.localisation_tables(done.localisation)]
    if done.curve:
        parts.append(_table(heat_map_page.curve_table(done.curve)))
        parts.append(Text(heat_map_page.sanity_sentence(done.curve)))
    if done.random_weights:
        parts.append(Text(RANDOM_WEIGHTS))
    output.show_table(parsed, Group(*parts), done.record)
    _LOG.info(f"{counted(len(done.table), 'heat map')} in {parsed.out}; read {PAGE}.")
    return exit_status.of_images(len(done.bad), scan.bad_images_file(parsed.out))


def _table(of: Any) -> Table:
    table = Table(title=of.caption, title_justify="left")
    for i, name in enumerate(of.header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in of.rows:
        table.add_row(*row)
    return table
