"""Named specifications: the augmentations of REMEDIS' released code, and ours.

A recipe is a function from the image size in pixels to a specification. It is written like an
operation, such as `contrastive_cxr(224)`, alone or among operations, and is replaced by its
specification.

Recipes named `released_*` have the operations, order and constants of the released code
(google-research/medical-ai-research-foundations, its last commit), and name file and lines. The
others are ours: their docstrings say what is taken from the release or a paper, and what is new.
Neither is the recipe of REMEDIS' article (Azizi et al. 2023, arXiv 2205.09723), whose methods
section was not read for this package.
"""

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, cast

from remedis.errors import unknown_choice

_LOG = logging.getLogger(__name__)

Recipe = Callable[[int], str]
_RECIPES: dict[str, Recipe] = {}


def _recipe(function: Recipe) -> Recipe:
    _RECIPES[function.__name__] = function
    return function


def names() -> tuple[str, ...]:
    """Returns the names of all recipes."""
    return tuple(sorted(_RECIPES))


def get(name: str) -> Recipe:
    """Returns the recipe with a name. An old name is accepted, with a warning.

    Raises:
      UserError: there is no such recipe.
    """
    if name in RENAMED:
        _warn(name)
        return RENAMED[name]
    if name not in _RECIPES:
        raise unknown_choice("preprocessing recipe", name, names())
    return _RECIPES[name]


def template(name: str) -> str:
    """Returns the operations of a recipe as configs write them, with `{size}` for the size.

    Raises:
      UserError: there is no such recipe.
    """
    return get(name)(cast(Any, "{size}"))  # a recipe only writes the size into its text


@_recipe
def contrastive_cxr(size: int = 224) -> str:
    """Returns our augmentation of one view for self-supervision on radiographs.

    The order, histogram equalisation with probability 0.5, the crop, the flip, colour jitter
    (strength 1) and blur follow the released code (data_util.py:528-576, model.py:49-51). Rotation
    by up to 45 degrees is from Azizi et al. 2021 (arXiv 2101.05224), which has colour jitter of
    strength 0.5 and no blur. The release's README names rotation and elastic deformation, but its
    code applies neither in pretraining (see `released_contrastive_cxr`): the values and the
    probability of the deformation are ours. The release's conversion to grey with probability 0.2
    is left out, since radiographs are grey. The operations themselves are ours: the crop has
    torchvision's law, and resizing is antialiased.

    Every film is resized to 448 pixels first, REMEDIS' size for radiographs and twice the size of
    a view: a film of CheXpert-small has 320 to 390 pixels per side and one of MIMIC-CXR about
    2,500, so that the displacements of 5.4 pixels (standard deviation) would be 1.5 % of the one
    and 0.2 % of the other. Of 448 pixels they are 1.2 %. The aspect ratio is not kept, as by the
    `resize` of fine-tuning and evaluation. The resized film is what the pipeline caches. In views
    of more than about 300 pixels, most crops are enlarged.
    """
    return (
        "resize(448) | histogram_equalisation(0.5) | elastic_deformation(1000, 30, 0.5) | "
        f"rotate(45) | random_resized_crop({size}) | flip_left_right() | colour_distortion(1.0) | "
        "gaussian_blur(0.5)"
    )


@_recipe
def contrastive_pathology(size: int = 224) -> str:
    """Returns our augmentation of one view for self-supervision on patches of H&E slides.

    Crop, flip, colour jitter (strength 1), grey and blur, and their order, follow the defaults of
    the released code (data_util.py:528-576, model.py:49-51). Its README also names rotation, which
    its code does not apply in pretraining. Quarter turns are ours: tissue has no preferred
    orientation, and quarter turns leave no black corners. The operations themselves are ours, too:
    the crop has torchvision's law, and resizing is antialiased.
    """
    return (
        f"quarter_turns() | random_resized_crop({size}) | flip_left_right() | "
        "colour_distortion(1.0) | grey(0.2) | gaussian_blur(0.5)"
    )


@_recipe
def finetune_cxr(size: int = 448) -> str:
    """Returns our augmentation for fine-tuning on radiographs.

    The size is that of the release's README and notebook. The operations are ours: small shifts,
    rotations and changes of exposure, as between two films; no mirroring, which would move the
    heart to the other side.
    """
    return (
        f"random_resized_crop({size}, area=(0.6, 1.0)) | rotate(10) | brightness(0.2) | "
        "contrast(0.2)"
    )


