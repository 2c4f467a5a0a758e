"""The command `export`: a model in the format of another program."""

import argparse
import dataclasses
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from remedis.cli import output, shared_arguments
from remedis.conversion import formats
from remedis.options import literals


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    export = commands.add_parser(
        "export",
        help="writes a model in the format of another program",
        description="Writes a model in the format of another program, runs the result and compares "
        "it with its source, on random pixels and on images. An export that differs is not "
        "written.",
    )
    export.add_argument(
        "model", metavar="FOLDER", help="of a checkpoint or an export, or a run's directory"
    )
    add = export.add_argument
    listed = "; ".join(f"{entry.name}: {entry.summary}" for entry in formats.FORMATS.values())
    add("--to", required=True, metavar="FORMAT", help=listed)
    add("--out", required=True, metavar="PATH", help="file or folder to write")
    add("--images", metavar="DATA", help="images to compare on; made-up radiographs if not given")
    add("--source", default="csv", metavar="NAME", help="layout of the images; csv")
    add(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the source, as in config.source_options; may be repeated",
    )
    shared_arguments.add_max_megapixels(export)
    add("--overwrite", action="store_true", help="replace what exists")
    output.add_table_arguments(export, "--table")
    export.set_defaults(run=_export)


def _export(parsed: argparse.Namespace) -> int:
    from remedis.api.model_exports import export
    from remedis.reporting.notes import RANDOM_WEIGHTS
    from remedis.reporting.run_info import property_table

    done = export(
        parsed.model,
        parsed.to,
        parsed.out,
        images=parsed.images,
        source=parsed.source,
        options=literals(parsed.option, "--option"),
        overwrite=parsed.overwrite,
    )
    record = done.record
    properties = {
        "export": str(done.path),
        "format": record["format"],
        "size": f"{done.bytes:,} bytes",
        **{name.replace("_", " "): str(value) for name, value in record["facts"].items()},
        "outputs": ", ".join(record["outputs"]),
        "inside": ", ".join(record["travels"]),
        "in the record only": ", ".join(record["left_behind"]),
        "record": str(done.record_path),
    }
    notes = [Text(RANDOM_WEIGHTS)] if done.random_weights else []
    report = Group(property_table(properties), Text(), _differences(record["agreement"]), *notes)
    output.show_table(parsed, report, {**dataclasses.asdict(done), "path": str(done.path)})
    return 0


def _differences(agreement: Any) -> Table:
    table = Table(title="Greatest difference from the source", title_justify="left", box=None)
    for name, justify in (("images", "left"), ("output", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("absolute", justify="right")
    table.add_column("relative", justify="right")
    table.add_column("of one rounding", justify="right")
    for record in agreement:
        images = f"{record['images']} ({record['count']})"
        for name, found in record["outputs"].items():
            numbers = [f"{found[key]:.1e}" for key in ("absolute", "relative", "rounding")]
            table.add_row(images, name, *numbers)
            images = ""
    return table
