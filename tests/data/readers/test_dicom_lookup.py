"""Lookup tables of DICOM files whose descriptors are wrong, against NumPy by hand."""

import numpy as np
import pydicom
import pytest
from dicom_helpers import dataset, lut, write
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi

from remedis.data.readers import dicom_image, dicom_lookup

IMPLICIT, EXPLICIT, BIG_ENDIAN = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2"))
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


@pytest.fixture
def read(tmp_path):
    """Returns a function that writes a dataset in a transfer syntax and reads its image."""

    def read(ds: Dataset, syntax: str = EXPLICIT) -> np.ndarray:
        ds.file_meta.TransferSyntaxUID = syntax
        if syntax == BIG_ENDIAN and ds.BitsAllocated == 16:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        image = dicom_image.read_pixels(write(tmp_path / "a.dcm", ds), "")
        return image[..., 0] if image.shape[-1] == 1 else image

    return read


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def table(first: int, bits: int, values: np.ndarray, vr: str = "") -> Dataset:
    """Returns an item of a LUT sequence; `vr` writes the first mapped value as US or SS."""
    item = lut(first, bits, values.tolist())
    if vr:
        signed = first % 65536 - (65536 if vr == "SS" and first % 65536 > 32767 else 0)
        descriptor = [len(values) % 65536, signed, bits]
        item["LUTDescriptor"] = pydicom.DataElement("LUTDescriptor", vr, descriptor)
    return item


