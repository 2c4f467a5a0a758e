"""SavedModel folders of the original release: their variables and the range of their input."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.zoo import graphs
from remedis.zoo.provenance import Provenance
from remedis.zoo.tensors import saved_model_variables, variables_sha256
from remedis.zoo.weights import RELEASE_RANGES, Weights, check_shapes, infer, normalise_name

PROBE_SIZE = 64  # pixels; a small image distinguishes the ranges as well as a large one
AGREEMENT = 1e-3  # relative error; the right range has rounding errors, the wrong one far larger


def read(directory: str, architecture: Architecture | None) -> Weights:
    """Returns the variables of a release folder and the range that its graph maps [0, 1] to.

    The released code maps [0, 1] to [-1, 1] before its backbone (bit.py:66-67), and the released
    notebook feeds [0, 1]. Neither shows whether a released graph contains that map. Therefore it is
    measured: a made-up image goes through the release's graph and through ours with each range, and
    the range whose outputs agree is chosen.

    Args:
      directory: the folder.
      architecture: of the backbone it must hold; None for any.

    Raises:
      UserError: the folder is not a release's, its variables are not this backbone's, or its graph
        agrees with neither range.
    """
    tensors = saved_model_variables(directory)
    names = {normalise_name(name): name for name in tensors}
    shapes = {name: tensors.shapes[full] for name, full in names.items()}
    inferred, final_norm = infer(shapes, directory)
    architecture = architecture or inferred
    check_shapes(
        shapes,
        architecture.shapes(final_norm),
        directory,
        f"the {architecture.name} release (it holds {inferred.name})",
    )
    arrays = {name: tensors[full] for name, full in names.items()}
    errors = _disagreement(directory, architecture, final_norm, arrays)
    best = min(errors, key=lambda label: errors[label])
    if not errors[best] < AGREEMENT:
        measured = ", ".join(f"{error:.1e} with {label}" for label, error in errors.items())
        raise UserError(
            f"{directory}: its graph differs from a BiT R{architecture.name} with its variables "
            f"(relative error {measured}); use the folder as it is, or keep its "
            "graph (remedis build --graph=release)."
        )
    name = pathlib.Path(directory).resolve().name
    return Weights(
        arrays=arrays,
        architecture=architecture,
        final_norm=final_norm,
        backbone_range=RELEASE_RANGES[best],
        provenance=Provenance(
            origin="release",
            description=f"REMEDIS release {name}, its variables in this project's graph.",
            file=name,
            sha256=variables_sha256(directory),
            details={"range_measured": best, "relative_error_by_range": errors},
        ),
    )


def load_graph(directory: str) -> Any:
    """Returns the object that `tf.saved_model.load` gives for a folder.

    Raises:
      UserError: as `graphs.load`, or the folder has no signature `serving_default` from one input
        to one output.
    """
    loaded = graphs.load(directory)
    signature = loaded.signatures.get("serving_default")
    if (
        signature is None
        or len(signature.structured_input_signature[1]) != 1
        or len(signature.structured_outputs) != 1
    ):
        raise UserError(
            f"{directory} has no signature serving_default with one input and one output; its "
            f"signatures are {sorted(loaded.signatures)}."
        )
    return loaded


def signature_map(loaded: Any, images: tf.Tensor) -> tf.Tensor:
    """Returns the output of a release's `serving_default` for images [N, H, W, 3]."""
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    (result,) = signature(**{name: images}).values()
    return result


def probe_images() -> tf.Tensor:
    """Returns made-up images [1, 64, 64, 3] in [0, 1]: noise, whose mean is not zero."""
    return tf.constant(
        np.random.default_rng(0).uniform(size=(1, PROBE_SIZE, PROBE_SIZE, 3)), tf.float32
    )


def _disagreement(
    directory: str, architecture: Architecture, final_norm: bool, arrays: dict[str, np.ndarray]
) -> dict[str, float]:
    """Returns the relative error (Frobenius norm) of our map for each candidate range."""
    images = probe_images()
    theirs = signature_map(load_graph(directory), images)
    errors = {}
    backbone = BiTResNet(architecture, final_norm)
    backbone.assign(arrays)
    for label, backbone_range in RELEASE_RANGES.items():
        backbone.backbone_range = backbone_range
        ours = backbone(images)
        if ours.shape != theirs.shape:
            raise UserError(
                f"{directory} gives {tuple(theirs.shape)} for images {tuple(images.shape)}; "
                f"expected an unpooled map {tuple(ours.shape)}."
            )
        errors[label] = float(tf.norm(ours - theirs) / tf.norm(theirs))
    return errors
