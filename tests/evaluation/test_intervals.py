import json

import numpy as np
import pytest
from scipy.stats import binomtest

from remedis.errors import UserError
from remedis.evaluation.intervals import (
    Estimate,
    bootstrap_p,
    mean_interval,
    norm_interval,
    patient_codes,
    patient_counts,
    percentile_interval,
    unseen_interval,
    wilson_interval,
)


def test_estimate_prints_with_interval_and_counts():
    assert str(Estimate(0.8123, 0.78, 0.8399, 214, 37)) == (
        "0.812 [0.780, 0.840], 214 patients, 37 positive"
    )
    assert str(Estimate(None, None, None, 214, 2)) == "not estimable, 214 patients, 2 positive"
    few = Estimate(None, None, None, 214, 2, reason="2 positive patients, 5 are needed")
    assert str(few) == (
        "not estimable (2 positive patients, 5 are needed), 214 patients, 2 positive"
    )


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate(0.5, 0.25, 0.75, 9, 5),
        Estimate(0.5, 0.25, 0.75, 9, 5, 8.5, 4.9, 4.9, 12),
        Estimate(None, None, None, 3, 0, 3.0, 0.0, 0.0, 1, "0 positive patients, 5 are needed"),
    ],
)
def test_estimate_survives_json(estimate):
    text = json.dumps(estimate.to_json(), allow_nan=False)
    assert Estimate.from_json(json.loads(text)) == estimate


def test_estimates_of_earlier_versions_load():
    fields = {"value": 0.5, "low": 0.25, "high": 0.75, "patients": 9, "positives": 5}
    assert Estimate.from_json(fields) == Estimate(0.5, 0.25, 0.75, 9, 5)


def test_rows_without_id_are_patients_of_their_own():
    codes = patient_codes(["b", None, "a", "b", float("nan"), "", "", "a", None])
    assert codes[0] == codes[3]
    assert codes[2] == codes[7]
    assert sorted(set(codes)) == list(range(7))


def test_patients_are_numbered_by_id_whatever_the_order_and_type():
    assert patient_codes([30, 10, 20, 10]).tolist() == [2, 0, 1, 0]
    # A word for a missing id is no patient's: each such row is a patient of its own.
    assert patient_codes(np.array(["x", "nan", "x", "nan"])).tolist() == [0, 1, 0, 2]
    assert patient_codes([None, None]).tolist() == [0, 1]


def test_counts_draw_every_patient_equally_often_with_replacement():
    counts = patient_counts(50, 4_000, seed=0)
    assert (counts.sum(axis=1) == 50).all()
    # Multinomial: mean 1, variance 1 - 1/50, a patient absent with probability (1 - 1/50)^50.
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.07)
    assert counts.var() == pytest.approx(0.98, abs=0.02)
    assert (counts == 0).mean() == pytest.approx(0.98**50, abs=0.005)


def test_counts_follow_the_seed_and_begin_alike_whatever_their_number():
    first = patient_counts(30, 40, seed=3)
    np.testing.assert_array_equal(patient_counts(30, 100, seed=3)[:40], first)
    assert (patient_counts(30, 40, seed=4) != first).any()


def test_too_few_resamples_are_refused():
    with pytest.raises(UserError, match=r"39 resamples are too few .* at least 40"):
        patient_counts(30, 39, seed=0)


def test_interval_leaves_out_undefined_draws():
    draws = np.append(np.linspace(0, 1, 1001), [np.nan] * 500)
    assert percentile_interval(draws) == pytest.approx((0.025, 0.975))
    assert percentile_interval(np.array([np.nan])) is None


@pytest.mark.parametrize(("right", "n"), [(7, 10), (90, 100), (0, 12), (12, 12)])
def test_wilson_is_scipys_for_independent_images(right, n):
    share = right / n
    want = binomtest(right, n).proportion_ci(method="wilson")
    got = wilson_interval(share, share * (1 - share) / n, n)
    assert got == pytest.approx((want.low, want.high))


def test_wilson_takes_a_larger_variance_for_fewer_images():
    want = binomtest(45, 50).proportion_ci(method="wilson")
    got = wilson_interval(0.9, 0.9 * 0.1 / 50, 1000)
    assert got == pytest.approx((want.low, want.high))


