"""Batches: every row once an epoch, and any batch without those before it."""

import gc
import pathlib
import weakref

import numpy as np
import pytest
from PIL import Image

from remedis.data.batches import sampling
from remedis.data.batches.cache import ImageCache
from remedis.data.batches.pipeline import evaluation_batches, readable, training_batches
from remedis.errors import UserError
from remedis.preprocess import parse

COUNT, BATCH = 11, 4
AUGMENTED = parse("random_resized_crop(8) | rotate(20) | brightness(0.3)")
PLAIN = parse("resize(8)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Images whose grey is ten times their number; the last two larger than the others."""
    root = tmp_path_factory.mktemp("pipeline")
    for i in range(COUNT):
        pixels = np.random.default_rng(i).integers(0, 10, (12, 12 + (i > 8)), dtype=np.uint8)
        Image.fromarray(pixels + np.uint8(10 * i)).save(root / f"{i}.png")
    return root


@pytest.fixture
def manifest(make, folder):
    ill = [1.0, 0.0, np.nan] * 3 + [1.0, 0.0]
    return make(COUNT, root=folder, ill=ill)


def taken(manifest, first=0, last=14, seed=0, preprocess=AUGMENTED, batch_size=BATCH, **more):
    batches = training_batches(manifest, preprocess, batch_size, seed, first, last, **more)
    return list(batches.as_numpy_iterator())


def rows(batches) -> np.ndarray:
    return np.concatenate([batch["index"] for batch in batches])


def test_every_epoch_visits_each_row_once_in_an_order_of_its_own(manifest):
    order = rows(taken(manifest, last=2 * COUNT, preprocess=PLAIN))
    epochs = order[: COUNT * (len(order) // COUNT)].reshape(-1, COUNT)
    assert len(epochs) >= 8
    for epoch in epochs:
        assert sorted(epoch) == list(range(COUNT))
    assert len({tuple(epoch) for epoch in epochs}) == len(epochs)
    # No row keeps its place.
    assert all(len(set(epochs[:, place])) > 1 for place in range(COUNT))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9])
def test_every_epoch_visits_each_row_once_whatever_their_number(make, folder, count):
    order = rows(taken(make(count, root=folder), last=5 * count, preprocess=PLAIN, batch_size=1))
    for epoch in order.reshape(5, count):
        assert sorted(epoch) == list(range(count))


def test_the_seed_decides_order_and_augmentation(manifest):
    one, again, other = (taken(manifest, last=3, seed=seed) for seed in (5, 5, 6))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a["image"], b["image"])
    assert rows(one).tolist() == rows(again).tolist()
    assert rows(one).tolist() != rows(other).tolist()


def test_an_image_is_augmented_anew_in_every_epoch(manifest):
    seen = {}
    for batch in taken(manifest):
        for index, image in zip(batch["index"], batch["image"], strict=True):
            seen.setdefault(index, []).append(image)
    for images in seen.values():
        assert len(images) >= 4
        assert all(not np.array_equal(images[0], image) for image in images[1:])


@pytest.mark.parametrize("first", [1, 2, 3, 8, 13])
def test_starting_at_any_step_gives_the_rest_bit_for_bit(manifest, first):
    whole, tail = taken(manifest), taken(manifest, first=first)
    assert len(whole) == 14
    assert len(tail) == 14 - first
    for a, b in zip(whole[first:], tail, strict=True):
        for key in ("image", "label", "index"):
            np.testing.assert_array_equal(a[key], b[key])


def test_batches_run_on_over_the_end_of_an_epoch(manifest):
    batches = taken(manifest, last=3)
    assert [len(batch["index"]) for batch in batches] == [BATCH] * 3
    assert batches[0]["image"].shape == (BATCH, 8, 8, 3)
    assert batches[0]["image"].dtype == np.float32


def test_a_finished_training_needs_no_batches(manifest):
    assert taken(manifest, first=14, last=14) == []


def test_labels_go_with_their_images_and_unknown_stays_unknown(manifest):
    for batch in taken(manifest, preprocess=PLAIN):
        np.testing.assert_array_equal(batch["label"], manifest.targets()[batch["index"]])
        greys = np.floor(batch["image"].mean((1, 2, 3)) * 255 / 10)
        np.testing.assert_array_equal(greys - greys.min(), batch["index"] - batch["index"].min())
    assert np.isnan(np.concatenate([b["label"] for b in taken(manifest)])).any()


def same(batches, others):
    for a, b in zip(batches, others, strict=True):
        for key in ("image", "label", "index"):
            np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize("workers", [2, 4])
def test_the_parts_of_all_workers_are_the_whole(manifest, workers):
    parts = [taken(manifest, first=2, shard=(i, workers)) for i in range(workers)]
    whole = [
        {key: np.concatenate([part[key] for part in step]) for key in step[0]}
        for step in zip(*parts, strict=True)
    ]
    same(whole, taken(manifest, first=2))


def test_a_batch_that_cannot_be_divided(manifest):
    with pytest.raises(UserError, match="A batch of 4 images cannot be divided among 3 workers"):
        training_batches(manifest, PLAIN, 4, 0, 0, 1, shard=(0, 3))


HALF_FIXED = parse("resize(10) | central_crop(0.9) | random_resized_crop(8) | rotate(20)")
# One channel of float32, as HALF_FIXED leaves them before its first random operation.
IMAGE_BYTES = 10 * 10 * 4


