"""Pairs of images of one patient: uniform, reproducible, the same for any number of workers."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import stats

from remedis.data.batches.cache import ImageCache
from remedis.data.batches.partners import Partners
from remedis.data.batches.pipeline import readable, training_batches
from remedis.errors import UserError
from remedis.preprocess import parse

# Patients of one to five images, in mixed order; two images have no known patient.
PATIENTS = ["a", "b", "c", "a", None, "d", "b", "a", "d", "d", None, "d", "d", "e", "a"]
COUNT, BATCH = len(PATIENTS), 4
PLAIN = parse("resize(8)")
AUGMENTED = parse("resize(10) | brightness(0.9)")
IMAGE_BYTES = 10 * 10 * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Images of one grey value each: ten times their row."""
    root = tmp_path_factory.mktemp("partners")
    for i in range(COUNT):
        Image.fromarray(np.full((12, 12), 10 * i, np.uint8)).save(root / f"{i}.png")
    return root


@pytest.fixture
def manifest(make, folder):
    return make(COUNT, root=folder, patient_id=PATIENTS)


def batches_of(manifest, pairs, first=0, last=8, preprocess=PLAIN, **more):
    batches = training_batches(
        manifest, preprocess, BATCH, 3, first, last, views=2, partners=pairs, **more
    )
    return list(batches.as_numpy_iterator())


def rows_of_views(batches) -> np.ndarray:
    """Returns the row of each view, [examples, 2], from its grey value."""
    greys = np.concatenate([batch["image"].mean((2, 3, 4)) for batch in batches])
    return np.rint(greys * 255 / 10).astype(int)


def assert_same(batches, others):
    for a, b in zip(batches, others, strict=True):
        for key in ("image", "label", "index"):
            np.testing.assert_array_equal(a[key], b[key])


def test_groups_are_the_rows_of_each_patient(manifest):
    pairs = Partners.from_manifest(manifest)
    assert sorted(pairs.members) == list(range(COUNT))
    for row, patient in enumerate(PATIENTS):
        group = [i for i, other in enumerate(PATIENTS) if other == patient] if patient else [row]
        assert pairs.size[row] == len(group)
        first = pairs.first[row]
        assert pairs.members[first : first + pairs.size[row]].tolist() == group
        assert group[pairs.position[row]] == row


def test_a_partner_is_drawn_uniformly_among_the_others(manifest):
    draw = Partners.from_manifest(manifest).drawer()
    numbers = tf.data.Dataset.range(2000 * COUNT)
    drawn = numbers.map(lambda i: draw(i % COUNT, tf.stack([7, i // COUNT]))).batch(2000 * COUNT)
    drawn = next(drawn.as_numpy_iterator()).reshape(2000, COUNT)
    for row, others in ((5, [8, 9, 11, 12]), (11, [5, 8, 9, 12]), (1, [6]), (2, [2]), (4, [4])):
        counts = np.bincount(drawn[:, row], minlength=COUNT)
        assert np.flatnonzero(counts).tolist() == others
        assert len(others) == 1 or stats.chisquare(counts[others]).pvalue > 1e-3


def test_the_first_view_is_of_the_image_and_the_second_of_another_of_the_patient(manifest):
    batches = batches_of(manifest, Partners.from_manifest(manifest), last=30)
    rows = rows_of_views(batches)
    np.testing.assert_array_equal(rows[:, 0], np.concatenate([b["index"] for b in batches]))
    for first, second in rows:
        alone = PATIENTS[first] is None or PATIENTS.count(PATIENTS[first]) == 1
        assert (first == second) == alone
        assert PATIENTS[first] == PATIENTS[second]
    # Over the epochs, every other image of the patient is drawn.
    assert {second for first, second in rows if first == 0} == {3, 7, 14}


def test_an_image_alone_is_augmented_twice_as_without_partners(make, folder):
    manifest = make(COUNT, root=folder)
    pairs = Partners.from_manifest(manifest)
    assert (pairs.size == 1).all()
    batches = batches_of(manifest, pairs, preprocess=AUGMENTED)
    assert_same(batches, batches_of(manifest, None, preprocess=AUGMENTED))
    bright = np.concatenate([b["image"][b["index"] > 0] for b in batches])
    assert all(not np.array_equal(first, second) for first, second in bright)


def test_any_step_can_be_computed_alone_and_shards_make_the_whole(manifest):
    pairs = Partners.from_manifest(manifest)
    whole = batches_of(manifest, pairs, preprocess=AUGMENTED)
    assert_same(batches_of(manifest, pairs, 5, preprocess=AUGMENTED), whole[5:])
    shards = [batches_of(manifest, pairs, preprocess=AUGMENTED, shard=(i, 2)) for i in range(2)]
    joined = [
        {key: np.concatenate([shard[key] for shard in step]) for key in step[0]}
        for step in zip(*shards, strict=True)
    ]
    assert_same(joined, whole)


def test_a_cache_holds_partners_too_and_changes_nothing(manifest):
    pairs, cache = Partners.from_manifest(manifest), ImageCache(8 * IMAGE_BYTES)
    expected = batches_of(manifest, pairs, preprocess=AUGMENTED)
    for _ in range(2):
        assert_same(batches_of(manifest, pairs, preprocess=AUGMENTED, cache=cache), expected)
        assert len(cache) == 8


def test_partners_of_one_study_are_of_one_patient_too(make):
    studies = ["1", "1", "2", "1", "1", None, None]
    manifest = make(7, patient_id=["a", "a", "a", "b", "b", "b", "b"], study_id=studies)
    pairs = Partners.from_manifest(manifest, "study_id")
    assert pairs.size.tolist() == [2, 2, 1, 2, 2, 1, 1]
    assert pairs.members[pairs.first[0]] != pairs.members[pairs.first[3]]
    assert Partners.from_manifest(manifest).size.tolist() == [3, 3, 3, 4, 4, 4, 4]


def test_the_summary_counts_images_with_a_partner(make, manifest):
    assert Partners.from_manifest(manifest).summary() == (
        "11 of 15 images have another image of their patient as their second view; the others "
        "are their own second view."
    )
    every = Partners.from_manifest(
        make(4, study_id=["1", "1", "2", "2"], patient_id="a"), "study_id"
    )
    assert (
        every.summary() == "4 of 4 images have another image of their study as their second view."
    )


def test_a_manifest_without_ids_is_refused(make):
    with pytest.raises(UserError) as caught:
        Partners.from_manifest(make(3, patient_id=None))
    assert str(caught.value) == (
        "None of the 3 images of a test has a patient_id, by which the method micle finds two "
        "images of one patient; add the column 'patient_id', or set method to simclr."
    )
    with pytest.raises(UserError, match="add the column 'study_id'"):
        Partners.from_manifest(make(3, study_id=None), "study_id")
    with pytest.raises(UserError, match=r"Unknown value of partners 'slide_id'"):
        Partners.from_manifest(make(3), "slide_id")


def test_views_of_different_sizes_are_refused(make, tmp_path):
    for i in range(2):
        Image.fromarray(np.zeros((8 + i, 8), np.uint8)).save(tmp_path / f"{i}.png")
    manifest = make(2, root=tmp_path, patient_id="a")
    batches = training_batches(
        manifest, parse(""), 1, 0, 0, 1, views=2, partners=Partners.from_manifest(manifest)
    )
    with pytest.raises(UserError, match="leaves images of different sizes"):
        list(readable(batches))
