"""Camelyon17 as WILDS packs it, v1.0: patches of lymph nodes from five centres.

Input: 96x96 PNG patches (with an alpha channel, which means nothing) in `patches/`, listed in
`metadata.csv`.
Labels: `tumor`, 1 or 0.
Metadata: patient, slide, and centre 0 to 4 as site.
Splits: the official ones go by centre, not by the file's column `split`: centre 1 is validation
(WILDS' out-of-distribution validation), centre 2 test (out of distribution), the others train, but
for the patches of the file's split 1: `id_validation`, which come from the centres of training and
take no part in experiments here. 302,436 / 33,560 / 34,904 / 85,054 patches in train,
id_validation, validation, test; 50 slides, 10 a centre. WILDS reports accuracy.
Citation: Koh et al., WILDS, 2021, arXiv 2012.07421; Litjens et al., CAMELYON, GigaScience
7(6):giy065, 2018.
Terms: CC0 (CAMELYON).
"""

from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data import spreadsheet
from remedis.data.manifest import ID_VALIDATION, Manifest
from remedis.data.sources import common

LABELS = ("tumor",)
_COLUMNS = ("patient", "node", "x_coord", "y_coord", "tumor", "slide", "center", "split")
_CENTRES = ("0", "1", "2", "3", "4")
_VALIDATION, _TEST = "1", "2"


def load(data_dir: files.Path, labels: Sequence[str] | None = None) -> Manifest:
    """Returns the manifest of Camelyon17-WILDS.

    Args:
      data_dir: the directory with `metadata.csv`, or its parent.
      labels: `tumor`, the only one.

    Raises:
      UserError: the files are not as described above, or the label is unknown.
    """
    chosen = common.choose_labels(labels, LABELS)
    root = common.find_root(data_dir, "metadata.csv", ("camelyon17_v1.0",), "Camelyon17-WILDS")
    path = root / "metadata.csv"
    raw = spreadsheet.read_table(path, _COLUMNS)
    for name, allowed in {"center": _CENTRES, "split": ("0", "1"), "tumor": ("0", "1")}.items():
        spreadsheet.refuse(path, raw[name], ~raw[name].isin(allowed), " or ".join(allowed))
    node = "patient_" + raw["patient"] + "_node_" + raw["node"]
    place = "_x_" + raw["x_coord"] + "_y_" + raw["y_coord"] + ".png"
    centre = raw["center"]
    split = raw["split"].map({"0": "train", "1": ID_VALIDATION})
    split = centre.map({_VALIDATION: "validation", _TEST: "test"}).fillna(split)
    table = pd.DataFrame(
        {
            "path": "patches/" + node + "/patch_" + node + place,
            "patient_id": raw["patient"],
            # A node is what one examination of a patient is in radiology: one specimen.
            "study_id": raw["patient"] + "/" + raw["node"],
            "site": centre,
            "split": split,
            "slide_id": raw["slide"],
            "tumor": raw["tumor"].astype("float32"),
        }
    )
    return Manifest(table, chosen, root, "wilds_camelyon17")
