"""The operations specifications are made of; each takes and returns [H, W, 3] float32 in [0, 1].

Random ones draw from their `seed` alone, so that an image's augmentation depends on (seed, example,
epoch) and on nothing that ran before it. Work that a draw decides against is not done.
"""

from remedis.preprocess.operations import (  # importing them registers the operations
    blur,
    colour,
    deformation,
    geometry,
    grey_levels,
    masking,
    pathology,
)

__all__ = ["blur", "colour", "deformation", "geometry", "grey_levels", "masking", "pathology"]
