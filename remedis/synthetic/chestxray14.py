"""Made-up radiographs in the layout of ChestX-ray14.

Layout and header are those of the published set: Wang et al., 2017,
https://arxiv.org/abs/1705.02315.
"""

import os
import pathlib

from PIL import Image

from remedis import files
from remedis.errors import UserError, check_at_least
from remedis.synthetic import cohort
from remedis.synthetic.chest import HOSPITAL_B, HospitalStyle
from remedis.synthetic.notice import write_notice

NAME = "ChestX-ray14"
# The commas within the brackets are not quoted in the published file: 9 names for 11 fields.
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
# The names that ChestX-ray14 has for the findings drawn here; it has none for support devices.
_NAMES = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Pleural Effusion": "Effusion",
    "Lung Lesion": "Nodule",
}
# Width, height and pixel spacing in mm of the most common detectors in the published file.
_DETECTORS = (
    (2500, 2048, "0.168"),
    (2992, 2991, "0.143"),
    (2048, 2500, "0.168"),
    (2682, 2749, "0.14300000000000002"),
)
_PATIENTS_PER_FOLDER = 50
_COHORT = 3
# The stream of `cohort.spread` after those of the five conditions.
_TEST_STREAM = 5


def write_chestxray14(
    directory: str | os.PathLike[str],
    patients: int = 200,
    seed: int = 0,
    image_size: int = 128,
    style: HospitalStyle = HOSPITAL_B,
    test_share: float = 0.4,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/ChestX-ray14`, completely or not at all.

    The folder has `Data_Entry_2017.csv`, images such as `images_001/images/00000001_000.png`
    (8-bit grey, square), and `train_val_list.txt` and `test_list.txt`, which share no patient.
    Patient `n` of a seed does not depend on the number of patients.

    Args:
      directory: the folder to write into.
      patients: the number of patients, with one to four images each.
      seed: the same seed gives the same bytes.
      image_size: side of the images in pixels (1024 in the published set).
      style: the hospital.
      test_share: share of patients in `test_list.txt`.
      overwrite: replace an existing folder.

    Returns:
      The path of the `ChestX-ray14` folder.

    Raises:
      UserError: there are fewer than two patients, the images are smaller than 32 pixels, the share
        leaves a list empty, or the folder exists.
    """
    check_at_least("patients", patients, 2)
    check_at_least("image_size", image_size, 32)
    numbers = range(1, patients + 1)
    tested = {n for n in numbers if cohort.spread(n, _TEST_STREAM, seed) < test_share}
    if not 0 < len(tested) < patients:
        raise UserError(
            f"test_share {test_share} of {patients} patients leaves {len(tested)} in the test "
            "list; expected at least one patient in each list."
        )
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        lines = [HEADER]
        lists: dict[str, list[str]] = {"train_val_list.txt": [], "test_list.txt": []}
        for patient in cohort.patients(seed, _COHORT, patients, style, most_studies=4):
            entries = _write_patient(root, patient, style, image_size)
            lines += entries
            names = [entry.split(",", 1)[0] for entry in entries]
            lists["test_list.txt" if patient.number in tested else "train_val_list.txt"] += names
        (root / "Data_Entry_2017.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name, images in lists.items():
            (root / name).write_text("\n".join(images) + "\n", encoding="utf-8")
        write_notice(root, NAME, seed, style.name)
    return final


def _write_patient(
    root: pathlib.Path, patient: cohort.Patient, style: HospitalStyle, size: int
) -> list[str]:
    """Draws a patient's images and returns their lines of the table."""
    folder = root / f"images_{1 + (patient.number - 1) // _PATIENTS_PER_FOLDER:03d}" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for study in patient.studies:
        follow_up = study.number - 1
        name = f"{patient.number:08d}_{follow_up:03d}.png"
        view = cohort.frontal_view(study, style)
        pixels = patient.draw(study, 0, view, style, (size, size))
        Image.fromarray(pixels).save(folder / name)
        labels = "|".join(sorted(_NAMES[key] for key in study.findings if key in _NAMES))
        width, height, spacing = _DETECTORS[int(study.rng.integers(len(_DETECTORS)))]
        lines.append(
            f"{name},{labels or 'No Finding'},{follow_up},{patient.number},{study.age},"
            f"{patient.sex},{view},{width},{height},{spacing},{spacing}"
        )
    return lines
