import dataclasses
import json

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import tensorflow as tf
from embedding_records import record
from PIL import Image

from remedis.data.checks import scan
from remedis.data.manifest import read_csv
from remedis.errors import UserError
from remedis.inference import embed, embedding_store
from remedis.inference.embedding_store import EmbeddingStore
from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.preprocess import parse
from remedis.zoo.provenance import Provenance

IMAGES = 14
PREPROCESS = parse("resize(8)", deterministic=True)


@pytest.fixture
def manifest(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(IMAGES):
        name = f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (9, 9), np.uint8)).save(tmp_path / name)
        rows.append((name, f"p{i}", i % 2))
    (tmp_path / "13.png").write_bytes((tmp_path / "2.png").read_bytes())  # one image twice
    table = pd.DataFrame(rows, columns=["path", "patient_id", "ill"])
    table.to_csv(tmp_path / "manifest.csv", index=False)
    return read_csv(tmp_path / "manifest.csv", ("ill",))


@pytest.fixture
def hashes(manifest):
    return scan.scan(manifest)["sha256"]


class Counted:
    """Embeds an image as its mean and its corner, and counts the embedded images."""

    def __init__(self, until=10**9):
        self.images, self.until = 0, until

    def __call__(self, images):
        self.images += len(images)
        if self.images > self.until:
            raise KeyboardInterrupt
        return tf.stack([tf.reduce_mean(images, [1, 2, 3]), images[:, 0, 0, 0]], axis=1)


def _ask(store, compute, manifest, hashes, key="k"):
    return EmbeddingStore(store).embeddings(compute, key, manifest, hashes, PREPROCESS, 3)


def test_the_embedding_of_another_image_is_not_stored_under_the_old_hash(tmp_path, manifest):
    scanned = scan.scan(manifest)
    images, _ = scan.quarantine(manifest, scanned, 0, tmp_path / "bad_images.csv")

    def replacing(pixels):
        Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "4.png")
        return Counted()(pixels)

    with pytest.raises(UserError, match=r"4\.png' has changed since it was scanned"):
        _ask(tmp_path / "store", replacing, images, scanned["sha256"])
    assert not list((tmp_path / "store").rglob("*.npz"))


def test_each_image_is_computed_once(tmp_path, manifest, hashes):
    compute = Counted()
    first = _ask(tmp_path / "store", compute, manifest, hashes)
    assert (first.shape, first.dtype) == ((IMAGES, 2), np.float32)
    assert compute.images == IMAGES - 1  # two are one
    np.testing.assert_array_equal(first[13], first[2])
    assert len(np.unique(first, axis=0)) == IMAGES - 1
    np.testing.assert_array_equal(_ask(tmp_path / "store", compute, manifest, hashes), first)
    assert compute.images == IMAGES - 1
    _ask(tmp_path / "store", compute, manifest, hashes, key="another")
    assert compute.images == 2 * (IMAGES - 1)


def test_manifests_share_rows_by_content_whatever_the_order(tmp_path, manifest, hashes):
    part = np.arange(IMAGES) < 5
    compute = Counted()
    _ask(tmp_path / "store", compute, manifest.subset(part), hashes[part])
    turned = dataclasses.replace(manifest, table=manifest.table[::-1])
    got = _ask(tmp_path / "store", compute, turned, hashes[::-1])
    assert compute.images == IMAGES - 1
    np.testing.assert_array_equal(got[::-1], _ask(tmp_path / "new", Counted(), manifest, hashes))


def test_a_killed_one_goes_on(tmp_path, manifest, hashes, monkeypatch):
    monkeypatch.setattr(embedding_store, "SHARD_ROWS", 4)
    with pytest.raises(KeyboardInterrupt):
        _ask(tmp_path / "store", Counted(until=10), manifest, hashes)
    compute = Counted()
    got = _ask(tmp_path / "store", compute, manifest, hashes)
    assert compute.images == IMAGES - 1 - 6  # two batches were in a shard
    np.testing.assert_array_equal(got, _ask(tmp_path / "new", Counted(), manifest, hashes))


@pytest.mark.parametrize("damage", ["flip", "cut", "text"])
def test_a_damaged_shard_is_computed_again(tmp_path, manifest, hashes, damage, caplog):
    want = _ask(tmp_path / "store", Counted(), manifest, hashes)
    (shard,) = (tmp_path / "store" / "k").glob("*.npz")
    content = bytearray(shard.read_bytes())
    at = content.index(want[3].tobytes())
    content[at] ^= 1
    shard.write_bytes({"flip": content, "cut": content[:200], "text": b"no shard"}[damage])
    compute = Counted()
    np.testing.assert_array_equal(_ask(tmp_path / "store", compute, manifest, hashes), want)
    assert compute.images == IMAGES - 1
    assert "is damaged" in caplog.text
    _ask(tmp_path / "store", compute, manifest, hashes)
    assert compute.images == IMAGES - 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_computed_again(tmp_path, manifest, hashes, value, caplog):
    want = _ask(tmp_path / "store", Counted(), manifest, hashes)
    (shard,) = (tmp_path / "store" / "k").glob("*.npz")
    with np.load(shard) as content:
        names, rows = content["sha256"], content["embedding"].copy()
    rows[4, 1] = value
    np.savez(shard, sha256=names, embedding=rows)
    np.testing.assert_array_equal(_ask(tmp_path / "store", Counted(), manifest, hashes), want)
    assert f"{shard} is damaged (embedding has NaN or infinity); its" in caplog.text


