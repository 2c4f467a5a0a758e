"""Detection of collapse and divergence in planted trajectories."""

import math

import numpy as np
import pytest

from remedis.pretraining.collapse import ADVICE, CollapseDetector

BATCH = 64
CONSTANT = math.log(2 * BATCH - 1)
STEPS = 60
every = pytest.mark.parametrize("every", [1, 5, 10])

# The values of a random network with SimCLR's head at its first step.
INITIAL = {
    "alignment": 1.9,
    "uniformity": -3.9,
    "instance_top1": 3 / BATCH,
    "embedding_std": 0.98,
    "effective_rank": 3.5,
    "loss": CONSTANT + 0.39,
}


def first_finding(trajectory, every=5, batch=BATCH, constant=CONSTANT):
    """Returns step and sentence of the first finding; (None, None) if there is none.

    `trajectory` is a function from the step and a generator to values that differ from `INITIAL`.
    """
    detector, rng = CollapseDetector(batch, constant), np.random.default_rng(0)
    for step in range(1, STEPS + 1):
        values = INITIAL | trajectory(step, rng)
        finding = detector.check(step, values) if step == 1 or step % every == 0 else None
        if finding:
            uncertain = finding.sentence.startswith(("Not learning", "Close together"))
            assert uncertain != finding.certain
            return step, finding.sentence
    return None, None


def healthy(step, rng):
    hits = rng.binomial(BATCH, 0.03 + 0.005 * step)
    return {"instance_top1": hits / BATCH, "loss": CONSTANT + 0.39 - 0.02 * step + rng.normal() / 9}


def slow(step, rng):
    """Warm-up: the loss stays above that of a constant network, few pairs are identified."""
    return {"instance_top1": rng.binomial(BATCH, 0.04) / BATCH, "loss": CONSTANT + rng.normal() / 9}


def alike(step, rng):
    """A head without batch norm, on features of two images that have a cosine of 0.999."""
    return healthy(step, rng) | {"embedding_std": 0.03}


@every
@pytest.mark.parametrize("trajectory", [healthy, slow, alike])
def test_a_healthy_start_has_no_finding(trajectory, every):
    assert first_finding(trajectory, every) == (None, None)


@every
def test_a_constant_encoder_is_detected_by_its_projections(every):
    def constant(step, rng):
        return {"embedding_std": 1e-4 * rng.uniform(), "loss": CONSTANT, "effective_rank": 1.0}

    step, sentence = first_finding(constant, every)
    assert step <= 2 * every + 1
    assert sentence.startswith(
        "Collapsed since step 1: every image gets nearly the same projection (embedding_std is "
    )
    assert sentence.endswith(ADVICE)


@every
def test_a_constant_encoder_is_detected_by_its_features(every):
    """A batch norm scales rounding errors up, so that projections differ."""

    def constant(step, rng):
        return healthy(step, rng) | {"effective_rank": 1.0 + 0.3 * rng.uniform()}

    step, sentence = first_finding(constant, every)
    assert step <= 2 * every + 1
    assert sentence.startswith(
        "Collapsed since step 1: the features of all images are the same, or di"
    )
    assert "expected well above 1.5" in sentence
    assert sentence.endswith(ADVICE)


@every
def test_a_later_collapse_is_dated_to_its_first_step(every):
    def later(step, rng):
        collapsed = {"embedding_std": 1e-3, "loss": CONSTANT}
        return healthy(step, rng) | (collapsed if step > 20 else {})

    step, sentence = first_finding(later, every)
    first = next(s for s in range(21, 40) if s % every == 0)
    assert step == first + 2 * every
    assert f"since step {first}:" in sentence


@every
def test_close_projections_at_a_small_loss_are_no_collapse(every):
    """Values measured for MoCo by SGD, whose features improved meanwhile."""

    def close(step, rng):
        return {"embedding_std": 0.004, "loss": 0.8 * CONSTANT, "effective_rank": 27.0}

    step, sentence = first_finding(close, every)
    assert step <= 2 * every + 1
    assert sentence.startswith(
        "Close together since step 1: the projections of all images are nearly"
    )
    assert sentence.endswith("a probe (config.probe) shows it.")


