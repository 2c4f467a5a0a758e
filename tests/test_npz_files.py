"""Arrays come back as they were written; whatever else a file holds is a `DamagedNpz`."""

import io
import os
import struct
import zipfile

import numpy as np
import pytest

from remedis.npz_files import MAX_ARRAYS, MAX_RATIO, DamagedNpz, NpzFile
from remedis.regular_files import NotRegular

ARRAYS = {
    "weights/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big_endian": np.arange(3, dtype=">i4"),
    "names": np.array(["a", "äß", ""]),
    "text": np.array("ein Text"),
    "empty": np.zeros((0, 5), np.float16),
    "seconds": np.array(1.5),
    "flag": np.array([True, False]),
}


def zip_of(members, method=zipfile.ZIP_STORED):
    """Returns the bytes of a zip archive with members, in this order; names may repeat."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def npy(descr="<f4", shape="(2,)", data=b"\0" * 8, fortran=False, version=(1, 0), length=None):
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == (1, 0) else "<I", length or len(header))
    return b"\x93NUMPY" + bytes(version) + size + header + data


def reason(path, content, name=None):
    """Returns why a file, or an array of it, cannot be read."""
    path.write_bytes(content)
    with pytest.raises(DamagedNpz) as caught, NpzFile(path) as opened:  # noqa: PT012
        if name is not None:
            opened[name]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_they_were(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)
    with NpzFile(path) as opened:
        assert list(opened) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(opened[name], array)
            assert opened[name].dtype == array.dtype
            assert opened.headers[name].shape == array.shape
        assert opened.text("text") == "ein Text"
        assert opened.expect("weights/kernel", "f", (3, None)).flags.writeable


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_versions_of_the_format(tmp_path, version):
    data = np.array([1, 2], np.float32).tobytes()
    (tmp_path / "a.npz").write_bytes(zip_of([("x.npy", npy(data=data, version=version))]))
    with NpzFile(tmp_path / "a.npz") as opened:
        assert opened["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (npy(shape="(3,)"), "array x declares the shape (3,) and type float32, and has 8 bytes"),
        (npy(shape="(1,)"), "array x declares the shape (1,) and type float32, and has 8 bytes"),
        (npy(shape=f"({10**12}, {10**12})"), "array x declares the shape (1000000000000, 100000"),
        (
            npy(shape=f"({10**9}, 0)", data=b""),
            "array x has no bytes and the shape (1000000000, 0)",
        ),
        (npy(shape="(-1, -2)"), "array x declares the shape (-1, -2) and type float32"),
        (npy(shape="2"), "array x: "),
        (npy(shape="(" * 900), "array x: "),
        (npy(descr="|O"), "array x holds neither numbers nor text"),
        (npy(descr="<c8"), "array x holds neither numbers nor text"),
        (npy(descr="<f4,<f4", shape="(1,)"), "array x holds neither numbers nor text"),
        (npy(descr="<q99"), "array x: "),
        (npy(length=2**16 - 1), "array x: a header of 65,535 bytes"),
        (npy(version=(2, 0), length=2**32 - 1), "array x: a header of 4,294,967,295 bytes"),
        (npy(version=(9, 0)), "array x: it does not begin as an NPY file"),
        (b"\x93NUM", "array x: it does not begin as an NPY file"),
        (b"", "array x: it does not begin as an NPY file"),
    ],
)
def test_an_array_that_cannot_be_as_it_declares(tmp_path, content, expected):
    assert reason(tmp_path / "a.npz", zip_of([("x.npy", content)])).startswith(expected)


def test_archives_that_are_not_of_arrays(tmp_path):
    path = tmp_path / "a.npz"
    twice = [("x.npy", npy()), ("x.npy", npy())]
    with pytest.warns(UserWarning, match="Duplicate name"):
        assert reason(path, zip_of(twice)) == "it has two arrays called x"
    assert reason(path, zip_of([("readme.txt", b"")])) == "readme.txt is not an array"
    assert reason(path, b"") == "File is not a zip file"
    many = zip_of([(f"{i}.npy", b"") for i in range(MAX_ARRAYS + 1)])
    assert reason(path, many) == "it has 10,001 arrays, expected at most 10,000"
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        content = zip_of([("x.npy", npy())], method)
        assert reason(path, content) == "x is compressed by an unknown method"


def test_an_encrypted_array(tmp_path):
    content = bytearray(zip_of([("x.npy", npy())]))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    assert reason(tmp_path / "a.npz", bytes(content)) == "x is encrypted"


def test_members_that_share_their_bytes(tmp_path):
    # A zip bomb of stored members: the directory names one member many times.
    content = zip_of([("0.npy", npy(data=b"\0" * 8000, shape="(2000,)"))])
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entry = content[start:end]
    entries = b"".join(entry.replace(b"0.npy", b"%d.npy" % i) for i in range(10))
    tail = bytearray(content[end:])
    tail[8:16] = struct.pack("<HHI", 10, 10, len(entries))
    assert reason(tmp_path / "a.npz", content[:start] + entries + tail) == "its members overlap"


def test_few_bytes_that_unpack_to_many(tmp_path):
    path = tmp_path / "a.npz"
    floats = 2_500_000
    content = npy(shape=f"({floats},)", data=b"\0" * 4 * floats)
    bomb = zip_of([("x.npy", content)], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    message = reason(path, bomb, "x")
    assert message.endswith(
        f" bytes unpack to {len(content):,}, more than 1 MiB and {MAX_RATIO} times as many"
    )
    # The header alone unpacks a few bytes, so that a wrong file is named as what it is.
    with NpzFile(path) as opened:
        assert opened.headers["x"].shape == (floats,)


def test_a_flipped_bit_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "a.npz"
    written = {"x": [0.0, 1.0, 2.0], "y": ["a"]}
    np.savez(path, x=np.arange(3, dtype=np.float32), y=np.array(["a"]))
    good = path.read_bytes()
    outcomes = set()
    for bit in range(0, 8 * len(good), 13):  # every bit of a byte in turn
        content = bytearray(good)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            with NpzFile(path) as opened:
                read = {name: opened[name].tolist() for name in opened}
        except DamagedNpz:
            outcomes.add("noticed")
        else:
            outcomes.add("harmless")
            # The directory may lose an array, which readers miss; times of files are not used.
            assert read.items() <= written.items()
    assert outcomes == {"noticed", "harmless"}


def test_expectations(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS, nan=np.array([1, np.nan]), infinite=np.array([[-np.inf]], np.float16))
    with NpzFile(path) as opened:
        for arguments, expected in (
            (("none", "f", ()), "it has no array none"),
            (
                ("seconds", "Ui", ()),
                "seconds has the shape () and type float64, expected the shape () and text or "
                "integers",
            ),
            (
                ("seconds", "f", (None,)),
                "seconds has the shape () and type float64, expected the shape (any) and "
                "floating-point numbers",
            ),
            (
                ("weights/kernel", "f", (3, 3)),
                "weights/kernel has the shape (3, 4) and type float32, expected the shape (3, 3) "
                "and floating-point numbers",
            ),
            (("nan", "f", (2,)), "nan has NaN or infinity"),
            (("infinite", "f", (1, 1)), "infinite has NaN or infinity"),
        ):
            with pytest.raises(DamagedNpz) as caught:
                opened.expect(*arguments)
            assert str(caught.value) == expected
        with pytest.raises(DamagedNpz, match="names has the shape"):
            opened.text("names")


def test_numbers_that_are_no_characters(tmp_path):
    data = struct.pack("<I", 0x11_0000)
    content = zip_of([("x.npy", npy("<U1", "()", data))])
    assert reason(tmp_path / "a.npz", content, "x") == "it has numbers that are no characters"


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegular, match=r"a pipe \(FIFO\)"):
        NpzFile(tmp_path / "pipe")
    with pytest.raises(NotRegular, match="a device"):
        NpzFile("/dev/zero")
    with pytest.raises(FileNotFoundError):
        NpzFile(tmp_path / "none")
