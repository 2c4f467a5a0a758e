"""Agreement of an export with its source: the greatest differences of their outputs."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from typing_extensions import TypedDict

from remedis.conversion.formats import Run
from remedis.conversion.source_model import SourceModel
from remedis.data.batches import pipeline
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.errors import UserError, counted, some
from remedis.json_records import Count, Line, Name, Real
from remedis.options import spelled
from remedis.preprocess import Preprocess, parse
from remedis.preprocess.decode import from_pixels
from remedis.synthetic import chest, cohort

RANDOM, MADE_UP, REAL = "random pixels", "made-up radiographs", "real images"
COUNT = 8  # images of each kind but random pixels
DEFAULT_SIZE = 224  # pixels, of models without recorded preprocessing
# Below this a difference is rounding, however small the output is.
ROUNDING = 1e-6
# A difference of this many times `OutputDifference.rounding` is rounding, too: engines round after
# each of some 50 layers, which add up. In a 50x1 of random weights, timm in float32 is up to 1.8e-4
# away from timm in float64, and one rounding of the pixels changes the map by 2e-5.
ROUNDINGS = 10.0
_LOG = logging.getLogger(__name__)


class OutputDifference(TypedDict):
    """The difference of one output.

    Attributes:
      absolute: the greatest absolute difference.
      relative: the same as a share of the greatest absolute value of the source.
      rounding: how far the source itself moves if every pixel is replaced by a neighbouring number
        of float32, as the same share. It says how well the output is defined.
    """

    absolute: Real
    relative: Real
    rounding: Real


class AgreementRecord(TypedDict):
    """The differences on one kind of images.

    Attributes:
      images: kind of the images.
      count: number of images.
      outputs: by name of the output.
    """

    images: Line
    count: Count
    outputs: dict[Name, OutputDifference]


@dataclasses.dataclass(frozen=True)
class _Batches:
    images: str
    batches: Iterator[np.ndarray]


def measure(source: SourceModel, run: Run, real: Manifest | None) -> list[AgreementRecord]:
    """Returns the differences between a source and its export.

    Args:
      source: the model.
      run: the outputs of the export.
      real: images of the user, of `sample`; None for made-up radiographs in their place.

    Raises:
      UserError: an image of the user cannot be read.
    """
    preprocess = source.preprocess or parse(f"resize({DEFAULT_SIZE})", deterministic=True)
    made_up = list(_radiographs(preprocess))
    height, width = made_up[0].shape[1:3]
    kinds = [_Batches(RANDOM, _random(height, width))]
    if real is None:
        kinds.append(_Batches(MADE_UP, iter(made_up)))
    else:
        kinds.append(_Batches(REAL, _real(real, preprocess)))
    return [_differences(source, run, kind) for kind in kinds]


def check(records: Sequence[AgreementRecord], tolerance: float, what: str) -> None:
    """Raises a UserError if an output of an export differs from its source.

    Args:
      records: the differences.
      tolerance: the largest relative difference that is accepted, where `ROUNDINGS` roundings are
        not more.
      what: the export, for the message.
    """
    for record in records:
        for name, found in record["outputs"].items():
            accepted = max(tolerance, ROUNDINGS * found["rounding"])
            if found["relative"] > accepted and found["absolute"] > ROUNDING:
                raise UserError(
                    f"{what} is not written: on {record['images']} its output {name} differs from "
                    f"the source by {found['relative']:.2g} of the largest value, expected at most "
                    f"{accepted:.2g}; install the versions of constraints.txt, or name another "
                    "format."
                )


def difference(expected: np.ndarray, got: np.ndarray) -> tuple[float, float]:
    """Returns the greatest absolute difference, and the greatest absolute expected value.

    The difference is infinite where shapes differ or a value of either is not finite; the value is
    then the greatest finite one.
    """
    finite = np.isfinite(expected)
    if expected.shape != got.shape or not (finite.all() and np.isfinite(got).all()):
        return np.inf, float(np.abs(expected[finite]).max(initial=0.0))
    exact = expected.astype(np.float64)
    apart = np.abs(exact - got).max(initial=0.0)
    return float(apart), float(np.abs(exact).max(initial=0.0))


def _differences(source: SourceModel, run: Run, kind: _Batches) -> AgreementRecord:
    found: dict[str, list[tuple[float, float, float]]] = {}
    count = 0
    rng = np.random.default_rng(0)
    for images in kind.batches:
        expected, got = source.reference(images), run(images)
        again = source.reference(_rounded_differently(images, rng))
        count += len(images)
        for name, values in expected.items():
            apart, largest = difference(values, got[name]) if name in got else (np.inf, 1.0)
            moved, _ = difference(values, again[name])
            found.setdefault(name, []).append((apart, moved, largest))
    outputs: dict[str, OutputDifference] = {}
    for name, values_of_batches in found.items():
        absolute, moved, largest = (
            float(max(column)) for column in zip(*values_of_batches, strict=True)
        )
        scale = largest or 1.0
        # JSON has no infinity. A source that gives no numbers is not defined by rounding.
        outputs[name] = {
            "absolute": min(absolute, 1e30),
            "relative": min(absolute / scale, 1e30),
            "rounding": moved / scale if np.isfinite(moved) else 0.0,
        }
    return {"images": kind.images, "count": count, "outputs": outputs}


def _rounded_differently(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns images with every pixel replaced by the float32 above or below it, within [0, 1]."""
    towards = np.where(rng.random(images.shape) < 0.5, np.float32(0), np.float32(1))
    return np.nextafter(images, towards)


def _random(height: int, width: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    yield rng.random((2, height, width, 3), np.float32)
    # Neither a square nor a multiple of the network's stride.
    yield rng.random((1, height - height // 3, width - width // 4 + 1, 3), np.float32)


def _radiographs(preprocess: Preprocess) -> Iterator[np.ndarray]:
    """Yields batches of one made-up radiograph, prepared."""
    for patient in cohort.patients(0, 0, COUNT, chest.HOSPITAL_A, most_studies=1):
        pixels = patient.draw(patient.studies[0], 0, "PA", chest.HOSPITAL_A, (256, 256))
        yield preprocess(from_pixels(tf.constant(pixels[..., None])))[None].numpy()


def sample(manifest: Manifest) -> Manifest:
    """Returns the images of a user that exports are checked on: `COUNT`, spread over the manifest.

    Those that cannot be read are left out with a warning.

    Raises:
      UserError: none of them can be read.
    """
    rows = np.unique(np.linspace(0, len(manifest) - 1, COUNT).round().astype(int))
    chosen = manifest.subset(np.isin(np.arange(len(manifest)), rows))
    scanned = scan.scan(chosen)
    bad = scanned[scanned["fault"].notna()]
    listed = some((bad["path"] + " (" + bad["fault"].str.rstrip(".") + ")").tolist(), limit=3)
    if len(bad) == len(chosen):
        raise UserError(
            f"{spelled('images')}: none of {counted(len(chosen), 'image')} can be read: {listed}; "
            "name others."
        )
    if len(bad):
        _LOG.warning(f"Left out of the check, since they cannot be read: {listed}.")
    return chosen.without(bad["path"].tolist())


def _real(manifest: Manifest, preprocess: Preprocess) -> Iterator[np.ndarray]:
    """Yields batches of one image, prepared: preprocessing may keep the sizes of images."""
    for batch in pipeline.readable(pipeline.evaluation_batches(manifest, preprocess, 1)):
        yield batch["image"].numpy()