def test_wilson_without_variance_has_the_effective_number_of_patients():
    low, high = wilson_interval(np.array([0.5, 1.0]), np.array([0.0, 1e-30]), np.array([10, 10.0]))
    want = [binomtest(right, 10).proportion_ci(method="wilson") for right in (5, 10)]
    np.testing.assert_allclose(low, [each.low for each in want])
    np.testing.assert_allclose(high, [each.high for each in want])


@pytest.mark.parametrize("patients", [5, 12, 100])
def test_values_that_do_not_vary_have_the_interval_of_a_proportion(patients):
    exact = binomtest(0, patients).proportion_ci(method="exact")
    assert unseen_interval(0.0, patients) == pytest.approx((0.0, exact.high))
    assert unseen_interval(1.0, patients) == pytest.approx((1 - exact.high, 1.0))
    # The unseen share of patients may have any number between 0 and 1.
    low, high = unseen_interval(0.3, patients)
    assert (low, high) == pytest.approx((0.3 * (1 - exact.high), 0.3 + 0.7 * exact.high))


def test_the_interval_of_a_mean_adds_distances_like_errors():
    values, low, high = np.array([0.8, 0.6]), np.array([0.7, 0.56]), np.array([0.83, 0.64])
    for correlation in (0.0, 0.4):
        covariance = np.array([[4.0, 2 * correlation], [2 * correlation, 1.0]]) * 1e-4
        mean = mean_interval(values, low, high, covariance)
        down = np.sqrt(0.1**2 + 0.04**2 + 2 * correlation * 0.1 * 0.04) / 2
        up = np.sqrt(0.03**2 + 0.04**2 + 2 * correlation * 0.03 * 0.04) / 2
        assert mean == pytest.approx((0.7 - down, 0.7 + up))


def test_a_value_without_variance_widens_the_interval_of_a_mean():
    values, low, high = np.array([1.0, 0.6]), np.array([0.7, 0.56]), np.array([1.0, 0.64])
    mean = mean_interval(values, low, high, np.diag([0.0, 4e-4]))
    assert mean == pytest.approx((0.8 - (0.3 + 0.04) / 2, 0.82))
    # The mean of one value, or of equal values, has the interval of the value.
    assert mean_interval(values[:1], low[:1], high[:1], np.zeros((1, 1))) == (0.7, 1.0)
    same = np.repeat(0.6, 3), np.repeat(0.5, 3), np.repeat(0.7, 3), np.ones((3, 3))
    assert mean_interval(*same) == pytest.approx((0.5, 0.7))


def test_the_interval_of_a_norm_of_pure_noise_contains_0():
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(500):
        noise = rng.normal(size=6)
        draws = noise + rng.normal(size=(300, 6))
        low, high = norm_interval(
            np.abs(noise).sum(),
            np.abs(draws - noise).sum(axis=1),
            (draws - noise) @ np.sign(noise),
        )
        hits.append(low == 0 <= high)
    # Nominal 97.5 %, one-sided; three standard errors are 2.1 %.
    assert 0.954 <= np.mean(hits) <= 0.996


def test_the_error_of_a_norm_far_from_0_is_that_of_its_terms():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2000, 4)) * 0.01
    low, high = norm_interval(2.0, np.abs(noise).sum(axis=1), noise.sum(axis=1))
    assert high == pytest.approx(2 + 1.96 * 0.02, abs=0.002)
    assert low == pytest.approx(2 - np.quantile(np.abs(noise).sum(axis=1), 0.975))


def test_p_is_twice_the_smaller_tail():
    assert bootstrap_p(np.array([*[1.0] * 95, *[-1.0] * 4])) == pytest.approx(2 * 5 / 100)
    assert bootstrap_p(np.array([1.0] * 99)) == pytest.approx(2 / 100)
    # Two models that are equal in every resample: the resamples know nothing.
    assert bootstrap_p(np.zeros(99)) is None
    assert bootstrap_p(np.array([])) is None
    assert bootstrap_p(np.array([*[0.0] * 98, 0.1])) == 1
