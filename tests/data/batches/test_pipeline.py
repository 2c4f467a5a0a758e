"""Batches: every row once per epoch, and any batch without those before it."""

import gc
import pathlib
import weakref

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from remedis.data.batches import sampling
from remedis.data.batches.cache import ImageCache
from remedis.data.batches.image_loader import image_loader
from remedis.data.batches.pipeline import evaluation_batches, readable, training_batches
from remedis.errors import UserError
from remedis.preprocess import parse

COUNT, BATCH = 11, 4
AUGMENTED = parse("random_resized_crop(8) | rotate(20) | brightness(0.3)")
PLAIN = parse("resize(8)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Images whose grey value is about ten times their row; the last two are larger."""
    root = tmp_path_factory.mktemp("pipeline")
    for i in range(COUNT):
        pixels = np.random.default_rng(i).integers(0, 10, (12, 12 + (i > 8)), dtype=np.uint8)
        Image.fromarray(pixels + np.uint8(10 * i)).save(root / f"{i}.png")
    return root


@pytest.fixture
def manifest(make, folder):
    ill = [1.0, 0.0, np.nan] * 3 + [1.0, 0.0]
    return make(COUNT, root=folder, ill=ill)


def batches_of(manifest, first=0, last=14, seed=0, preprocess=AUGMENTED, batch_size=BATCH, **more):
    batches = training_batches(manifest, preprocess, batch_size, seed, first, last, **more)
    return list(batches.as_numpy_iterator())


def rows(batches) -> np.ndarray:
    return np.concatenate([batch["index"] for batch in batches])


def test_every_epoch_contains_each_row_once_in_an_order_of_its_own(manifest):
    order = rows(batches_of(manifest, last=2 * COUNT, preprocess=PLAIN))
    epochs = order[: COUNT * (len(order) // COUNT)].reshape(-1, COUNT)
    assert len(epochs) >= 8
    for epoch in epochs:
        assert sorted(epoch) == list(range(COUNT))
    assert len({tuple(epoch) for epoch in epochs}) == len(epochs)
    # No row has the same position in all epochs.
    assert all(len(set(epochs[:, position])) > 1 for position in range(COUNT))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9])
def test_every_epoch_contains_each_row_once_for_any_number_of_rows(make, folder, count):
    order = rows(
        batches_of(make(count, root=folder), last=5 * count, preprocess=PLAIN, batch_size=1)
    )
    for epoch in order.reshape(5, count):
        assert sorted(epoch) == list(range(count))


def test_the_seed_decides_order_and_augmentation(manifest):
    batches, repeated, other = (batches_of(manifest, last=3, seed=seed) for seed in (5, 5, 6))
    assert_same(batches, repeated)
    assert rows(batches).tolist() != rows(other).tolist()


def test_an_image_is_augmented_differently_in_every_epoch(manifest):
    augmented = {}
    for batch in batches_of(manifest):
        for index, image in zip(batch["index"], batch["image"], strict=True):
            augmented.setdefault(index, []).append(image)
    for images in augmented.values():
        assert len(images) >= 4
        assert all(not np.array_equal(images[0], image) for image in images[1:])


@pytest.mark.parametrize("first", [1, 2, 3, 8, 13])
def test_starting_at_any_step_gives_the_rest_bit_for_bit(manifest, first):
    whole, tail = batches_of(manifest), batches_of(manifest, first=first)
    assert len(whole) == 14
    assert len(tail) == 14 - first
    for a, b in zip(whole[first:], tail, strict=True):
        for key in ("image", "label", "index"):
            np.testing.assert_array_equal(a[key], b[key])


def test_a_batch_may_reach_into_the_next_epoch(manifest):
    batches = batches_of(manifest, last=3)
    assert [len(batch["index"]) for batch in batches] == [BATCH] * 3
    assert batches[0]["image"].shape == (BATCH, 8, 8, 3)
    assert batches[0]["image"].dtype == np.float32


def test_a_finished_training_needs_no_batches(manifest):
    assert batches_of(manifest, first=14, last=14) == []


def test_labels_belong_to_their_images_and_unknown_stays_unknown(manifest):
    for batch in batches_of(manifest, preprocess=PLAIN):
        np.testing.assert_array_equal(batch["label"], manifest.targets()[batch["index"]])
        greys = np.floor(batch["image"].mean((1, 2, 3)) * 255 / 10)
        np.testing.assert_array_equal(greys - greys.min(), batch["index"] - batch["index"].min())
    assert np.isnan(np.concatenate([b["label"] for b in batches_of(manifest)])).any()


def assert_same(batches, others):
    for a, b in zip(batches, others, strict=True):
        for key in ("image", "label", "index"):
            np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize("workers", [2, 4])
def test_the_shards_of_all_workers_are_the_whole(manifest, workers):
    shards = [batches_of(manifest, first=2, shard=(i, workers)) for i in range(workers)]
    whole = [
        {key: np.concatenate([shard[key] for shard in step]) for key in step[0]}
        for step in zip(*shards, strict=True)
    ]
    assert_same(whole, batches_of(manifest, first=2))


def test_a_batch_that_cannot_be_divided(manifest):
    with pytest.raises(UserError, match="A batch of 4 images cannot be divided among 3 workers"):
        training_batches(manifest, PLAIN, 4, 0, 0, 1, shard=(0, 3))


HALF_FIXED = parse("resize(10) | central_crop(0.9) | random_resized_crop(8) | rotate(20)")
# One channel of float32, after the operations of HALF_FIXED before the first random one.
IMAGE_BYTES = 10 * 10 * 4


@pytest.mark.parametrize("cached", [0, 3, COUNT])
def test_a_cache_changes_nothing_and_stays_within_its_budget(manifest, cached):
    cache = ImageCache(cached * IMAGE_BYTES + 5)
    expected = batches_of(manifest, preprocess=HALF_FIXED)
    assert_same(batches_of(manifest, preprocess=HALF_FIXED, cache=cache), expected)
    assert len(cache) == cached
    assert cache.used == cached * IMAGE_BYTES
    assert_same(batches_of(manifest, preprocess=HALF_FIXED, cache=cache), expected)


def test_a_cached_image_is_not_read_again(make, tmp_path):
    file = tmp_path / "0.png"
    Image.fromarray(np.full((9, 9), 100, np.uint8)).save(file)
    manifest, cache = make(1, root=tmp_path), ImageCache(10**6)
    before = list(evaluation_batches(manifest, PLAIN, 1, cache).as_numpy_iterator())
    file.unlink()
    assert_same(evaluation_batches(manifest, PLAIN, 1, cache).as_numpy_iterator(), before)


def test_a_cache_without_references_is_freed(manifest):
    cache = ImageCache(10**6)
    batches_of(manifest, preprocess=HALF_FIXED, cache=cache)
    list(evaluation_batches(manifest, PLAIN, BATCH, cache).as_numpy_iterator())
    reference = weakref.ref(cache)
    del cache
    gc.collect()
    assert reference() is None


def test_views_are_independent_and_share_the_operations_that_are_not_random(manifest):
    views = batches_of(manifest, last=3, preprocess=HALF_FIXED, views=2)
    assert views[0]["image"].shape == (BATCH, 2, 8, 8, 3)
    for batch in views:
        assert all(not np.array_equal(first, second) for first, second in batch["image"])
    later = batches_of(manifest, first=1, last=3, preprocess=HALF_FIXED, views=2)
    assert_same(views[1:], later)
    plain = batches_of(manifest, last=1, preprocess=PLAIN, views=2)[0]["image"]
    np.testing.assert_array_equal(plain[:, 0], plain[:, 1])


def test_rows_are_drawn_in_proportion_to_weights(manifest):
    weights = np.r_[np.zeros(8), 1.0, 0.0, 3.0]
    batches = batches_of(manifest, last=100, weights=weights)
    drawn = np.bincount(rows(batches), minlength=COUNT)
    assert drawn[[*range(8), 9]].sum() == 0
    # 400 draws: 100 expected, and 4 standard deviations are 35.
    assert 65 <= drawn[8] <= 135
    assert_same(batches_of(manifest, first=60, last=100, weights=weights), batches[60:])
    # An image drawn twice in an epoch is augmented in two ways.
    images = [i for b in batches for i, row in zip(b["image"], b["index"], strict=True) if row == 8]
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("weights", [[1.0], [0.0] * COUNT, [-1.0, *[1.0] * 10], [np.nan] * COUNT])
def test_wrong_weights_are_refused(manifest, weights):
    with pytest.raises(ValueError, match="Expected 11 weights"):
        batches_of(manifest, weights=np.array(weights))


def test_balanced_weights(make):
    manifest = make(10, ill=[1, 1, 0, 0, 0, 0, 0, 0, np.nan, -1], site=["a"] * 9 + ["b"])
    weights = sampling.balanced(manifest, "ill")
    np.testing.assert_allclose(weights, [1 / 4] * 2 + [1 / 12] * 6 + [0] * 2)
    np.testing.assert_allclose(sampling.balanced(manifest, "site"), [1 / 18] * 9 + [1 / 2])
    with pytest.raises(UserError, match="Unknown column to balance by 'sit': did you mean 'site'"):
        sampling.balanced(manifest, "sit")
    with pytest.raises(UserError, match=r"Balancing by 'sex' needs at least two values .* 'F'"):
        sampling.balanced(make(3, sex="F"), "sex")


def test_evaluation_batches_follow_the_rows_and_the_last_may_be_shorter(manifest):
    batches = list(evaluation_batches(manifest, PLAIN, BATCH).as_numpy_iterator())
    assert [len(batch["index"]) for batch in batches] == [4, 4, 3]
    assert rows(batches).tolist() == list(range(COUNT))
    labels = np.concatenate([batch["label"] for batch in batches])
    np.testing.assert_array_equal(labels, manifest.targets())


@pytest.mark.parametrize(
    "specification", ["central_crop(0.6)", "central_crop(0.9) | central_crop(0.5)"]
)
@pytest.mark.parametrize("name", ["8.png", "16.png", "colour.jpg", "rows.npz#images,0"])
def test_crops_before_pixels_are_floats_change_nothing(make, tmp_path, specification, name):
    pixels = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "8.png")
    Image.fromarray(257 * pixels[..., 0].astype(np.uint16)).save(tmp_path / "16.png")
    Image.fromarray(pixels).save(tmp_path / "colour.jpg")
    np.savez(tmp_path / "rows.npz", images=pixels[None])
    manifest, preprocess = make(1, root=tmp_path, path=[name]), parse(f"{specification} | clip()")
    assert preprocess.crops == specification.count("crop")
    (batch,) = evaluation_batches(manifest, preprocess, 1).as_numpy_iterator()
    whole = image_loader(manifest)(tf.constant(0))
    assert whole.shape[:2] == (13, 17)
    np.testing.assert_array_equal(batch["image"][0], preprocess(whole))


