"""PatchCamelyon as Kaggle packs it: patches of lymph nodes from Camelyon16, without duplicates.

Layout:
    histopathologic-cancer-detection/
        train_labels.csv
        patch_id_wsi_full.csv
        train/f38a6374c348f90b587e046aac6079959adf3835.tif
        test/0b2ea2a822ad23fdb1b5dd26653da899fbd2c0d5.tif

Input: patches of 96x96 RGB at 10x in TIFF files, `train/<id>.tif`, one per row of
`train_labels.csv`. The 57,458 files in `test/` have no published labels and are left out: `embed`
and `predict` take that folder by its path.
Labels: `tumor`, 1 if there is tumour in the 32x32 pixels in the centre, otherwise 0. The rest of
the patch does not count.
Metadata: the slide, if `patch_id_wsi_full.csv` (columns `id`, `wsi`) is present. The competition
itself does not have it: a participant shared it on the competition's forum, so that nobody vouches
for it [unverified]. It names slides of Camelyon16, such as `camelyon16_train_tumor_001`. Every
slide counts as a patient, and its name gives the hospital. Without the file, patients are unknown:
patches of one slide come into training and into test, and results are too good.
Splits: none official with labels; to be assigned, by patient, which is by slide. The authors'
splits are those of the source `patch_camelyon`, whose patches these are: the training split without
duplicates has as many patches as `train/`.
Files: `train_labels.csv` has the columns `id` and `label`.

Counts:
    | folder | patches | with tumour |
    |--------|--------:|------------:|
    | train  | 220,025 |      89,117 |

Get it: download the data of Kaggle's competition "Histopathologic Cancer Detection".
Citation: Veeling et al., 2018, arXiv 1806.03962; Ehteshami Bejnordi et al., JAMA 318(22), 2017.
Terms: CC0, as the competition's description says; Kaggle's rules apply to the download.

Check it:
    remedis doctor /data/histopathologic-cancer-detection --source=pcam_kaggle
"""

import logging
import pathlib
from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data.labels import CAMELYON, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import camelyon_names, file_tree, table_checks
from remedis.data.sources.camelyon_names import Slide
from remedis.data.sources.published_counts import whole
from remedis.data.tables import spreadsheet
from remedis.errors import UserError, counted
from remedis.options import spelled

_LOG = logging.getLogger(__name__)

LABELS = "train_labels.csv"
SLIDES = "patch_id_wsi_full.csv"
PUBLISHED = (whole(images=220_025),)
_DIRECTORIES = ("histopathologic-cancer-detection",)


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of Kaggle's PatchCamelyon.

    Args:
      data_dir: the directory with `train_labels.csv`, or its parent.
      labels: `tumor`, the only one.
      allow_missing_patient_ids: accept patches whose slide, and so patient, is unknown, since
        `patch_id_wsi_full.csv` is absent or does not name them.

    Raises:
      UserError: the files are not as described above, contradict each other, the label is unknown,
        or slides are unknown without the opt-out.
    """
    chosen = choose_labels(labels, tuple(CAMELYON.values()))
    root = file_tree.find_root(data_dir, LABELS, _DIRECTORIES, "Kaggle's PatchCamelyon")
    path = root / LABELS
    raw = spreadsheet.read_table(path, ("id", "label"))
    _check_ids(path, raw["id"])
    spreadsheet.refuse(path, raw["label"], ~raw["label"].isin(("0", "1")), "0 or 1")
    slides = _slides(root, raw, allow_missing_patient_ids)
    normal = pd.Series([s is not None and s.kind == "normal" for s in slides], raw.index)
    expected = "0 for a patch of a slide that is named normal"
    spreadsheet.refuse(path, raw["label"], normal & (raw["label"] == "1"), expected)
    table = pd.DataFrame(
        {
            "path": "train/" + raw["id"] + ".tif",
            "patient_id": [s and s.patient_id for s in slides],
            "study_id": [s and s.study_id for s in slides],
            "site": [s and s.site for s in slides],
            "split": None,
            "slide_id": [s and s.slide_id for s in slides],
            "tumor": raw["label"].astype("float32"),
        }
    )
    return Manifest(table, chosen, root, "pcam_kaggle")


def _check_ids(path: pathlib.Path, ids: pd.Series) -> None:
    bad = (ids == "") | ids.str.contains("/", regex=False)
    spreadsheet.refuse(path, ids, bad, "the id of a patch, the name of its file without .tif")
    table_checks.refuse_repeated(path, ids, "every patch once; remove the row")


def _slides(root: pathlib.Path, labelled: pd.DataFrame, allow_missing: bool) -> list[Slide | None]:
    """Returns the slide of every labelled patch, None where it is unknown.

    Raises:
      UserError: the file is not as described, or slides are unknown without the opt-out.
    """
    path = root / SLIDES
    of_patch: dict[str, Slide] = {}
    if path.is_file():
        raw = spreadsheet.read_table(path, ("id", "wsi"))
        _check_ids(path, raw["id"])
        # There are few slides: each name is parsed once.
        parsed = spreadsheet.parsed(
            path, raw["wsi"], _slide, "the name of a slide, such as camelyon16_train_tumor_001"
        )
        of_patch = dict(zip(raw["id"], parsed, strict=True))
        if others := len(of_patch.keys() - set(labelled["id"])):
            _LOG.info(f"{path}: {counted(others, 'row')} of patches that {LABELS} does not list.")
    slides = [of_patch.get(patch) for patch in labelled["id"]]
    unknown = slides.count(None)
    if unknown and not allow_missing:
        reason = f"{path} does not name them" if of_patch else f"there is no file {path}"
        raise UserError(
            f"The slides, and so the patients, of {unknown:,} of {len(slides):,} patches are "
            f"unknown, since {reason}; add the file that names the slide of each patch, or set "
            f"{spelled('allow_missing_patient_ids')} to take every such patch as a patient of its "
            "own, with patches of one slide in training and in test."
        )
    return slides


def _slide(text: str) -> Slide:
    if (slide := camelyon_names.find(text)) is None:
        raise ValueError(text)
    return slide
