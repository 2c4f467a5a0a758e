"""Rows of HDF5 arrays as images."""

import functools
import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

from remedis.data import readers
from remedis.data.readers import Unreadable, hdf5


@pytest.fixture
def write(tmp_path):
    def write_file(name="a.h5", **arrays):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file.create_dataset(key, data=array)
        return str(path)

    return write_file


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3), (5, 4, 6, 4)])
def test_rows(write, dtype, shape):
    images = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    path = write(x=images, y=np.zeros(5))
    for row in range(5):
        pixels = hdf5.read_pixels(path, str(row))
        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels, images[row].reshape(4, 6, -1))


def test_located_by_name_and_only_array(write):
    images = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 1)
    location = readers.locate(write("b.HDF5", images=images) + "#1")
    assert (location.item, location.reader) == ("1", hdf5)
    expected = np.repeat(images[1].astype(np.float32) / 255, 3, -1)
    np.testing.assert_array_equal(location.read_pixels(), expected)


@pytest.mark.parametrize(
    ("arrays", "item", "sentence"),
    [
        (
            {"x": np.zeros((3, 2, 2), np.uint8)},
            "3",
            "no row '3'; expected a.h5#ROW with ROW from 0",
        ),
        ({"x": np.zeros((3, 2, 2), np.uint8)}, "-1", "There is no row '-1'"),
        ({"x": np.zeros((3, 2, 2), np.uint8)}, "", "There is no row ''"),
        ({"x": np.zeros((3, 2, 2), np.uint8)}, "²", "There is no row"),
        ({"x": np.zeros((3, 2, 2))}, "0", "The array 'x' is float64 [3, 2, 2]; expected uint8 or"),
        ({"x": np.zeros((3, 2, 2, 5), np.uint8)}, "0", "is uint8 [3, 2, 2, 5]; expected uint8 or"),
        ({"x": np.zeros((3, 2, 2), np.uint8)}, "1" * 5000, "There is no row '111"),
        ({"x": np.zeros((3, 0, 0, 3), np.uint8)}, "0", "is uint8 [3, 0, 0, 3]; expected uint8 or"),
        ({"x": np.zeros((3, 2, 0), np.uint8)}, "0", "with 1 to 4 channels and at least one pixel."),
        ({"x": h5py.Empty("u1")}, "0", "is uint8 []; expected uint8 or uint16 [rows, H, W"),
        ({"x": np.zeros(3, np.uint8)}, "0", "is uint8 [3]; expected uint8 or uint16 [rows, H, W, "),
        ({"a": np.zeros(3), "b": np.zeros(3)}, "0", "has no array 'x'; it has a, b."),
        ({}, "0", "has no array 'x'; it has none."),
    ],
)
def test_unreadable(write, arrays, item, sentence):
    path = write(**arrays)
    with pytest.raises(Unreadable) as error:
        hdf5.read_pixels(path, item)
    assert sentence in str(error.value)