@every
def test_steps_that_are_far_too_large_are_detected(every):
    """Values measured at 1,000 times a good rate: the loss jumps, while nothing is constant."""

    def diverged(step, rng):
        return {
            "loss": CONSTANT + 0.39 if step == 1 else CONSTANT * rng.uniform(1.3, 2),
            "embedding_std": 0.85,
            "effective_rank": 13.0,
        }

    step, sentence = first_finding(diverged, every)
    assert step <= 3 * every + 1
    assert sentence.startswith(f"Diverged since step {max(every, 2)}: the loss is ")
    assert (
        f"the {CONSTANT + 0.39:.4g} of step 1 and than the {CONSTANT:.4g} of a constant" in sentence
    )


@every
def test_a_loss_that_rises_before_it_falls_has_no_finding(every):
    """Values measured for SimCLR by SGD from random weights."""

    def hill(step, rng):
        hits = rng.binomial(BATCH, 0.2) / BATCH
        return {"instance_top1": hits, "loss": CONSTANT * (1.22 if 10 <= step < 40 else 0.95)}

    assert first_finding(hill, every) == (None, None)


def test_a_loss_that_begins_low_or_high_has_not_diverged():
    easy = {"instance_top1": 0.2}
    # MoCo's first queue holds random directions; later queues are harder.
    rising = first_finding(
        lambda step, rng: easy | {"loss": min(6 + step / 5, 11.5)}, constant=11.1
    )
    assert rising == (None, None)
    # Barlow Twins' dimensions are correlated at first.
    falling = first_finding(
        lambda step, rng: easy | {"loss": 5e4 / (1 + step / 20)}, constant=8192.0
    )
    assert falling == (None, None)


@every
def test_lasting_chance_is_detected(every):
    def blind(step, rng):
        hits = rng.permutation([0, 0, 1, 1, 2]).item(0)
        return {"instance_top1": hits / BATCH, "loss": CONSTANT + abs(rng.normal()) / 9}

    step, sentence = first_finding(blind, every)
    assert 35 < step <= 50
    # The checks of the last 35 steps count.
    assert sentence.startswith(
        f"Not learning since step {every}, or slowly: images are told apart as "
    )
    assert f"chance {1 / BATCH:.2g}" in sentence
    assert sentence.endswith(ADVICE)


def test_one_unusual_batch_is_no_alarm():
    def odd(step, rng):
        few = {"embedding_std": 0.0, "effective_rank": 1.0, "instance_top1": 0.0, "loss": 99.0}
        return few if step % 15 in (0, 5) else healthy(step, rng)

    assert first_finding(odd, every=5) == (None, None)


def test_a_problem_is_found_as_long_as_it_lasts():
    detector, findings = CollapseDetector(BATCH, CONSTANT), []
    for step in range(1, 11):
        low = {"embedding_std": 0.0} if step <= 5 else {}
        findings.append(detector.check(step, INITIAL | {"instance_top1": 0.5} | low))
    assert [f is not None for f in findings] == [False] * 2 + [True] * 3 + [False] * 5
    assert all(f.sentence.startswith("Collapsed since step 1:") for f in findings[2:5])


def test_repeated_checks_give_the_same_findings():
    rng = np.random.default_rng(3)
    checks = [
        (step, INITIAL | {"instance_top1": 0.0, "loss": CONSTANT + rng.normal() / 50})
        for step in range(1, 50)
    ]
    unbroken, resumed = CollapseDetector(BATCH, CONSTANT), CollapseDetector(BATCH, CONSTANT)
    findings = [unbroken.check(*arguments) for arguments in checks]
    for arguments in checks[:30]:
        resumed.check(*arguments)
    assert [resumed.check(*arguments) for arguments in checks[30:]] == findings[30:]
    assert findings[29] is None
    assert findings[-1] is not None


def test_values_that_are_not_numbers_are_no_collapse():
    odd = dict.fromkeys(INITIAL, math.nan)
    assert first_finding(lambda step, rng: odd) == (None, None)


def test_the_rank_of_a_few_rows_is_not_checked():
    low = {"effective_rank": 1.0, "instance_top1": 0.9}
    assert first_finding(lambda step, rng: low, batch=4, constant=math.log(7)) == (None, None)
    assert first_finding(lambda step, rng: low, batch=8, constant=math.log(15))[1] is not None
