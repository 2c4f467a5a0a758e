"""The published checkpoints as a table, and the properties of one checkpoint."""

import os
import pathlib
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.errors import UserError, unknown_choice
from remedis.options import label_text
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.zoo import card, names, records

if TYPE_CHECKING:
    from remedis.zoo.export import Description  # loads TensorFlow


def published_table() -> RenderableType:
    """Returns the eight published checkpoints, one per row, and where their weights are."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "parameters", "map", "input", "started from"):
        numeric = heading in ("parameters", "map", "input")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for record in records.RECORDS.values():
        table.add_row(
            record.name,
            f"{record.parameters:,}",
            f"{record.map_channels:,}",
            f"{record.input_size} px",
            record.initialised_from.partition(",")[0],
        )
    return Group(
        table,
        Text(f"Weights: {records.WHERE}; {records.TERMS}."),
        Text("No weights are shipped. More: remedis info NAME."),
    )


def checkpoint_info(name_or_folder: str) -> RenderableType:
    """Returns the properties of a published checkpoint, or of the model in a SavedModel folder.

    Raises:
      UserError: there is no such name or folder, or the folder holds no SavedModel.
    """
    if name_or_folder in names.NAMES and not pathlib.Path(name_or_folder).is_dir():
        return Group(_properties(_of_record(records.record(name_or_folder))), Text(RESEARCH_USE))
    if os.path.isdir(name_or_folder):
        return _folder_info(name_or_folder)
    if os.sep in name_or_folder:
        raise UserError(f"{name_or_folder} is not a folder; expected a SavedModel folder.")
    raise unknown_choice("model", name_or_folder, names.NAMES)


def _properties(values: dict[str, str]) -> Table:
    """Returns one property per row; empty values are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        if value:
            table.add_row(name, Text(value))
    return table


def _of_record(record: records.Record) -> dict[str, str]:
    low, high = record.value_range
    return {
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


def _folder_info(folder: str) -> RenderableType:
    from remedis.zoo import checkpoint, resolve  # loads TensorFlow

    folder = str(resolve.export_folder(folder))
    description = checkpoint.describe(folder)
    if description is None:
        return Group(_properties(_of_release(folder)), Text(RESEARCH_USE))
    note = [Text(RANDOM_WEIGHTS, style="bold red")] if description.provenance.random else []
    properties = _properties({"folder": folder, **_of_description(description)})
    return Group(*note, properties, Text(RESEARCH_USE))


def _of_release(folder: str) -> dict[str, str]:
    """Returns the properties of a folder as Google released it, which has no description."""
    from remedis.zoo import checkpoint

    weights = checkpoint.read(folder)
    return {
        "folder": folder,
        "weights": f"{weights.provenance.description} No {checkpoint.DESCRIPTION}: a release "
        "folder as downloaded.",
        "architecture": f"BiT ResNetV2 {weights.architecture.name}",
        "input": "float32 [N, H, W, 3] in [0, 1]; "
        f"measured to map it to {weights.provenance.details['range_measured']}",
        "SHA-256": str(weights.provenance.sha256),
    }


def _of_description(description: "Description") -> dict[str, str]:
    from remedis.evaluation.choice_sentences import calibration_sentence  # loads SciPy

    provenance = description.provenance
    low, high = description.value_range
    properties = {
        "name": description.name,
        "kind": description.kind,
        "weights": provenance.description,
    }
    step = provenance
    while step.parent is not None:
        step = step.parent
        properties["started from"] = step.description
    return properties | {
        "read from": f"{provenance.file}, SHA-256 {provenance.sha256}" if provenance.file else "",
        "made by": provenance.command or "",
        "parameters": f"{description.parameters:,} in {description.tensors} tensors",
        "input": f"float32 [N, H, W, 3] in [{low:g}, {high:g}]"
        + (f"; {card.ANY_PIXELS}" if description.pixel_range == "any" else ""),
        "backbone": description.backbone,
        "task": description.task if description.labels else "",
        "labels": label_text(description.labels),
        "probabilities": calibration_sentence(description.calibration, description.labels)
        if description.labels
        else "",
        **_thresholds(description),
        "preprocess": description.preprocess or "",
        "signatures": ", ".join(description.signatures),
        "written by": ", ".join(f"{k} {v}" for k, v in description.software.items()),
    }


def _thresholds(description: "Description") -> dict[str, str]:
    """Returns the thresholds of each kind, such as `Edema 0.31, Hernia none`."""
    from remedis.evaluation.choice_sentences import thresholds_sentence
    from remedis.evaluation.thresholds import KINDS

    if not description.labels:
        return {}
    properties = {"thresholds": thresholds_sentence(description.thresholds, description.labels)}
    for kind in KINDS:
        if values := (description.thresholds or {}).get(kind):
            chosen = (f"{k} {'none' if v is None else f'{v:.4g}'}" for k, v in values.items())
            properties[f"threshold {kind}"] = ", ".join(chosen)
    return properties
