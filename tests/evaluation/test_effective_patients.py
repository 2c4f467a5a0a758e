import numpy as np
import pytest

from remedis.evaluation.effective_patients import (
    clustered_covariance,
    effective_number,
    enough,
    shortage,
    small_sample_factor,
    stabilised_variance,
    t_quantile,
)


def test_closed_forms_of_the_effective_number():
    assert effective_number(np.full(12, 3)) == pytest.approx(12)
    assert effective_number([7]) == 1
    assert effective_number([]) == 0
    assert effective_number([0, 0]) == 0
    # One of ten patients has 100 images, the others one each.
    assert effective_number([100, *[1] * 9]) == pytest.approx(109**2 / (100**2 + 9))
    # One to three images, equally often: 4 / (14 / 3) of the patients.
    assert effective_number([1, 2, 3] * 20) == pytest.approx(60 * 12 / 14)


def test_columns_are_separate_and_absent_patients_do_not_count():
    sizes = np.array([[1, 0], [1, 4], [0, 0], [1, 4]])
    np.testing.assert_allclose(effective_number(sizes), [3, 2])


def test_it_is_the_number_whose_mean_has_the_variance_of_unequal_patients():
    rng = np.random.default_rng(0)
    sizes = np.array([9, 4, 1, 1, 1, 1])
    values = rng.normal(size=(40_000, 6))
    variance = (values @ sizes / sizes.sum()).var()
    assert variance == pytest.approx(1 / float(effective_number(sizes)), rel=0.03)


def test_corrections_for_small_samples():
    assert small_sample_factor(np.array([5.0, 1.2])) == pytest.approx([5 / 4, 2])
    assert t_quantile(5.0) == pytest.approx(2.776, abs=1e-3)
    assert t_quantile(1e6) == pytest.approx(1.96, abs=1e-3)


def test_covariance_of_independent_patients_is_that_of_their_mean():
    values = np.random.default_rng(1).normal(size=(30, 2))
    contributions = (values - values.mean(axis=0)) / 30
    got = clustered_covariance(contributions, np.array([30.0, 30.0]))
    np.testing.assert_allclose(got, np.cov(values.T) / 30)


def test_the_gate_allows_for_rounding():
    assert enough(5 - 1e-12)
    assert not enough(4.99)


@pytest.mark.parametrize(
    ("counted", "effective", "sentence"),
    [
        (4, 4.0, "4 positive patients, 5 are needed"),
        (1, 1.0, "1 positive patient, 5 are needed"),
        (
            10,
            1.187,
            "10 positive patients count as 1.2 because one has 100 of 109 images, 5 are needed",
        ),
        (10, 8.0, ""),
    ],
)
def test_a_shortage_is_explained(counted, effective, sentence):
    assert shortage(counted, effective, 100, 109, "positive ") == sentence


def test_a_variance_from_few_patients_is_mixed_with_the_largest_one():
    # Two of 40 effective patients have the rarer outcome: weights 2 and 1.
    got = stabilised_variance(0.95, 0.0003, 40)
    assert got == pytest.approx((2 * 0.0003 + 0.95 * 0.05 / 40) / 3)
    # The largest variance is that of patients whose images all agree: it stays.
    assert stabilised_variance(0.8, 0.16 / 30, 30) == pytest.approx(0.16 / 30)
    # With many patients of both outcomes the estimated variance stays; 0 stays 0.
    assert stabilised_variance(0.5, 1e-6, 1e5) == pytest.approx(1e-6, rel=0.01)
    np.testing.assert_array_equal(stabilised_variance([0.0, 0.4], [0.0, 1e-30], 30), [0, 0])
