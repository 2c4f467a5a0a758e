"""Shards of an embedding store: damaged ones are computed again, and no number is ever wrong."""

import io
import pathlib

import harness
import numpy as np

HASHES = [f"{i:064x}" for i in range(4)]
ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def seeds() -> tuple[bytes, ...]:
    stream = io.BytesIO()
    np.savez(stream, sha256=np.array(HASHES), embedding=ROWS)
    return (stream.getvalue(),)


def read(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.inference import embedding_store

    (folder / "shard.npz").write_bytes(contents)
    for name, row in embedding_store._read(folder, set(HASHES)).items():
        np.testing.assert_array_equal(row, ROWS[HASHES.index(name)])


TARGETS = {"store": harness.Target(seeds=seeds, read=read)}
