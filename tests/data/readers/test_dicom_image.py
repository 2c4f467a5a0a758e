"""DICOM images against closed forms and against `pydicom.pixels`."""

import pathlib

import numpy as np
import pandas as pd
import pydicom
import pytest
import tensorflow as tf
from dicom_helpers import dataset, lut, write
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi_lut

from remedis.data.batches.image_loader import image_loader
from remedis.data.checks import scan
from remedis.data.manifest import REQUIRED, Manifest
from remedis.data.readers import PIXELS, dicom_image, locate
from remedis.data.readers.unreadable import Unreadable
from remedis.errors import UserError

TWELVE = np.arange(0, 4096, 65, dtype=np.uint16).reshape(8, 8)  # ends in 4095
SIGNED = np.arange(-2048, 2048, 65, dtype=np.int16).reshape(8, 8)


@pytest.fixture
def shown(tmp_path):
    """Returns a function that writes a dataset and reads its grey image."""

    def show(ds: Dataset, item: str = "") -> np.ndarray:
        image = dicom_image.read_pixels(write(tmp_path / "a.dcm", ds), item)
        assert image.dtype == np.float32
        assert image.shape[2] == 1
        return image[..., 0]

    return show


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_without_a_window_the_stored_bits_are_the_range(shown):
    close(shown(dataset(TWELVE, bits=12)), TWELVE / 4095)
    close(shown(dataset(TWELVE)), TWELVE / 65535)
    eight = np.arange(0, 256, 5, dtype=np.uint8)[:48].reshape(6, 8)
    close(shown(dataset(eight)), eight / 255)
    close(shown(dataset(SIGNED, bits=12)), (SIGNED + 2048.0) / 4095)


def test_bits_above_the_stored_ones_do_not_count(shown):
    close(shown(dataset(TWELVE | np.uint16(0xA000), bits=12)), TWELVE / 4095)
    # The sign is the highest of the stored bits; the bits above it do not count.
    without_sign = (SIGNED & 0x0FFF).astype(np.int16)
    close(shown(dataset(without_sign, bits=12)), (SIGNED + 2048.0) / 4095)


