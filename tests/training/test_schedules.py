import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.training import durations
from remedis.training.schedules import KINDS, Rate, Schedule, ScheduleSettings, hyperrule_mixup


def schedule(kind="hyperrule", **changes):
    asked = {
        "examples": 100,
        "batch_size": 512,
        "steps": None,
        "learning_rate": 0.003,
        "learning_rate_batch": 512,
        "warmup": None,
        "drops": (0.5, 0.75),
    }
    return Schedule.from_settings(kind, **asked | changes)


def twin(kind, step, steps, warmup, rate, drops):
    if step < warmup:
        rate *= (step + 1) / warmup
    if kind in ("hyperrule", "step"):
        for share in drops if kind == "step" else (0.3, 0.6, 0.9):
            if step >= share * steps:
                rate /= 10
    if kind == "cosine" and step > warmup:
        rate *= 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
    return rate


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (2, 1), (7, 0), (40, 10), (40, 39)])
def test_rates_are_those_of_plain_python(kind, steps, warmup):
    made = schedule(kind, steps=steps, warmup=warmup, learning_rate=0.1)
    got = tf.map_fn(Rate(made), tf.range(steps), fn_output_signature=tf.float32)
    expected = [twin(kind, step, steps, warmup, 0.1, (0.5, 0.75)) for step in range(steps)]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-8)
    assert min(expected) > 0  # no step is lost


