"""Backbones written as SavedModel folders that TensorFlow alone can serve."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable

from remedis import files, limits
from remedis.models.bit import BiTResNet
from remedis.preprocess import Preprocess, parse
from remedis.zoo import export, serving
from remedis.zoo.export import BACKBONE_KIND
from remedis.zoo.pixel_range import CHECKED
from remedis.zoo.provenance import Provenance
from remedis.zoo.records import Record


def save(
    backbone: BiTResNet,
    *,
    name: str,
    provenance: Provenance,
    directory: files.Path,
    record: Record | None = None,
    preprocess: Preprocess | None = None,
    pixel_range: str = CHECKED,
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
      preprocess: the preprocessing for evaluation; by default a resize to the input size of the
        published checkpoint. Without either, the export has no `preprocess` and no `serve_bytes`.
      pixel_range: `checked`, or `any` for a graph that takes every finite pixel value.
      beside: functions that each write one file into the folder they are given, before the folder
        gets its final name.
      overwrite: replace an existing folder.

    Raises:
      UserError: the folder exists and `overwrite` is false, or it cannot be written.
    """
    architecture = backbone.architecture
    if preprocess is None and record is not None:
        preprocess = record_preprocess(record)
    served = serving.ServedBackbone(backbone, preprocess, pixel_range)
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
        signatures=tuple(served.saved_signatures()),
        provenance=provenance,
        backbone=backbone.architecture_name,
        record=None if record is None else dataclasses.asdict(record),
        preprocess=None if preprocess is None else preprocess.specification,
        pixel_range=pixel_range,
        max_pixels=None if preprocess is None else limits.max_pixels(),
        map_channels=architecture.map_channels,
    )
    return export.save(served, description, directory, overwrite, beside)


def record_preprocess(record: Record) -> Preprocess:
    """Returns the preprocessing for the input size of a published checkpoint."""
    return parse(f"resize({record.input_size})", deterministic=True)
