"""Made-up H&E patches in the layout of Kaggle's edition of PatchCamelyon.

Files and columns are those of the competition "Histopathologic Cancer Detection"; the table of
slides has the columns of the one that was shared on its forum.
"""

import hashlib
import os
import pathlib

import pandas as pd
from PIL import Image

from remedis import files
from remedis.errors import check_at_least
from remedis.synthetic.drawing import generator
from remedis.synthetic.histology import CENTRES, draw_patch
from remedis.synthetic.notice import write_notice

NAME = "histopathologic-cancer-detection"
PATCH_SIZE = 96
_COHORT = 30
_PATCHES_PER_SLIDE = 4
_TEST_PATCHES = 2
# The published slides come from two hospitals.
_STYLES = (CENTRES[0], CENTRES[3])


def write_pcam_kaggle(
    directory: str | os.PathLike[str],
    patches: int = 160,
    seed: int = 0,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/histopathologic-cancer-detection`, completely or not at all.

    The folder has `train_labels.csv`, `patch_id_wsi_full.csv`, `train/` and a `test/` of two
    patches without labels. Every second slide is normal; three of four patches of the others have
    tumour. A patch does not depend on their number.

    Args:
      directory: the folder to write into.
      patches: the number of patches in train.
      seed: the same seed gives the same bytes.
      overwrite: replace an existing folder.

    Returns:
      The path of the folder.

    Raises:
      UserError: there are fewer than eight patches, the seed is negative, or the folder exists.
    """
    check_at_least("patches", patches, 2 * _PATCHES_PER_SLIDE)
    check_at_least("seed", seed, 0)
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        for folder in ("train", "test"):
            (root / folder).mkdir()
        for number in range(_TEST_PATCHES):
            _write_patch(root / "test", "test", number, bool(number % 2), 0, seed)
        rows = []
        for number in range(patches):
            slide, position = divmod(number, _PATCHES_PER_SLIDE)
            kind = ("tumor", "normal")[slide % 2]
            tumour = kind == "tumor" and position > 0
            name = _write_patch(root / "train", "train", number, tumour, slide, seed)
            wsi = f"camelyon16_train_{kind}_{1 + slide // 2:03d}"
            rows.append({"id": name, "label": int(tumour), "wsi": wsi})
        # By id, as in the published table, so that neighbours are not of one slide.
        table = pd.DataFrame(rows).sort_values("id")
        table[["id", "label"]].to_csv(root / "train_labels.csv", index=False)
        table[["id", "wsi"]].to_csv(root / "patch_id_wsi_full.csv", index=False)
        write_notice(root, NAME, seed, ", ".join(style.name for style in _STYLES))
    return final


def _write_patch(
    folder: pathlib.Path, part: str, number: int, tumour: bool, slide: int, seed: int
) -> str:
    """Draws a patch and returns its id, 40 hexadecimal digits."""
    rng = generator(seed, _COHORT, int(part == "test"), number)
    name = hashlib.sha1(f"{seed}/{part}/{number}".encode(), usedforsecurity=False).hexdigest()
    pixels = draw_patch(tumour, _STYLES[slide % len(_STYLES)], rng, PATCH_SIZE)
    Image.fromarray(pixels).save(folder / f"{name}.tif")
    return name
