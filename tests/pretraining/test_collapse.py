import math

import numpy as np
import pytest

from remedis.pretraining.collapse import ADVICE, Collapse

BATCH = 64
CONSTANT = math.log(2 * BATCH - 1)
STEPS = 60
every = pytest.mark.parametrize("every", [1, 5, 10])

# What a random network with SimCLR's head shows at its first step, and with MoCo's: no batch norm.
FRESH = {
    "alignment": 1.9,
    "uniformity": -3.9,
    "instance_top1": 3 / BATCH,
    "embedding_std": 0.98,
    "effective_rank": 3.5,
    "loss": CONSTANT + 0.39,
}


def told(trajectory, every=5, batch=BATCH, constant=CONSTANT):
    """Returns the first step at which something was found, and what; (None, None) if never.

    `trajectory` is a function from the step and a generator to values that differ from `FRESH`.
    """
    collapse, rng = Collapse(batch, constant), np.random.default_rng(0)
    for step in range(1, STEPS + 1):
        values = FRESH | trajectory(step, rng)
        found = collapse.look(step, values) if step == 1 or step % every == 0 else None
        if found:
            assert found.sentence.startswith(("Not learning", "Close together")) != found.certain
            return step, found.sentence
    return None, None


def healthy(step, rng):
    hits = rng.binomial(BATCH, 0.03 + 0.005 * step)
    return {"instance_top1": hits / BATCH, "loss": CONSTANT + 0.39 - 0.02 * step + rng.normal() / 9}


def slow(step, rng):
    """Warming up: the loss stays above that of a constant network, pairs are found now and then."""
    return {"instance_top1": rng.binomial(BATCH, 0.04) / BATCH, "loss": CONSTANT + rng.normal() / 9}


def alike(step, rng):
    """A head without batch norm on features of which two images have a cosine of 0.999."""
    return healthy(step, rng) | {"embedding_std": 0.03}


@every
@pytest.mark.parametrize("trajectory", [healthy, slow, alike])
def test_a_healthy_start_is_left_alone(trajectory, every):
    assert told(trajectory, every) == (None, None)


@every
def test_a_constant_encoder_is_told_from_its_projections(every):
    def constant(step, rng):
        return {"embedding_std": 1e-4 * rng.uniform(), "loss": CONSTANT, "effective_rank": 1.0}

    step, said = told(constant, every)
    assert step <= 2 * every + 1
    assert said.startswith(
        "Collapsed since step 1: every image gets nearly the same projection (embedding_std is "
    )
    assert said.endswith(ADVICE)


@every
def test_a_constant_encoder_is_told_from_its_features(every):
    """Behind a batch norm, which blows rounding up to a variance of its own."""

    def constant(step, rng):
        return healthy(step, rng) | {"effective_rank": 1.0 + 0.3 * rng.uniform()}

    step, said = told(constant, every)
    assert step <= 2 * every + 1
    assert said.startswith("Collapsed since step 1: the features of all images are the same, or di")
    assert "expected well above 1.5" in said
    assert said.endswith(ADVICE)


@every
def test_a_collapse_on_the_way_is_told_from_where_it_began(every):
    def later(step, rng):
        collapsed = {"embedding_std": 1e-3, "loss": CONSTANT}
        return healthy(step, rng) | (collapsed if step > 20 else {})

    step, said = told(later, every)
    first = next(s for s in range(21, 40) if s % every == 0)
    assert step == first + 2 * every
    assert f"since step {first}:" in said


@every
def test_projections_close_together_at_a_small_loss_are_no_collapse(every):
    """As measured of MoCo by SGD, whose features got better all the while."""

    def close(step, rng):
        return {"embedding_std": 0.004, "loss": 0.8 * CONSTANT, "effective_rank": 27.0}

    step, said = told(close, every)
    assert step <= 2 * every + 1
    assert said.startswith("Close together since step 1: the projections of all images are nearly")
    assert said.endswith("a probe (config.probe) tells.")


