"""The list of judged images: written, read back, and refused where it is damaged."""

import base64
import hashlib
import json
import pathlib

import pandas as pd
import pytest

from remedis.data import judged_images
from remedis.data.fingerprints import Fingerprints
from remedis.data.judged_images import JudgedSet
from remedis.errors import UserError


def sha256(name):
    return hashlib.sha256(name.encode()).hexdigest()


def scanned(names):
    """Returns hashes and looks by path."""
    names = list(names)
    looks = [sha256(name).encode()[:60] * 3 for name in names]
    return pd.DataFrame({"sha256": [*map(sha256, names)], "look": looks}, index=names)


def judged(split, images, known):
    return JudgedSet.from_images(split, images.root, Fingerprints.from_manifest(images, known))


@pytest.fixture
def sets(make):
    images = make(6, patient_id=["b", "b", "a", None, "c", "a"])
    known = scanned(f"{i}.png" for i in range(9))
    known.loc["5.png"] = known.loc["4.png"]  # a copy
    other = make(2, pathlib.Path("relative"))
    return [judged("id/test", images, known), judged("ood/test", other, known)]


def test_sets_are_sorted_and_of_their_images_alone(sets):
    first, second = sets
    assert first.root == pathlib.Path("/nowhere")
    assert first.hashes == tuple(sorted(sha256(f"{i}.png") for i in range(5)))
    assert first.patients == ("a", "b", "c")
    assert second.root == pathlib.Path.cwd() / "relative"
    assert second.hashes == tuple(sorted([sha256("0.png"), sha256("1.png")]))


def test_sets_are_read_as_they_were_written(sets, tmp_path):
    judged_images.write(tmp_path, sets)
    assert judged_images.read(tmp_path) == tuple(sets)
    content = json.loads((tmp_path / "judged.json").read_text())
    assert content["sets"][0] == {
        "split": "id/test",
        "root": "/nowhere",
        "sha256": list(sets[0].hashes),
        "patient_ids": ["a", "b", "c"],
        "looks": [base64.b64encode(look).decode() for look in sets[0].looks],
    }
    assert len(sets[0].looks) == 5
    # A file of an earlier version has no looks.
    for values in content["sets"]:
        del values["looks"]
    (tmp_path / "judged.json").write_text(json.dumps(content))
    assert [(read.hashes, read.looks) for read in judged_images.read(tmp_path)] == [
        (written.hashes, ()) for written in sets
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["judged.json"]


def test_the_order_of_rows_does_not_change_the_bytes(make, tmp_path):
    images = make(5)
    known = scanned(images.table["path"])
    shuffled = make(5, **{name: images.table[name][::-1] for name in ("path", "patient_id")})
    contents = []
    for manifest, by_path in ((images, known), (shuffled, known[::-1])):
        judged_images.write(tmp_path, [judged("test", manifest, by_path)])
        contents.append((tmp_path / "judged.json").read_bytes())
    assert contents[0] == contents[1]


def test_a_set_needs_the_hash_of_every_image(make):
    with pytest.raises(KeyError):
        judged("test", make(2), scanned(["0.png"]))


def test_a_directory_without_the_list_is_a_sentence(tmp_path):
    with pytest.raises(UserError) as caught:
        judged_images.read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has no judged.json, which lists the images that a run or a study judges; run "
        "the same command again with this version, which writes it (for a study --list is enough)."
    )


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("sets",), [], "sets has 0 values, expected at least 1"),
        (("sets",), 3, "sets is 3, expected a list"),
        (("sets", 0), "test", "sets[0] is 'test', expected an object"),
        (("sets", 0, "sha256"), [], "sets[0].sha256 has 0 values, expected at least 1"),
        (
            ("sets", 0, "sha256"),
            ["abc"],
            "sets[0].sha256[0] is 'abc', expected 64 hexadecimal digits",
        ),
        (("sets", 0, "sha256"), [3], "sets[0].sha256[0] is 3, expected a text"),
        (("sets", 0, "patient_ids"), "p1", "sets[0].patient_ids is 'p1', expected a list"),
        (
            ("sets", 0, "looks"),
            ["abcd"],
            "sets[0].looks[0] is 'abcd', expected 120 bytes in Base64",
        ),
        (("sets", 1, "root"), None, "sets[1].root is null, expected a text"),
    ],
)
def test_a_damaged_list_is_a_sentence(sets, tmp_path, path, value, fault):
    judged_images.write(tmp_path, sets)
    file = tmp_path / "judged.json"
    content = json.loads(file.read_text())
    *parents, key = path
    place = content
    for parent in parents:
        place = place[parent]
    place[key] = value
    file.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        judged_images.read(tmp_path)
    assert str(caught.value).startswith(f"{file} is damaged (")
    assert fault in str(caught.value)


@pytest.mark.parametrize("keep", [0, 1, 40, -3])
def test_a_list_cut_off_is_a_sentence(sets, tmp_path, keep):
    judged_images.write(tmp_path, sets)
    file = tmp_path / "judged.json"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"judged\.json is damaged"):
        judged_images.read(tmp_path)


@pytest.mark.parametrize("key", ["split", "root", "sha256", "patient_ids"])
def test_a_list_without_a_key_is_a_sentence(sets, tmp_path, key):
    judged_images.write(tmp_path, sets)
    file = tmp_path / "judged.json"
    content = json.loads(file.read_text())
    del content["sets"][1][key]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"is damaged \(sets\[1\] has no key '{key}'\)"):
        judged_images.read(tmp_path)
