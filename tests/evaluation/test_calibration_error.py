import numpy as np
import pytest

from remedis.evaluation.calibration_error import BINS, bin_count, bins, calibration_error
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.intervals import patient_counts


def by_hand(labels, probabilities, bin_of):
    """The published form: a mean over bins of |share of positives - mean probability|."""
    return sum(
        np.mean(bin_of == b) * abs(labels[bin_of == b].mean() - probabilities[bin_of == b].mean())
        for b in np.unique(bin_of)
    )


def case(seed, rows=400):
    rng = np.random.default_rng(seed)
    probabilities = rng.random((rows, 2)) ** 2
    labels = (rng.random((rows, 2)) < probabilities**1.5).astype(float)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    return labels, probabilities, np.sort(rng.integers(150, size=rows))


def test_bins_hold_equally_many_images_and_equal_probabilities_together():
    rng = np.random.default_rng(0)
    assert np.ptp(np.bincount(bins(rng.random(1500), 15))) <= 1
    few = np.repeat([0.1, 0.2, 0.9], [500, 20, 30])
    assert len(set(zip(bins(few, 15), few, strict=True))) == 3
    assert bins(np.full(9, 0.4), 15).max() < BINS


def test_the_number_of_bins_follows_from_the_patients():
    for patients, count in ((0, 1), (7, 1), (8, 2), (13, 2), (26, 2), (27, 3), (200, 5)):
        assert bin_count(patients) == count
    assert (bin_count(3374), bin_count(3375), bin_count(10**6)) == (14, 15, 15)
    # Thirteen images in 15 bins would be the mean of |label - probability|.
    labels = (np.arange(13) % 2)[:, None].astype(float)
    probabilities = np.linspace(0.4, 0.6, 13)[:, None]
    error = calibration_error(labels, probabilities, np.arange(13), np.ones((1, 13)))[0][0]
    assert error < 0.1 < np.abs(labels - probabilities).mean()
    # Images of one patient are no more bins.
    one = calibration_error(labels, probabilities, np.zeros(13, int), np.ones((1, 1)))[0][0]
    assert one == pytest.approx(abs((labels - probabilities).mean()))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_published_form_on_every_resample(seed):
    labels, probabilities, patients = case(seed)
    weights = patient_counts(150, 40, seed)
    values, length, along = calibration_error(labels, probabilities, patients, weights)
    for column in range(2):
        use = ~np.isnan(labels[:, column])
        target, probability = labels[use, column], probabilities[use, column]
        bin_of = bins(probability, bin_count(len(np.unique(patients[use]))))
        assert values[column] == pytest.approx(by_hand(target, probability, bin_of))
        residual = target - probability
        gaps = np.array([residual[bin_of == b].sum() for b in range(BINS)]) / len(residual)
        for draw, weight in enumerate(weights):
            rows = np.repeat(np.arange(len(residual)), weight[patients[use]])
            sums = [residual[rows][bin_of[rows] == b].sum() for b in range(BINS)]
            noise = np.array(sums) / len(rows) - gaps
            assert length[draw, column] == pytest.approx(np.abs(noise).sum())
            assert along[draw, column] == pytest.approx(noise @ np.sign(gaps))


def test_closed_forms():
    labels = np.tile([1.0, 0.0], 50)[:, None]
    weights = np.ones((1, 100))
    for probability, error in ((0.5, 0.0), (0.8, 0.3), (0.0, 0.5)):
        terms = calibration_error(labels, np.full((100, 1), probability), np.arange(100), weights)
        assert [float(term.squeeze()) for term in terms] == pytest.approx([error, 0, 0])


def test_a_calibrated_model_has_the_error_of_noise_alone():
    rng = np.random.default_rng(0)
    probabilities = rng.random((6000, 1))
    labels = (rng.random((6000, 1)) < probabilities).astype(float)
    error = calibration_error(labels, probabilities, np.arange(6000), np.ones((1, 6000)))[0][0]
    # The mean absolute error of a bin is 0.8 standard deviations, sqrt(p (1 - p) bins / images).
    spread = np.sqrt(BINS / 6000) * np.mean(np.sqrt(probabilities * (1 - probabilities)))
    assert 0.5 * spread < error < 1.1 * spread


def test_without_known_labels_it_is_undefined():
    terms = calibration_error(
        np.full((4, 1), np.nan), np.zeros((4, 1)), np.arange(4), np.ones((2, 4))
    )
    assert all(np.isnan(term).all() for term in terms)


def test_the_upper_end_allows_for_a_patient_with_many_images():
    # 100 patients with one image each, 50 of them positive, and one with 30 positive images. All
    # probabilities are 0.5: the error is 15 / 130, the Brier score 0.25. The patients count as
    # 130^2 / (100 + 30^2) = 16.9, whose t quantile is 2.122.
    labels = np.r_[np.repeat([0.0, 1.0], 50), np.ones(30)][:, None]
    patients = np.r_[np.arange(100), np.full(30, 100)]
    error = evaluate(labels, np.full_like(labels, 0.5), ["x"], patients).metrics[
        "calibration_error"
    ]
    estimate = error.labels["x"]
    assert estimate.value == pytest.approx(15 / 130)
    assert estimate.high == pytest.approx(15 / 130 + 2.122 * np.sqrt(0.25 / 16.9), abs=1e-3)
    assert estimate.low == 0
