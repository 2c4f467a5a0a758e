"""The published checkpoints as a table, and the properties of one checkpoint."""

import os
import pathlib
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.errors import UserError, some, unknown_choice
from remedis.options import label_text
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.reporting.run_info import is_run, property_table, run_info
from remedis.zoo import names, records

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
        Text(
            "Parameters are those of the release. A built folder also has BiT's final norm if its "
            "weights have it: 2 tensors more."
        ),
        Text(f"Weights: {records.WHERE}; {records.TERMS}."),
        Text("No weights are shipped. More: remedis info NAME."),
    )


def checkpoint_info(name_or_folder: str) -> RenderableType:
    """Returns the report of `info`."""
    return info(name_or_folder)[0]


def info(name_or_folder: str) -> tuple[RenderableType, dict[str, Any]]:
    """Returns a report on a published checkpoint, a SavedModel folder or a run, and its values.

    Raises:
      UserError: there is no such name or folder, or the folder holds no SavedModel.
    """
    if name_or_folder in names.NAMES and not pathlib.Path(name_or_folder).is_dir():
        record = _of_record(records.record(name_or_folder))
        return Group(property_table(record), Text(RESEARCH_USE)), dict(record)
    if os.path.isdir(name_or_folder):
        return run_info(name_or_folder) if is_run(name_or_folder) else _folder_info(name_or_folder)
    if os.sep in name_or_folder:
        raise UserError(
            f"{name_or_folder} is not a folder; expected that of a SavedModel or a run."
        )
    unknown = unknown_choice("model", name_or_folder, names.NAMES)
    raise UserError(f"{unknown} There is no folder of this name either.")


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


def _folder_info(folder: str) -> tuple[RenderableType, dict[str, Any]]:
    from remedis.zoo import checkpoint  # loads TensorFlow

    description = checkpoint.describe(folder)
    if description is None:
        graph = _graph(folder)
        release = {**_of_release(folder), "graph": graph}
        return Group(property_table(release), Text(RESEARCH_USE)), dict(release)
    note = [Text(RANDOM_WEIGHTS, style="bold red")] if description.provenance.random else []
    properties = {"folder": folder, **_of_description(description), "graph": _graph(folder)}
    values = properties | {"random_weights": description.provenance.random}
    return Group(*note, property_table(properties), Text(RESEARCH_USE)), values


def _graph(folder: str) -> str:
    """Returns what a folder's graph can do besides computing, in words; does not load it."""
    from remedis.zoo import graphs

    reach = "reads or writes files, runs Python or uses the network"
    if found := graphs.reaching_operations(folder):
        listed = some(found)
        return f"a program for TensorFlow that {reach} ({listed}): do not load it"
    return f"a program for TensorFlow; no operation in it {reach}"


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
    from remedis.zoo import card  # loads SciPy

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
        "parameters": card.parameters(vars(description)),
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
