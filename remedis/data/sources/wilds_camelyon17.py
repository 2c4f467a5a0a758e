"""Camelyon17 as packed by WILDS, v1.0: patches of lymph nodes from five centres.

Layout:
    camelyon17_v1.0/
        metadata.csv
        patches/patient_004_node_4/patch_patient_004_node_4_x_3328_y_21792.png

Input: 96x96 PNG patches (with an alpha channel that has no meaning) in `patches/`, listed in
`metadata.csv`.
Labels: `tumor`, 1 or 0.
Metadata: patient, slide, and centre 0 to 4 as site.
Splits: the official ones are by centre, not by the file's column `split`. Centre 1 is validation
(WILDS' out-of-distribution validation), centre 2 is test (out of distribution), and the other
centres are train, except the patches of the file's split 1: these are `id_validation`, which comes
from the centres of training and is not used in experiments here. 302,436 / 33,560 / 34,904 / 85,054
patches in train, id_validation, validation, test; 50 slides, 10 per centre. WILDS reports accuracy.
Other centres may be left out instead; only the official choice compares with published numbers.

Counts:
    | split         | centres | patches |
    |---------------|---------|--------:|
    | train         | 0, 3, 4 | 302,436 |
    | id_validation | 0, 3, 4 |  33,560 |
    | validation    | 1       |  34,904 |
    | test          | 2       |  85,054 |

Get it: download the data set `camelyon17`, version 1.0, of the WILDS benchmark
(wilds.stanford.edu).
Citation: Koh et al., WILDS, 2021, arXiv 2012.07421; Litjens et al., CAMELYON, GigaScience
7(6):giy065, 2018.
Terms: CC0 (CAMELYON); read those of WILDS' packing there.

Check it:
    remedis doctor /data/camelyon17_v1.0 --source=wilds_camelyon17
"""

from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.data.labels import CAMELYON, choose_labels
from remedis.data.manifest import ID_VALIDATION, Manifest
from remedis.data.sources import file_tree, table_checks
from remedis.data.sources.published_counts import Published
from remedis.data.tables import spreadsheet
from remedis.errors import UserError, unknown_choice

PUBLISHED = (
    Published(
        {
            "train": {"images": 302_436, "slides": 30},
            ID_VALIDATION: {"images": 33_560},
            "validation": {"images": 34_904, "slides": 10},
            "test": {"images": 85_054, "slides": 10},
        },
        {"validation_centres": (1,), "test_centres": (2,)},
    ),
)
_COLUMNS = ("patient", "node", "x_coord", "y_coord", "tumor", "slide", "center", "split")
_NUMBERS = ("patient", "x_coord", "y_coord", "slide")
_CENTRES = ("0", "1", "2", "3", "4")
# Five lymph nodes were scanned per patient.
_NODES = ("0", "1", "2", "3", "4")
_VALUES = {"center": _CENTRES, "split": ("0", "1"), "tumor": ("0", "1"), "node": _NODES}


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    validation_centres: Sequence[int] = (1,),
    test_centres: Sequence[int] = (2,),
) -> Manifest:
    """Returns the manifest of Camelyon17-WILDS.

    Args:
      data_dir: the directory with `metadata.csv`, or its parent.
      labels: `tumor`, the only one.
      validation_centres: the centres, 0 to 4, all of whose patches are validation.
      test_centres: the centres all of whose patches are test. The other centres are train.

    Raises:
      UserError: the files are not as described above, the label or a centre is unknown, a centre is
        in both splits, or none is left for training.
    """
    chosen = choose_labels(labels, tuple(CAMELYON.values()))
    split_of = _by_centre(validation_centres, test_centres)
    root = file_tree.find_root(data_dir, "metadata.csv", ("camelyon17_v1.0",), "Camelyon17-WILDS")
    path = root / "metadata.csv"
    raw = spreadsheet.read_table(path, _COLUMNS)
    for name, allowed in _VALUES.items():
        spreadsheet.refuse(path, raw[name], ~raw[name].isin(allowed), " or ".join(allowed))
    table_checks.refuse_non_digits(path, raw, _NUMBERS)
    # A slide of two patients or centres is a sign of mixed-up columns.
    for name in ("patient", "center"):
        table_checks.refuse_contradicting(path, raw, "slide", name)
    node = "patient_" + raw["patient"] + "_node_" + raw["node"]
    place = "_x_" + raw["x_coord"] + "_y_" + raw["y_coord"] + ".png"
    images = ("patches/" + node + "/patch_" + node + place).rename("(the patch)")
    table_checks.refuse_repeated(path, images)
    centre = raw["center"]
    split = raw["split"].map({"0": "train", "1": ID_VALIDATION})
    split = centre.map(split_of).fillna(split)
    table = pd.DataFrame(
        {
            "path": images,
            "patient_id": raw["patient"],
            # A node is one specimen, the counterpart of one examination in radiology.
            "study_id": raw["patient"] + "/" + raw["node"],
            "site": centre,
            "split": split,
            "slide_id": raw["slide"],
            "tumor": raw["tumor"].astype("float32"),
        }
    )
    return Manifest(table, chosen, root, "wilds_camelyon17")


def _by_centre(validation: Sequence[int], test: Sequence[int]) -> dict[str, str]:
    """Returns the split of every centre that is not for training."""
    splits: dict[str, str] = {}
    for split, centres in {"validation": validation, "test": test}.items():
        if isinstance(centres, str | int):
            raise UserError(f"{split}_centres is {centres!r}; expected a list, such as (1,).")
        for centre in centres:
            if str(centre) not in _CENTRES:
                raise unknown_choice(f"centre in {split}_centres", centre, _CENTRES)
            if splits.setdefault(str(centre), split) != split:
                raise UserError(
                    f"Centre {centre} is in validation_centres and test_centres; name it in one."
                )
    if len(splits) == len(_CENTRES):
        raise UserError(
            "validation_centres and test_centres name all five centres; leave one out, to train on."
        )
    return splits