def test_damaged_and_missing_files(write, tmp_path):
    path = write(x=np.random.default_rng(0).integers(0, 255, (50, 32, 32, 3)).astype(np.uint8))
    contents = (tmp_path / "a.h5").read_bytes()
    for damaged in (b"", b"text", contents[: len(contents) // 2], contents[:100]):
        (tmp_path / "a.h5").write_bytes(damaged)
        with pytest.raises(Unreadable, match="The HDF5 file is truncated or damaged"):
            hdf5.read_pixels(path, "49")
    with pytest.raises(Unreadable, match="There is no such file"):
        hdf5.read_pixels(str(tmp_path / "b.h5"), "0")


def test_a_file_that_cannot_be_opened_is_not_called_damaged(write, tmp_path, monkeypatch):
    (tmp_path / "d.h5").mkdir()
    with pytest.raises(Unreadable, match=r"^The file cannot be read \(Is a directory\)\.$"):
        hdf5.read_pixels(str(tmp_path / "d.h5"), "0")
    path = write(x=np.zeros((3, 2, 2), np.uint8))

    def refuse(*_):
        raise PermissionError(13, "Unable to open file, and further text")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(Unreadable, match=r"^The file cannot be read \(Permission denied\)\.$"):
        hdf5.read_pixels(path, "0")


def test_a_damaged_row_is_unreadable_and_the_others_are_not(write, tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        array = file.create_dataset("x", data=images, chunks=(1, 32, 32, 3), compression="gzip")
        place = array.id.get_chunk_info(1).byte_offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 64)
    np.testing.assert_array_equal(hdf5.read_pixels(str(path), "0"), images[0])
    with pytest.raises(Unreadable, match="truncated or damaged"):
        hdf5.read_pixels(str(path), "1")


def test_many_threads_and_more_files_than_stay_open(write):
    rows = np.arange(20, dtype=np.uint8)[:, None, None, None]
    paths = [write(f"{i}.h5", x=np.full((20, 8, 8, 3), i, np.uint8) + rows) for i in range(20)]
    with ThreadPoolExecutor(8) as threads:
        wanted = [(f, r) for r in range(20) for f in range(20)]
        images = list(threads.map(lambda fr: hdf5.read_pixels(paths[fr[0]], str(fr[1])), wanted))
    for (file, row), pixels in zip(wanted, images, strict=True):
        assert (pixels == file + row).all()


def test_a_replaced_file_is_opened_again(write):
    path = write(x=np.zeros((1, 2, 2, 3), np.uint8))
    assert hdf5.read_pixels(path, "0").max() == 0
    other = write("new.h5", x=np.ones((3, 2, 2, 3), np.uint8))
    os.replace(other, path)
    assert hdf5.read_pixels(path, "2").min() == 1


def link(target):
    def make(file, path):
        file["x"] = target(path)

    return make


def external(file, path):
    file.create_dataset("x", (1, 2, 2), np.uint8, external=[("/etc/passwd", 0, 4)])


def virtual(file, path):
    layout = h5py.VirtualLayout((1, 2, 2), np.uint8)
    layout[:] = h5py.VirtualSource(f"{path}-other", "x", (1, 2, 2))
    file.create_virtual_dataset("x", layout)


def beside_a_link(file, path):
    file["images"] = np.zeros((1, 2, 2), np.uint8)
    file["other"] = h5py.ExternalLink("/etc/passwd", "x")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (external, "The array 'x' of the HDF5 file is stored in other files, and could show any"),
        (virtual, "The array 'x' of the HDF5 file is a view of other files, and could"),
        (link(lambda path: h5py.ExternalLink(f"{path}-other", "x")), "'x' of the HDF5 file is a "),
        (link(lambda path: h5py.SoftLink("/y")), "'x' of the HDF5 file is a link to another place"),
        (beside_a_link, "'other' of the HDF5 file is a link to another place, and could show"),
    ],
)
def test_no_other_file_is_shown(tmp_path, make, sentence):
    path = tmp_path / "a.h5"
    # Opening it would wait for ever.
    os.mkfifo(f"{path}-other")
    with h5py.File(path, "w") as file:
        make(file, path)
        file["y"] = h5py.ExternalLink(f"{path}-other", "x")
    with pytest.raises(Unreadable) as error:
        hdf5.read_pixels(str(path), "0")
    assert sentence in str(error.value)


@functools.cache
def zeros(size):
    # The fastest level packs 228:1; the best one, 1030:1, takes seconds here.
    packer = zlib.compressobj(1)
    blocks = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*blocks, packer.flush()])


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((9, 2**20, 2**20, 3), {}, "1,048,576 x 1,048,576 pixels, more than the limit of 40"),
        ((2**40, 6000, 6000), {"chunks": (4, 6000, 6000)}, "has 144,000,000 bytes; expected at mo"),
        ((9, 9000, 1000), {"chunks": (1, 9000, 1000), "compression": "lzf"}, "at most 8,388,608"),
        ((9, 9, 9), {"chunks": (1, 9, 9), "scaleoffset": 0}, "has unusual filters; expected gzip"),
        ((9, 300, 300), {"chunks": (9, 1, 1), "compression": "gzip"}, "more than 10,000 chunks"),
    ],
)
def test_memory_is_bounded_by_what_is_declared(tmp_path, shape, options, sentence):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape, np.uint8, **options)
    with pytest.raises(Unreadable) as error:
        hdf5.read_pixels(str(path), "0")
    assert sentence in str(error.value)


@pytest.mark.parametrize("filters", [{}, {"shuffle": True}, {"fletcher32": True}])
def test_a_chunk_unpacks_to_no_more_than_is_declared(tmp_path, filters):
    path, side = tmp_path / "a.h5", 1000
    images = np.random.default_rng(0).integers(0, 255, (2, side, side)).astype(np.uint8)
    with h5py.File(path, "w") as file:
        kind = {"chunks": (1, side, side), "compression": "gzip"}
        array = file.create_dataset("x", data=images, **kind, **filters)
        # Without the filters behind gzip, as HDF5 writes a chunk that they do not serve.
        mask = 0b10 if filters == {"fletcher32": True} else 0
        array.id.write_direct_chunk((0, 0, 0), zeros(130 << 20), mask)
    np.testing.assert_array_equal(hdf5.read_pixels(str(path), "1")[..., 0], images[1])
    with pytest.raises(Unreadable, match="unpacks to more than the 1,000,000 bytes"):
        hdf5.read_pixels(str(path), "0")


def test_deflate_twice_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((1, 8, 8))
    properties.set_deflate(9)
    properties.set_shuffle()
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((1, 8, 8))
        h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_UINT8, space, properties)
    with pytest.raises(Unreadable, match="has unusual filters"):
        hdf5.read_pixels(str(path), "0")