@pytest.mark.parametrize("frames", [1, 2])
def test_attributes_that_others_imply_may_be_missing(shown, frames):
    pixels = np.stack([TWELVE] * frames) if frames > 1 else TWELVE
    more = {"NumberOfFrames": frames} if frames > 1 else {}
    without = {"BitsStored": None, "SamplesPerPixel": None}
    item = str(frames) if frames > 1 else ""
    close(shown(dataset(pixels, bits=12, **without, **more), item), TWELVE / 4095)
    eight = (pixels // 16).astype(np.uint8)
    without |= {"HighBit": None, "PixelRepresentation": None}
    close(shown(dataset(eight, **without, **more), item), TWELVE // 16 / 255)


def test_odd_sizes_are_not_sheared(shown):
    pixels = np.arange(15, dtype=np.uint8).reshape(3, 5) * 17
    close(shown(dataset(pixels)), pixels / 255)


def test_linear_window(shown):
    # PS3.3 C.11.2.1.2.1 with centre 2048 and width 1024: black up to 1536, white above 2559.
    expected = np.clip((TWELVE - 2047.5) / 1023 + 0.5, 0, 1)
    close(shown(dataset(TWELVE, bits=12, WindowCenter=2048, WindowWidth=1024)), expected)
    assert (expected == 0).any()
    assert (expected == 1).any()


def test_the_first_of_several_windows(shown):
    expected = np.clip((TWELVE - 999.5) / 999 + 0.5, 0, 1)
    several = {"WindowCenter": [1000, 2000], "WindowWidth": [1000, 4000]}
    close(shown(dataset(TWELVE, bits=12, **several)), expected)


def test_linear_window_of_width_one_is_a_threshold(shown):
    actual = shown(dataset(TWELVE, bits=12, WindowCenter=650, WindowWidth=1))
    close(actual, TWELVE > 649.5)


def test_exact_and_sigmoid_windows(shown):
    window = {"WindowCenter": 2000, "WindowWidth": 500}
    exact = dataset(TWELVE, bits=12, VOILUTFunction="LINEAR_EXACT", **window)
    close(shown(exact), np.clip((TWELVE - 2000.0) / 500 + 0.5, 0, 1))
    sigmoid = dataset(TWELVE, bits=12, VOILUTFunction="SIGMOID", **window)
    close(shown(sigmoid), 1 / (1 + np.exp(-4 * (TWELVE - 2000.0) / 500)))


def test_a_window_is_in_rescaled_units(shown):
    window = {"WindowCenter": 40, "WindowWidth": 400}
    ds = dataset(SIGNED, bits=12, RescaleSlope=2, RescaleIntercept=-1024, **window)
    close(shown(ds), np.clip((SIGNED * 2.0 - 1024 - 39.5) / 399 + 0.5, 0, 1))


def test_rescaling_alone_changes_nothing_but_a_negative_slope_inverts(shown):
    close(
        shown(dataset(TWELVE, bits=12, RescaleSlope="0.5", RescaleIntercept="-10")), TWELVE / 4095
    )
    close(
        shown(dataset(TWELVE, bits=12, RescaleSlope="-1", RescaleIntercept="0")), 1 - TWELVE / 4095
    )


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(40, 400), (-600, 1500), (0, 1), (2000, 2)])
def test_windows_are_those_of_pydicom(shown, function, centre, width):
    window = {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": function}
    ds = dataset(SIGNED, bits=12, RescaleSlope=2, RescaleIntercept=-1024, **window)
    values = pydicom.pixels.apply_modality_lut(SIGNED, ds)
    low, high = -2048 * 2 - 1024, 2047 * 2 - 1024
    close(shown(ds), (pydicom.pixels.apply_windowing(values, ds) - low) / (high - low))


def test_luts_of_sixteen_bits_are_those_of_pydicom(shown):
    ds = dataset(TWELVE, bits=12)
    ds.ModalityLUTSequence = [lut(500, 16, list(range(0, 60000, 20)))]
    ds.VOILUTSequence = [lut(1000, 16, list(range(65535, 5535, -1)))]
    values = pydicom.pixels.apply_modality_lut(TWELVE, ds)
    close(shown(ds), pydicom.pixels.apply_voi(values, ds) / 65535)


@pytest.mark.parametrize(
    ("colours", "shape", "inverted"),
    [
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_inverted_once(shown, colours, shape, inverted):
    more = {"PhotometricInterpretation": colours, "WindowCenter": 2048, "WindowWidth": 1024}
    if shape:
        more["PresentationLUTShape"] = shape
    plain = np.clip((TWELVE - 2047.5) / 1023 + 0.5, 0, 1)
    close(shown(dataset(TWELVE, bits=12, **more)), 1 - plain if inverted else plain)


@pytest.mark.parametrize("colours", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(shown, colours):
    pixels = TWELVE.copy()
    pixels[0] = 4095
    pixels[1] = 4000
    ds = dataset(
        pixels,
        bits=12,
        PhotometricInterpretation=colours,
        PixelPaddingValue=4095,
        PixelPaddingRangeLimit=4000,
    )
    grey = pixels / 4095 if colours == "MONOCHROME2" else 1 - pixels / 4095
    close(shown(ds), np.where(pixels >= 4000, 0, grey))


def test_padding_beyond_the_stored_bits_is_no_value_of_the_image(shown):
    # 65535 is 4095 in the lower 12 bits, but 4095 is the brightest value of the image.
    close(shown(dataset(TWELVE, bits=12, PixelPaddingValue=65535)), TWELVE / 4095)


def test_pixels_of_padding_beyond_the_stored_bits_are_black(shown):
    pixels = TWELVE.copy()
    pixels[0] = 63536  # 2096 in the lower 12 bits
    pixels[1, 0] = 2096
    expected = pixels / 4095
    expected[0] = 0
    close(shown(dataset(pixels, bits=12, PixelPaddingValue=63536)), expected)


def test_padding_among_other_bits_is_black(shown):
    # Overlays of old files lie in the bits above those stored.
    pixels = TWELVE | np.uint16(0xA000)
    padding = int(TWELVE[3, 3])
    expected = np.where(padding == TWELVE, 0, TWELVE / 4095)
    close(shown(dataset(pixels, bits=12, PixelPaddingValue=padding)), expected)


def test_signed_padding(shown):
    ds = dataset(SIGNED, bits=12)
    ds.PixelPaddingValue = -2048
    ds["PixelPaddingValue"].VR = "SS"
    expected = (SIGNED + 2048.0) / 4095
    assert expected[0, 0] == 0
    close(shown(ds), expected)
    ds = dataset(SIGNED, PhotometricInterpretation="MONOCHROME1")
    ds.PixelPaddingValue = 65536 - 2048
    ds["PixelPaddingValue"].VR = "US"
    assert shown(ds)[0, 0] == 0


def test_modality_lut(shown):
    values = [0, 100, 200, 255]
    ds = dataset(np.array([[0, 9, 10, 11, 12, 13, 14, 255]], np.uint8))
    ds.ModalityLUTSequence = [lut(10, 8, values)]
    close(shown(ds), np.array([[0, 0, 0, 100, 200, 255, 255, 255]]) / 255)


def test_voi_lut_of_eight_bits_and_many_entries(shown):
    # 4096 entries of 8 bits: indices must not wrap at 256.
    values = (np.arange(4096) // 16)[::-1]
    ds = dataset(TWELVE, bits=12, WindowCenter=1, WindowWidth=2)
    ds.VOILUTSequence = [lut(0, 8, values.tolist())]
    close(shown(ds), values[TWELVE] / 255)


def test_voi_lut_after_rescaling_with_a_negative_first_value(shown):
    ds = dataset(SIGNED, bits=12, RescaleSlope=1, RescaleIntercept=1000)
    ds.VOILUTSequence = [lut(-500, 12, list(range(0, 4000, 4)))]
    index = np.clip(SIGNED + 1000 + 500, 0, 999)
    close(shown(ds), index * 4 / 4095)


@pytest.mark.parametrize("packed", [False, True])
def test_lut_data_as_bytes(shown, packed):
    ds = dataset(np.array([[0, 1, 2, 3]], np.uint8))
    item = lut(0, 8, [0, 40, 90, 255])
    item["LUTData"].VR = "OW"
    item["LUTData"].value = np.array([0, 40, 90, 255], "u1" if packed else "<u2").tobytes()
    ds.VOILUTSequence = [item]
    close(shown(ds), np.array([[0, 40, 90, 255]]) / 255)


def test_frames_are_counted_from_one(shown):
    pixels = np.stack([TWELVE, TWELVE[::-1], TWELVE.T])
    ds = dataset(pixels, bits=12, NumberOfFrames=3)
    for i in range(3):
        close(shown(ds, str(i + 1)), pixels[i] / 4095)


def test_a_single_frame_may_be_named(shown):
    close(shown(dataset(TWELVE, bits=12), "1"), TWELVE / 4095)


def test_frames_of_enhanced_files_have_their_own_settings(shown):
    def group(slope=None, centre=None):
        result = Dataset()
        if slope is not None:
            transformation = Dataset()
            transformation.RescaleSlope, transformation.RescaleIntercept = slope, 0
            result.PixelValueTransformationSequence = [transformation]
        if centre is not None:
            voi = Dataset()
            voi.WindowCenter, voi.WindowWidth = centre, 1001
            result.FrameVOILUTSequence = [voi]
        return result

    pixels = np.stack([TWELVE, TWELVE])
    ds = dataset(pixels, bits=12, NumberOfFrames=2)
    ds.SharedFunctionalGroupsSequence = [group(slope=2)]
    ds.PerFrameFunctionalGroupsSequence = [group(centre=1000), group(slope=3, centre=2000)]
    close(shown(ds, "1"), np.clip((TWELVE * 2.0 - 999.5) / 1000 + 0.5, 0, 1))
    close(shown(ds, "2"), np.clip((TWELVE * 3.0 - 1999.5) / 1000 + 0.5, 0, 1))


def test_one_bit(shown):
    pixels = np.array([[0, 1, 0, 1, 1, 0, 0, 1], [1, 1, 1, 1, 0, 0, 0, 0]], np.uint8)
    ds = dataset(pixels, BitsAllocated=1, BitsStored=1, HighBit=0)
    ds.PixelData = np.packbits(pixels, bitorder="little").tobytes()
    close(shown(ds), pixels)


def test_big_endian_and_implicit(tmp_path):
    expected = TWELVE / 4095
    for syntax, order in (("1.2.840.10008.1.2.2", ">"), ("1.2.840.10008.1.2", "<")):
        ds = dataset(TWELVE, bits=12)
        ds.file_meta.TransferSyntaxUID = syntax
        ds.PixelData = TWELVE.astype(f"{order}u2").tobytes()
        ds["PixelData"].VR = "OW"
        close(dicom_image.read_pixels(write(tmp_path / "a.dcm", ds), "")[..., 0], expected)


def test_deflated(tmp_path):
    ds = dataset(TWELVE, bits=12)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    close(dicom_image.read_pixels(write(tmp_path / "a.dcm", ds), "")[..., 0], TWELVE / 4095)


COLOURS = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)


def test_colours_keep_their_places(tmp_path):
    close(dicom_image.read_pixels(write(tmp_path / "a.dcm", dataset(COLOURS)), ""), COLOURS / 255)
    planes = dataset(COLOURS, PlanarConfiguration=1)
    planes.PixelData = COLOURS.transpose(2, 0, 1).tobytes()
    close(dicom_image.read_pixels(write(tmp_path / "b.dcm", planes), ""), COLOURS / 255)
    deep = COLOURS.astype(np.uint16) * 257
    close(dicom_image.read_pixels(write(tmp_path / "c.dcm", dataset(deep)), ""), COLOURS / 255)
    planes = dataset(deep, PlanarConfiguration=1)
    planes.PixelData = deep.transpose(2, 0, 1).tobytes()
    close(dicom_image.read_pixels(write(tmp_path / "d.dcm", planes), ""), COLOURS / 255)


def test_luminance_and_chroma(tmp_path):
    # Y = 100 without chroma is grey; with the red difference at its highest it is red.
    pixels = np.array([[[100, 128, 128], [100, 128, 255]]], np.uint8)
    ds = dataset(pixels, PhotometricInterpretation="YBR_FULL")
    image = dicom_image.read_pixels(write(tmp_path / "a.dcm", ds), "") * 255
    red, green = 100 + 1.402 * 127, 100 - 0.714136 * 127
    np.testing.assert_allclose(image[0], [[100] * 3, [255, max(green, 0), 100]], atol=1)
    assert red > 255


def test_palette(tmp_path):
    ds = dataset(np.array([[0, 1, 2, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    palette = np.array([[255, 0, 0], [0, 128, 0], [10, 20, 30], [7, 8, 9]], np.uint8)
    for i, name in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(ds, f"{name}PaletteColorLookupTableData", palette[:, i].tobytes())
    image = dicom_image.read_pixels(write(tmp_path / "a.dcm", ds), "")
    close(image, palette[[[0, 1, 2, 1]]] / 255)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90"])
@pytest.mark.parametrize("frames", [1, 2])
def test_lossless_compression_loses_nothing(tmp_path, syntax, frames):
    pixels = np.random.default_rng(1).integers(0, 4096, (frames, 33, 47)).astype(np.uint16)
    ds = dataset(pixels, bits=12, NumberOfFrames=frames) if frames > 1 else dataset(pixels[0], 12)
    ds.compress(syntax, generate_instance_uid=False)
    file = write(tmp_path / "a.dcm", ds)
    for i in range(frames):
        close(dicom_image.read_pixels(file, str(i + 1))[..., 0], pixels[i] / 4095)


# Computed radiographs of pydicom's test data, as JPEG 2000 and uncompressed.
RADIOGRAPHS = ("RG1_UNCR.dcm", "RG1_UNCI.dcm", "RG1_J2KR.dcm", "RG1_J2KI.dcm")


def radiograph(name: str) -> str:
    path = get_testdata_file(name, download=False)
    assert path is not None
    return path


@pytest.fixture(scope="module")
def radiographs():
    return {name: dicom_image.read_pixels(radiograph(name), "")[..., 0] for name in RADIOGRAPHS}


@pytest.mark.parametrize("name", ["RG1_UNCR.dcm", "RG1_UNCI.dcm"])
def test_radiographs_are_pydicoms(radiographs, name):
    ds = pydicom.dcmread(radiograph(name))
    ds.pixel_array_options(decoding_plugin="")
    values = pydicom.pixels.apply_modality_lut(ds.pixel_array, ds)
    assert ds.BitsStored < ds.BitsAllocated
    low, high = 0, 2**ds.BitsStored - 1
    twin = (apply_voi_lut(values, ds).astype(np.float64) - low) / (high - low)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        twin = 1 - twin
    close(radiographs[name], twin)
    # Neither dark nor empty.
    assert radiographs[name].mean() > 0.2
    assert radiographs[name].std() > 0.1


def test_jpeg_2000_radiographs_are_the_uncompressed_ones(radiographs):
    np.testing.assert_array_equal(radiographs["RG1_J2KR.dcm"], radiographs["RG1_UNCR.dcm"])
    np.testing.assert_allclose(
        radiographs["RG1_J2KI.dcm"], radiographs["RG1_UNCI.dcm"], atol=1 / 100
    )


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a.dcm", True),
        ("A.DCM", True),
        ("a.dicom", True),
        ("1.2.840.113619.2.5", True),
        ("CR.1.2.840.113", True),
        ("RTDOSE.1.2.840.113", True),
        ("b.IMA", True),
        ("1.2.3", False),
        ("MR.1.2.3", False),
        ("x.1.2.3.4", False),
        ("CR.1.2.3.4.png", False),
        ("IM0001", False),
        ("a.dcm.png", False),
        ("x#1.png", False),
    ],
)
def test_names(name, taken):
    assert (locate(f"folder/{name}").reader is dicom_image) == taken


def test_frames_in_paths():
    location = locate("folder/cine.dcm#3")
    assert (location.file, location.item, location.kind) == ("folder/cine.dcm", "3", PIXELS)


@pytest.mark.parametrize("item", ["0", "4", "-1", "one", "1.0", "9999999999999"])
def test_missing_frames_are_refused(tmp_path, item):
    ds = dataset(np.zeros((3, 4, 4), np.uint8), NumberOfFrames=3)
    with pytest.raises(Unreadable, match=f"no frame '{item}' .* from 1 to 3"):
        dicom_image.read_pixels(write(tmp_path / "a.dcm", ds), item)


def test_channels_are_those_stored(tmp_path):
    write(tmp_path / "colour.dcm", dataset(COLOURS))
    grey = pathlib.Path(radiograph("CT_small.dcm"))
    table = pd.DataFrame(dict.fromkeys(REQUIRED), index=range(2))
    table = table.assign(path=[str(grey), "colour.dcm"], ill=np.float32(0))
    m = Manifest(table, ("ill",), tmp_path, "csv")
    scanned = scan.scan(m)
    assert scanned["fault"].isna().all()
    assert scanned["channels"].tolist() == [1, 3]
    assert scanned["bits"].isna().all()
    assert scanned["colour"].tolist() == [False, True]
    loaded = list(tf.data.Dataset.range(2).map(image_loader(m)).as_numpy_iterator())
    for row, channels in enumerate((1, 3)):
        pixels = locate(m.absolute_paths()[row]).read_pixels()
        assert pixels.shape == (*scanned.loc[row, ["height", "width"]], channels)
        np.testing.assert_array_equal(loaded[row], pixels)
        np.testing.assert_array_equal(image_loader(m)(tf.constant(row)), pixels)  # eagerly, too


def test_without_the_decoder_under_the_gpl(shown, monkeypatch):
    """The extra `dicom-permissive`: run lengths are decoded, lossless JPEG is a sentence."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEGLosslessSV1, RLELossless

    monkeypatch.delitem(get_decoder(JPEGLosslessSV1)._available, "pylibjpeg")
    path = get_testdata_file("SC_rgb_jpeg_gdcm.dcm", download=False)
    with pytest.raises(UserError, match=r"need a decoder .* `pip install 'remedis\[dicom\]'`"):
        dicom_image.read_pixels(path, "")
    ds = dataset(TWELVE, bits=12)
    ds.compress(RLELossless)
    close(shown(ds), TWELVE / 4095)
