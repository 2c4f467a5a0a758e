"""Named specifications: documented augmentations, and our own where nothing is documented.

A recipe is a function from the image size in pixels to a specification. It is written like an
operation, such as `contrastive_cxr(224)`, alone or among operations, and is replaced by its
specification. Its docstring names the source of each value; "ours" means that no document has it.
"""

import inspect
from collections.abc import Callable

from remedis.errors import unknown_choice

Recipe = Callable[[int], str]
_RECIPES: dict[str, Recipe] = {}


def _recipe(function: Recipe) -> Recipe:
    _RECIPES[function.__name__] = function
    return function


def names() -> tuple[str, ...]:
    """Returns the names of all recipes."""
    return tuple(sorted(_RECIPES))


def get(name: str) -> Recipe:
    """Returns the recipe with a name.

    Raises:
      UserError: there is no such recipe.
    """
    if name not in _RECIPES:
        raise unknown_choice("preprocessing recipe", name, names())
    return _RECIPES[name]


@_recipe
def contrastive_cxr(size: int = 224) -> str:
    """Returns the augmentation of one view for self-supervision on radiographs.

    The order, histogram equalisation with probability 0.5, the crop, the flip, colour jitter
    (strength 1) and blur are the defaults released with REMEDIS (Azizi et al. 2023, arXiv
    2205.09723). Rotation by up to 45 degrees is from Azizi et al. 2021 (arXiv 2101.05224), which
    has colour jitter of strength 0.5 and no blur. The release names an elastic deformation without
    defining it: its values and probability are ours, with displacements of about 5 pixels. The
    release's conversion to grey with probability 0.2 is left out, since radiographs are grey.
    """
    return (
        "histogram_equalisation(0.5) | elastic_deformation(1000, 30, 0.5) | rotate(45) | "
        f"random_resized_crop({size}) | flip_left_right() | colour_distortion(1.0) | "
        "gaussian_blur(0.5)"
    )


@_recipe
def contrastive_pathology(size: int = 224) -> str:
    """Returns the augmentation of one view for self-supervision on patches of H&E slides.

    Crop, flip, colour jitter (strength 1), grey and blur, and their order, are the defaults
    released with REMEDIS (Azizi et al. 2023, arXiv 2205.09723). The release also rotates, by an
    undocumented angle. Quarter turns are ours: tissue has no preferred orientation, and quarter
    turns leave no black corners.
    """
    return (
        f"quarter_turns() | random_resized_crop({size}) | flip_left_right() | "
        "colour_distortion(1.0) | grey(0.2) | gaussian_blur(0.5)"
    )


@_recipe
def finetune_cxr(size: int = 448) -> str:
    """Returns the augmentation for fine-tuning on radiographs.

    The size is that of REMEDIS. The operations are ours: small shifts, rotations and changes of
    exposure, as between two films; no mirroring, which would move the heart to the other side.
    """
    return (
        f"random_resized_crop({size}, area=(0.6, 1.0)) | rotate(10) | brightness(0.2) | "
        "contrast(0.2)"
    )


@_recipe
def finetune_pathology(size: int = 224) -> str:
    """Returns the augmentation for fine-tuning on patches of H&E slides.

    The size is that of REMEDIS. The operations are ours: any orientation, the stains of another
    laboratory, small shifts. The middle third of a patch, which decides the label in PatchCamelyon
    and Camelyon17-WILDS, is never cut off.
    """
    return (
        f"random_resized_crop({size}, area=(0.6, 1.0)) | quarter_turns() | flip_left_right() | "
        "stain_jitter(0.05, 0.05) | brightness(0.1)"
    )


@_recipe
def evaluation(size: int = 224) -> str:
    """Returns the preprocessing for evaluation: the central 0.875 of each side, resized (bicubic).

    It is the one released with SimCLR and REMEDIS (Azizi et al. 2023, arXiv 2205.09723).
    """
    return f"central_crop(0.875) | resize({size})"


def expanded(name: str, *arguments: object, **keywords: object) -> str:
    """Returns the specification of a recipe with these arguments.

    Raises:
      ValueError: the size is not a whole number of pixels from 1.
      TypeError: the recipe takes no such arguments.
      UserError: there is no such recipe.
    """
    bound = inspect.signature(get(name)).bind(*arguments, **keywords)
    bound.apply_defaults()
    size = bound.arguments["size"]
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"size is {size!r}; expected a whole number of pixels from 1")
    return get(name)(size)
