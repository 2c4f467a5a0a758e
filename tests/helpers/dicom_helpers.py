"""Synthetic DICOM files for tests."""

import pathlib

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"
# The value of everything in a header that may identify a patient; it must never be output.
MARKER = "SECRETHARRY"
UID_ROOT = "1.2.826.0.1.3680043.8.498."


def dataset(pixels: np.ndarray, bits: int | None = None, number: int = 1, **attributes) -> Dataset:
    """Returns a dataset with an image.

    Args:
      pixels: [H, W], [H, W, 3] or, if `NumberOfFrames` is given, [frames, H, W] integers.
      bits: bits stored; all bits of the type if not given.
      number: part of the identifiers.
      **attributes: further attributes; None removes an attribute.
    """
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = DIGITAL_X_RAY
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{UID_ROOT}1.{number}"
    ds.StudyInstanceUID = f"{UID_ROOT}2.{number}"
    ds.SeriesInstanceUID = f"{UID_ROOT}3.{number}"
    ds.Modality, ds.ViewPosition = "DX", "PA"
    ds.PatientID, ds.PatientSex, ds.PatientAge = f"P{number}", "F", "058Y"
    ds.PatientName = f"{MARKER}^Name"
    ds.PatientComments = f"{MARKER} comment"
    frames = attributes.get("NumberOfFrames", 1)
    colour = pixels.ndim - (frames > 1) == 3
    ds.Rows, ds.Columns = pixels.shape[1:3] if frames > 1 else pixels.shape[:2]
    ds.SamplesPerPixel = 3 if colour else 1
    if colour:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    ds.BitsAllocated = 8 * pixels.itemsize
    ds.BitsStored = bits or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = data + bytes(len(data) % 2)
    ds["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    for name, value in attributes.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    return ds


def write(path: pathlib.Path, ds: Dataset) -> str:
    """Writes a dataset as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return str(path)


def lut(first: int, bits: int, values: list[int]) -> Dataset:
    """Returns an item of a sequence of lookup tables."""
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = values
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item["LUTData"].VR = "US"
    return item
