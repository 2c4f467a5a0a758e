"""Operations of specifications; each takes and returns an image [H, W, 3] float32 in [0, 1].

Random operations draw from their `seed` alone. The augmentation of an image therefore depends on
(seed, example, epoch) and not on earlier work. An operation that is not applied costs nothing.
"""

from remedis.preprocess.operations import (  # the import registers the operations
    blur,
    colour,
    deformation,
    geometry,
    grey_levels,
    masking,
    pathology,
    released,
)

__all__ = [
    "blur",
    "colour",
    "deformation",
    "geometry",
    "grey_levels",
    "masking",
    "pathology",
    "released",
]
