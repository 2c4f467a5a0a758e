"""The mean cosine of images of different patients, and its interval."""

import itertools

import numpy as np
import pandas as pd
import pytest

from remedis.evaluation.corrupted_scores import cosines
from remedis.evaluation.intervals import MIN_PATIENTS
from remedis.evaluation.strangers import mean_cosine_of_strangers


def of(rows, patients):
    return mean_cosine_of_strangers(rows, pd.Series(patients, dtype="string"))


def all_pairs(rows, patients):
    pairs = [
        (i, j) for i, j in itertools.combinations(range(len(rows)), 2) if patients[i] != patients[j]
    ]
    first, second = zip(*pairs, strict=True)
    return cosines(rows[list(first)], rows[list(second)]).mean()


def test_it_is_the_mean_over_all_pairs_and_the_jackknife_that_of_a_loop():
    rng = np.random.default_rng(0)
    rows = rng.normal(1, 2, size=(30, 4))
    patients = np.array([f"p{i}" for i in np.arange(30) ** 2 % 11])
    found = of(rows, patients)
    assert found.value == pytest.approx(all_pairs(rows, patients), abs=1e-12)
    assert (found.patients, found.positives) == (6, 6)
    left = [
        all_pairs(rows[patients != one], patients[patients != one]) for one in np.unique(patients)
    ]
    error = np.sqrt(5 / 6 * np.square(np.subtract(left, np.mean(left))).sum())
    half = 2.570582 * error / (1 - found.value**2)  # Student's t, 5 degrees of freedom
    assert np.arctanh(found.high) - np.arctanh(found.value) == pytest.approx(half, rel=1e-6)
    assert np.arctanh(found.value) - np.arctanh(found.low) == pytest.approx(half, rel=1e-6)


def test_images_of_one_patient_are_no_strangers():
    rows = np.repeat(np.eye(MIN_PATIENTS), 3, axis=0)
    found = of(rows, np.repeat([f"p{i}" for i in range(MIN_PATIENTS)], 3))
    assert (found.value, found.low, found.high) == (0, 0, 0)
    same = of(rows * 0 + 1, np.repeat([f"p{i}" for i in range(MIN_PATIENTS)], 3))
    assert (same.value, same.low, same.high) == (pytest.approx(1), same.value, same.value)
    found = of(rows * 0, np.repeat([f"p{i}" for i in range(MIN_PATIENTS)], 3))
    assert found.value == 0
    few = of(rows[:6], list("aaabbb"))
    assert (few.value, few.low, few.reason) == (None, None, "fewer than 5 patients")


def test_an_image_without_a_patient_is_of_a_patient_of_its_own():
    rows = np.random.default_rng(0).normal(1, 1, size=(12, 3))
    unknown, known = of(rows, [None] * 12), of(rows, [f"p{i}" for i in range(12)])
    assert unknown.patients == known.patients == 12
    assert unknown.low == pytest.approx(known.low)


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_the_interval_covers_the_truth(spread):
    """Angles of normal distribution: the expected cosine of two patients is exp(-spread^2)."""
    rng, covered = np.random.default_rng(1), []
    ids = pd.Series([f"p{i // 3}" for i in range(120)], dtype="string")
    for _ in range(300):
        angles = rng.normal(0, spread, size=40).repeat(3)
        rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        found = mean_cosine_of_strangers(rows, ids)
        covered.append(found.low <= np.exp(-(spread**2)) <= found.high)
    assert 0.91 <= np.mean(covered) <= 0.98
