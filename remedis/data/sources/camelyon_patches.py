"""Patches of Camelyon16 and Camelyon17 that somebody has cut, in folders named normal and tumor.

Layout:
    camelyon_patches/
        train/normal/normal_033_x_1024_y_2048.png
        train/tumor/tumor_001/4096_8192.png
        validation/tumor/tumor_071_x_512_y_640.png
        test/tumor/patient_004_node_4_x_3328_y_21792.png

Input: PNG, JPEG or TIFF files in `split/class/*` or `class/*`, at any depth below the class. The
folders of splits are named as for the source `folder`.
Labels: `tumor`, by the folder of the class: `tumor` (or `tumour`, `positive`, `1`) and `normal` (or
`negative`, `0`). How much tumour a patch needs for its folder, and at which magnification patches
were cut, is up to who cut them: results compare within one set only.
Metadata: slide, patient, study and hospital, from the name of the slide in the path: `normal_033`,
`tumor_001`, `test_012` of Camelyon16, `patient_004_node_4` of Camelyon17. If several parts of a
path have such a name, the last one counts. Every slide of Camelyon16 counts as a patient. The
hospital is `Radboud` or `Utrecht` for training slides of Camelyon16, and 0 to 4 (patient // 20) for
the 100 training patients of Camelyon17, whose patients are artificial.
Splits: those of the folders. Without such folders, a set of Camelyon16 that has test slides has the
official ones, train and test; any other set has none: to be assigned, by patient.
Files: a patch in a folder of tumour that comes from a slide named normal is an error. Patches of
normal_086 and test_049, which the publishers have removed, are left out.
Get it: cut patches from the slides (sources `camelyon16` and `camelyon17` do so without files), or
use a set that somebody shares.
Citation: Ehteshami Bejnordi et al., JAMA 318(22):2199-2210, 2017; Bandi et al., IEEE TMI
38(2):550-560, 2019; Litjens et al., GigaScience 7(6):giy065, 2018; and who cut the patches.
Terms: CC0 for the slides, as the challenge's page says; those of the patches are stated by who cut
them.

Check it:
    remedis doctor /data/camelyon_patches --source=camelyon_patches
"""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from remedis import files
from remedis.data.labels import CAMELYON, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import camelyon_names, folder
from remedis.errors import UserError, counted, some
from remedis.options import spelled

_LOG = logging.getLogger(__name__)

# Names of the folders of a class, in lower case.
_TUMOUR = ("tumor", "tumour", "positive", "1")
_NORMAL = ("normal", "negative", "0")


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of a folder of patches.

    Args:
      data_dir: the directory with the folders of splits or classes.
      labels: `tumor`, the only one.
      allow_missing_patient_ids: accept patches whose path names no slide, so that their patient is
        unknown.

    Raises:
      UserError: the folders are not as described above, the label is unknown, a folder contradicts
        the name of a slide, or paths name no slide without the opt-out.
    """
    chosen = choose_labels(labels, tuple(CAMELYON.values()))
    found = folder.load(data_dir, allow_missing_patient_ids=True)
    tumour = _tumour_class(found)
    slides = [camelyon_names.find(path) for path in found.table["path"]]
    removed = np.array([s is not None and s.slide_id in camelyon_names.REMOVED for s in slides])
    if removed.any():
        _LOG.warning(
            f"{found.root}: left out {counted(int(removed.sum()), 'patch', 'patches')} of "
            f"{' and '.join(camelyon_names.REMOVED)}, which the publishers have removed."
        )
    table = found.table.assign(
        tumor=found.table[tumour],
        slide=pd.Series(slides, dtype=object),
        kind=pd.Series([s and s.kind for s in slides], dtype=object),
    )[~removed]
    _refuse_unknown(found, table, allow_missing_patient_ids)
    wrong = (table["tumor"] == 1) & (table["kind"] == "normal")
    if wrong.any():
        raise UserError(
            f"{found.root}: {counted(int(wrong.sum()), 'patch lies', 'patches lie')} in a folder "
            "of tumour, but the name of the slide says normal: "
            f"{some(table['path'][wrong].tolist())}; move them, or correct the names."
        )
    slide = table["slide"]
    table = table.assign(
        patient_id=slide.map(lambda s: s and s.patient_id),
        study_id=slide.map(lambda s: s and s.study_id),
        site=slide.map(lambda s: s and s.site),
        slide_id=slide.map(lambda s: s and s.slide_id),
        split=_official(table),
    )
    columns = ["path", "patient_id", "study_id", "site", "split", "slide_id", "tumor"]
    return Manifest(table[columns], chosen, found.root, "camelyon_patches")


def _tumour_class(found: Manifest) -> str:
    """Returns the folder of tumour; the other one is that of normal tissue.

    Raises:
      UserError: the folders of classes are others.
    """
    names = {name.lower(): name for name in found.labels}
    tumour = [names[name] for name in _TUMOUR if name in names]
    normal = [names[name] for name in _NORMAL if name in names]
    if len(found.labels) != 2 or len(tumour) != 1 or len(normal) != 1:
        raise UserError(
            f"{found.root} has the classes {some(found.labels)}; expected two folders, normal and "
            f"tumor: rename them, or use the source 'folder' for other classes."
        )
    return tumour[0]


def _refuse_unknown(found: Manifest, table: pd.DataFrame, allow_missing: bool) -> None:
    unknown = table["slide"].isna()
    if unknown.any() and not allow_missing:
        raise UserError(
            f"{found.root}: the paths of {int(unknown.sum()):,} of {len(table):,} patches name no "
            f"slide: {some(table['path'][unknown].tolist(), limit=2)}; expected names such as "
            "tumor_001, normal_033, test_012 or patient_004_node_4 in the name of the file or of "
            f"a folder: rename them, or set {spelled('allow_missing_patient_ids')} to take every "
            "such patch as a patient of its own."
        )


def _official(table: pd.DataFrame) -> pd.Series:
    """Returns the split of every patch: of its folder, or else that of Camelyon16's slides."""
    of_camelyon16 = table["kind"].isin(("normal", "tumor", "test"))
    in_test = table["kind"] == "test"
    if table["split"].notna().any() or not in_test.any() or not of_camelyon16.all():
        return table["split"]
    return in_test.map({True: "test", False: "train"})