@every
def test_steps_that_are_far_too_large_are_told(every):
    """As measured with 1,000 times a good rate: the loss jumps, while nothing is constant."""

    def diverged(step, rng):
        return {
            "loss": CONSTANT + 0.39 if step == 1 else CONSTANT * rng.uniform(1.3, 2),
            "embedding_std": 0.85,
            "effective_rank": 13.0,
        }

    step, said = told(diverged, every)
    assert step <= 3 * every + 1
    assert said.startswith(f"Diverged since step {max(every, 2)}: the loss is ")
    assert f"the {CONSTANT + 0.39:.4g} of step 1 and than the {CONSTANT:.4g} of a network" in said


@every
def test_a_loss_that_rises_before_it_falls_is_left_alone(every):
    """As measured of SimCLR by SGD from random weights."""

    def hill(step, rng):
        hits = rng.binomial(BATCH, 0.2) / BATCH
        return {"instance_top1": hits, "loss": CONSTANT * (1.22 if 10 <= step < 40 else 0.95)}

    assert told(hill, every) == (None, None)


def test_a_loss_that_begins_low_or_high_is_not_taken_for_diverged():
    easy = {"instance_top1": 0.2}
    # MoCo's first queue is of random directions; later ones are harder.
    rising = told(lambda step, rng: easy | {"loss": min(6 + step / 5, 11.5)}, constant=11.1)
    assert rising == (None, None)
    # Barlow Twins' dimensions are correlated at first.
    falling = told(lambda step, rng: easy | {"loss": 5e4 / (1 + step / 20)}, constant=8192.0)
    assert falling == (None, None)


@every
def test_chance_is_told_when_it_lasts(every):
    def blind(step, rng):
        hits = rng.permutation([0, 0, 1, 1, 2]).item(0)
        return {"instance_top1": hits / BATCH, "loss": CONSTANT + abs(rng.normal()) / 9}

    step, said = told(blind, every)
    assert 35 < step <= 50
    # The looks are those of the last 35 steps.
    assert said.startswith(f"Not learning since step {every}, or slowly: images are told apart as ")
    assert f"chance {1 / BATCH:.2g}" in said
    assert said.endswith(ADVICE)


def test_one_odd_batch_is_no_alarm():
    def odd(step, rng):
        few = {"embedding_std": 0.0, "effective_rank": 1.0, "instance_top1": 0.0, "loss": 99.0}
        return few if step % 15 in (0, 5) else healthy(step, rng)

    assert told(odd, every=5) == (None, None)


def test_it_is_said_as_long_as_it_lasts():
    collapse, said = Collapse(BATCH, CONSTANT), []
    for step in range(1, 11):
        low = {"embedding_std": 0.0} if step <= 5 else {}
        said.append(collapse.look(step, FRESH | {"instance_top1": 0.5} | low))
    assert [found is not None for found in said] == [False] * 2 + [True] * 3 + [False] * 5
    assert all(found.sentence.startswith("Collapsed since step 1:") for found in said[2:5])


def test_looks_that_are_shown_again_give_the_same_answer():
    rng = np.random.default_rng(3)
    looks = [(s, FRESH | {"instance_top1": 0.0, "loss": CONSTANT + rng.normal() / 50})
             for s in range(1, 50)]  # fmt: skip
    whole, resumed = Collapse(BATCH, CONSTANT), Collapse(BATCH, CONSTANT)
    answers = [whole.look(*look) for look in looks]
    for look in looks[:30]:
        resumed.look(*look)
    assert [resumed.look(*look) for look in looks[30:]] == answers[30:]
    assert answers[29] is None
    assert answers[-1] is not None


def test_what_is_not_a_number_is_no_collapse():
    odd = dict.fromkeys(FRESH, math.nan)
    assert told(lambda step, rng: odd) == (None, None)


def test_the_rank_of_a_few_rows_says_nothing():
    low = {"effective_rank": 1.0, "instance_top1": 0.9}
    assert told(lambda step, rng: low, batch=4, constant=math.log(7)) == (None, None)
    assert told(lambda step, rng: low, batch=8, constant=math.log(15))[1] is not None
