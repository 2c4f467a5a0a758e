"""The floor of a study: an arm without a network, of thumbnails and histograms of the images.

`floor=thumbnails:12` in `config.arms` is a linear probe on the grey values of 12x12 pixels and a
histogram of 16 levels, or on those of each colour channel if the in-distribution training images
have colours. It goes through the same probes, draws and tuning as every arm. What it reaches says
nothing about a network; an arm that does not lie above it has not shown that it knows more.
"""

import hashlib
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf
from PIL import Image

from remedis import files
from remedis.data import image_pixels
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.inference.embedding_store import EmbeddingStore
from remedis.label_budget.arm_options import naming
from remedis.label_budget.stated_comparison import StatedComparison
from remedis.preprocess import Preprocess
from remedis.zoo.provenance import Provenance

SCHEME = "thumbnails"
SIDE, LEVELS = 12, 16
ORIGIN = "floor"  # of its provenance
NO_MODEL = "NO MODEL, a floor"
_SIDES = range(2, 65)
_PLANES = 4  # grey, red, green and blue
Features = npt.NDArray[np.float32]


def side_of(checkpoint: str) -> int | None:
    """Returns the side in pixels of an arm such as `thumbnails:12`; None for any other checkpoint.

    Raises:
      UserError: the side is not a whole number, too small or too large.
    """
    scheme, colon, side = checkpoint.partition(":")
    if scheme != SCHEME or not colon:
        return None
    if not re.fullmatch(r"[0-9]{1,3}", side) or int(side) not in _SIDES:
        raise UserError(
            f"{checkpoint}: the side of thumbnails must be a whole number from {_SIDES[0]} to "
            f"{_SIDES[-1]}, as in {SCHEME}:{SIDE}."
        )
    return int(side)


def is_floor(checkpoint: str) -> bool:
    """Returns whether an arm is a floor, and no network."""
    return side_of(checkpoint) is not None


def modes_of(checkpoint: str, modes: tuple[str, ...]) -> tuple[str, ...]:
    """Returns those of the modes that an arm has: a floor has the mode `probe` alone."""
    floor = is_floor(checkpoint)
    return tuple(mode for mode in modes if mode == "probe" or not floor)


def check_arms(
    arms: Mapping[str, str],
    modes: tuple[str, ...],
    baseline: str,
    primary: StatedComparison | None,
) -> None:
    """Raises a UserError if a floor is asked for what only a network has, or has no such side.

    Args:
      arms: checkpoint by name of the arm.
      modes: of the study.
      baseline: name of the arm that the others are compared with.
      primary: the comparison that is stated beforehand.
    """
    for name, checkpoint in arms.items():
        with naming(name, checkpoint):
            own = modes_of(checkpoint, modes)
        if not own:
            raise UserError(
                f"config.arms has {name}={checkpoint}, which is no network and has the mode probe "
                "alone; add probe to config.modes, or take the arm out."
            )
        if name == baseline and own != modes:
            raise UserError(
                f"config.baseline is {name} ({checkpoint}), which is no network and cannot be "
                "fine-tuned; name another arm, or compare probes alone: "
                "--config.modes='(\"probe\",)'."
            )
        if primary is not None and primary.arm == name and primary.mode not in own:
            raise UserError(
                f"config.primary names {name} ({checkpoint}) in the mode {primary.mode}, and it is "
                "no network; name the mode probe, or another arm."
            )


def description(side: int, colour: bool) -> str:
    """Returns the features in words."""
    of = "a histogram of {} bins per colour" if colour else "a grey histogram of {} bins"
    return f"logistic regression on {side}x{side} pixels and {of.format(LEVELS)}"


def measured(image: npt.NDArray[np.float32], side: int) -> Features:
    """Returns [4, side * side + 16]: of the grey image and of red, green and blue.

    A row has the means of equal boxes, from 0 to 1, and the shares of 16 equal ranges of values.

    Args:
      image: [H, W, 3] in [0, 1]. More than 8 bits are rounded to 8.
      side: of the thumbnail in pixels.
    """
    picture = Image.fromarray(np.rint(image * 255).astype(np.uint8))
    rows = []
    for plane in (picture.convert("L"), *picture.split()):
        small = plane.resize((side, side), Image.Resampling.BOX)
        shares = np.histogram(np.asarray(plane), LEVELS, (0, 256))[0] / (plane.width * plane.height)
        rows.append(np.concatenate([np.asarray(small).ravel() / 255, shares]))
    return np.array(rows, np.float32)


def features(images: Manifest, side: int = SIDE, colour: bool = False) -> Features:
    """Returns the features [n, F] of the images, which are read one by one.

    Args:
      images: the images.
      side: of the thumbnail in pixels.
      colour: whether F = 3 * (side * side + 16), one part per channel; else side * side + 16.

    Raises:
      UserError: an image cannot be read.
    """
    rows = [measured(image_pixels.read(path), side) for path in images.absolute_paths()]
    return _chosen(np.array(rows), colour)


def has_colour(rows: Features) -> bool:
    """Returns whether red, green and blue differ in any image of `measured` [n, 4, F]."""
    return bool((rows[:, 1:] != rows[:, 1:2]).any())


class Thumbnails:
    """The features of a study's images, in the place of the embeddings of a network.

    Attributes:
      provenance: says that there is no model.
      digest: of the definition of the features.
    """

    def __init__(
        self, checkpoint: str, store: files.Path, train: Manifest, hashes: "pd.Series[str]"
    ) -> None:
        """Measures the images of the in-distribution training, which decide on colour.

        Args:
          checkpoint: such as `thumbnails:12`.
          store: directory of what is measured, beside the embeddings of networks.
          train: the images of the in-distribution training.
          hashes: SHA-256 of the images by path.

        Raises:
          UserError: an image cannot be read, or the store cannot be written to.
        """
        side = side_of(checkpoint)
        assert side is not None
        self._side, self._store = side, EmbeddingStore(store)
        self._key = hashlib.sha256(f"{SCHEME} {side} {LEVELS} {scan.VERSION}".encode()).hexdigest()
        self._colour = has_colour(self._measured(train, hashes, "Thumbnails of ID train"))
        self.digest = hashlib.sha256(f"{self._key} {self._colour}".encode()).hexdigest()
        self.provenance = Provenance(
            ORIGIN,
            f"{NO_MODEL}: {description(side, self._colour)}.",
            details={"side": side, "levels": LEVELS, "colour": self._colour},
        )

    def __call__(self, images: Manifest, hashes: "pd.Series[str]", title: str) -> Features:
        """Returns the features [n, F] of images; those that are stored are not read again."""
        return _chosen(self._measured(images, hashes, title), self._colour)

    def _measured(self, images: Manifest, hashes: "pd.Series[str]", title: str) -> Features:
        def compute(batch: tf.Tensor) -> npt.NDArray[np.float32]:
            return np.array([measured(image, self._side).ravel() for image in batch.numpy()])

        wanted, as_it_is = images.table["path"].map(hashes), Preprocess("", ())
        # Images have sizes of their own, so that each is a batch.
        rows = self._store.embeddings(compute, self._key, images, wanted, as_it_is, 1, title)
        return rows.reshape(len(rows), _PLANES, -1)


def _chosen(rows: Features, colour: bool) -> Features:
    """Returns the rows [n, F] of red, green and blue, or of grey, from those of all [n, 4, F]."""
    return rows[:, 1:].reshape(len(rows), -1) if colour else rows[:, 0]
