"""Made-up radiographs in the layout of MIMIC-CXR-JPG 2.0.0.

Layout, headers, label values and peculiarities are those of the published set: Johnson et al.,
2019, https://arxiv.org/abs/1901.07042.
"""

import hashlib
import os
import pathlib

import pandas as pd
from PIL import Image

from remedis import files
from remedis.data.labels import MIMIC_CXR
from remedis.errors import check_at_least
from remedis.synthetic import cohort
from remedis.synthetic.chest import HOSPITAL_A, HospitalStyle
from remedis.synthetic.notice import write_notice

NAME = "mimic-cxr-jpg-2.0.0"
_STEM = "mimic-cxr-2.0.0-"
_COHORT = 5
# The stream of `cohort.spread` after those of the five conditions.
_SPLIT_STREAM = 5
# Cumulative shares of patients. The published validation and test sets have 1 % each; a small set
# needs larger ones.
_SPLITS = {"train": 0.6, "validate": 0.8, "test": 1.0}
# Factors that are coprime to 10**7, so that ids look random and are all different.
_SUBJECT_STEP, _STUDY_STEP = 1_618_033, 618_033
_IDS = 10_000_000
_LABELS = tuple(MIMIC_CXR)


def write_mimic_cxr(
    directory: str | os.PathLike[str],
    patients: int = 120,
    seed: int = 0,
    image_size: int = 128,
    style: HospitalStyle = HOSPITAL_A,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/mimic-cxr-jpg-2.0.0`, completely or not at all.

    The folder has images such as `files/p1x/p1xxxxxxx/s5xxxxxxx/<image>.jpg` and three tables
    packed by gzip. A few studies have no labels and a few images no view, as in the published set.
    Patient `n` of a seed does not depend on the number of patients.

    Args:
      directory: the folder to write into.
      patients: the number of patients, with one to three studies each.
      seed: the same seed gives the same bytes.
      image_size: side of the images in pixels.
      style: the hospital.
      overwrite: replace an existing folder.

    Returns:
      The path of the `mimic-cxr-jpg-2.0.0` folder.

    Raises:
      UserError: there are no patients, the images are smaller than 32 pixels, or the folder exists.
    """
    check_at_least("patients", patients, 1)
    check_at_least("image_size", image_size, 32)
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        tables: dict[str, list[dict[str, object]]] = {"metadata": [], "split": [], "chexpert": []}
        for patient in cohort.patients(seed, _COHORT, patients, style):
            share = cohort.spread(patient.number, _SPLIT_STREAM, seed)
            split = next(name for name, bound in _SPLITS.items() if share < bound)
            for study in patient.studies:
                _write_study(root, tables, patient, study, split, style, image_size)
        for name, rows in tables.items():
            # No time stamp, so that the same seed gives the same bytes.
            packing = {"method": "gzip", "mtime": 0}
            path = root / f"{_STEM}{name}.csv.gz"
            pd.DataFrame(rows).to_csv(path, index=False, compression=packing)
        write_notice(root, NAME, seed, style.name)
    return final


def _write_study(
    root: pathlib.Path,
    tables: dict[str, list[dict[str, object]]],
    patient: cohort.Patient,
    study: cohort.Study,
    split: str,
    style: HospitalStyle,
    size: int,
) -> None:
    """Draws the images of a study and adds its rows to the tables."""
    subject = _IDS + patient.number * _SUBJECT_STEP % _IDS
    number = 5 * _IDS + (patient.number * 8 + study.number) * _STUDY_STEP % _IDS
    ids: dict[str, object] = {"subject_id": subject, "study_id": number}
    folder = root / f"files/p{str(subject)[:2]}/p{subject}/s{number}"
    folder.mkdir(parents=True)
    if number % 17:
        tables["chexpert"].append(ids | _mined(study))
    for image, view in enumerate(_views(study, style), start=1):
        digest = hashlib.sha1(f"{patient.key} {study.number} {image}".encode()).hexdigest()
        name = "-".join(digest[i : i + 8] for i in range(0, 40, 8))
        drawn = "Lateral" if view in ("LATERAL", "LL") else "AP" if view == "AP" else "PA"
        pixels = patient.draw(study, image, drawn, style, (size, size))
        Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=90)
        tables["metadata"].append(
            {
                "dicom_id": name,
                **ids,
                "PerformedProcedureStepDescription": "CHEST (PA, LAT)",
                "ViewPosition": view,
                "Rows": size,
                "Columns": size,
                "StudyDate": 21_000_101 + study.number,
            }
        )
        tables["split"].append({"dicom_id": name, **ids, "split": split})


def _views(study: cohort.Study, style: HospitalStyle) -> list[str]:
    """Returns the value of ViewPosition of each image of a study, empty if none is recorded."""
    view = cohort.frontal_view(study, style)
    extra = study.rng.random()
    views = ["" if extra > 0.97 else view]
    # Patients in bed have no lateral film.
    if view == "PA" and extra < 0.5:
        views.append("LL" if extra < 0.2 else "LATERAL")
    return views


def _mined(study: cohort.Study) -> dict[str, object]:
    """Returns the labels of a report: 1, 0, -1 (uncertain) or None (not mentioned)."""
    labels: dict[str, object] = {}
    for name in _LABELS:
        chance = study.rng.random()
        if name in study.findings:
            labels[name] = -1.0 if chance < 0.1 else 1.0
        else:
            labels[name] = -1.0 if chance < 0.02 else 0.0 if chance < 0.15 else None
    if not study.findings:
        labels["No Finding"] = 1.0
    elif set(study.findings) != {"Support Devices"}:
        labels["No Finding"] = None
    return labels