@pytest.mark.parametrize("rows", [np.zeros((1, 2)), np.zeros((2, 2), np.float32), "text"])
def test_rows_that_are_none_are_computed_again(tmp_path, manifest, hashes, rows, caplog):
    want = _ask(tmp_path / "new", Counted(), manifest, hashes)
    (tmp_path / "store" / "k").mkdir(parents=True)
    np.savez(tmp_path / "store" / "k" / "a.npz", sha256=[hashes[0]], embedding=rows)
    np.testing.assert_array_equal(_ask(tmp_path / "store", Counted(), manifest, hashes), want)
    assert "a.npz is damaged (embedding has the " in caplog.text


def test_rows_of_another_network_are_refused(tmp_path, manifest, hashes):
    folder = tmp_path / "store" / "k"
    folder.mkdir(parents=True)
    np.savez(folder / "a.npz", sha256=[hashes[0]], embedding=np.zeros((1, 5), np.float32))
    with pytest.raises(UserError) as caught:
        _ask(tmp_path / "store", Counted(), manifest, hashes)
    assert str(caught.value) == (
        f"{folder} has embeddings of 2 and 5 numbers, and a network gives one length; remove this "
        "directory, so that all are computed again."
    )


def test_a_network_that_gives_nan_is_refused_with_the_image(tmp_path, manifest, hashes):
    def compute(images):
        rows = Counted()(images).numpy()
        rows[1] = np.nan
        return rows

    with pytest.raises(UserError) as caught:
        _ask(tmp_path / "store", compute, manifest, hashes)
    assert str(caught.value) == (
        f"The network gives NaN or infinity for {manifest.table['path'].iloc[1]}; expected finite "
        "embeddings: check the weights, or compute in float32."
    )
    assert not list((tmp_path / "store").rglob("*.npz"))


def test_what_cannot_be_is_a_sentence(tmp_path, manifest, hashes):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written to"):
        _ask(tmp_path / "file", Counted(), manifest, hashes)
    with pytest.raises(UserError, match=r"1.png could not be read when the images were scanned"):
        _ask(tmp_path / "store", Counted(), manifest, hashes.mask(hashes.index == 1))
    with pytest.raises(UserError, match="there are no images"):
        _ask(tmp_path / "store", Counted(), manifest.subset([False] * IMAGES), [])


def test_the_key_is_of_all_that_decides_the_numbers():
    backbone = BiTResNet(Architecture((1, 1, 1, 1), 0.5))
    keys = {
        embedding_store.key(backbone, "embedding", PREPROCESS),
        embedding_store.key(backbone, "pre_logits", PREPROCESS),
        embedding_store.key(backbone, "embedding", parse("resize(9)")),
    }
    first = embedding_store.key(backbone, "embedding", PREPROCESS)
    assert first in keys
    backbone.backbone_range = (0.0, 1.0)
    keys.add(embedding_store.key(backbone, "embedding", PREPROCESS))
    backbone.backbone_range = (-1.0, 1.0)
    assert embedding_store.key(backbone, "embedding", PREPROCESS) == first
    kernel = backbone.named_variables()["block3/unit01/b/standardized_conv2d/kernel"]
    kernel.assign(kernel.numpy() + np.eye(3)[:, :, None, None])
    keys.add(embedding_store.key(backbone, "embedding", PREPROCESS))
    assert len(keys) == 5


def test_tables_hold_ids_labels_and_embeddings(tmp_path, manifest):
    rows = np.arange(2 * IMAGES, dtype=np.float32).reshape(IMAGES, 2)
    made = embed.Embedded(
        manifest, scan.scan(manifest), rows, Provenance("random", "Drawn."), record()
    )
    embed.write(made, tmp_path / "e.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "e.parquet").to_pandas()
    np.testing.assert_array_equal(np.stack(table["embedding"]), rows)
    assert table["path"].tolist() == manifest.table["path"].tolist()
    embed.write(made, tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as arrays:
        np.testing.assert_array_equal(arrays["embedding"], rows)
        assert arrays["patient_id"][3] == "p3"
        np.testing.assert_array_equal(arrays["ill"], manifest.targets()[:, 0])
        assert set(arrays) == {*embed.IDS, "sha256", "ill", "embedding", "record"}
    with pytest.raises(
        UserError, match=r"out='e.csv': expected a file that ends with .parquet, .npz"
    ):
        embed.write(made, "e.csv")


def test_preprocessing_is_the_checkpoints_own_or_asked_for(tiny_checkpoint, tmp_path, manifest):
    with pytest.raises(UserError, match="does not name the preprocessing of its images"):
        embed.embed(str(tiny_checkpoint), manifest, tmp_path / "store")
    description = json.loads((tiny_checkpoint / "remedis.json").read_text())
    assert description["preprocess"] is None
    with pytest.raises(UserError, match="Unknown embedding 'embeddings': did you mean"):
        embed.embed(
            str(tiny_checkpoint), manifest, tmp_path, preprocess="resize(8)", embedding="embeddings"
        )
