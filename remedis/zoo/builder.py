"""Builds a named checkpoint folder from a source of weights."""

import dataclasses
import functools
import pathlib
import shutil
from collections.abc import Callable

from remedis import files
from remedis.errors import UserError
from remedis.models.architectures import Architecture
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
from remedis.zoo.provenance import Provenance
from remedis.zoo.weights import check_shapes, normalise_name

# Files of a run's export that hold of its weights wherever these go: what they have seen, and the
# head that a pretraining goes on with (`training.pretraining.network`).
BESIDE = (seen_images.FILE, "projection.npz")


def build(
    name: str,
    weights: str,
    out: files.Path,
    *,
    command: str | None = None,
    keep_graph: bool = False,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes the checkpoint `name` with some weights as a folder in `out`.

    What lies beside the weights of a run goes along, see `BESIDE`.

    Args:
      name: one of the eight checkpoint names.
      weights: a specification of a BiT backbone, see `resolve`. Weights of `scratch:` are drawn
        from the seed 0.
      out: the folder goes to `out/name`.
      command: the command line, for the provenance.
      keep_graph: for `release:` only: keep the release's own graph instead of moving its variables
        into ours.
      overwrite: replace an existing folder.

    Returns:
      The folder.

    Raises:
      UserError: unknown name or source, weights that do not fit, or an existing folder.
    """
    parts = names.parse(name)
    source = resolve.parse(weights)
    directory = pathlib.Path(out) / name
    files.refuse_existing(directory, overwrite)
    architecture = Architecture.parse(parts.architecture)
    if keep_graph:
        if source.scheme != "release":
            raise UserError("--graph=release goes with --weights=release:DIR only.")
        served, description = _kept(name, source.argument)
        kept = dataclasses.replace(description.provenance, command=command)
        described = dataclasses.replace(description, provenance=kept)
        return export.save(served, described, directory, overwrite)
    loaded = resolve.read_weights(source, 0, architecture.name, f"--model={name}")
    _check_size(parts, loaded.provenance)
    return save_backbone.save(
        checkpoint.build_backbone(loaded),
        name=name,
        provenance=dataclasses.replace(loaded.provenance, command=command),
        directory=directory,
        record=records.RECORDS[name],
        beside=_copies(source.folder) if source.folder else (),
        overwrite=overwrite,
    )


def _copies(folder: pathlib.Path) -> list[Callable[[pathlib.Path], object]]:
    """Returns functions that each copy one of the files beside an export's weights."""
    existing = [folder / name for name in BESIDE if (folder / name).is_file()]
    return [functools.partial(shutil.copy, file) for file in existing]


def _kept(name: str, folder: str) -> tuple[serving.ServedModel, export.Description]:
    """Returns the release's graph behind our interface, and its description."""
    shapes = tensors.saved_model_variables(folder).shapes
    architecture = Architecture.parse(names.parse(name).architecture)
    found = {normalise_name(key): shape for key, shape in shapes.items()}
    final_norm = "group_norm/gamma" in found
    what = f"the {architecture.name} release"
    check_shapes(found, architecture.shapes(final_norm), folder, what)
    served = serving.ServedGraph(release.load_graph(folder), release.signature_map)
    base = pathlib.Path(folder).resolve().name
    return served, export.Description(
        kind=BACKBONE_KIND,
        name=name,
        units=architecture.units,
        width=architecture.width,
        final_norm=final_norm,
        value_range=records.RECORDS[name].value_range,
        backbone_range=None,  # whatever the release's graph does with it
        parameters=architecture.parameters(final_norm),
        tensors=len(found),
        signatures=("serving_default", "embed", "endpoints"),
        provenance=Provenance(
            origin="release",
            description=f"REMEDIS release {base}, with its own graph.",
            file=base,
            sha256=tensors.variables_sha256(folder),
        ),
        backbone=architecture.name,
        record=dataclasses.asdict(records.RECORDS[name]),
    )


# Outputs of BiT's published heads: a file that has the other's is not the one asked for.
HEAD_CLASSES = {"s": 1_000, "m": 21_843}


def _check_size(parts: names.CheckpointName, provenance: Provenance) -> None:
    """Raises a UserError where a BiT file is plainly the other one of BiT-S and BiT-M."""
    other = "m" if parts.size == "s" else "s"
    if provenance.details.get("head_classes") == HEAD_CLASSES[other]:
        right = dataclasses.replace(parts, size=other)
        raise UserError(
            f"{provenance.file} has a head of {HEAD_CLASSES[other]:,} classes, which is "
            f"BiT-{other.upper()}'s; expected BiT-{parts.size.upper()} for {parts}: "
            f"use --model={right}."
        )
