"""Columns of a user's table, whatever they are called, never stand for columns of ours."""

import ast
import dataclasses
import pathlib
import re

import dicom_helpers
import numpy as np
import pandas as pd
import pytest
from embedding_records import record
from PIL import Image

import remedis
from remedis.data import fingerprints, label_policies, manifest, prepare, sources
from remedis.data.checks import doctor, leaks, scan
from remedis.inference import embed, predict
from remedis.preprocess import parse
from remedis.zoo.provenance import Provenance

PACKAGE = pathlib.Path(remedis.__file__).parent
PUBLIC = {*manifest.REQUIRED, *manifest.KNOWN, "ill"}
# Names with a prefix, and names that the code once had.
FURTHER = ["found/ill", "label/ill", "score/ill", "logit/ill", "log_odds/ill", "record", "png"]


def names_in_code() -> list[str]:
    """Returns every text in the code of data and inference that could be the name of a column."""
    texts = set(FURTHER)
    for part in ("data", "inference"):
        for file in sorted((PACKAGE / part).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.add(node.value)
    return sorted(text for text in texts if re.fullmatch(r"[a-z_][a-z_0-9/]{0,19}", text))


NAMES = [name for name in names_in_code() if name not in PUBLIC]


def images(root: pathlib.Path, count: int) -> list[str]:
    """Writes grey images; returns their names."""
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{i}.png")
    return [f"{i}.png" for i in range(count)]


def pack(root: pathlib.Path, loaded: manifest.Manifest) -> manifest.Manifest:
    """Returns a manifest after it was packed and loaded again."""
    prepare.prepare(loaded, parse("resize(8)"), root / "packed", "packed")
    return sources.load("tfds", root / "packed")


def test_the_names_of_the_code_are_found():
    known = {"file", "image", "row", "sha256", "look", "phash", "fault", "stat_fault", "item"}
    assert known | {"original_path", "original_sha256", "outlines", "tissue"} <= set(NAMES)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> manifest.Manifest:
    root = tmp_path_factory.mktemp("own")
    table = pd.DataFrame({name: f"v {name}" for name in NAMES}, index=range(6))
    table["path"] = images(root, 6)
    table["patient_id"] = [f"p{i // 2}" for i in range(6)]
    table["ill"] = [0, 1, -1, "", 1, 0]
    table["split"] = ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    table.to_csv(root / "manifest.csv", index=False)
    return sources.load("csv", root, ["ill"])


def test_a_manifest_of_all_names_keeps_them(own, tmp_path):
    assert all((own.table[name] == f"v {name}").all() for name in NAMES)
    manifest.write_csv(own, tmp_path / "written.csv")
    again = manifest.read_csv(tmp_path / "written.csv", ["ill"])
    for name in NAMES:
        assert (again.table[name] == f"v {name}").all(), name


@pytest.mark.guarantee
def test_scans_gates_and_diagnoses_read_none_of_them(own):
    scanned = scan.scan(own)
    bare = dataclasses.replace(own, table=own.table[[*manifest.REQUIRED, "ill"]])
    pd.testing.assert_frame_equal(scanned, scan.scan(bare))
    by_path = scanned.set_index("path")
    for hashes, phashes in ((None, None), (by_path["sha256"], by_path["phash"])):
        receipts = [leaks.check(m, hashes, phashes=phashes).to_json() for m in (own, bare)]
        assert receipts[0] == receipts[1]
        assert receipts[0]["ok"]
    seen = [fingerprints.Fingerprints.from_manifest(m, by_path).hashes() for m in (own, bare)]
    assert seen[0] == seen[1] == set(scanned["sha256"])
    assert doctor.diagnose(own, 2).to_json() == doctor.diagnose(bare, 2).to_json()


def test_predictions_hold_none_of_them(own):
    numbers = np.zeros((6, 1))
    plain = predict.table(own, numbers, numbers, numbers)
    assert list(plain) == [*predict.IDS, "label/ill", "score/ill", "logit/ill", "log_odds/ill"]
    found = predict.table(label_policies.keep_found(own), numbers, numbers, numbers)
    np.testing.assert_array_equal(found["found/ill"], own.table["ill"])


@pytest.mark.guarantee
def test_they_come_back_from_a_packed_dataset(own, tmp_path):
    packed = pack(tmp_path, own)
    assert len(packed) == 6
    np.testing.assert_array_equal(packed.targets(), own.targets())
    kept = [name for name in NAMES if name != fingerprints.ORIGINAL]
    for name in kept:
        assert (packed.table[name] == f"v {name}").all(), name
    scanned = scan.scan(own)
    assert packed.table[fingerprints.ORIGINAL].tolist() == scanned["sha256"].tolist()
    assert scan.scan(packed)["fault"].isna().all()


LABELS = [
    "record",
    "image",
    "file",
    "sha256",
    "embedding",
    "images",
    "patients",
    "found/ill",
    "ill",
]


def test_labels_may_have_any_of_these_names(tmp_path):
    table = pd.DataFrame({name: [i % 2, 1, 0, -1] for i, name in enumerate(LABELS)})
    table["path"], table["patient_id"] = images(tmp_path, 4), [f"p{i}" for i in range(4)]
    table.to_csv(tmp_path / "manifest.csv", index=False)
    loaded = sources.load("csv", tmp_path, LABELS)
    found = label_policies.as_found(label_policies.keep_found(loaded))
    np.testing.assert_array_equal(found.targets(), loaded.targets())
    counts = loaded.counts().loc["unassigned"]
    assert counts[["images", "patients"]].tolist() == [4, 4]
    assert counts[["label/images", "label/patients", "ill"]].tolist() == [2, 1, 1]
    packed = pack(tmp_path, loaded)
    assert packed.labels == tuple(LABELS)
    np.testing.assert_array_equal(packed.targets(), loaded.targets())
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    embedded = embed.Embedded(
        loaded, scan.scan(loaded), rows, Provenance("training", "a test"), record()
    )
    embed.write(embedded, tmp_path / "rows.parquet")
    written = pd.read_parquet(tmp_path / "rows.parquet")
    np.testing.assert_array_equal(np.stack(written["embedding"]), rows)
    assert written["label/sha256"].tolist() == loaded.table["sha256"].tolist()
    assert written["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    embed.write(embedded, tmp_path / "rows.npz")
    with np.load(tmp_path / "rows.npz") as content:
        np.testing.assert_array_equal(content["label/embedding"], loaded.table["embedding"])


def test_labels_of_dicom_files_may_have_any_of_these_names(tmp_path):
    labels = ["file", "frames", "image", "record", "row", "sha256"]
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 4096, (8, 8)).astype(np.uint16)
        ds = dicom_helpers.dataset(pixels, bits=12, number=i, PatientID=f"P{i}")
        dicom_helpers.write(tmp_path / f"{i}.dcm", ds)
    rows = pd.DataFrame({name: [0, 1] for name in labels}).assign(path=["0.dcm", "1.dcm"])
    rows.to_csv(tmp_path / "labels.csv", index=False)
    loaded = sources.load("dicom", tmp_path)
    assert set(loaded.labels) == set(labels)
    np.testing.assert_array_equal(loaded.targets(), [[0] * 6, [1] * 6])
