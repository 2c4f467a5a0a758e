"""Files of embeddings in all formats: the same content comes back, or a sentence says why not."""

import json
import pathlib
import shutil
import zipfile

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from embedding_records import record, rows, table

from remedis.errors import Damaged, UserError
from remedis.inference import embedding_file
from remedis.inference.embedding_formats import FORMATS

# Slashes begin groups in HDF5 and Zarr, which reserve some of the other names.
LABELS = ("ill", "a/b", "__x/..\\%41", ".zarray", ".", "label/embedding", "file", "Ödem")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One file per format, with the same content."""
    folder = tmp_path_factory.mktemp("files")
    labels = {name: np.float32([i % 2, np.nan, 0]) for i, name in enumerate(LABELS)}
    for suffix in FORMATS:
        embedding_file.write(
            folder / f"e{suffix}", table(**labels), rows(), record(labels=list(LABELS))
        )
    return folder


def all_bytes(path: pathlib.Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(part for part in path.rglob("*") if part.is_file())
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in files}


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_content_comes_back_and_its_bytes_are_the_same_at_any_time(written, tmp_path, suffix):
    path = written / f"e{suffix}"
    read = embedding_file.read(path)
    np.testing.assert_array_equal(read.rows, rows())
    assert (read.rows.dtype, read.path) == (np.float32, path)
    labels = {name: np.float32([i % 2, np.nan, 0]) for i, name in enumerate(LABELS)}
    pd.testing.assert_frame_equal(read.table, table(**labels))
    assert read.record["checkpoint"] == "trial"
    assert read.record["labels"] == list(LABELS)
    assert read.record["columns"] == list(read.table)
    again = tmp_path / path.name
    embedding_file.write(again, read.table, read.rows, read.record)
    assert all_bytes(again) == all_bytes(path)
    if suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            assert {member.date_time[0] for member in archive.infolist()} == {1980}


def test_other_programs_read_each_format(written):
    zarr = pytest.importorskip("zarr")
    wide = pd.read_parquet(written / "e.parquet")
    np.testing.assert_array_equal(np.stack(wide["embedding"]), rows())
    assert wide["site"].isna().all()
    with np.load(written / "e.npz") as arrays:
        np.testing.assert_array_equal(arrays["embedding"], rows())
        assert arrays["patient_id"].tolist() == ["p", "", "p"]
    with h5py.File(written / "e.h5") as file:
        np.testing.assert_array_equal(file["embedding"][()], rows())
        assert file["path"].asstr()[0] == "ü/0.png"
    group = zarr.open_group(str(written / "e.zarr"), mode="r")
    np.testing.assert_array_equal(group["embedding"][...], rows())
    assert group["path"][...].tolist() == ["ü/0.png", "ü/1.png", "ü/2.png"]
    assert json.loads(group.attrs["record"])["preprocess"] == "resize(8)"


@pytest.mark.parametrize("suffix", FORMATS)
def test_any_changed_byte_of_an_embedding_is_found(written, tmp_path, suffix):
    path = tmp_path / f"e{suffix}"
    shutil.copytree(written / path.name, path) if suffix == ".zarr" else shutil.copy(
        written / path.name, path
    )
    file = path / "embedding" / "0.0" if suffix == ".zarr" else path
    content = bytearray(file.read_bytes())
    content[content.index(rows()[1].tobytes()) + 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(Damaged, match=r"is damaged or holds no embeddings \(.*\); make it again"):
        embedding_file.read(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_truncated_files_and_files_of_others_are_refused(written, tmp_path, suffix):
    path = tmp_path / f"e{suffix}"
    if suffix == ".zarr":
        shutil.copytree(written / "e.zarr", path)
        (path / "sha256" / "0").unlink()
        with pytest.raises(Damaged, match="sha256 lacks 768 bytes"):
            embedding_file.read(path)
        (path / "sha256" / "0").write_bytes(bytes(768))
        form = json.loads((path / "sha256" / ".zarray").read_text())
        # A filter of numcodecs that runs code of the file.
        changed = form | {"dtype": "|O", "filters": [{"id": "pickle"}]}
        (path / "sha256" / ".zarray").write_text(json.dumps(changed))
        with pytest.raises(Damaged, match="filters is a list, expected None"):
            embedding_file.read(path)
        (path / ".zattrs").unlink()
    else:
        path.write_bytes((written / path.name).read_bytes()[:-60])
        with pytest.raises(Damaged, match="is damaged or holds no embeddings"):
            embedding_file.read(path)
        if suffix == ".parquet":
            pd.DataFrame({"path": ["a"], "embedding": [[1.0]]}).to_parquet(path)
        elif suffix == ".npz":
            np.savez(path, path=["a"], embedding=np.ones((1, 1), np.float32))
        else:
            with h5py.File(path, "w") as file:
                file["embedding"] = np.ones((1, 1), np.float32)
    with pytest.raises(Damaged, match=r"\(it has no record of a checkpoint\); make it again"):
        embedding_file.read(path)


def test_small_files_that_declare_gigabytes_are_refused_before_they_are_read(tmp_path):
    text = json.dumps(record())
    kind = pa.list_(pa.float32(), 1 << 16)
    same = pa.FixedSizeListArray.from_arrays(np.zeros(4 << 20, np.float32), 1 << 16)
    schema = pa.schema([("embedding", kind)], metadata={b"remedis": text.encode()})
    pa.parquet.write_table(
        pa.Table.from_arrays([same], schema=schema), tmp_path / "e.parquet", use_dictionary=True
    )
    assert (tmp_path / "e.parquet").stat().st_size < 1 << 16
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file.attrs["record"] = text
        file.create_dataset("embedding", (1 << 20, 1 << 20), np.float32)
    for name in ("e.parquet", "e.h5"):
        with pytest.raises(Damaged, match=r"embedding declares [\d,]+ bytes, in a file of"):
            embedding_file.read(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": "0"}, "weights is '0', expected a text of at least 64"),
        ({"columns": ["path"]}, "its columns are path, patient_id, site, sha256"),
        ({"labels": ["ill"]}, "the label 'ill' is no column of numbers"),
        ({"labels": ["site"]}, "the label 'site' is no column of numbers"),
        ({"rows": "0" * 64}, "its embeddings have changed"),
    ],
)
def test_a_record_that_does_not_fit_the_content_is_refused(tmp_path, changes, said):
    path = tmp_path / "e.npz"
    whole = embedding_file.write(path, table(), rows(), record()).record | changes
    with np.load(path) as content:
        arrays = dict(content) | {"record": np.array(json.dumps(whole))}
    np.savez(path, **arrays)
    with pytest.raises(Damaged) as error:
        embedding_file.read(path)
    assert said in str(error.value)


def test_what_cannot_be_written_or_read_is_a_sentence(written, tmp_path, monkeypatch):
    def refused(name, match):
        with pytest.raises(UserError, match=match):
            embedding_file.write(tmp_path / name, table(), rows(), record())

    refused("e.csv", r"expected a file that ends with \.parquet, \.npz, \.h5 or \.zarr")
    (tmp_path / "slide.zarr").mkdir()
    (tmp_path / "slide.zarr" / ".zattrs").write_text('{"multiscales": []}')
    refused("slide.zarr", "exists, and holds no embeddings of this program; remove it, or name")
    assert (tmp_path / "slide.zarr" / ".zattrs").exists()
    (tmp_path / "e.h5").mkdir()
    refused("e.h5", "is a directory; name a file")
    (tmp_path / "file").touch()
    refused("file/e.h5", "file is no directory that you may write to; name another path")
    with pytest.raises(UserError, match=r"There is no file e.npz; make it with `remedis embed`"):
        embedding_file.read("e.npz")
    with pytest.raises(UserError, match=r"e.csv is no file of embeddings; expected one that"):
        embedding_file.read("e.csv")
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    refused("e.zarr", r"needs the package zarr.*pip install 'remedis\[zarr\]'")
    with pytest.raises(UserError, match=r"needs the package zarr"):
        embedding_file.read(written / "e.zarr")