def released_rates(images, batch_size, epochs, warmup_epochs, rate):
    """Returns warm-up and the rate of each step: the formulas of model_util.py:37-61."""
    steps = images * epochs // batch_size + 1
    warmup = round(warmup_epochs * images // batch_size)
    rate *= batch_size / 256
    rising = [rate * step / warmup for step in range(warmup)]
    falling = [
        rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
        for step in range(warmup, steps)
    ]
    return warmup, rising + falling


@pytest.mark.parametrize(("images", "batch_size"), [(1000, 32), (640, 64), (777, 512), (90, 7)])
def test_cosine_is_the_released_one_but_for_one_step_of_the_warmup(images, batch_size):
    released_warmup, released = released_rates(images, batch_size, 100, 10, 0.3)
    steps, warmup = (
        durations.steps(None, epochs, None, images, batch_size) for epochs in (100, 10)
    )
    assert len(released) - steps == (images * 100 % batch_size == 0)
    assert warmup - released_warmup == (images * 10 % batch_size > 0)
    made = schedule(
        "cosine",
        steps=len(released),
        warmup=released_warmup,
        batch_size=batch_size,
        learning_rate=0.3,
        learning_rate_batch=256,
    )
    ours = Rate(made)(tf.range(len(released))).numpy()
    assert released[0] == 0
    ahead = np.r_[released[1 : released_warmup + 1], released[released_warmup:]]
    np.testing.assert_allclose(ours, ahead, rtol=2e-4, atol=1e-7)


def test_cosine_ends_at_0_and_never_goes_below_or_up_again():
    rate = Rate(schedule("cosine", steps=10, warmup=0))
    assert float(rate(10)) == float(rate(15)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("examples", "steps", "warmup", "alpha"),
    [
        (1, 500, 100, 0),
        (19_999, 500, 100, 0),
        (20_000, 10_000, 500, 0.1),
        (499_999, 10_000, 500, 0.1),
        (500_000, 20_000, 500, 0.1),
    ],
)
def test_hyperrule_follows_from_the_number_of_examples(examples, steps, warmup, alpha):
    assert schedule(examples=examples) == Schedule(
        "hyperrule", steps, warmup, 0.003, (0.3, 0.6, 0.9)
    )
    assert hyperrule_mixup(examples) == alpha


@pytest.mark.parametrize("examples", [1, 100_000])
def test_hyperrule_sees_as_many_images_at_as_much_rate_with_smaller_batches(examples):
    whole, parts = schedule(examples=examples), schedule(examples=examples, batch_size=128)
    assert (parts.steps, parts.warmup) == (4 * whole.steps, 4 * whole.warmup)

    def area(made):
        steps = np.arange(made.steps)
        return sum(twin("hyperrule", i, made.steps, made.warmup, 1, ()) for i in steps)

    assert parts.learning_rate * area(parts) == pytest.approx(
        whole.learning_rate * area(whole), 0.01
    )


@pytest.mark.parametrize(
    ("steps", "warmup"), [(1, 0), (4, 0), (5, 1), (100, 20), (500, 100), (600, 120), (4000, 500)]
)
def test_a_hyperrule_of_ones_own_length_warms_up_for_a_fifth_at_most(steps, warmup):
    assert schedule(examples=1_000_000, steps=steps).warmup == warmup


@pytest.mark.parametrize("kind", ["cosine", "step", "constant"])
def test_the_others_warm_up_for_a_twentieth(kind):
    assert [schedule(kind, steps=steps).warmup for steps in (1, 19, 20, 1000)] == [0, 0, 1, 50]


@pytest.mark.parametrize("batch_size", [1, 64, 512, 1024])
def test_the_rate_is_in_proportion_to_the_batch_or_as_it_is(batch_size):
    scaled = schedule(batch_size=batch_size)
    assert scaled.learning_rate == pytest.approx(0.003 * batch_size / 512)
    assert schedule(batch_size=batch_size, learning_rate_batch=0).learning_rate == 0.003


def test_a_rate_can_be_made_again_from_its_config():
    rate = Rate(schedule("cosine", steps=9))
    assert Rate.from_config(rate.get_config()).schedule == rate.schedule


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"kind": "cosin", "steps": 5},
            "Unknown value of config.schedule 'cosin': did you mean 'cosine'? Choose from: "
            "hyperrule, cosine, step, constant.",
        ),
        (
            {"kind": "cosine"},
            "config.schedule is cosine, which has no length of its own; set one of config.steps, "
            "config.epochs and config.examples.",
        ),
        ({"batch_size": 0}, "config.batch_size is 0; expected a number above 0."),
        ({"learning_rate": -0.1}, "config.learning_rate is -0.1; expected a number above 0."),
        (
            {"learning_rate": math.nan},
            "config.learning_rate is nan; expected a number above 0.",
        ),
        (
            {"learning_rate_batch": -1},
            "config.learning_rate_batch is -1; expected a number of images, or 0 to take "
            "config.learning_rate as it is.",
        ),
        ({"steps": 0}, "config.steps is 0; expected at least 1."),
        (
            {"steps": 10, "warmup": 10},
            "config.warmup is 10; expected 0 or more and fewer than the 10 steps of the training, "
            "or none for the schedule's own.",
        ),
        (
            {"kind": "step", "steps": 10, "drops": (0.5, 30)},
            "config.drops has 30; expected shares of the steps, 0 to 1.",
        ),
    ],
)
def test_wrong_values(changes, sentence):
    with pytest.raises(UserError) as caught:
        schedule(**changes)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("examples", "batch_size", "steps", "rate"),
    [
        (38, 32, 594, 0.003 * 32 / 38),
        (16, 32, 500, 0.003),  # a batch of the rule is the whole set
        (511, 32, 7985, 0.003 * 32 / 511),
        (512, 32, 8000, 0.003 * 32 / 512),
        (19_999, 32, 8000, 0.003 * 32 / 512),
        (20_000, 512, 10_000, 0.003),
    ],
)
def test_a_step_of_the_hyperrule_fitted_to_data_has_at_most_the_images_there_are(
    examples, batch_size, steps, rate
):
    made = schedule(examples=examples, batch_size=batch_size, fit_to_data=True)
    assert made.steps == steps
    assert made.learning_rate == pytest.approx(rate)
    assert made.warmup <= steps // 5
    # The sum of the rates is that of the rule, whatever the data.
    rule = 500 if examples < 20_000 else 10_000
    assert made.steps * made.learning_rate == pytest.approx(rule * 0.003, rel=2e-3)


def test_fitting_to_data_changes_no_length_that_is_given():
    for changes in ({"steps": 7}, {"steps": 7, "kind": "cosine"}):
        assert schedule(fit_to_data=True, **changes) == schedule(**changes)
    assert schedule(fit_to_data=True, learning_rate_batch=0).learning_rate == 0.003


@pytest.mark.parametrize("epochs", [0.1, 1.0, 10.0, 100.0, 1e9])
def test_any_number_of_epochs_passes_the_check_before_the_images_are_known(epochs):
    asked = ScheduleSettings(
        steps=None,
        epochs=epochs,
        examples=None,
        batch_size=8,
        schedule="cosine",
        learning_rate=0.1,
        learning_rate_batch=0,
        warmup=None,
    )
    asked.check()
    assert asked.for_images(8).steps == max(1, round(epochs))
    with pytest.raises(UserError, match="more than 1,000,000,000 steps of 8 images"):
        dataclasses.replace(asked, epochs=epochs * 1e11).check()
