"""Made-up radiographs in the layout of VinDr-CXR, as DICOM files.

Columns, readers and file names are those of the published set: Nguyen et al., 2022,
https://arxiv.org/abs/2012.15029. It has no boxes; those of `write_lesion_boxes` are around what is
drawn.
"""

import hashlib
import os
import pathlib

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import extras, files
from remedis.data.label_names import VINDR_CXR
from remedis.errors import UserError, check_at_least
from remedis.synthetic import cohort
from remedis.synthetic.chest import HOSPITAL_B, HospitalStyle
from remedis.synthetic.notice import write_notice

NAME = "vindr-cxr"
_COHORT = 42
# The stream of `cohort.spread` after those of the five conditions.
_TEST_STREAM = 5
_READERS = ("R8", "R9", "R10")
# Shares of the findings that a reader misses, and of the absent ones that a reader believes to see.
_MISSED, _IMAGINED = 0.12, 0.01
# The labels that the data set has for the findings drawn here.
_LABELS = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Pleural Effusion": "Pleural effusion",
    "Lung Lesion": "Nodule/Mass",
}
_UID_ROOT = "1.2.826.0.1.3680043.8.498.42"
_DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"


def write_vindr_cxr(
    directory: str | os.PathLike[str],
    patients: int = 120,
    seed: int = 0,
    image_size: int = 128,
    style: HospitalStyle = HOSPITAL_B,
    test_share: float = 0.25,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/vindr-cxr`, completely or not at all.

    The folder has DICOM images in `train` and `test`, and `annotations/image_labels_train.csv` of
    three readers, who miss and imagine findings, and `image_labels_test.csv`. Patient `n` of a
    seed does not depend on the number of patients.

    Args:
      directory: the folder to write into.
      patients: the number of patients, with one image each.
      seed: the same seed gives the same bytes.
      image_size: side of the images in pixels.
      style: the hospital.
      test_share: share of the images in `test`.
      overwrite: replace an existing folder.

    Returns:
      The path of the `vindr-cxr` folder.

    Raises:
      UserError: there are fewer than two patients, the images are smaller than 32 pixels, the share
        leaves a split empty, the folder exists, or pydicom is not installed.
    """
    check_at_least("patients", patients, 2)
    check_at_least("image_size", image_size, 32)
    numbers = range(1, patients + 1)
    tested = {n for n in numbers if cohort.spread(n, _TEST_STREAM, seed) < test_share}
    if not 0 < len(tested) < patients:
        raise UserError(
            f"test_share {test_share} of {patients} patients leaves {len(tested)} in test; "
            "expected at least one image in each split."
        )
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        rows: dict[str, list[dict[str, object]]] = {"train": [], "test": []}
        for split in ("train", "test", "annotations"):
            (root / split).mkdir()
        for patient in cohort.patients(seed, _COHORT, patients, style, most_studies=1):
            (study,) = patient.studies
            split = "test" if patient.number in tested else "train"
            image = hashlib.md5(repr(patient.key).encode(), usedforsecurity=False).hexdigest()
            pixels = patient.draw(study, 1, "PA", style, (image_size, image_size))
            _write_dicom(root / split / f"{image}.dicom", pixels, patient)
            for reader in _READERS if split == "train" else ("",):
                row: dict[str, object] = {"image_id": image}
                if reader:
                    row["rad_id"] = reader
                rows[split].append({**row, **_reading(study, alone=bool(reader))})
        train, test = (pd.DataFrame(of_split) for of_split in rows.values())
        train.to_csv(root / "annotations/image_labels_train.csv", index=False)
        # The two tables have another name for one label.
        test = test.rename(columns={"Other diseases": "Other disease"})
        test.to_csv(root / "annotations/image_labels_test.csv", index=False)
        write_notice(root, NAME, seed, style.name)
    return final


def _reading(study: cohort.Study, alone: bool) -> dict[str, object]:
    """Returns the labels of one reader who is alone, or of a consensus."""
    labels: dict[str, object] = dict.fromkeys(VINDR_CXR, 0)
    for finding, label in _LABELS.items():
        seen = finding in study.findings
        if alone:
            seen = study.rng.random() < (1 - _MISSED if seen else _IMAGINED)
        labels[label] = int(seen)
    labels["No finding"] = int(not any(labels.values()))
    return labels


def _write_dicom(
    path: pathlib.Path, pixels: npt.NDArray[np.uint8], patient: cohort.Patient
) -> None:
    """Writes a radiograph of 12 bits."""
    pydicom = extras.load("pydicom", "dicom")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    number = f"{_UID_ROOT}.{'.'.join(map(str, patient.key))}"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = _DIGITAL_X_RAY
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = number
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = f"{number}.1"
    dataset.Modality, dataset.PatientSex = "DX", patient.sex
    dataset.PatientAge = f"{patient.studies[0].age:03d}Y"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.add_new("PixelData", "OW", (pixels.astype("<u2") * 16).tobytes())
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
