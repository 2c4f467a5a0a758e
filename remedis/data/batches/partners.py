"""Pairs of images of one patient or one study: the positive pairs of MICLe.

Azizi et al. 2021, "Big Self-Supervised Models Advance Medical Image Classification", arXiv
2101.05224: two different images of one patient are the two views; a patient with a single image
gives two views of that image.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.data.manifest import Manifest
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled

PATIENT, STUDY = COLUMNS = ("patient_id", "study_id")
_NOUNS = {PATIENT: "patient", STUDY: "study"}


# Arrays have no plain equality, so these objects are compared by identity.
@dataclasses.dataclass(frozen=True, eq=False)
class Partners:
    """The groups that images are paired in: one group per patient or per study.

    Attributes:
      column: `patient_id` or `study_id`.
      members: [rows] int64, all rows of the manifest, group after group.
      first: [rows] int64, for each row, the index in `members` at which its group begins.
      size: [rows] int64, for each row, the number of images of its group.
      position: [rows] int64, for each row, its position in its group, from 0.
    """

    column: str
    members: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]

    @classmethod
    def from_manifest(cls, manifest: Manifest, column: str = PATIENT) -> "Partners":
        """Groups the images of a manifest.

        Args:
          manifest: the images; an image whose patient (or study) is unknown is a group of its own.
          column: `patient_id`, or `study_id` for pairs within one study of a patient.

        Raises:
          UserError: `column` is something else, or no image has a value in it.
        """
        if column not in COLUMNS:
            raise unknown_choice(f"value of {spelled('partners')}", column, COLUMNS)
        ids = manifest.table[column]
        if not len(ids.dropna()):
            raise UserError(
                f"None of the {len(ids):,} images of {manifest.source} has a {column}, by which "
                f"the method micle finds two images of one {_NOUNS[column]}; add the column "
                f"{column!r}, or set {spelled('method')} to simclr."
            )
        # Two patients may have studies of the same number.
        keys = list(dict.fromkeys((PATIENT, column)))
        group = manifest.table.groupby(keys, dropna=False).ngroup()
        group_of_unknown = len(ids) + np.arange(len(ids))
        codes = np.where(ids.isna(), group_of_unknown, group)
        codes = np.unique(codes, return_inverse=True)[1].ravel()
        members = np.argsort(codes, kind="stable").astype(np.int64)
        size = np.bincount(codes)
        first = (np.cumsum(size) - size)[codes]
        index = np.empty(len(codes), np.int64)
        index[members] = np.arange(len(codes))
        return cls(column, members, first, size[codes], index - first)

    def drawer(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns a function that draws a partner: from a row and a seed to a row, scalars int64.

        The partner is drawn uniformly among the other images of the group, and depends on row and
        seed alone. Only an image that is alone in its group is its own partner.
        """
        members, first = tf.constant(self.members), tf.constant(self.first)
        size, position = tf.constant(self.size), tf.constant(self.position)

        def draw(row: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            # A shift of 1 to size - 1 never returns to the row itself. The lower limit of 2 keeps
            # the range from being empty in a group of one.
            limit = tf.maximum(size[row], 2)
            shift = tf.random.stateless_uniform([], seed, 1, limit, tf.int64)
            return members[first[row] + (position[row] + shift) % size[row]]

        return draw

    def summary(self) -> str:
        """Returns a sentence with the number of images that have a partner."""
        paired, total = int((self.size > 1).sum()), len(self.size)
        sentence = (
            f"{paired:,} of {total:,} images have another image of their {_NOUNS[self.column]} as "
            "their second view"
        )
        alone = "; the others are their own second view" if paired < total else ""
        return f"{sentence}{alone}."
