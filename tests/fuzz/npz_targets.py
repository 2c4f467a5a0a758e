"""NPZ files: as archives, and as BiT's weights."""

import io
import pathlib
import zipfile

import harness
import numpy as np
from hypothesis import strategies as st

from remedis.npz_files import NpzFile


def archived(save=np.savez, **arrays: object) -> bytes:
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def plain_seeds() -> tuple[bytes, ...]:
    arrays = {
        "a/b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "names": np.array(["x", "\u00e4\u00f6"]),
        "text": np.array('{"a": 1}'),
        "half": np.asfortranarray(np.ones((2, 2), np.float16)),
    }
    return archived(**arrays), archived(np.savez_compressed, **arrays)


def read_plain(contents: bytes, folder: pathlib.Path) -> None:
    path = folder / "a.npz"
    path.write_bytes(contents)
    with NpzFile(path) as opened:
        for name, header in opened.headers.items():
            array = opened[name]
            assert (array.shape, array.dtype) == (header.shape, header.dtype)
            array.tolist()


@st.composite
def drawn(draw: st.DrawFn) -> bytes:
    """Returns an archive of arrays whose headers say anything."""
    shape = draw(st.lists(st.integers(-2, 2**70) | st.integers(0, 4), max_size=4).map(tuple))
    types = ["<f4", ">i8", "<U3", "|O", "|V8", "<f4,<i2", "<M8[s]", "(2,)<f4", "?", "", "<U0"]
    header = repr(
        {
            "descr": draw(st.sampled_from(types) | st.text(max_size=8)),
            "fortran_order": draw(st.booleans()),
            "shape": draw(st.just(shape) | st.text(max_size=5) | st.none()),
        }
    ).encode("utf-8", "replace")
    header = draw(st.just(header) | st.binary(max_size=100) | st.just(b"(" * 999))
    version = draw(st.sampled_from([b"\1\0", b"\2\0", b"\3\0"]))
    size = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    npy = b"\x93NUMPY" + version + size + header + draw(st.binary(max_size=64))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", draw(st.sampled_from([0, 8, 12, 14]))) as archive:
        names = ["a.npy", "../a.npy", "/a.npy", "x\0y.npy", "a"]
        archive.writestr(draw(st.sampled_from(names)), npy)
    return stream.getvalue()


def bit_seeds() -> tuple[bytes, ...]:
    import bit_weights
    from zoo_helpers import TINY

    named = {f"resnet/{name}": a for name, a in bit_weights.weights(TINY).items()}
    # Two values compress to a small seed, in which more of the damage is to headers.
    rng = np.random.default_rng(0)
    few = {name: rng.integers(0, 2, a.shape).astype(np.float16) for name, a in named.items()}
    return (archived(np.savez_compressed, **few),)


def read_bit(contents: bytes, folder: pathlib.Path) -> None:
    from zoo_helpers import TINY

    from remedis.zoo import bit_npz

    path = folder / "BiT.npz"
    path.write_bytes(contents)
    assert bit_npz.read_architecture(str(path)).units
    weights = bit_npz.read(str(path), TINY)
    for name in weights.arrays:
        assert np.isfinite(weights.arrays[name]).all()


TARGETS = {
    "archive": harness.Target(
        seeds=plain_seeds, read=read_plain, drawn=drawn(), allowed=("remedis.npz_files:DamagedNpz",)
    ),
    "bit": harness.Target(seeds=bit_seeds, read=read_bit),
}
