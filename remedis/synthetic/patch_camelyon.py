"""Made-up H&E patches in the layout of PatchCamelyon.

Files, arrays and shapes are those of the published set: Veeling et al., 2018,
https://arxiv.org/abs/1806.03962.
"""

import os
import pathlib

import h5py
import numpy as np
import pandas as pd

from remedis import files
from remedis.errors import check_at_least
from remedis.synthetic.drawing import generator
from remedis.synthetic.histology import CENTRES, draw_patch
from remedis.synthetic.notice import write_notice

NAME = "pcam"
PATCH_SIZE = 96
_STEM = "camelyonpatch_level_2_split_"
_COHORT = 6
_SPLITS = ("train", "valid", "test")
# The published slides come from two hospitals.
_STYLES = (CENTRES[0], CENTRES[3])
_PATCHES_PER_SLIDE = 8


def write_patch_camelyon(
    directory: str | os.PathLike[str],
    patches: int = 160,
    held_out_patches: int = 48,
    seed: int = 0,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/pcam`, completely or not at all.

    The folder has two HDF5 files and a `_meta.csv` for each of train, valid and test. Half of the
    patches have tumour, and no slide is in two splits. A patch does not depend on their number.

    Args:
      directory: the folder to write into.
      patches: the number of patches in train.
      held_out_patches: the number of patches in valid and in test.
      seed: the same seed gives the same bytes.
      overwrite: replace an existing folder.

    Returns:
      The path of the `pcam` folder.

    Raises:
      UserError: there are fewer than two patches in a split, or the folder exists.
    """
    check_at_least("patches", patches, 2)
    check_at_least("held_out_patches", held_out_patches, 2)
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        for number, split in enumerate(_SPLITS):
            _write_split(root, split, number, patches if number == 0 else held_out_patches, seed)
        write_notice(root, "PatchCamelyon", seed, ", ".join(style.name for style in _STYLES))
    return final


def _write_split(root: pathlib.Path, split: str, number: int, count: int, seed: int) -> None:
    images = np.empty((count, PATCH_SIZE, PATCH_SIZE, 3), np.uint8)
    rows = []
    for patch in range(count):
        slide = patch // _PATCHES_PER_SLIDE
        tumour = bool(patch % 2)
        rng = generator(seed, _COHORT, number, patch)
        images[patch] = draw_patch(tumour, _STYLES[slide % len(_STYLES)], rng, PATCH_SIZE)
        rows.append(
            {
                "coord_y": 96 * (patch % _PATCHES_PER_SLIDE),
                "coord_x": 96 * slide,
                "tumor_patch": tumour,
                "center_tumor_patch": tumour,
                "wsi": f"made_up_{split}_{slide:03d}",
            }
        )
    targets = (np.arange(count) % 2).astype(np.uint8).reshape(-1, 1, 1, 1)
    for key, array in {"x": images, "y": targets}.items():
        with h5py.File(root / f"{_STEM}{split}_{key}.h5", "w") as file:
            file.create_dataset(key, data=array)
    pd.DataFrame(rows).to_csv(root / f"{_STEM}{split}_meta.csv")
