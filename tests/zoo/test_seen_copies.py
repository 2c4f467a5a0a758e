"""What a model has seen is known again: packed, resized, encoded again, and by patient."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from json_file import read_json
from PIL import Image

from remedis import files
from remedis.data import prepare, sources
from remedis.data.checks import scan
from remedis.data.fingerprints import Fingerprints
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.preprocess import parse
from remedis.zoo.seen_images import SeenImages

IMAGES = 60


def draw(root, seed=0, images=IMAGES):
    """Writes films of `images` patients; returns their manifest."""
    root.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(images):
        coarse = rng.uniform(20, 230, (12, 12)).astype(np.float32)
        film = Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC)
        Image.fromarray(np.asarray(film).clip(0, 255).astype(np.uint8)).save(root / f"{i}.png")
    ids = pd.Series([f"p{i}" for i in range(images)])
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(images)], "patient_id": ids})
    table = table.assign(study_id="s" + ids, site=None, split="test", ill=np.arange(images) % 2)
    return Manifest(table, ("ill",), root, "folder")


def known(manifest):
    return Fingerprints.from_manifest(manifest, scan.scan(manifest).set_index("path"))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("seen") / "films")


@pytest.fixture(scope="module")
def seen(films):
    return SeenImages.from_images(known(films))


def copied(films, root, change):
    """Returns the films elsewhere, each changed, under other names and ids."""
    root.mkdir()
    for path in films.table["path"]:
        change(Image.open(films.root / path), root / f"copy-{path}")
    ids = "x" + films.table["patient_id"]
    table = films.table.assign(path="copy-" + films.table["path"], patient_id=ids, study_id=ids)
    return dataclasses.replace(films, table=table, root=root)


CHANGES = {
    "resized": lambda image, path: image.resize((48, 48)).save(path),
    "jpeg": lambda image, path: image.save(path, "JPEG", quality=75),
    "cropped": lambda image, path: image.crop((2, 2, 94, 94)).save(path),
    "enlarged": lambda image, path: image.resize((320, 300)).save(path),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_copies_are_refused(films, seen, tmp_path, kind):
    images = known(copied(films, tmp_path / "copies", CHANGES[kind]))
    assert seen.count(images.hashes()) == 0
    with pytest.raises(UserError) as caught:
        seen.refuse_seen(images, model="The model is M", tests="test", workdir="RUN")
    sentence = str(caught.value)
    assert sentence.startswith(
        "The model is M, which was trained on images that look like 60 of the 60 test images (copy-"
    )
    assert sentence.endswith(
        ".png and 55 more), as copies do that were resized or encoded again (its seen.json); "
        "choose other test images, or train it without them, which a pretraining does by "
        "--config.leave_out=RUN; if they are other images, set allow_similar_images."
    )
    (warning,) = seen.refuse_seen(
        images, model="M", tests="test", workdir="RUN", allow_similar_images=True
    )
    assert warning.startswith("60 of the 60 test images look like images that the model was traine")


@pytest.mark.parametrize("preprocess", ["", "resize(32)"])
def test_packed_images_are_known_by_their_originals(films, seen, tmp_path, preprocess):
    prepare.prepare(films, parse(preprocess), tmp_path / "packed", "packed")
    packed = sources.load("tfds", tmp_path / "packed")
    found = seen.compared(known(packed), "test")
    assert found.refusals[0] == "60 of the 60 test images"
    # The other way round: trained on packed images, tested on the originals.
    trained = SeenImages.from_images(known(packed))
    assert trained.compared(known(films), "test").refusals == (
        "60 of the 60 test images",
        "60 of the 60 patients of the test images",
        "60 of the 60 studies of the test images",
    )


def test_other_films_are_not_refused(seen, tmp_path):
    other = known(draw(tmp_path / "other", 1))
    # The ids are the same, but of another directory.
    assert seen.refuse_seen(other, model="M", tests="test", workdir="RUN") == ()


def test_a_few_copies_are_a_warning_and_many_are_not_allowed(films, seen, tmp_path):
    other = draw(tmp_path / "other", 1, 300)
    for i in range(4):
        Image.open(films.root / f"{i}.png").resize((50, 50)).save(other.root / f"{i}.png")
    found = seen.compared(known(other), "test")
    assert found.refusals[0].startswith("images that look like 4 of the 300 test images (")
    found = seen.compared(known(other.subset(np.arange(300) > 1)), "test")
    assert not found.refusals
    assert found.warnings[0].startswith("2 of the 298 test images look like images that the model ")
    assert "so few that it may be chance: look at " in found.warnings[0]


def test_patients_of_the_same_data_are_refused_without_a_common_image(films, tmp_path):
    first, second = films.subset(np.arange(60) < 30), films.subset(np.arange(60) >= 30)
    again = second.table.assign(
        patient_id=second.table["patient_id"].replace({"p30": '"p3\u200b"'})
    )
    second = dataclasses.replace(second, table=again)
    seen = SeenImages.from_images(known(first))
    found = seen.compared(known(second), "test")
    assert found.refusals == ("1 of the 30 patients of the test images",)
    # Published data have the same ids wherever they lie.
    chexpert = dataclasses.replace(first, source="chexpert")
    seen = SeenImages.from_images(known(chexpert))
    moved = dataclasses.replace(draw(tmp_path / "small", 5), source="chexpert")
    assert (
        "30 of the 60 patients of the test images" in seen.compared(known(moved), "test").refusals
    )
    other = dataclasses.replace(moved, source="mimic_cxr")
    assert not seen.compared(known(other), "test").refusals


def test_the_file_keeps_everything_and_shows_no_id_or_hash(films, seen, tmp_path):
    seen.write(tmp_path)
    text = (tmp_path / "seen.json").read_text()
    images = known(films)
    assert not any(one in text for one in images.hashes())
    assert not any(f'"{name}"' in text for name in images.ids("patient_id"))
    read = SeenImages.read(tmp_path)
    assert (read.salt, read.digests, read.ids) == (seen.salt, seen.digests, seen.ids)
    assert read.complete
    assert read.looks.tolist() == seen.looks.tolist() or len(read.looks) == IMAGES
    assert read.compared(images, "test").refusals == seen.compared(images, "test").refusals
    # The same images under another salt have nothing in common with this file.
    other = SeenImages.from_images(images)
    other.write(tmp_path)
    again, before = read_json(tmp_path / "seen.json"), json.loads(text)
    for key in ("digests", "looks"):
        assert not set(again[key]) & set(before[key])
    assert not set(again["ids"]) & set(before["ids"])
    assert len(text) < 330 * IMAGES + 500


def test_a_file_of_an_earlier_version_says_what_it_does_not_know(films, tmp_path):
    old = SeenImages.from_hashes(["a" * 64])
    values = {"note": "", "salt": old.salt, "digests": sorted(old.digests)}
    (tmp_path / "seen.json").write_text(json.dumps(values))
    read = SeenImages.read(tmp_path)
    assert read.count(["a" * 64]) == 1
    (warning,) = read.compared(known(films), "test").warnings
    assert "not recognised among the images that an earlier version wrote into seen.json" in warning
    # What is added is recognised; the warning stays.
    more = read.extended(known(films))
    found = more.compared(known(films), "test")
    assert len(found.refusals) == 3
    assert len(found.warnings) == 1


@pytest.mark.parametrize("looks", ["abc", ["!"], ["AAAA"], 3])
def test_damaged_looks_are_a_sentence(seen, tmp_path, looks):
    seen.write(tmp_path)
    values = read_json(tmp_path / "seen.json") | {"looks": looks}
    files.write_json(tmp_path / "seen.json", values)
    with pytest.raises(UserError, match=r"seen\.json is damaged \("):
        SeenImages.read(tmp_path)