def test_a_crop_of_other_pixels_than_the_files_is_one_of_floats():
    assert parse("resize(8) | central_crop(0.5)").crops == 0


def test_no_training_images(make):
    with pytest.raises(UserError, match="There are no training images"):
        training_batches(make(0), PLAIN, BATCH, 0, 0, 1)


def error_of(batches) -> str:
    """Returns the message of the error that reading all batches raises."""
    with pytest.raises(UserError) as caught:
        list(readable(batches))
    return str(caught.value)


def test_images_of_different_sizes_are_refused(manifest):
    assert error_of(evaluation_batches(manifest, parse(""), BATCH)) == (
        "The preprocessing leaves images of different sizes, which cannot be batched; make "
        "resize({size}) part of it."
    )


def test_a_crop_larger_than_an_image_is_refused(manifest):
    sentence = error_of(training_batches(manifest, parse("random_crop(99)"), 1, 0, 0, 3))
    assert sentence == (
        "Preprocessing: random_crop(99) of a smaller image: resize before it, or crop less; got "
        f"[12 {sentence[-4:-2]}]."
    )


def test_an_image_that_disappeared_or_changed_is_named(make, tmp_path):
    (tmp_path / "0.png").write_bytes(b"no longer an image")
    manifest = make(2, root=tmp_path)
    assert "Neither a JPEG nor a PNG" in error_of(evaluation_batches(manifest, PLAIN, 1))
    message = error_of(evaluation_batches(manifest.subset([False, True]), PLAIN, 1))
    assert str(tmp_path / "1.png") in message
    assert "can no longer be read" in message
    assert "\n" not in message


def test_no_thread_looks_for_numbers_which_the_end_of_a_pass_would_wait_for(manifest):
    for batches in (
        evaluation_batches(manifest, PLAIN, BATCH),
        training_batches(manifest, AUGMENTED, BATCH, 0, 0, 2),
    ):
        assert batches.options().autotune.enabled is False