@pytest.mark.parametrize("kept", [0, 3, COUNT])
def test_a_cache_changes_nothing_but_keeps_within_its_budget(manifest, kept):
    cache = ImageCache(kept * IMAGE_BYTES + 5)
    expected = taken(manifest, preprocess=HALF_FIXED)
    same(taken(manifest, preprocess=HALF_FIXED, cache=cache), expected)
    assert len(cache) == kept
    assert cache.used == kept * IMAGE_BYTES
    same(taken(manifest, preprocess=HALF_FIXED, cache=cache), expected)


def test_what_is_cached_is_not_read_again(make, tmp_path):
    file = tmp_path / "0.png"
    Image.fromarray(np.full((9, 9), 100, np.uint8)).save(file)
    manifest, cache = make(1, root=tmp_path), ImageCache(10**6)
    before = list(evaluation_batches(manifest, PLAIN, 1, cache).as_numpy_iterator())
    file.unlink()
    same(evaluation_batches(manifest, PLAIN, 1, cache).as_numpy_iterator(), before)


def test_a_cache_that_nobody_holds_is_gone(manifest):
    cache = ImageCache(10**6)
    taken(manifest, preprocess=HALF_FIXED, cache=cache)
    list(evaluation_batches(manifest, PLAIN, BATCH, cache).as_numpy_iterator())
    gone = weakref.ref(cache)
    del cache
    gc.collect()
    assert gone() is None


def test_views_are_independent_and_share_what_is_not_random(manifest):
    views = taken(manifest, last=3, preprocess=HALF_FIXED, views=2)
    assert views[0]["image"].shape == (BATCH, 2, 8, 8, 3)
    for batch in views:
        assert all(not np.array_equal(first, second) for first, second in batch["image"])
    again = taken(manifest, first=1, last=3, preprocess=HALF_FIXED, views=2)
    same(views[1:], again)
    plain = taken(manifest, last=1, preprocess=PLAIN, views=2)[0]["image"]
    np.testing.assert_array_equal(plain[:, 0], plain[:, 1])


def test_weights_say_how_often_a_row_is_drawn(manifest):
    weights = np.r_[np.zeros(8), 1.0, 0.0, 3.0]
    batches = taken(manifest, last=100, weights=weights)
    drawn = np.bincount(rows(batches), minlength=COUNT)
    assert drawn[[*range(8), 9]].sum() == 0
    # 400 draws: 100 expected, and 4 standard deviations are 35.
    assert 65 <= drawn[8] <= 135
    same(taken(manifest, first=60, last=100, weights=weights), batches[60:])
    # Drawn twice in an epoch, an image is augmented anew.
    images = [i for b in batches for i, row in zip(b["image"], b["index"], strict=True) if row == 8]
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("weights", [[1.0], [0.0] * COUNT, [-1.0, *[1.0] * 10], [np.nan] * COUNT])
def test_weights_that_are_none(manifest, weights):
    with pytest.raises(ValueError, match="Expected 11 weights"):
        taken(manifest, weights=np.array(weights))


def test_balanced_weights(make):
    manifest = make(10, ill=[1, 1, 0, 0, 0, 0, 0, 0, np.nan, -1], site=["a"] * 9 + ["b"])
    weights = sampling.balanced(manifest, "ill")
    np.testing.assert_allclose(weights, [1 / 4] * 2 + [1 / 12] * 6 + [0] * 2)
    np.testing.assert_allclose(sampling.balanced(manifest, "site"), [1 / 18] * 9 + [1 / 2])
    with pytest.raises(UserError, match="Unknown column to balance by 'sit': did you mean 'site'"):
        sampling.balanced(manifest, "sit")
    with pytest.raises(UserError, match=r"Balancing by 'sex' needs at least two values .* 'F'"):
        sampling.balanced(make(3, sex="F"), "sex")


def test_evaluation_goes_through_the_rows_in_order_with_a_short_last_batch(manifest):
    batches = list(evaluation_batches(manifest, PLAIN, BATCH).as_numpy_iterator())
    assert [len(batch["index"]) for batch in batches] == [4, 4, 3]
    assert rows(batches).tolist() == list(range(COUNT))
    labels = np.concatenate([batch["label"] for batch in batches])
    np.testing.assert_array_equal(labels, manifest.targets())


def test_no_training_images(make):
    with pytest.raises(UserError, match="There are no training images"):
        training_batches(make(0), PLAIN, BATCH, 0, 0, 1)


def exhausted(batches) -> str:
    with pytest.raises(UserError) as caught:
        list(readable(batches))
    return str(caught.value)


def test_images_of_different_sizes_are_a_sentence(manifest):
    assert exhausted(evaluation_batches(manifest, parse(""), BATCH)) == (
        "The preprocessing leaves images of different sizes, which cannot be batched; make "
        "resize({size}) part of it."
    )


def test_a_crop_larger_than_an_image_is_a_sentence(manifest):
    sentence = exhausted(training_batches(manifest, parse("random_crop(99)"), 1, 0, 0, 3))
    assert sentence == (
        "Preprocessing: random_crop(99) of a smaller image: resize before it, or crop less; got "
        f"[12 {sentence[-4:-2]}]."
    )


def test_an_image_that_went_or_changed_is_named(make, tmp_path):
    (tmp_path / "0.png").write_bytes(b"no longer an image")
    manifest = make(2, root=tmp_path)
    assert "Neither a JPEG nor a PNG" in exhausted(evaluation_batches(manifest, PLAIN, 1))
    gone = exhausted(evaluation_batches(manifest.subset([False, True]), PLAIN, 1))
    assert str(tmp_path / "1.png") in gone
    assert "can no longer be read" in gone
    assert "\n" not in gone
