import pytest

from remedis.errors import UserError
from remedis.training.schedules import HyperRule, WarmupSteps


@pytest.mark.parametrize(
    ("examples", "steps", "warmup"),
    [
        (1, 500, 100),
        (19_999, 500, 100),
        (20_000, 10_000, 500),
        (499_999, 10_000, 500),
        (500_000, 20_000, 500),
    ],
)
def test_length_follows_from_the_number_of_examples(examples, steps, warmup):
    assert HyperRule.of(examples, 512) == HyperRule(steps, warmup, 0.003)


@pytest.mark.parametrize("batch_size", [1, 64, 512, 1024])
def test_the_rate_is_in_proportion_to_the_batch(batch_size):
    assert HyperRule.of(1, batch_size).learning_rate == pytest.approx(0.003 * batch_size / 512)
    doubled = HyperRule.of(1, batch_size, base_rate=0.006)
    assert doubled.learning_rate == pytest.approx(0.006 * batch_size / 512)


@pytest.mark.parametrize(
    ("steps", "warmup"), [(1, 0), (4, 0), (5, 1), (100, 20), (500, 100), (600, 120), (4000, 500)]
)
def test_a_length_of_ones_own_warms_up_for_a_fifth_at_most(steps, warmup):
    assert HyperRule.of(1_000_000, 512, steps) == HyperRule(steps, warmup, 0.003)


def test_the_rate_rises_linearly_and_drops_thrice():
    rate = WarmupSteps(HyperRule.of(100, 512))
    for step in (0, 1, 49, 98):
        assert float(rate(step)) == pytest.approx(0.003 * (step + 1) / 100)
    stages = {99: 1, 149: 1, 150: 0.1, 299: 0.1, 300: 0.01, 449: 0.01, 450: 0.001, 499: 0.001}
    for step, factor in stages.items():
        assert float(rate(step)) == pytest.approx(0.003 * factor)


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert float(WarmupSteps(HyperRule.of(1, 512, 4))(0)) == pytest.approx(0.003)


def test_a_schedule_can_be_made_again_from_its_config():
    rate = WarmupSteps(HyperRule.of(100, 32))
    assert WarmupSteps.from_config(rate.get_config()).rule == rate.rule


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"batch_size": 0}, "config.batch_size is 0; expected a number above 0."),
        ({"base_rate": -0.1}, "config.learning_rate is -0.1; expected a number above 0."),
        ({"base_rate": float("nan")}, "config.learning_rate is nan; expected a number above 0."),
        ({"base_rate": float("inf")}, "config.learning_rate is inf; expected a number above 0."),
        ({"steps": 0}, "config.steps is 0; expected at least 1, or none for the rule."),
    ],
)
def test_wrong_numbers(arguments, sentence):
    with pytest.raises(UserError) as caught:
        HyperRule.of(**{"examples": 10, "batch_size": 8} | arguments)
    assert str(caught.value) == sentence
