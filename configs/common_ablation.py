"""Pretraining without one group of augmentations: the arguments `:no_crop`, `:no_blur` and so on.

The groups are those of the released README ("Technical Implementation"): random crop (C), colour
distortion (D), rotation (R) and Gaussian blur (G); on radiographs also histogram equalisation and
elastic deformation. Flips belong to none and stay. Arguments combine, so that every subset of the
groups is within reach: `:no_equalisation,no_elastic` is C, D, R and G.
"""

import functools
from collections.abc import Iterable, Mapping

import ml_collections

from configs.arguments import Variant
from remedis.errors import UserError

# Operations of each group, also under the names of the released code.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "no_equalisation": ("histogram_equalisation", "released_histogram_equalisation"),
    "no_elastic": ("elastic_deformation",),
    "no_rotation": ("rotate", "quarter_turns"),
    "no_crop": ("random_resized_crop", "released_random_crop"),
    "no_colour": ("colour_distortion", "brightness", "contrast", "saturation", "hue", "grey"),
    "no_blur": ("gaussian_blur", "released_gaussian_blur"),
}


PATHOLOGY = ("no_rotation", "no_crop", "no_colour", "no_blur")
CXR = ("no_equalisation", "no_elastic", *PATHOLOGY)
ANY_IMAGES = ("no_crop", "no_colour")


def variants(arguments: Iterable[str]) -> dict[str, Variant]:
    """Returns the arguments of these names, such as `CXR`, for a config whose views have them."""
    return {argument: functools.partial(_without, argument) for argument in arguments}


def _without(argument: str, config: ml_collections.ConfigDict) -> None:
    """Takes a group out of `config.preprocess`; a plain resize takes the place of the crop."""
    operations = _operations(config.preprocess)
    left = []
    for operation in operations:
        if _name(operation) not in GROUPS[argument]:
            left.append(operation)
        elif argument == "no_crop":
            released = operation.startswith("released_")
            left.append("released_resize({size})" if released else "resize({size})")
    if left == operations:
        raise UserError(
            f"The config argument {argument} leaves out {GROUPS[argument][0]}, but the views "
            f"have none: {' | '.join(operations)}; leave the argument out."
        )
    config.preprocess = " | ".join(left)


def _operations(preprocess: str) -> list[str]:
    """Returns the operations of a specification; a recipe is written out."""
    # Imported late: it imports TensorFlow, and a misspelt argument is reported without it.
    from remedis.preprocess import recipes

    recipe = _name(preprocess)
    return (recipes.template(recipe) if recipe in recipes.names() else preprocess).split(" | ")


def _name(operation: str) -> str:
    return operation.partition("(")[0]
