import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from remedis.evaluation.delong import (
    area_limits,
    delong,
    equal_weights,
    low_at_one,
    widened_covariance,
    widening,
)


def case(seed, rows=120, columns=3, levels=8, unknown=0.15, patients=None):
    """Labels, some unknown, scores with ties, and patients with several images of both classes."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, columns)) < [0.2, 0.5, 0.7][:columns]).astype(float)
    scores = np.floor((rng.normal(size=labels.shape) + labels) * levels / 4)
    labels[rng.random(labels.shape) < unknown] = np.nan
    return labels, scores, rng.integers(patients or rows // 3, size=rows)


def by_pairs(labels, scores, patients):
    """Obuchowski's covariance, written out with loops over pairs and patients."""
    columns = labels.shape[1]
    sums, counts, areas = {}, {}, []
    for c in range(columns):
        positive = [i for i in range(len(labels)) if labels[i, c] == 1]
        negative = [i for i in range(len(labels)) if labels[i, c] == 0]
        kernel = np.array(
            [
                [
                    1.0 * (scores[i, c] > scores[j, c]) + 0.5 * (scores[i, c] == scores[j, c])
                    for j in negative
                ]
                for i in positive
            ]
        )
        areas.append(kernel.mean())
        a, b = {}, {}
        for row, i in enumerate(positive):
            a.setdefault(patients[i], []).append(kernel[row].mean() - areas[-1])
        for column, j in enumerate(negative):
            b.setdefault(patients[j], []).append(kernel[:, column].mean() - areas[-1])
        sums[c] = (
            {g: sum(v) / len(positive) for g, v in a.items()},
            {g: sum(v) / len(negative) for g, v in b.items()},
        )
        shares = (
            {g: len(v) / len(positive) for g, v in a.items()},
            {g: len(v) / len(negative) for g, v in b.items()},
        )
        both = {g: shares[0].get(g, 0) + shares[1].get(g, 0) for g in a | b}
        counts[c] = [
            sum(of.values()) ** 2 / sum(v**2 for v in of.values()) for of in (*shares, both)
        ]
    covariance = np.zeros((columns, columns))
    for c in range(columns):
        for d in range(columns):
            f = [
                np.sqrt(k / (k - 1) * m / (m - 1))
                for k, m in zip(counts[c], counts[d], strict=True)
            ]
            for g in set(patients):
                a, b = (by_patient.get(g, 0.0) for by_patient in sums[c])
                x, y = (by_patient.get(g, 0.0) for by_patient in sums[d])
                covariance[c, d] += f[0] * a * x + f[1] * b * y + f[2] * (a * y + b * x)
    return np.array(areas), covariance


def plain(labels, first, second):
    """DeLong's covariance of two scores of independent images, by NumPy's sample covariance."""
    kernels = []
    for scores in (first, second):
        x, y = scores[labels == 1][:, None], scores[labels == 0][None, :]
        kernels.append((x > y) + 0.5 * (x == y))
    rows = np.cov([kernel.mean(axis=1) for kernel in kernels])
    columns = np.cov([kernel.mean(axis=0) for kernel in kernels])
    return rows / (labels == 1).sum() + columns / (labels == 0).sum()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("levels", [3, 10_000])
def test_agrees_with_loops_over_pairs_and_patients(seed, levels):
    labels, scores, patients = case(seed, levels=levels)
    areas = delong(labels, scores, patients)
    want, covariance = by_pairs(labels, scores, patients)
    np.testing.assert_allclose(areas.values, want, atol=1e-12)
    np.testing.assert_allclose(areas.covariance, covariance, atol=1e-14)
    for c in range(3):
        use = ~np.isnan(labels[:, c])
        assert areas.values[c] == pytest.approx(roc_auc_score(labels[use, c], scores[use, c]))


@pytest.mark.parametrize("seed", range(4))
def test_one_image_per_patient_is_plain_delong(seed):
    labels, scores, _ = case(seed, columns=1, unknown=0)
    other = scores + np.random.default_rng(seed + 9).normal(size=scores.shape)
    both, wide = np.hstack([labels, labels]), np.hstack([scores, other])
    areas = delong(both, wide, np.arange(len(labels)))
    want = plain(labels[:, 0], scores[:, 0], other[:, 0])
    np.testing.assert_allclose(areas.covariance, want, atol=1e-14)


