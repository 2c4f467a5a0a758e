import pytest

from remedis.errors import UserError
from remedis.training import durations
from remedis.training.durations import steps, warmup

EXPECTED = "expected a number above 0, or 0 for none."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"steps": 7}, 7),
        ({"steps": 0}, None),
        ({"steps": 7, "epochs": 0.0}, 7),
        ({"steps": 0, "epochs": 1.0}, 13),
        ({"epochs": 1.0}, 13),  # 100 / 8, rounded up
        ({"epochs": 2.0}, 25),
        ({"epochs": 0.001}, 1),
        ({"examples": 1}, 1),
        ({"examples": 16}, 2),
        ({"examples": 17}, 3),
    ],
)
def test_steps_of_each_way_to_say_it(given, expected):
    asked = {"steps": None, "epochs": None, "examples": None} | given
    assert steps(**asked, dataset_size=100, batch_size=8) == expected


def test_rounding_of_the_product_adds_no_step():
    assert 0.07 * 100 > 7
    assert steps(None, 0.07, None, 100, 1) == 7


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            (100, 2.0, None),
            "The duration is given by config.steps (100) and config.epochs (2.0); set one of them "
            "and the others to 0.",
        ),
        (
            (None, 2.0, 50),
            "The duration is given by config.epochs (2.0) and config.examples (50); set one of "
            "them and the others to 0.",
        ),
        ((None, -1.0, None), f"config.epochs is -1.0; {EXPECTED}"),
        ((None, float("nan"), None), f"config.epochs is nan; {EXPECTED}"),
        ((0, 0, -1), f"config.examples is -1; {EXPECTED}"),
    ],
)
def test_wrong_durations(given, sentence):
    with pytest.raises(UserError) as caught:
        steps(given[0], given[1], given[2], 100, 8)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("given", "length", "expected"),
    [
        ((None, None), 500, None),  # the schedule's own
        ((0, None), 500, 0),
        ((7, 0.0), 500, 7),
        ((None, 2.0), 500, 25),
        ((0, 2.0), 500, 25),
        ((None, 0.01), 500, 1),
        ((None, 2.0), 100, 10),  # a tenth at most
        ((None, 2.0), 9, 0),
    ],
)
def test_warm_ups_in_steps_and_epochs(given, length, expected):
    assert warmup(*given, steps=length, dataset_size=100, batch_size=8) == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            (5, 1.0),
            "The warm-up is given by config.warmup (5) and config.warmup_epochs (1.0); set one of "
            "them to 0.",
        ),
        ((None, -1.0), "config.warmup_epochs is -1.0; expected a number of 0 or more."),
        ((None, float("inf")), "config.warmup_epochs is inf; expected a number of 0 or more."),
    ],
)
def test_wrong_warm_ups(given, sentence):
    with pytest.raises(UserError) as caught:
        warmup(*given, steps=500, dataset_size=100, batch_size=8)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (
            (8000, 32, 38, 100),
            "Length: 8,000 steps of 32 images = 6,737 epochs of 38 training images, evaluated "
            "every 100 steps.",
        ),
        ((13, 32, 41, 2), "= 10 epochs of 41 training images, evaluated every 2 steps."),
        ((1, 8, 80, 1), "Length: 1 step of 8 images = 0.1 epochs of 80 training images."),
    ],
)
def test_a_length_in_words(length, words):
    assert durations.sentence(*length).endswith(words)


def test_very_many_epochs_are_a_warning():
    assert durations.warning(594, 32, 38) is None
    assert durations.warning(1000, 38, 38) is None
    assert durations.warning(8000, 32, 38) == (
        "The training sees each of the 38 images 6,737 times, which is more than 1,000 epochs; a "
        "smaller config.steps or config.epochs shortens it."
    )


@pytest.mark.parametrize(
    ("interval", "steps", "evaluated", "fitted"),
    [
        (100, 8000, 10, 100),
        (100, 100, 10, 100),
        (100, 13, 10, 2),  # a tenth
        (100, 13, 160, 5),  # training sees 160 images in 5 steps of 32
        (100, 13, 10_000, 13),
        (2, 1, 1, 1),
    ],
)
def test_a_short_training_is_evaluated_ten_times_or_as_often_as_it_saw_as_many_images(
    interval, steps, evaluated, fitted
):
    assert durations.fitted_interval(interval, steps, 32, evaluated) == fitted
