"""The command `report`: scores and heat maps of DICOM images as DICOM objects."""

import argparse
import logging
from typing import Any

from remedis.cli import exit_status, shared_arguments
from remedis.errors import counted
from remedis.options import label_list

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    report = commands.add_parser(
        "report",
        help="writes a classifier's scores of DICOM images as DICOM, for where they are read",
        description="Writes per study one DICOM Structured Report (template TID 1500) with the "
        "probabilities, and one series of Secondary Captures with the heat maps. Patient and study "
        "are those of the images. Everything is marked as for research. Nothing is sent anywhere.",
        epilog=f"Exit status: 0 all images are in a report; {exit_status.INCOMPLETE} some are "
        "not: OUT.bad_images.csv lists them.",
    )
    add = report.add_argument
    add("model", metavar="RUN_OR_MODEL", help="a run's directory, or an exported classifier's")
    add(
        "data",
        nargs="+",
        metavar="DICOM",
        help="DICOM images: folders (searched at any depth), files, globs in quotes",
    )
    add("--out", required=True, metavar="DIR", help="folder to make")
    add("--overwrite", action="store_true", help="replace an existing folder")
    add("--labels", metavar="A,B", help="labels of the model to report; all if not given")
    add("--no-heat-maps", action="store_true", help="write the reports alone")
    add(
        "--method",
        default="cam",
        metavar="NAME",
        help="of heat maps, as for explain: cam, grad_cam or grad_cam++; cam",
    )
    add("--endpoint", metavar="NAME", help="map that grad_cam is taken at, as for explain")
    add(
        "--batch-size",
        type=shared_arguments.positive,
        default=16,
        metavar="N",
        help="images per batch; 16",
    )
    shared_arguments.add_max_megapixels(report)
    report.set_defaults(run=_report, source="dicom")


def _report(parsed: argparse.Namespace) -> int:
    from remedis.api.dicom_reports import TABLE, report
    from remedis.data.checks import scan
    from remedis.reporting.notes import RANDOM_WEIGHTS

    done = report(
        parsed.model,
        parsed.data,
        parsed.out,
        labels=None if parsed.labels is None else label_list(parsed.labels),
        heat_maps=not parsed.no_heat_maps,
        method=parsed.method,
        endpoint=parsed.endpoint,
        batch_size=parsed.batch_size,
        overwrite=parsed.overwrite,
    )
    maps = 0 if parsed.no_heat_maps else len(done.table)
    _LOG.info(
        f"{parsed.out}: {counted(done.studies, 'structured report')}, {counted(maps, 'heat map')}; "
        f"{TABLE} lists them."
    )
    if done.random_weights:
        print(RANDOM_WEIGHTS)
    return exit_status.of_images(len(done.bad), scan.bad_images_file(parsed.out))