def test_copies_of_images_and_unknown_patients_change_nothing():
    labels, scores, patients = case(5)
    once = delong(labels, scores, patients)
    twice = delong(np.tile(labels, (2, 1)), np.tile(scores, (2, 1)), np.tile(patients, 2))
    np.testing.assert_allclose(twice.covariance, once.covariance)
    unknown = np.full((20, 3), np.nan)
    padded = delong(
        np.vstack([labels, unknown]),
        np.vstack([scores, np.ones((20, 3))]),
        np.append(patients, 900 + np.arange(20)),
    )
    np.testing.assert_allclose(padded.covariance, once.covariance)


def test_independent_labels_are_uncorrelated_and_equal_labels_fully_correlated():
    labels, scores, patients = case(6, rows=3000, unknown=0)
    covariance = delong(labels[:, [0, 1, 1]], scores[:, [0, 1, 1]], patients).covariance
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    assert abs(correlation[0, 1]) < 0.1
    assert correlation[1, 2] == pytest.approx(1)


def test_one_class_is_nan_and_leaves_other_labels_alone():
    labels, scores, patients = case(7)
    want = delong(labels, scores, patients)
    labels[:, 0] = 1
    areas = delong(labels, scores, patients)
    assert np.isnan(areas.values[0])
    assert np.isnan(areas.covariance[0]).all()
    np.testing.assert_allclose(areas.covariance[1:, 1:], want.covariance[1:, 1:])


def test_pairs_share_no_patient():
    labels = np.array([[1.0], [0.0], [1.0], [0.0], [np.nan]])
    scores = np.arange(5.0)[:, None]
    # Patient 0 has half of both classes: shares of both are 1, 1/2 and 1/2.
    shared = delong(labels, scores, np.array([0, 0, 1, 2, 3])).pairs
    assert shared == pytest.approx([2**2 / 1.5 / 2])
    assert delong(labels, scores, np.arange(5)).pairs == pytest.approx([2])
    # Ten patients with an image of each class form five pairs.
    both = np.tile([[0.0], [1.0]], (10, 1))
    assert delong(both, both, np.repeat(np.arange(10), 2)).pairs == pytest.approx([5])


def test_pairs_are_effective():
    # One of ten positive patients has 100 images: (109)^2 / (100^2 + 9).
    patients = np.repeat(np.arange(40), [100, *[1] * 39])
    labels = (patients < 10).astype(float)[:, None]
    scores = np.random.default_rng(0).normal(size=labels.shape)
    assert delong(labels, scores, patients).pairs == pytest.approx([109**2 / 10_009])
    weighted = delong(labels, scores, patients, equal_weights(labels, patients))
    assert weighted.pairs == pytest.approx([10])


@pytest.mark.parametrize("seed", range(3))
def test_patients_of_equal_weight(seed):
    labels, scores, patients = case(seed, levels=8)
    weights = equal_weights(labels, patients)
    got = delong(labels, scores, patients, weights)
    for c in range(3):
        use = ~np.isnan(labels[:, c])
        target, score, weight = labels[use, c], scores[use, c], weights[use, c]
        assert got.values[c] == pytest.approx(roc_auc_score(target, score, sample_weight=weight))
        for value in (0, 1):
            of_class = np.bincount(patients[use][target == value], weight[target == value])
            np.testing.assert_allclose(of_class[of_class > 0], 1)
    # Copies of some images, all of one patient's class or all of it, change nothing.
    copied = np.isin(patients, np.unique(patients)[::2]).nonzero()[0]
    rows = np.concatenate([np.arange(len(labels)), copied, copied])
    more = delong(labels[rows], scores[rows], patients[rows], equal_weights(labels, patients)[rows])
    again = delong(
        labels[rows], scores[rows], patients[rows], equal_weights(labels[rows], patients[rows])
    )
    np.testing.assert_allclose(again.values, got.values)
    np.testing.assert_allclose(again.covariance, got.covariance)
    assert not np.allclose(more.values, got.values)


def test_patients_of_one_image_have_equal_weight():
    labels, scores, _ = case(1)
    patients = np.arange(len(labels))
    plain_areas = delong(labels, scores, patients)
    weighted = delong(labels, scores, patients, equal_weights(labels, patients))
    np.testing.assert_allclose(weighted.values, plain_areas.values)
    np.testing.assert_allclose(weighted.covariance, plain_areas.covariance)
    np.testing.assert_allclose(weighted.pairs, plain_areas.pairs)


