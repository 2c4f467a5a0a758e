"""The second view of another image of the same patient: which one, how often, and reproducibly."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import stats

from remedis.data.batches import partners
from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import readable, training_batches
from remedis.errors import UserError
from remedis.preprocess import parse

# Of one to five images, their rows apart from each other; one patient is not known, twice.
PATIENTS = ["a", "b", "c", "a", None, "d", "b", "a", "d", "d", None, "d", "d", "e", "a"]
COUNT, BATCH = len(PATIENTS), 4
PLAIN = parse("resize(8)")
AUGMENTED = parse("resize(10) | brightness(0.9)")
IMAGE_BYTES = 10 * 10 * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Images of one grey each, ten times their number."""
    root = tmp_path_factory.mktemp("partners")
    for i in range(COUNT):
        Image.fromarray(np.full((12, 12), 10 * i, np.uint8)).save(root / f"{i}.png")
    return root


@pytest.fixture
def manifest(make, folder):
    return make(COUNT, root=folder, patient_id=PATIENTS)


def taken(manifest, found, first=0, last=8, preprocess=PLAIN, **more):
    batches = training_batches(
        manifest, preprocess, BATCH, 3, first, last, views=2, partners=found, **more
    )
    return list(batches.as_numpy_iterator())


def shown(batches) -> np.ndarray:
    """The row each view is of, [examples, 2], told by its grey."""
    greys = np.concatenate([batch["image"].mean((2, 3, 4)) for batch in batches])
    return np.rint(greys * 255 / 10).astype(int)


def same(batches, others):
    for a, b in zip(batches, others, strict=True):
        for key in ("image", "label", "index"):
            np.testing.assert_array_equal(a[key], b[key])


def test_groups_are_the_rows_of_each_patient(manifest):
    found = partners.of(manifest)
    assert sorted(found.members) == list(range(COUNT))
    for row, patient in enumerate(PATIENTS):
        group = [i for i, other in enumerate(PATIENTS) if other == patient] if patient else [row]
        assert found.size[row] == len(group)
        first = found.first[row]
        assert found.members[first : first + found.size[row]].tolist() == group
        assert group[found.place[row]] == row


def test_a_partner_is_drawn_uniformly_among_the_others(manifest):
    draw = partners.of(manifest).drawer()
    numbers = tf.data.Dataset.range(2000 * COUNT)
    drawn = numbers.map(lambda i: draw(i % COUNT, tf.stack([7, i // COUNT]))).batch(2000 * COUNT)
    drawn = next(drawn.as_numpy_iterator()).reshape(2000, COUNT)
    for row, others in ((5, [8, 9, 11, 12]), (11, [5, 8, 9, 12]), (1, [6]), (2, [2]), (4, [4])):
        counts = np.bincount(drawn[:, row], minlength=COUNT)
        assert np.flatnonzero(counts).tolist() == others
        assert len(others) == 1 or stats.chisquare(counts[others]).pvalue > 1e-3


def test_the_first_view_is_of_the_image_and_the_second_of_another_of_the_patient(manifest):
    batches = taken(manifest, partners.of(manifest), last=30)
    rows = shown(batches)
    np.testing.assert_array_equal(rows[:, 0], np.concatenate([b["index"] for b in batches]))
    for first, second in rows:
        alone = PATIENTS[first] is None or PATIENTS.count(PATIENTS[first]) == 1
        assert (first == second) == alone
        assert PATIENTS[first] == PATIENTS[second]
    # Over the epochs every other image of the patient comes up.
    assert {second for first, second in rows if first == 0} == {3, 7, 14}


def test_an_image_alone_is_augmented_twice_as_without_partners(make, folder):
    manifest = make(COUNT, root=folder)
    found = partners.of(manifest)
    assert (found.size == 1).all()
    batches = taken(manifest, found, preprocess=AUGMENTED)
    same(batches, taken(manifest, None, preprocess=AUGMENTED))
    bright = np.concatenate([b["image"][b["index"] > 0] for b in batches])
    assert all(not np.array_equal(first, second) for first, second in bright)


def test_any_step_can_be_had_alone_and_the_parts_of_all_workers_are_the_whole(manifest):
    found = partners.of(manifest)
    whole = taken(manifest, found, preprocess=AUGMENTED)
    same(taken(manifest, found, 5, preprocess=AUGMENTED), whole[5:])
    parts = [taken(manifest, found, preprocess=AUGMENTED, shard=(i, 2)) for i in range(2)]
    joined = [
        {key: np.concatenate([part[key] for part in step]) for key in step[0]}
        for step in zip(*parts, strict=True)
    ]
    same(joined, whole)


def test_a_cache_serves_the_partner_too_and_changes_nothing(manifest):
    found, cache = partners.of(manifest), ImageCache(8 * IMAGE_BYTES)
    expected = taken(manifest, found, preprocess=AUGMENTED)
    for _ in range(2):
        same(taken(manifest, found, preprocess=AUGMENTED, cache=cache), expected)
        assert len(cache) == 8


def test_partners_of_one_study_are_of_one_patient_too(make):
    studies = ["1", "1", "2", "1", "1", None, None]
    manifest = make(7, patient_id=["a", "a", "a", "b", "b", "b", "b"], study_id=studies)
    found = partners.of(manifest, "study_id")
    assert found.size.tolist() == [2, 2, 1, 2, 2, 1, 1]
    assert found.members[found.first[0]] != found.members[found.first[3]]
    assert partners.of(manifest).size.tolist() == [3, 3, 3, 4, 4, 4, 4]


def test_how_many_have_a_partner_is_said(make, manifest):
    assert partners.of(manifest).summary() == (
        "11 of 15 images have another image of their patient as their second view; the others "
        "have themselves, augmented anew."
    )
    every = partners.of(make(4, study_id=["1", "1", "2", "2"], patient_id="a"), "study_id")
    assert (
        every.summary() == "4 of 4 images have another image of their study as their second view."
    )


def test_nobody_known_is_a_sentence(make):
    with pytest.raises(UserError) as caught:
        partners.of(make(3, patient_id=None))
    assert str(caught.value) == (
        "None of the 3 images of a test has a patient_id, by which the method micle finds two "
        "images of one patient; add the column 'patient_id', or set config.method to simclr."
    )
    with pytest.raises(UserError, match="add the column 'study_id'"):
        partners.of(make(3, study_id=None), "study_id")
    with pytest.raises(UserError, match=r"Unknown value of config\.partners 'slide_id'"):
        partners.of(make(3), "slide_id")


def test_views_of_different_sizes_are_a_sentence(make, tmp_path):
    for i in range(2):
        Image.fromarray(np.zeros((8 + i, 8), np.uint8)).save(tmp_path / f"{i}.png")
    manifest = make(2, root=tmp_path, patient_id="a")
    batches = training_batches(
        manifest, parse(""), 1, 0, 0, 1, views=2, partners=partners.of(manifest)
    )
    with pytest.raises(UserError, match="leaves images of different sizes"):
        list(readable(batches))
