"""Rows of arrays in NumPy archives as images, stored and deflated."""

import os
import pathlib
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from remedis import limits
from remedis.data import readers
from remedis.data.readers import Unreadable, npz

SAVE = {"stored": np.savez, "deflated": np.savez_compressed}


@pytest.fixture(scope="module")
def images():
    """Arrays that zlib unpacks in many steps: noise, and noise between even rows."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (700, 16, 15), np.uint8)
    grey[:, 8:] = 7
    return {"grey": grey, "deep": rng.integers(0, 65536, (40, 9, 5, 3), np.uint16)}


@pytest.fixture(scope="module", params=SAVE)
def path(request, images, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "a.npz"
    SAVE[request.param](path, **images)
    return str(path)


def test_rows_in_any_order(path, images):
    rng = np.random.default_rng(1)
    for name, array in images.items():
        for row in (*range(5), *rng.permutation(len(array))):
            pixels = npz.read_pixels(path, f"{name},{row}")
            assert pixels.dtype == array.dtype
            np.testing.assert_array_equal(pixels, array[row].reshape((*array.shape[1:3], -1)))
        np.testing.assert_array_equal(npz.arrays(path)[name].whole(), array)


def test_rows_in_many_threads(path, images):
    npz._arrays.cache_clear()
    order = np.random.default_rng(2).integers(0, 700, 600)
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(lambda row: npz.read_pixels(path, f"grey,{row}"), order))
    np.testing.assert_array_equal(np.stack(read)[..., 0], images["grey"][order])


def test_a_row_is_unpacked_from_the_state_before_it(images, tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "_SHORTEST_WAY", 1000)
    np.savez_compressed(tmp_path / "b.npz", **images)
    array = npz.arrays(str(tmp_path / "b.npz"))["grey"]
    array.row(699)
    assert 160 < len(array._states) < 180  # 168,000 bytes, 1,000 apart
    unpacked = []
    step = array._step
    monkeypatch.setattr(array, "_step", lambda *a: unpacked.append(step(*a)) or unpacked[-1])
    np.testing.assert_array_equal(array.row(350), images["grey"][350])
    assert sum(len(part) for part, _ in unpacked) <= 1000 + 240
    unpacked.clear()
    np.testing.assert_array_equal(array.row(351), images["grey"][351])
    assert sum(len(part) for part, _ in unpacked) == 240  # goes on behind row 350


def test_located_by_its_name(path, images):
    location = readers.locate(f"{path}#grey,3")
    assert (location.item, location.reader) == ("grey,3", npz)
    expected = np.repeat(images["grey"][3][..., None].astype(np.float32) / 255, 3, -1)
    np.testing.assert_array_equal(location.read_pixels(), expected)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("", r"no array of ''; expected a.npz#ARRAY,ROW with one of the arrays deep, grey"),
        ("grey", "no array of 'grey'"),
        ("blue,0", "no array of 'blue,0'"),
        ("grey,-1", "no array of 'grey,-1'"),
        ("grey,700", "no row 700 in the array 'grey'; expected 0 to 699"),
    ],
)
def test_no_such_row(path, item, sentence):
    with pytest.raises(Unreadable, match=sentence):
        npz.read_pixels(path, item)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 2, 2)), r"'x' is float64 \[3, 2, 2\]; expected uint8 or uint16"),
        (np.zeros((3, 2, 2, 5), np.uint8), r"'x' is uint8 \[3, 2, 2, 5\]"),
        (np.zeros((3, 0, 2), np.uint8), "at least one pixel"),
        (np.zeros(3, np.uint8), r"'x' is uint8 \[3\]"),
        (np.array([{}]), "holds neither numbers nor text"),
        (np.asfortranarray(np.zeros((3, 2, 2), np.uint8)), "is stored by column"),
    ],
)
def test_arrays_that_hold_no_images(array, sentence, tmp_path):
    np.savez_compressed(tmp_path / "x.npz", x=array)
    with pytest.raises(Unreadable, match=sentence):
        npz.read_pixels(str(tmp_path / "x.npz"), "x,0")


def test_images_with_too_many_pixels(path):
    with limits.megapixels(0.0002), pytest.raises(Unreadable, match="pixels"):
        npz.read_pixels(path, "grey,0")


def test_damaged_files(path, tmp_path):
    damaged = tmp_path / "x.npz"
    contents = bytearray(pathlib.Path(path).read_bytes())
    cases = {
        b"not an archive": "is no NumPy archive, or is truncated or damaged",
        bytes(contents[: len(contents) // 2]): "is no NumPy archive",
        b"": "is no NumPy archive",
    }
    for case, sentence in cases.items():
        damaged.write_bytes(case)
        with pytest.raises(Unreadable, match=sentence):
            npz.read_pixels(str(damaged), "grey,0")
    middle = len(contents) // 3
    contents[middle : middle + 200] = bytes(200)
    damaged.write_bytes(contents)
    for row in range(0, 700, 50):
        try:
            assert npz.read_pixels(str(damaged), f"grey,{row}").shape == (16, 15, 1)
        except Unreadable as error:
            assert "truncated or damaged" in str(error)  # noqa: PT017
    with pytest.raises(Unreadable, match="no such file"):
        npz.read_pixels(str(tmp_path / "nowhere.npz"), "grey,0")
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(Unreadable, match="pipe"):
        npz.read_pixels(str(tmp_path / "pipe.npz"), "grey,0")


def test_members_that_say_more_than_they_hold(tmp_path):
    header = (
        b"\x93NUMPY\x01\x00v\x00"
        + str({"descr": "|u1", "fortran_order": False, "shape": (10**9, 28, 28)})
        .encode()
        .ljust(117)
        + b"\n"
    )
    for kind in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(tmp_path / f"{kind}.npz", "w", kind) as archive:
            archive.writestr("x.npy", header + bytes(1000))
    with pytest.raises(Unreadable, match="array x declares the shape"):
        npz.arrays(str(tmp_path / f"{zipfile.ZIP_DEFLATED}.npz"))
    with pytest.raises(Unreadable, match="compressed by an unknown method"):
        npz.arrays(str(tmp_path / f"{zipfile.ZIP_BZIP2}.npz"))
