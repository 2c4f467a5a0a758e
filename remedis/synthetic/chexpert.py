"""Made-up radiographs in the layout of CheXpert-v1.0-small.

Layout, header, label values and peculiarities are those of the published set: Irvin et al., 2019,
https://arxiv.org/abs/1901.07031.
"""

import os
import pathlib

import pandas as pd
from PIL import Image

from remedis import files
from remedis.data.labels import CHEXPERT
from remedis.errors import UserError, check_at_least
from remedis.synthetic import cohort
from remedis.synthetic.chest import HOSPITAL_A, HospitalStyle
from remedis.synthetic.findings import CONDITIONS
from remedis.synthetic.notice import write_notice

NAME = "CheXpert-v1.0-small"
LABELS = tuple(CHEXPERT)
_OPACITIES = ("Lung Lesion", "Edema", "Consolidation", "Atelectasis")
_DRAWN = (*CONDITIONS, "Lung Lesion", "Support Devices")

# Probabilities that a report calls a present finding uncertain, an absent one uncertain, and an
# absent one absent. Their order is that of the published counts: atelectasis is the most often
# uncertain and hardly ever denied, effusion is the most often denied.
_HEDGES = {
    "Atelectasis": (0.30, 0.06, 0.01),
    "Cardiomegaly": (0.10, 0.02, 0.06),
    "Consolidation": (0.25, 0.08, 0.15),
    "Edema": (0.10, 0.05, 0.12),
    "Pleural Effusion": (0.08, 0.04, 0.25),
}
_TRAIN, _VALID = 1, 2
# The published numbers of patients continue from train to valid.
_TRAIN_PATIENTS = 64540


def write_chexpert(
    directory: str | os.PathLike[str],
    patients: int = 250,
    valid_patients: int = 80,
    seed: int = 0,
    image_size: int = 128,
    style: HospitalStyle = HOSPITAL_A,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/CheXpert-v1.0-small`, completely or not at all.

    `train.csv` has the empty and uncertain values of labels mined from reports. `valid.csv` has all
    labels, as if radiologists had read the images. Patient `n` of a seed does not depend on the
    number of patients.

    Args:
      directory: the folder to write into.
      patients: the number of patients in train.csv, with one to three studies each.
      valid_patients: the number of patients in valid.csv, with one study each.
      seed: the same seed gives the same bytes.
      image_size: short side of the images in pixels; the long side is up to a quarter longer.
      style: the hospital.
      overwrite: replace an existing folder.

    Returns:
      The path of the `CheXpert-v1.0-small` folder.

    Raises:
      UserError: there are no or too many patients, the images are smaller than 32 pixels, or the
        folder exists.
    """
    check_at_least("patients", patients, 1)
    check_at_least("valid_patients", valid_patients, 1)
    if patients > _TRAIN_PATIENTS:
        raise UserError(f"patients is {patients}, expected {_TRAIN_PATIENTS} or fewer.")
    check_at_least("image_size", image_size, 32)
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        _write_split(root, "train", patients, seed, image_size, style)
        _write_split(root, "valid", valid_patients, seed, image_size, style)
        write_notice(root, NAME, seed, style.name)
    return final


def _write_split(
    root: pathlib.Path, split: str, count: int, seed: int, size: int, style: HospitalStyle
) -> None:
    """Draws the patients of one split and writes its table."""
    train = split == "train"
    first_number = 0 if train else _TRAIN_PATIENTS
    people = cohort.patients(seed, _TRAIN if train else _VALID, count, style, 3 if train else 1)
    rows = []
    for patient in people:
        for study in patient.studies:
            labels = _mined(study) if train else _read(study)
            person = f"patient{patient.number + first_number:05d}"
            folder = f"{split}/{person}/study{study.number}"
            (root / folder).mkdir(parents=True)
            for image, view in enumerate(_views(patient, study, style), start=1):
                plane = "Lateral" if view == "Lateral" else "Frontal"
                name = f"{folder}/view{image}_{plane.lower()}.jpg"
                drawn = "PA" if view == "LL" else view
                shape = _shape(size, study)
                pixels = patient.draw(study, image, drawn, style, shape)
                Image.fromarray(pixels).save(root / name, quality=90)
                row = {
                    "Path": f"{NAME}/{name}",
                    "Sex": _sex(patient, train),
                    "Age": study.age,
                    "Frontal/Lateral": plane,
                    "AP/PA": "" if view == "Lateral" else view,
                }
                rows.append(row | labels)
    pd.DataFrame(rows).to_csv(root / f"{split}.csv", index=False)


def _views(patient: cohort.Patient, study: cohort.Study, style: HospitalStyle) -> list[str]:
    """Returns the value of AP/PA of each image of a study, "Lateral" for a lateral one."""
    view = cohort.frontal_view(study, style)
    # A few frontal films of the published set are marked LL.
    views = ["LL" if patient.number % 100 == 31 else view]
    extra = study.rng.random()
    # Patients in bed have no lateral film; a second frontal film is rare.
    if view == "PA" and extra < 0.45:
        views.append("Lateral")
    elif extra > 0.92:
        views.append(view)
    return views


def _shape(size: int, study: cohort.Study) -> tuple[int, int]:
    """Returns height and width: films are landscape, portrait or square."""
    long = round(size * float(study.rng.uniform(1.0, 1.25)))
    return (size, long) if study.rng.random() < 0.7 else (long, size)


def _sex(patient: cohort.Patient, train: bool) -> str:
    """Returns Female or Male, and Unknown for one train patient in a hundred."""
    if train and patient.number % 100 == 7:
        return "Unknown"
    return "Female" if patient.sex == "F" else "Male"


def _read(study: cohort.Study) -> dict[str, float | None]:
    """Returns a radiologist's labels: 1 or 0 for each of the 14."""
    visible = study.findings
    labels: dict[str, float | None] = dict.fromkeys(LABELS, 0.0)
    labels |= {name: float(name in visible) for name in _DRAWN}
    labels["Lung Opacity"] = float(any(name in visible for name in _OPACITIES))
    labels["Enlarged Cardiomediastinum"] = labels["Cardiomegaly"]
    labels["No Finding"] = float(not any(name != "Support Devices" for name in visible))
    return labels


def _mined(study: cohort.Study) -> dict[str, float | None]:
    """Returns the labels of a report: 1, 0, -1 (uncertain) or None (not mentioned)."""
    truth = _read(study)
    labels: dict[str, float | None] = {name: truth[name] or None for name in LABELS}
    for name, (hedged, suspected, denied) in _HEDGES.items():
        chance = study.rng.random()
        if truth[name]:
            labels[name] = -1.0 if chance < hedged else 1.0
        elif chance < suspected:
            labels[name] = -1.0
        elif chance < suspected + denied:
            labels[name] = 0.0
    # Most reports on patients with a large heart do not mention a widened mediastinum.
    if study.rng.random() < 0.7:
        labels["Enlarged Cardiomediastinum"] = None
    # Pneumonia is an interpretation of a consolidation, and rarely certain.
    if truth["Consolidation"] and study.rng.random() < 0.5:
        labels["Pneumonia"] = -1.0
    if study.rng.random() < 0.2:
        labels["Pneumothorax"] = 0.0
    return labels