@_recipe
def finetune_pathology(size: int = 224) -> str:
    """Returns our augmentation for fine-tuning on patches of H&E slides.

    The size is that of the release's README and notebook. The operations are ours: any orientation,
    the stains of another laboratory, small shifts. The middle third of a patch, which decides the
    label in PatchCamelyon and Camelyon17-WILDS, is never cut off.
    """
    return (
        f"random_resized_crop({size}, area=(0.6, 1.0)) | quarter_turns() | flip_left_right() | "
        "stain_jitter(0.05, 0.05) | brightness(0.1)"
    )


@_recipe
def released_contrastive_cxr(size: int = 224) -> str:
    """Returns the released augmentation of one view for self-supervision on radiographs.

    It is that of patches after histogram equalisation with probability 0.5, which the release has
    behind the flag `equalize_histogram`, off by default and meant for grey images (run.py:251-255,
    data_util.py:555-556); its README says that radiographs had it. The README also names elastic
    deformation and rotation. `elastic_deform` is called (data_util.py:558-561) but defined nowhere,
    and the angle of the rotation is not passed on in pretraining (data.py:141-147): what was done
    cannot be reproduced from the release, and both are left out here. `contrastive_cxr` has ours.
    """
    return f"released_histogram_equalisation(0.5) | {released_contrastive_pathology(size)}"


@_recipe
def released_contrastive_pathology(size: int = 224) -> str:
    """Returns the released augmentation of one view for self-supervision, with default flags.

    Crop, flip, colour jitter (strength 1) with probability 0.8, grey with probability 0.2, and blur
    with probability 0.5 (data.py:141-167, data_util.py:425-451, 528-576, model.py:49-51). The
    release draws the blur's sigma once per batch and view (data_util.py:469, 517-523), here it is
    drawn per image. Rotation, which the README names, never reaches pretraining (data.py:141-147).
    The crop's bicubic overshoot is clipped after the colours (data_util.py:575).
    """
    return (
        f"released_random_crop({size}, clip=False) | flip_left_right() | colour_distortion(1.0) | "
        "grey(0.2) | clip() | released_gaussian_blur(0.5)"
    )


@_recipe
def released_finetune_cxr(size: int = 448) -> str:
    """Returns the released augmentation for fine-tuning, in the README's size for radiographs.

    With default flags: crop and flip, no colour, no blur (data.py:148-155, 167, 196-221,
    data_util.py:528-576, model.py:49). The image size is a flag, 224 by default (run.py:241); the
    README and the notebook have 448 for radiographs. Three flags, off by default (run.py:247-265),
    add operations before the crop: `released_histogram_equalisation(0.5)`, `rotate(DEGREES)`, and
    elastic deformation, which is undefined. Write them in front:
    `released_histogram_equalisation(0.5) | rotate(10) | released_finetune_cxr(448)`.
    """
    return f"released_random_crop({size}) | flip_left_right()"


@_recipe
def released_finetune_pathology(size: int = 224) -> str:
    """Returns the released augmentation for fine-tuning, in the README's size for patches.

    The operations and options are those of `released_finetune_cxr`. A crop may cut off the middle
    of a patch, which decides the label in PatchCamelyon and Camelyon17-WILDS.
    """
    return released_finetune_cxr(size)


@_recipe
def released_evaluation(size: int = 224) -> str:
    """Returns the released preprocessing for evaluation: the central 0.875 of the shorter side.

    The square is resized without antialiasing (data_util.py:258-284, 579-595). The constant 0.875
    is in the notebook (cell 6) and in SimCLR's code; data_util.py:592 names it without defining it.
    """
    return f"released_central_crop({size}, 0.875)"


def _evaluation(size: int = 224) -> str:
    return f"central_crop(0.875) | resize({size})"


# Recipes by the name they had in version 0.1.
RENAMED: dict[str, Recipe] = {"evaluation": _evaluation}


@functools.cache  # once per process: a specification is parsed many times
def _warn(name: str) -> None:
    _LOG.warning(
        f"The preprocessing recipe {name} is now called released_{name}, which resizes without "
        f"antialiasing as the release does; the old name still means {RENAMED[name](224)!r} (at "
        "224) in this version and is not known to the next."
    )


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
