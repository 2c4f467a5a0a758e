"""Weights in BiT's layout: its files `BiT-{S,M}-R{50x1,...}.npz`, and exports of this package.

An export has one more array, `remedis.json`: a text with what the layout cannot say.
"""

import pathlib
import zipfile
from collections.abc import Iterator, Mapping

import numpy as np

from remedis import files, json_records
from remedis.errors import UserError, shortened
from remedis.models import architectures
from remedis.models.architectures import Architecture, Shape
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.regular_files import check_regular
from remedis.zoo.export import DESCRIPTION, Description, DescriptionRecord
from remedis.zoo.provenance import Provenance
from remedis.zoo.weights import BIT_RANGE, Weights, check_shapes, normalise_name

HEAD = ("head/conv2d/kernel", "head/conv2d/bias")


class _Arrays(Mapping[str, np.ndarray]):
    """Arrays of an npz, read on access, so that a 152x2 is never in memory twice."""

    def __init__(self, npz: NpzFile, keys: dict[str, str]) -> None:
        self._npz, self._keys = npz, keys

    def __getitem__(self, name: str) -> np.ndarray:
        key = self._keys[name]
        try:
            values = self._npz[key]
        except DamagedNpz as error:
            raise UserError(
                f"{self._npz.path}: array {key} is damaged ({error}); copy the file again."
            ) from error
        with np.errstate(over="ignore"):  # of float64; it is refused here
            values = values.astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise UserError(
                f"{self._npz.path}: array {key} has NaN, infinity or numbers beyond float32; "
                "expected finite weights: copy the file again, or take another one."
            )
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def read(path: str, architecture: Architecture) -> Weights:
    """Returns the backbone in a BiT npz, after a check of the name and shape of every array.

    The head is checked and left out. In an export of this package, the record in the file says what
    the weights are, and whether the final norm belongs to the backbone.

    Raises:
      UserError: there is no such file, it is no npz, or some arrays are missing, unexpected,
        misshapen or not numbers.
    """
    file = _file(path)
    npz, shapes, keys = _open(file)
    expected = architecture.shapes(final_norm=True)
    classes = next((shapes[name][-1] for name in HEAD if shapes.get(name)), None)
    if any(name in shapes for name in HEAD):
        expected[HEAD[0]] = (1, 1, architecture.map_channels, classes or 1)
        expected[HEAD[1]] = (classes or 1,)
    what = f"the weights of a BiT R{architecture.name}{_instead(shapes, architecture)}"
    check_shapes(shapes, expected, path, what)
    recorded = description(npz)
    if recorded is not None:
        names = architecture.shapes(recorded.final_norm)
        return Weights(
            arrays=_Arrays(npz, {name: keys[name] for name in names}),
            architecture=architecture,
            final_norm=recorded.final_norm,
            backbone_range=recorded.backbone_range or BIT_RANGE,
            provenance=recorded.provenance,
        )
    return Weights(
        arrays=_Arrays(npz, {name: key for name, key in keys.items() if name not in HEAD}),
        architecture=architecture,
        final_norm=True,
        backbone_range=BIT_RANGE,
        provenance=Provenance(
            origin="bit",
            description=(
                f"Supervised on natural images (BiT, {file.name}); not trained on medical images."
            ),
            file=file.name,
            sha256=files.sha256(file),
            details={"head_classes": classes},
        ),
    )


def description(npz: NpzFile) -> Description | None:
    """Returns the record in an export of this package; None for another file.

    Raises:
      UserError: it is damaged.
    """
    if DESCRIPTION not in npz.headers:
        return None
    where, advice = f"{npz.path}, array {DESCRIPTION}", "copy the file again"
    try:
        text = npz.text(DESCRIPTION)
    except DamagedNpz as error:
        raise UserError(f"{where} is damaged ({error}); {advice}.") from error
    return Description.from_json(json_records.parse(text, DescriptionRecord, where, advice))


def read_architecture(path: str) -> Architecture:
    """Returns the architecture of the backbone in a BiT npz.

    Raises:
      UserError: there is no such file, it is no npz, or holds no BiT backbone.
    """
    shapes = _open(_file(path))[1]
    try:
        return architectures.infer(shapes)[0]
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _file(path: str) -> pathlib.Path:
    file = pathlib.Path(path)
    if not file.exists() or file.is_dir():
        raise UserError(
            f"{path} is not a file; bit: takes a BiT-{{S,M}}-R*.npz of "
            "google-research/big_transfer."
        )
    try:
        check_regular(file)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    return file


def _instead(shapes: dict[str, Shape], architecture: Architecture) -> str:
    """Returns a note if the arrays are those of another published architecture."""
    try:
        inferred, _ = architectures.infer(shapes)
    except UserError:
        return ""
    other = inferred != architecture and inferred.name in architectures.BIT_NAMES
    return f" (it holds those of an R{inferred.name})" if other else ""


def _open(file: pathlib.Path) -> tuple[NpzFile, dict[str, Shape], dict[str, str]]:
    """Returns the npz, and the shape and the key of each array by normalised name."""
    if not zipfile.is_zipfile(file):
        raise UserError(
            f"{file} is not an npz, or not the whole of one; expected a BiT-{{S,M}}-R*.npz."
        )
    try:
        npz = NpzFile(file)
    except (OSError, DamagedNpz) as error:
        raise UserError(
            f"{file} is not an npz of plain arrays ({error}); expected a BiT-{{S,M}}-R*.npz."
        ) from error
    shapes: dict[str, Shape] = {}
    keys: dict[str, str] = {}
    for key, header in npz.headers.items():
        if key == DESCRIPTION:
            continue
        if header.dtype.kind != "f":
            raise UserError(
                f"{file}: array {shortened(key)} does not hold floating-point numbers; "
                "expected the float32 arrays of a BiT npz."
            )
        name = normalise_name(key)
        if name in keys:
            raise UserError(
                f"{file}: {shortened(key)} and {shortened(keys[name])} are the same variable "
                f"{shortened(name)}."
            )
        shapes[name], keys[name] = header.shape, key
    return npz, shapes, keys