@pytest.mark.parametrize(
    ("declared", "syntax"),
    [(16, IMPLICIT), (8, IMPLICIT), (16, BIG_ENDIAN)]
    + [(declared, EXPLICIT) for declared in (16, 14, 12, 10, 8, 0)],
)
@pytest.mark.parametrize("colours", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("kind", ["VOILUTSequence", "ModalityLUTSequence"])
def test_white_is_that_of_the_bits_that_entries_fill(read, kind, colours, declared, syntax):
    ds = dataset(RAMP, bits=12, PhotometricInterpretation=colours)
    setattr(ds, kind, [table(0, declared, np.arange(4096))])
    ramp = RAMP / 4095
    close(read(ds, syntax), ramp if colours == "MONOCHROME2" else 1 - ramp)


@pytest.mark.parametrize(
    ("entries", "declared", "bits"),
    [
        # Contrast that is reduced on purpose stays: the ends of the range are not stretched.
        ((200, 3800), 12, 12),
        ((200, 3800), 16, 12),
        ((0, 65535), 16, 16),
        ((0, 40000), 16, 16),
        ((0, 40000), 12, 16),
        ((0, 1023), 12, 10),
        # Rounded up, one above the largest number of the stated bits.
        ((0, 4096), 12, 12),
        ((0, 4097), 12, 13),
        ((0, 256), 8, 8),
        # A table of 8 bits is taken at its word.
        ((0, 100), 8, 8),
        ((0, 15), 4, 4),
        ((0, 0), 16, 8),
        ((0, 0), 0, 1),
    ],
)
def test_bits(entries, declared, bits):
    assert dicom_lookup.used_bits(np.array(entries), declared) == bits


def test_reduced_contrast_is_kept(read):
    values = np.linspace(200, 3800, 4096).round().astype(int)
    ds = dataset(RAMP, bits=12)
    ds.VOILUTSequence = [table(0, 16, values)]
    close(read(ds), values[RAMP] / 4095)


def test_the_first_lut_counts_and_both_kinds_follow_each_other(read):
    ds = dataset(RAMP, bits=12, WindowCenter=5, WindowWidth=2)
    ds.ModalityLUTSequence = [table(0, 16, np.arange(4096) // 4)]
    ds.VOILUTSequence = [table(0, 16, 1023 - np.arange(1024)), table(0, 8, np.zeros(9, int))]
    close(read(ds), 1 - (RAMP // 4) / 1023)


# First values as written; those of 40000 and 33000 are negative if read as signed.
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("vr", ["US", "SS"])
@pytest.mark.parametrize(
    ("kind", "intercept", "first"),
    [
        (np.uint16, -1024, -1024),
        (np.uint16, -1024, 100),
        (np.uint16, 40000, 40000),
        (np.int16, 0, -2048),
        (np.int16, 40000, 38000),
        (np.int16, -1024, -3072),
    ],
)
def test_the_sign_of_the_first_value_follows_from_the_values(
    read, kind, intercept, first, vr, syntax
):
    pixels = (RAMP.astype(int) - (2048 if kind is np.int16 else 0)).astype(kind)
    ds = dataset(pixels, bits=12, RescaleSlope=1, RescaleIntercept=intercept)
    ds.VOILUTSequence = [table(first, 12, np.arange(4096), vr)]
    index = np.clip(pixels.astype(int) + intercept - first, 0, 4095)
    close(read(ds, syntax), index / 4095)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("vr", ["US", "SS"])
@pytest.mark.parametrize(("kind", "first"), [(np.uint16, 40000), (np.int16, -25536)])
def test_sixteen_bits_without_rescaling(read, kind, first, vr, syntax):
    pixels = (np.arange(4096) + first).astype(kind).reshape(64, 64)
    ds = dataset(pixels)
    ds.VOILUTSequence = [table(first, 16, np.arange(4096), vr)]
    close(read(ds, syntax), RAMP / 4095)


@pytest.mark.parametrize("vr", ["US", "SS"])
@pytest.mark.parametrize(("kind", "first"), [(np.uint16, 0), (np.int16, -32768)])
def test_65536_entries(read, kind, first, vr):
    pixels = (np.arange(0, 65536, 16) + first).astype(kind).reshape(64, 64)
    ds = dataset(pixels)
    item = table(first, 16, np.arange(65536)[::-1], vr)
    # A list of US would be longer than an explicit VR allows.
    data = np.arange(65536, dtype="<u2")[::-1].tobytes()
    item["LUTData"] = pydicom.DataElement("LUTData", "OW", data)
    ds.VOILUTSequence = [item]
    close(read(ds), 1 - (pixels.astype(int) - first) / 65535)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("count", [256, 255])
def test_two_entries_of_eight_bits_per_word(read, vr, count, syntax):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = np.arange(256)[::-1][:count].astype(np.uint8)
    words = np.frombuffer(values.tobytes() + bytes(count % 2), "<u2")
    item = lut(0, 8, values.tolist())
    item["LUTData"].VR = vr
    order = ">u2" if syntax == BIG_ENDIAN else "<u2"
    item["LUTData"].value = words.tolist() if vr == "US" else words.astype(order).tobytes()
    ds = dataset(pixels)
    ds.VOILUTSequence = [item]
    close(read(ds, syntax), values[np.minimum(pixels, count - 1)] / 255)


def test_descriptors_that_are_right_give_what_pydicom_gives(read):
    ds = dataset(RAMP, bits=12)
    ds.VOILUTSequence = [table(7, 12, np.arange(4095, 0, -3))]
    close(read(ds), apply_voi(RAMP, ds) / 4095)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize(
    ("declared", "stored", "scale"),
    [(8, "u1", 1), (8, "u2", 1), (16, "u2", 1), (16, "u2", 256), (16, "u2", 257)],
)
def test_palettes(read, declared, stored, scale, syntax):
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    palette = np.random.default_rng(0).integers(0, 256, (12, 3))
    palette[3] = 255, 0, 7
    ds = dataset(pixels, PhotometricInterpretation="PALETTE COLOR")
    for i, name in enumerate(dicom_lookup.COLOURS):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [12, 2, declared])
        ds[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
        data = (palette[:, i] * scale).astype(f"<{stored}").tobytes()
        if syntax == BIG_ENDIAN:
            data = np.frombuffer(data, "<u2").astype(">u2").tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", data)
    white = 65535 if scale > 1 else 255
    close(read(ds, syntax), palette[np.clip(pixels.astype(int) - 2, 0, 11)] * scale / white)


def test_a_palette_of_eight_bits_has_more_entries_than_a_byte_counts(read):
    ds = dataset(RAMP, bits=12, PhotometricInterpretation="PALETTE COLOR")
    for name in dicom_lookup.COLOURS:
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [4096, 0, 8])
        ds[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(
            ds,
            f"{name}PaletteColorLookupTableData",
            (np.arange(4096) // 16).astype(np.uint8).tobytes(),
        )
    close(read(ds), np.repeat((RAMP // 16 / 255)[..., None], 3, axis=-1))


def test_a_palette_of_segments(read):
    ds = dataset(np.arange(16, dtype=np.uint8).reshape(4, 4), BitsStored=8)
    ds.PhotometricInterpretation = "PALETTE COLOR"
    # A discrete segment of one entry, and a linear one of 15 that ends in 150.
    data = bytes([0, 1, 0, 1, 15, 150])
    for name in dicom_lookup.COLOURS:
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [16, 0, 8])
        ds[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(ds, f"Segmented{name}PaletteColorLookupTableData", data)
    close(read(ds)[..., 1], np.arange(16).reshape(4, 4) * 10 / 255)
