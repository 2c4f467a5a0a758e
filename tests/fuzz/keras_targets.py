"""Weights as Keras saves them in HDF5: what is checked before Keras reads a file."""

import io
import pathlib
import zipfile

import h5py
import harness
import numpy as np

ALLOWED = ("remedis.hdf5_files:Refused", "remedis.errors:UserError")


def weights() -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        variables = file.create_group("layers/dense/vars")
        variables.create_dataset("0", data=np.arange(12, dtype=np.float32).reshape(3, 4))
        variables.create_dataset("1", data=np.ones(4, np.float32), chunks=(2,), compression="gzip")
    return stream.getvalue()


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("model.weights.h5", weights())
    return stream.getvalue()


def read_weights(contents: bytes, folder: pathlib.Path) -> None:
    check(folder / "a.weights.h5", contents)


def read_archive(contents: bytes, folder: pathlib.Path) -> None:
    check(folder / "a.keras", contents)


def check(path: pathlib.Path, contents: bytes) -> None:
    from remedis.errors import UserError, first_line
    from remedis.zoo import application_weights

    path.write_bytes(contents)
    try:
        application_weights._check(path)
    except application_weights._UNREADABLE as error:  # as `application_weights.read` does
        raise UserError(first_line(error)) from error


TARGETS = {
    "weights.h5": harness.Target(seeds=lambda: [weights()], read=read_weights, allowed=ALLOWED),
    "keras": harness.Target(seeds=lambda: [archive()], read=read_archive, allowed=ALLOWED),
}
