"""Backbones written as SavedModel folders that TensorFlow alone can serve."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable

from remedis import files
from remedis.models.bit import BiTResNet
from remedis.zoo import export, serving
from remedis.zoo.export import BACKBONE_KIND
from remedis.zoo.provenance import Provenance
from remedis.zoo.records import Record


def save(
    backbone: BiTResNet,
    *,
    name: str,
    provenance: Provenance,
    directory: files.Path,
    record: Record | None = None,
    beside: Iterable[Callable[[pathlib.Path], object]] = (),
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a backbone as a SavedModel with its description and its card.

    Args:
      backbone: the network.
      name: of the checkpoint or the run.
      provenance: of the weights.
      directory: the folder to write.
      record: of the published checkpoint of this name, if there is one.
      beside: functions that each write one file into the folder they are given, before the folder
        gets its final name.
      overwrite: replace an existing folder.

    Raises:
      UserError: the folder exists and `overwrite` is false, or it cannot be written.
    """
    architecture = backbone.architecture
    description = export.Description(
        kind=BACKBONE_KIND,
        name=name,
        units=architecture.units,
        width=architecture.width,
        final_norm=backbone.final_norm,
        value_range=(0.0, 1.0) if record is None else record.value_range,
        backbone_range=backbone.backbone_range,
        parameters=architecture.parameters(backbone.final_norm),
        tensors=len(architecture.shapes(backbone.final_norm)),
        signatures=("serving_default", "embed", "endpoints"),
        provenance=provenance,
        backbone=backbone.architecture_name,
        record=None if record is None else dataclasses.asdict(record),
    )
    return export.save(serving.ServedBackbone(backbone), description, directory, overwrite, beside)
