"""The contract of all operations: the same in every mode, random by seed alone, valid images."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
from operation_helpers import apply, draws, noise, parsed, seeded

from remedis.preprocess import parse, registry
from remedis.preprocess.operations.chance import sometimes, split

EVERY = (
    "resize(24)",
    "resize(24, method='bilinear')",
    "central_crop(0.5)",
    "random_crop(16)",
    "random_resized_crop(24)",
    "flip_left_right()",
    "brightness(0.4)",
    "contrast(0.4)",
    "rotate(30)",
    "flip_up_down()",
    "quarter_turns()",
    "saturation(0.8)",
    "hue(0.2)",
    "colour_distortion(1.0)",
    "grey()",
    "gaussian_blur()",
    "histogram_equalisation()",
    "elastic_deformation(60, 4)",
    "stain_jitter(0.2, 0.2)",
    "cut_out()",
    "solarise(0.5, 0.5)",
    "released_random_crop(24)",
    "released_central_crop(24)",
    "released_resize(24)",
    "released_histogram_equalisation()",
    "released_gaussian_blur()",
    "released_random_crop(24, clip=False) | clip()",
)
RANDOM = tuple(specification for specification in EVERY if parse(specification).random)


def test_every_registered_operation_is_tested_here():
    tested = {step.name for specification in EVERY for step in parse(specification).steps}
    assert tested == set(registry.names())


@pytest.mark.parametrize("specification", EVERY)
def test_results_are_the_same_eagerly_and_in_a_pipeline_bit_for_bit(specification):
    preprocess = parsed(specification)

    def unknown(pixels: tf.Tensor) -> tf.Tensor:
        # Height and width are unknown in the pipeline, as after decoding.
        return tf.compat.v1.placeholder_with_default(pixels, [None, None, 3])

    images = tf.data.Dataset.from_tensors(noise()).map(unknown).repeat()
    seeds = tf.data.Dataset.range(6).map(lambda i: tf.stack([tf.cast(i, tf.int32), 7]))
    results = tf.data.Dataset.zip(images, seeds).map(preprocess, tf.data.AUTOTUNE)
    for i, got in enumerate(results.as_numpy_iterator()):
        np.testing.assert_array_equal(got, apply(specification, noise(), i))


@pytest.mark.parametrize("specification", EVERY)
def test_one_channel_of_a_grey_image_gives_the_result_of_three_equal_ones(specification):
    preprocess = parsed(specification)
    signature = [tf.TensorSpec([None, None, None], tf.float32), tf.TensorSpec([2], tf.int32)]
    function = tf.function(lambda image, seed: preprocess(image, seed), input_signature=signature)
    grey = noise()[..., :1]
    for i in range(6):
        expected = apply(specification, np.repeat(grey, 3, axis=-1), i)
        np.testing.assert_array_equal(function(grey, seeded(i)), expected)


@pytest.mark.parametrize("specification", EVERY)
@pytest.mark.parametrize("extreme", ["noise", "checks"])
def test_the_result_is_an_image_with_values_from_0_to_1(specification, extreme):
    image = noise() if extreme == "noise" else np.round(noise())  # sharp edges overshoot the most
    for got in draws(specification, image, 20):
        assert got.dtype == np.float32
        assert got.ndim == 3
        assert got.shape[2] == 3
        assert got.min() >= 0
        assert got.max() <= 1


SIZE_PRESERVING = tuple(
    specification
    for specification in EVERY
    if "crop" not in specification and "resize" not in specification
    if specification != "quarter_turns()"
)


@pytest.mark.parametrize("specification", SIZE_PRESERVING)
def test_the_size_is_kept(specification):
    assert all(got.shape == noise().shape for got in draws(specification, noise(), 6))


@pytest.mark.parametrize("specification", RANDOM)
def test_the_seed_alone_decides_the_result(specification):
    first, second = (draws(specification, noise(40, 40), 8) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert any(not np.array_equal(first[0], other) for other in first[1:])


@pytest.mark.parametrize("sides", [(1, 1), (1, 9), (9, 1), (2, 3)])
@pytest.mark.parametrize("specification", [s for s in EVERY if s != "random_crop(16)"])
def test_the_smallest_images(specification, sides):
    image = noise(*sides)
    for got in (apply(specification, image, seed) for seed in range(3)):
        assert np.isfinite(got).all()
        assert got.size


# Operations with a probability, strong enough to be visible whenever they are applied.
WITH_PROBABILITY = (
    "flip_left_right(%s)",
    "flip_up_down(%s)",
    "colour_distortion(1.0, %s)",
    "grey(%s)",
    "gaussian_blur(%s, (1.0, 2.0))",
    "histogram_equalisation(%s)",
    "elastic_deformation(60, 4, %s)",
    "stain_jitter(0.2, 0.2, %s)",
    "cut_out(0.5, 0.5, %s)",
    "solarise(0.5, %s)",
    "released_histogram_equalisation(%s)",
    "released_gaussian_blur(%s)",
)


def test_every_operation_with_a_probability_is_tested():
    tested = {step.name for text in WITH_PROBABILITY for step in parse(text % 0.5).steps}
    assert tested == {
        name
        for name in registry.names()
        if "probability" in inspect.signature(registry._OPERATIONS[name]).parameters
    }


@pytest.mark.parametrize("specification", WITH_PROBABILITY)
def test_the_probability_is_the_share_of_changed_images(specification):
    image = noise(20, 20)
    results = draws(specification % 0.4, image, 200)
    changed = sum(not np.array_equal(got, image) for got in results)
    assert 52 <= changed <= 108  # 4 standard deviations about 80
    never, always = (apply(specification % probability, image) for probability in (0, 1))
    np.testing.assert_array_equal(never, image)
    assert not np.array_equal(always, image)


@pytest.mark.parametrize(
    "specification", WITH_PROBABILITY[2:3] + WITH_PROBABILITY[4:5] + WITH_PROBABILITY[6:9]
)
def test_the_decision_is_independent_of_the_other_draws(specification):
    # The changes of the chosen 40 % are as strong as those of the other seeds. If one draw were
    # both decision and strength, the chosen ones would be weak.
    image = noise(20, 20)
    everywhere = draws(specification % 1, image, 200)
    sometimes = draws(specification % 0.4, image, 200)
    change = np.array([np.abs(got - image).mean() for got in everywhere])
    chosen = np.array([not np.array_equal(got, image) for got in sometimes])
    for i in np.flatnonzero(chosen)[:20]:
        np.testing.assert_array_equal(sometimes[i], everywhere[i])
    difference = change[chosen].mean() - change[~chosen].mean()
    standard_error = change.std() * np.sqrt(1 / chosen.sum() + 1 / (~chosen).sum())
    assert abs(difference) < 4 * standard_error


def test_an_operation_that_is_not_chosen_is_not_computed():
    def failing(image):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_sum(image) < 0, ["done"])]):
            return tf.identity(image)

    @tf.function
    def graph(image, probability):
        return sometimes(lambda: failing(image), image, probability, seeded(0))

    np.testing.assert_array_equal(graph(noise(), tf.constant(0.0)), noise())
    with pytest.raises(tf.errors.InvalidArgumentError, match="done"):
        graph(noise(), tf.constant(1.0))


def test_seeds_split_from_one_are_different_and_repeatable():
    seeds = [tuple(seed.numpy()) for seed in split(seeded(3), 5)]
    assert len(set(seeds)) == 5
    assert seeds == [tuple(seed.numpy()) for seed in split(seeded(3), 5)]
    assert not set(seeds) & {tuple(seed.numpy()) for seed in split(seeded(4), 5)}