def test_small_classes_widen_and_large_ones_do_not():
    # One of 16 pairs is discordant, with 4 patients per class; t with 3 degrees of freedom is 3.18.
    labels = np.repeat([0.0, 1.0], 4)[:, None]
    areas = delong(labels, np.array([1.0, 2, 3, 5, 4, 6, 7, 8])[:, None], np.arange(8))
    area = 15 / 16
    assert areas.values[0] == area
    shrunk = (area * 4 + 0.25) / 4.5
    want = (3.182 / 1.96) ** 2 * shrunk * (1 - shrunk) / (area * (1 - area))
    assert widened_covariance(areas)[0, 0] / areas.covariance[0, 0] == pytest.approx(want, rel=1e-3)
    rng = np.random.default_rng(0)
    labels = (rng.random((40_000, 1)) < 0.3).astype(float)
    areas = delong(labels, rng.normal(size=labels.shape) + 2 * labels, np.arange(40_000))
    assert 1 < widened_covariance(areas)[0, 0] / areas.covariance[0, 0] < 1.001


def test_perfect_ranks_have_a_closed_form():
    # Ten independent pairs are all concordant with probability A^10.
    assert low_at_one(10) ** 10 == pytest.approx(0.025)
    labels = np.repeat([0.0, 1.0], [30, 10])[:, None]
    areas = delong(labels, np.arange(40.0)[:, None], np.arange(40))
    assert (areas.values[0], areas.covariance[0, 0]) == (1, 0)
    assert areas.pairs == pytest.approx([10])
    np.testing.assert_allclose(area_limits(areas), [[low_at_one(10)], [1.0]])
    # A constant score has an AUROC of 0.5 without variance.
    constant = area_limits(delong(labels, np.ones((40, 1)), np.arange(40)))
    np.testing.assert_allclose(constant, [[0.5 * low_at_one(10)], [1 - 0.5 * low_at_one(10)]])


def test_one_discordant_pair_is_little_worse_than_none():
    # On the logit scale this interval is [0.00, 1.00].
    labels = np.repeat([0.0, 1.0], [200, 24])[:, None]
    scores = np.arange(224.0)[:, None]
    scores[199] = 200.5
    areas = delong(labels, scores, np.arange(224))
    assert areas.values[0] == pytest.approx(1 - 1 / 4800)
    low, high = area_limits(areas)
    assert low_at_one(24) < low < 0.95
    assert high > areas.values[0]


@pytest.mark.parametrize("area", [0.8, 0.95])
def test_interval_covers_the_truth(area):
    # 500 draws of the scores of 200 patients, 24 of them positive.
    draws, rng = 500, np.random.default_rng(3)
    patients = np.repeat(np.arange(200), rng.integers(1, 4, 200))
    labels = np.repeat((patients < 24)[:, None].astype(float), draws, axis=1)
    shift = norm.ppf(area) * np.sqrt(2)
    scores = rng.normal(size=(200, draws))[patients] + rng.normal(size=labels.shape)
    areas = delong(labels, scores / np.sqrt(2) + shift * labels, patients)
    low, high = area_limits(areas)
    covers = np.mean((low <= area) & (area <= high))
    # Three standard errors of a coverage of 95 % in 500 draws are 2.9 %.
    assert 0.93 <= covers <= 0.985
    # Intervals that treat images as independent are too narrow.
    by_image = delong(labels, scores / np.sqrt(2) + shift * labels, np.arange(len(patients)))
    narrow = np.sqrt(np.diag(by_image.covariance))
    assert np.mean(np.abs(by_image.values - area) <= 1.96 * narrow) < covers - 0.03


def test_products_of_influences_are_the_covariance():
    rng = np.random.default_rng(5)
    labels = (rng.random((400, 2)) < 0.3).astype(float)
    areas = delong(labels, labels + rng.normal(size=labels.shape), np.arange(400) // 2)
    np.testing.assert_allclose(areas.influence.T @ areas.influence, areas.covariance, rtol=0.01)
    factor = widening(areas)
    np.testing.assert_allclose(
        widened_covariance(areas), areas.covariance * np.outer(factor, factor)
    )
