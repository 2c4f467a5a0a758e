"""What is known of a checkpoint, for a terminal."""

import os
import pathlib
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from remedis.errors import UserError
from remedis.reporting import terminal
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.zoo import card, names, records

if TYPE_CHECKING:
    from remedis.zoo.export import Description  # loads TensorFlow


def print_records(console: Console | None = None) -> None:
    """Prints the eight published checkpoints, one a line."""
    console = console or terminal.console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "parameters", "map", "input", "started from"):
        numbers = heading in ("parameters", "map", "input")
        table.add_column(heading, justify="right" if numbers else "left", no_wrap=True)
    for record in records.RECORDS.values():
        table.add_row(
            record.name,
            f"{record.parameters:,}",
            f"{record.map_channels:,}",
            f"{record.input_size} px",
            record.initialised_from.partition(",")[0],
        )
    console.print(table)
    console.print(Text(f"Weights: {records.WHERE}; {records.TERMS}."))
    console.print(Text("No weights are shipped. More: remedis info NAME."))


def print_info(what: str, console: Console | None = None) -> None:
    """Prints the record of a checkpoint name, or what a SavedModel folder holds.

    Raises:
      UserError: `what` is neither.
    """
    console = console or terminal.console()
    if what in names.NAMES and not pathlib.Path(what).is_dir():
        _print_record(records.record(what), console)
    elif os.path.isdir(what):
        _print_folder(what, console)
    elif os.sep in what:
        raise UserError(f"{what} is not a folder; expected a SavedModel folder.")
    else:
        names.parse(what)  # says which names there are


def _fields(console: Console, rows: dict[str, str]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))
    console.print(table)


def _print_record(record: records.Record, console: Console) -> None:
    low, high = record.value_range
    rows = {
        "name": record.name,
        "architecture": f"BiT ResNetV2 {record.architecture}",
        "parameters": f"{record.parameters:,} in {record.tensors} tensors",
        "input": f"float32 [N, H, W, {record.channels}] in [{low:g}, {high:g}]; recipes use "
        f"{record.input_size} px",
        "output": f"map [N, ceil(H/32), ceil(W/32), {record.map_channels:,}]",
        "started from": record.initialised_from,
        "pretrained on": record.pretrained_on,
        "where": record.where,
        "terms": record.terms,
        "citation": record.citation,
    }
    _fields(console, rows)
    console.print(Text(RESEARCH_USE))


def _print_folder(folder: str, console: Console) -> None:
    from remedis.zoo import checkpoint  # loads TensorFlow

    description = checkpoint.describe(folder)
    if description is None:
        weights = checkpoint.read(folder)
        rows = {
            "folder": folder,
            "weights": f"{weights.provenance.description} No {checkpoint.DESCRIPTION}: a release "
            "folder as downloaded.",
            "architecture": f"BiT ResNetV2 {weights.architecture.name}",
            "input": "float32 [N, H, W, 3] in [0, 1]; "
            f"measured to map it to {weights.provenance.details['range_measured']}",
            "SHA-256": str(weights.provenance.sha256),
        }
        _fields(console, rows)
        console.print(Text(RESEARCH_USE))
        return
    provenance = description.provenance
    if provenance.random:
        console.print(Text(RANDOM_WEIGHTS, style="bold red"))
    low, high = description.value_range
    rows = {
        "folder": folder,
        "name": description.name,
        "kind": description.kind,
        "weights": provenance.description,
    }
    step = provenance
    while step.parent is not None:
        step = step.parent
        rows["started from"] = step.description
    rows |= {
        "read from": f"{provenance.file}, SHA-256 {provenance.sha256}" if provenance.file else "",
        "made by": provenance.command or "",
        "parameters": f"{description.parameters:,} in {description.tensors} tensors",
        "input": f"float32 [N, H, W, 3] in [{low:g}, {high:g}]",
        "backbone": description.backbone,
        "task": description.task if description.labels else "",
        "labels": ", ".join(description.labels),
        "probabilities": _calibration(description) if description.labels else "",
        **_thresholds(description),
        "preprocess": description.preprocess or "",
        "signatures": ", ".join(description.signatures),
        "written by": ", ".join(f"{k} {v}" for k, v in description.software.items()),
    }
    _fields(console, {name: value for name, value in rows.items() if value})
    console.print(Text(RESEARCH_USE))


def _calibration(description: "Description") -> str:
    calibration = description.calibration or {"method": "none"}
    if calibration["method"] == "none":
        return "not calibrated"
    return f"calibrated ({calibration['method']}) on {card.calibrated_on(calibration)}"


def _thresholds(description: "Description") -> dict[str, str]:
    """Returns a row for each kind of threshold, such as `Edema 0.31, Hernia none`."""
    rows = {}
    for kind, values in (description.thresholds or {}).items():
        if isinstance(values, dict):
            chosen = (f"{k} {'none' if v is None else f'{v:.4g}'}" for k, v in values.items())
            rows[f"threshold {kind}"] = ", ".join(chosen)
    return rows
