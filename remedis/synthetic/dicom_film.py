"""Made-up radiographs as DICOM files."""

import pathlib
import warnings

import numpy as np
from numpy.typing import NDArray

from remedis import extras

_DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"
_UID_ROOT = "1.2.826.0.1.3680043.8.498.77"  # pydicom's own, for made-up identifiers


def write_film(
    path: pathlib.Path, pixels: NDArray[np.uint8], number: int, **attributes: str
) -> None:
    """Writes a radiograph of 8 bits, uncompressed.

    Args:
      path: of the file; its directory is made.
      pixels: [H, W], bright where bones are.
      number: of the image, part of its identifiers.
      **attributes: of the header, such as `PatientID`.

    Raises:
      UserError: pydicom is not installed.
    """
    pydicom = extras.load("pydicom", "dicom")
    dataset, meta = pydicom.Dataset(), pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID = _DIGITAL_X_RAY
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = f"{_UID_ROOT}.{number}"
    dataset.file_meta = meta
    dataset.Modality, dataset.PhotometricInterpretation = "CR", "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    contents = pixels.tobytes()
    dataset.PixelData = contents + bytes(len(contents) % 2)
    dataset["PixelData"].VR = "OB"
    with warnings.catch_warnings():
        # Published files have ages without a unit, which pydicom warns of.
        warnings.simplefilter("ignore", UserWarning)
        for name, value in attributes.items():
            setattr(dataset, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
