"""Other images of the same patient: the positive pairs of MICLe.

Azizi et al. 2021, "Big Self-Supervised Models Advance Medical Image Classification", arXiv
2101.05224: two different images of one patient are the two views; a patient with a single image
gives two views of that one.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.data.manifest import Manifest
from remedis.errors import UserError, unknown_choice

PATIENT, STUDY = COLUMNS = ("patient_id", "study_id")
_NOUNS = {PATIENT: "patient", STUDY: "study"}


# Arrays have no plain equality: two of these are the same if they are one.
@dataclasses.dataclass(frozen=True, eq=False)
class Partners:
    """The images of every patient, or of every study.

    Attributes:
      by: `patient_id` or `study_id`.
      members: [rows] int64, all rows of the manifest, group after group.
      first: [rows] int64, for each row, where its group begins in `members`.
      size: [rows] int64, for each row, how many its group has.
      place: [rows] int64, for each row, its place in its group, from 0.
    """

    by: str
    members: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]

    def drawer(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns a function from a row and a seed to the row of a partner, scalars int64.

        The partner is drawn uniformly among the others of the group, and depends on row and seed
        alone; a row alone in its group is its own.
        """
        members, first = tf.constant(self.members), tf.constant(self.first)
        size, place = tf.constant(self.size), tf.constant(self.place)

        def draw(row: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            own = size[row]
            # From 1 to size - 1, so that nobody but the lonely arrives at itself.
            most = tf.maximum(own, 2)
            shift = tf.random.stateless_uniform([], seed, 1, most, tf.int64)
            return members[first[row] + (place[row] + shift) % own]

        return draw

    def summary(self) -> str:
        """Returns a sentence on how many images have a partner."""
        paired, total = int((self.size > 1).sum()), len(self.size)
        sentence = (
            f"{paired:,} of {total:,} images have another image of their {_NOUNS[self.by]} as "
            "their second view"
        )
        alone = "; the others have themselves, augmented anew" if paired < total else ""
        return f"{sentence}{alone}."


def of(manifest: Manifest, by: str = PATIENT) -> Partners:
    """Returns the partners of every image of a manifest.

    Args:
      manifest: the images; one whose patient (or study) is not known is alone in its group.
      by: `patient_id`, or `study_id` for images of one study of a patient.

    Raises:
      UserError: `by` is something else, or no image has a value in that column.
    """
    if by not in COLUMNS:
        raise unknown_choice("value of config.partners", by, COLUMNS)
    ids = manifest.table[by]
    if not len(ids.dropna()):
        raise UserError(
            f"None of the {len(ids):,} images of {manifest.source} has a {by}, by which the method "
            f"micle finds two images of one {_NOUNS[by]}; add the column {by!r}, or set "
            "config.method to simclr."
        )
    # Studies may be numbered anew for every patient.
    group = manifest.table.groupby(list(dict.fromkeys((PATIENT, by))), dropna=False).ngroup()
    alone = len(ids) + np.arange(len(ids))
    codes = np.where(ids.isna(), alone, group)
    codes = np.unique(codes, return_inverse=True)[1].ravel()
    members = np.argsort(codes, kind="stable").astype(np.int64)
    size = np.bincount(codes)
    first = (np.cumsum(size) - size)[codes]
    position = np.empty(len(codes), np.int64)
    position[members] = np.arange(len(codes))
    return Partners(by, members, first, size[codes], position - first)
