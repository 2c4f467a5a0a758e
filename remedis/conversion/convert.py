"""An export of a model: written, checked against its source, and recorded; or nothing at all."""

import dataclasses
import pathlib
from typing import Any

from typing_extensions import TypedDict

from remedis import files, json_records, writing
from remedis.conversion import agreement, formats, source_model
from remedis.conversion.agreement import AgreementRecord
from remedis.conversion.source_model import OUTPUTS, SourceModel
from remedis.data.manifest import Manifest
from remedis.json_records import Line, Name, Object
from remedis.zoo.export import DescriptionRecord
from remedis.zoo.pixel_range import EXPECTED

__all__ = ["Converted", "ExportRecord", "convert", "read"]


class ExportRecord(TypedDict):
    """The content of `export.json`.

    Attributes:
      format: name of the format.
      kind: `backbone` or `classifier`.
      input: the images that it takes.
      outputs: name of each output and its meaning.
      weights: SHA-256 of the backbone's weights, as files of embeddings have it.
      facts: of the format, such as the opset.
      software: package -> version that wrote the export and checked it.
      agreement: the differences from the source.
      travels: what is inside the export: preprocessing, calibration, thresholds, labels.
      left_behind: what the source has of these, but only this record of the export.
      description: `remedis.json` of the source.
    """

    format: Line
    kind: Line
    input: Line
    outputs: dict[Name, Line]
    weights: Line
    facts: Object
    software: dict[Name, Line]
    agreement: list[AgreementRecord]
    travels: list[Line]
    left_behind: list[Line]
    description: DescriptionRecord


@dataclasses.dataclass(frozen=True)
class Converted:
    """A model that was exported, and where it lies.

    Attributes:
      path: of the file or folder.
      record_path: of its record.
      record: what it holds, and how far it agrees with its source.
      bytes: size of the export.
      random_weights: whether the weights are random.
    """

    path: pathlib.Path
    record_path: pathlib.Path
    record: ExportRecord
    bytes: int
    random_weights: bool


def convert(
    model: files.Path,
    to: str,
    out: files.Path,
    images: Manifest | None = None,
    overwrite: bool = False,
) -> Converted:
    """Writes a model in another format, if the result has the outputs of the model.

    Args:
      model: a run, an export or a checkpoint folder.
      to: name of the format.
      out: file or folder to write.
      images: the images to check it on; made-up radiographs if None.
      overwrite: replace what exists.

    Raises:
      UserError: there is no such model or format, a package is not installed, `out` exists, has
        another ending or cannot be written, or the outputs differ.
    """
    chosen = formats.get(to)
    chosen.check_out(out)
    files.refuse_existing(out, overwrite)
    software = chosen.versions()
    real = None if images is None else agreement.sample(images)
    source = source_model.load(model)
    whole = files.whole_file if chosen.suffix else files.whole_directory
    with writing.written(out), whole(out, overwrite) as temporary:
        facts = dict(chosen.write(source, temporary))
        found = agreement.measure(source, chosen.run(temporary), real)
        agreement.check(found, chosen.tolerance, f"{out} ({chosen.name})")
        record = _record(source, chosen, facts, software, found)
        # The record of a file comes first: no export is ever without one.
        files.write_json(chosen.record_path(out if chosen.suffix else temporary), record)
    out = pathlib.Path(out)
    return Converted(
        path=out,
        record_path=chosen.record_path(out),
        record=record,
        bytes=_size(out),
        random_weights=source.description.provenance.random,
    )


def read(out: files.Path) -> ExportRecord:
    """Returns the record of an export, a file or a folder.

    Raises:
      UserError: it is damaged.
      OSError: there is none.
    """
    out = pathlib.Path(out)
    path = out / formats.RECORD if out.is_dir() else out.with_name(f"{out.name}.{formats.RECORD}")
    return json_records.read(path, ExportRecord, "export the model again")


def _record(
    source: SourceModel,
    chosen: formats.Format,
    facts: dict[str, Any],
    software: dict[str, str],
    found: list[AgreementRecord],
) -> ExportRecord:
    description = source.description.shared().to_json()
    return {
        "format": chosen.name,
        "kind": source.kind,
        "input": EXPECTED.removeprefix("expected "),
        "outputs": dict(OUTPUTS[source.kind]),
        "weights": source.backbone_weights,
        "facts": facts,
        "software": {**_own_versions(), **software},
        "agreement": found,
        "travels": [part for part in source.parts if part in chosen.travels],
        "left_behind": [part for part in source.parts if part not in chosen.travels],
        "description": json_records.plain(description),
    }


def _own_versions() -> dict[str, str]:
    import keras
    import tensorflow as tf

    import remedis

    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return {"remedis": remedis.__version__, **versions}


def _size(path: pathlib.Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
