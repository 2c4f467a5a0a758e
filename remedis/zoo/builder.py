"""The builder of named checkpoint folders."""

import dataclasses
import functools
import os
import pathlib
import shutil
from collections.abc import Callable

from remedis import files, locks, regular_files
from remedis.errors import UserError
from remedis.models import applications
from remedis.models.architectures import Architecture
from remedis.options import spelled
from remedis.zoo import (
    checkpoint,
    export,
    names,
    records,
    release,
    resolve,
    save_backbone,
    seen_images,
    serving,
    tensors,
)
from remedis.zoo.export import BACKBONE_KIND
from remedis.zoo.pixel_range import CHECKED
from remedis.zoo.provenance import Provenance
from remedis.zoo.weights import check_shapes, normalise_name

# Files of an export that belong to its weights and are copied with them: the images they have seen,
# and the projection head with which a further pretraining begins (`pretraining.networks`).
BESIDE = (seen_images.FILE, "projection.npz")


def build(
    name: str,
    weights: str,
    out: files.Path,
    *,
    command: str | None = None,
    keep_graph: bool = False,
    pixel_range: str = CHECKED,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes the checkpoint `name` with some weights as a folder in `out`.

    The files in `BESIDE` are copied from the folder of the weights.

    Args:
      name: one of the eight checkpoint names.
      weights: a specification of a BiT backbone, see `resolve`. Weights of `scratch:` are drawn
        from the seed 0.
      out: parent of the folder, which is `out/name`.
      command: the command line, for the provenance.
      keep_graph: keep the release's own graph instead of moving its variables into ours. Requires
        `release:`.
      pixel_range: `checked`, or `any` for a graph that takes every finite pixel value.
      overwrite: replace an existing folder.

    Returns:
      The folder.

    Raises:
      UserError: the name or the weights are unknown, the weights do not fit the name, or the folder
        exists or another process makes it.
    """
    names.parse(name)
    source = resolve.parse(weights)
    check(name, weights)
    directory = pathlib.Path(out) / name
    with locks.held(locks.file_beside(directory), directory):
        files.refuse_existing(directory, overwrite)
        return _build(name, source, directory, command, keep_graph, pixel_range, overwrite)


def check(name: str, weights: str) -> None:
    """Raises a UserError for weights that do not exist or do not fit the name; reads none.

    Args:
      name: one of the eight checkpoint names.
      weights: as for `build`.
    """
    source = resolve.parse(weights)
    asked = Architecture.parse(names.parse(name).architecture).name
    found = resolve.named_architecture(source, asked, spelled("model", name))
    if not found or found in applications.names():
        return  # the reader of the weights says more
    if found not in {Architecture.parse(one).name for one in names.ARCHITECTURES}:
        raise UserError(
            f"{source.text} is of the architecture {found}, and checkpoints to build are "
            f"{' or '.join(names.ARCHITECTURES)}; for a small folder, take the export of a "
            "pretraining of one step that begins with scratch:1-1-1-1x0.5."
        )
    resolve.check(source, asked, spelled("model", name))


def _build(
    name: str,
    source: resolve.Source,
    directory: pathlib.Path,
    command: str | None,
    keep_graph: bool,
    pixel_range: str,
    overwrite: bool,
) -> pathlib.Path:
    """Does the work of `build`."""
    checkpoint_name = names.parse(name)
    architecture = Architecture.parse(checkpoint_name.architecture)
    if keep_graph:
        if source.scheme != "release":
            raise UserError(
                f"The graph of the release ({spelled('graph', 'release')}) goes with weights of "
                "release:DIR only."
            )
        served, description = _with_own_graph(name, source.argument, pixel_range)
        provenance = dataclasses.replace(description.provenance, command=command)
        description = dataclasses.replace(description, provenance=provenance)
        return export.save(served, description, directory, overwrite)
    loaded = resolve.read_weights(source, 0, architecture.name, spelled("model", name))
    _check_size(checkpoint_name, loaded.provenance)
    return save_backbone.save(
        checkpoint.build_backbone(loaded),
        name=name,
        provenance=dataclasses.replace(loaded.provenance, command=command),
        directory=directory,
        record=records.RECORDS[name],
        pixel_range=pixel_range,
        beside=_copies(source.folder) if source.folder else (),
        overwrite=overwrite,
    )


def _copies(folder: pathlib.Path) -> list[Callable[[pathlib.Path], object]]:
    """Returns functions that each copy one of the files beside an export's weights."""
    existing = [folder / name for name in BESIDE if os.path.lexists(folder / name)]
    for file in existing:
        try:
            regular_files.check_regular(file)
        except regular_files.NotRegular as error:
            raise UserError(str(error)) from error
    return [functools.partial(shutil.copy, file) for file in existing]


def _with_own_graph(
    name: str, folder: str, pixel_range: str
) -> tuple[serving.ServedModel, export.Description]:
    """Returns a release's own graph behind our interface, and its description."""
    shapes = tensors.saved_model_variables(folder).shapes
    architecture = Architecture.parse(names.parse(name).architecture)
    shapes = {normalise_name(key): shape for key, shape in shapes.items()}
    final_norm = "group_norm/gamma" in shapes
    what = f"the {architecture.name} release"
    check_shapes(shapes, architecture.shapes(final_norm), folder, what)
    preprocess = save_backbone.record_preprocess(records.RECORDS[name])
    graph = release.load_graph(folder)
    served = serving.ServedGraph(graph, release.signature_map, preprocess, pixel_range)
    base = pathlib.Path(folder).resolve().name
    return served, export.Description(
        kind=BACKBONE_KIND,
        name=name,
        units=architecture.units,
        width=architecture.width,
        final_norm=final_norm,
        value_range=records.RECORDS[name].value_range,
        backbone_range=None,  # the release's graph maps the range in its own way
        parameters=architecture.parameters(final_norm),
        tensors=len(shapes),
        signatures=tuple(served.saved_signatures()),
        provenance=Provenance(
            origin="release",
            description=f"REMEDIS release {base}, with its own graph.",
            file=base,
            sha256=tensors.variables_sha256(folder),
        ),
        backbone=architecture.name,
        record=dataclasses.asdict(records.RECORDS[name]),
        preprocess=preprocess.specification,
        pixel_range=pixel_range,
        map_channels=architecture.map_channels,
    )


# Classes of BiT's published heads, by which a file of the wrong size is recognised.
HEAD_CLASSES = {"s": 1_000, "m": 21_843}


def _check_size(name: names.CheckpointName, provenance: Provenance) -> None:
    """Raises a UserError if the weights are BiT-S's for a checkpoint from BiT-M, or vice versa."""
    other = "m" if name.size == "s" else "s"
    if provenance.details.get("head_classes") == HEAD_CLASSES[other]:
        right = dataclasses.replace(name, size=other)
        raise UserError(
            f"{provenance.file} has a head of {HEAD_CLASSES[other]:,} classes, which is "
            f"BiT-{other.upper()}'s; expected BiT-{name.size.upper()} for {name}: "
            f"use {spelled('model', right)}."
        )
