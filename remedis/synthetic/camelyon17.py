"""Made-up whole slides in the layout of Camelyon17.

Directories, names and the table are those of the published set: Litjens et al., GigaScience
7(6):giy065, 2018.
"""

import os
import pathlib
from collections.abc import Sequence

import pandas as pd

from remedis import files
from remedis.errors import UserError
from remedis.synthetic.histology import CENTRES
from remedis.synthetic.notice import write_notice
from remedis.synthetic.whole_slide import draw_slide, write_outlines, write_slide

NAME = "CAMELYON17"
_COHORT = 8
_PATIENTS_PER_CENTRE = 20
# Stages of the second node of patients in turn, and whether it is outlined; the first is negative.
_SECOND_NODES = (
    ("macro", True),
    ("micro", True),
    ("negative", False),
    ("macro", True),
    ("itc", True),
    ("macro", False),
)


def write_camelyon17(
    directory: str | os.PathLike[str],
    patients_per_centre: int = 6,
    seed: int = 0,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/CAMELYON17`, completely or not at all.

    The folder has `training/center_0` to `center_4` with TIFFs of 576 x 480 pixels, two nodes per
    patient, `training/lesion_annotations` and `training/stage_labels.csv`. Of six patients, four
    have an outlined metastasis, and one has a metastasis without outlines. A slide does not depend
    on the number of patients.

    Args:
      directory: the folder to write into.
      patients_per_centre: 1 to 20; the published set has 20 for training.
      seed: the same seed gives the same bytes.
      overwrite: replace an existing folder.

    Returns:
      The path of the `CAMELYON17` folder.

    Raises:
      UserError: the number is out of range, the folder exists, or tifffile is not installed.
    """
    if not 1 <= patients_per_centre <= _PATIENTS_PER_CENTRE:
        raise UserError(
            f"patients_per_centre is {patients_per_centre}, expected 1 to {_PATIENTS_PER_CENTRE}, "
            "as many as the published set has."
        )
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        rows: list[tuple[str, str]] = []
        for centre in range(len(CENTRES)):
            for position in range(patients_per_centre):
                rows += _write_patient(root / "training", centre, position, seed)
        table = pd.DataFrame(rows, columns=["patient", "stage"])
        table.to_csv(root / "training" / "stage_labels.csv", index=False)
        write_notice(root, "Camelyon17", seed, ", ".join(style.name for style in CENTRES))
    return final


def _write_patient(
    part: pathlib.Path, centre: int, position: int, seed: int
) -> list[tuple[str, str]]:
    """Draws the nodes of a patient and returns the rows of the table."""
    number = _PATIENTS_PER_CENTRE * centre + position
    patient = f"patient_{number:03d}"
    nodes = (("negative", False), _SECOND_NODES[position % len(_SECOND_NODES)])
    rows = []
    for node, (stage, outlined) in enumerate(nodes):
        name = f"{patient}_node_{node}"
        slide = draw_slide(stage != "negative", CENTRES[centre], seed, _COHORT, number, node)
        write_slide(part / f"center_{centre}" / f"{name}.tif", slide.pixels)
        if outlined:
            write_outlines(part / "lesion_annotations" / f"{name}.xml", slide.tumours, "metastases")
        rows.append((f"{name}.tif", stage))
    return [(f"{patient}.zip", _pn_stage([stage for _, stage in rows])), *rows]


def _pn_stage(stages: Sequence[str]) -> str:
    """Returns the challenge's stage of a patient with fewer than four positive nodes."""
    names = {"macro": "pN1", "micro": "pN1mi", "itc": "pN0(i+)"}
    return next((name for stage, name in names.items() if stage in stages), "pN0")
