"""Made-up radiographs in the layout of PadChest.

The 36 columns, the values and the peculiarities are those of the published table of 2019-02-01:
Bustos et al., 2020, https://arxiv.org/abs/1901.07441.
"""

import os
import pathlib

import numpy as np
import pandas as pd
from PIL import Image

from remedis import files
from remedis.errors import check_at_least
from remedis.synthetic import cohort
from remedis.synthetic.chest import HOSPITAL_B, HospitalStyle
from remedis.synthetic.notice import write_notice

NAME = "PadChest"
TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
# The first column has no name.
COLUMNS = (
    *("", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth"),
    *("PatientSex_DICOM", "ViewPosition_DICOM", "Projection", "MethodProjection", "Pediatric"),
    *("Modality_DICOM", "Manufacturer_DICOM", "PhotometricInterpretation_DICOM"),
    *("PixelRepresentation_DICOM", "PixelAspectRatio_DICOM", "SpatialResolution_DICOM"),
    *("BitsStored_DICOM", "WindowCenter_DICOM", "WindowWidth_DICOM", "Rows_DICOM"),
    *("Columns_DICOM", "XRayTubeCurrent_DICOM", "Exposure_DICOM", "ExposureInuAs_DICOM"),
    *("ExposureTime", "RelativeXRayExposure_DICOM", "ReportID", "Report", "MethodLabel", "Labels"),
    *("Localizations", "LabelsLocalizationsBySentence", "labelCUIS", "LocalizationsCUIS"),
)
_COHORT = 40
_FIRST_YEAR = 2009
_PATIENTS_PER_FOLDER = 20
# The terms that the data set has for the findings drawn here.
_TERMS = {
    "Atelectasis": "laminar atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "pulmonary edema",
    "Pleural Effusion": "pleural effusion",
    "Lung Lesion": "nodule",
    "Support Devices": "NSG tube",
}


def write_padchest(
    directory: str | os.PathLike[str],
    patients: int = 120,
    seed: int = 0,
    image_size: int = 128,
    style: HospitalStyle = HOSPITAL_B,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/PadChest`, completely or not at all.

    The folder has the table of 36 columns and images of 16 bits such as `0/<image>.png`. A few
    reports say `unchanged` alone, or have no labels, as in the published set. Patient `n` of a
    seed does not depend on the number of patients.

    Args:
      directory: the folder to write into.
      patients: the number of patients, with one to three studies each.
      seed: the same seed gives the same bytes.
      image_size: side of the images in pixels.
      style: the hospital.
      overwrite: replace an existing folder.

    Returns:
      The path of the `PadChest` folder.

    Raises:
      UserError: there are no patients, the images are smaller than 32 pixels, or the folder exists.
    """
    check_at_least("patients", patients, 1)
    check_at_least("image_size", image_size, 32)
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        rows: list[dict[str, object]] = []
        for patient in cohort.patients(seed, _COHORT, patients, style):
            for study in patient.studies:
                _write_study(root, rows, patient, study, style, image_size)
        table = pd.DataFrame(rows).reindex(columns=list(COLUMNS), fill_value="None")
        table[""] = range(len(table))
        table.to_csv(root / TABLE, index=False)
        write_notice(root, NAME, seed, style.name)
    return final


def _write_study(
    root: pathlib.Path,
    rows: list[dict[str, object]],
    patient: cohort.Patient,
    study: cohort.Study,
    style: HospitalStyle,
    size: int,
) -> None:
    """Draws the images of a study and adds their rows to the table."""
    folder = str((patient.number - 1) // _PATIENTS_PER_FOLDER)
    (root / folder).mkdir(exist_ok=True)
    year = _FIRST_YEAR + study.number
    ids = {
        "StudyDate_DICOM": f"{year}0915",
        "StudyID": 7 * 10**9 + patient.number * 16 + study.number,
        "PatientID": 10**9 + patient.number,
        "PatientBirth": f"{year - study.age}.0",
        "PatientSex_DICOM": "O" if patient.number % 50 == 49 else patient.sex,
        "Pediatric": "No",
        "ReportID": 4 * 10**6 + patient.number * 16 + study.number,
        "Report": " report of a drawing .",
        "MethodLabel": "Physician" if patient.number % 4 == 0 else "RNN_model",
        "Labels": _labels(patient, study),
    }
    frontal = cohort.frontal_view(study, style)
    views = [frontal] if frontal == "AP" or study.rng.random() < 0.5 else [frontal, "L"]
    for image, view in enumerate(views, start=1):
        name = f"{ids['StudyID']}_{image:02d}-{patient.number:03d}.png"
        drawn = "Lateral" if view == "L" else view
        pixels = patient.draw(study, image, drawn, style, (size, size))
        # The whole range of 16 bits.
        Image.fromarray(pixels.astype(np.uint16) * 257).save(root / folder / name)
        rows.append(
            {
                "ImageID": name,
                "ImageDir": folder,
                **ids,
                # A patient in bed: the data set has a projection of its own.
                "Projection": "AP_horizontal" if view == "AP" else view,
                "BitsStored_DICOM": 12,
                "Rows_DICOM": size,
                "Columns_DICOM": size,
            }
        )


def _labels(patient: cohort.Patient, study: cohort.Study) -> str:
    """Returns the terms of a report as the data set has them, a list of Python as text."""
    terms = [_TERMS[name] for name in study.findings]
    if patient.number % 17 == 16 and study.number > 1:
        terms = ["unchanged"]
    elif patient.number % 29 == 28:
        return "nan"
    return repr(terms or ["normal"])
