"""Pointing game and IoU: closed forms, known truth, floors and the null."""

import numpy as np
import pytest

from remedis.evaluation import localisation
from remedis.evaluation.localisation import AVERAGE_BOX, CENTRE, MAPS, Case, hit, iou


def case(left=10, top=20, right=30, bottom=40, label="Mass", patient="p", side=(100, 100)):
    return Case(label, patient, side[0], side[1], np.array([[left, top, right, bottom]], float))


def with_peak(x: int, y: int, side=(100, 100)) -> np.ndarray:
    values = np.zeros(side)
    values[y, x] = 1
    return values


@pytest.mark.parametrize(
    ("x", "y", "tolerance", "expected"),
    [
        (10, 20, 0, 1),
        (29, 39, 0, 1),
        (9, 20, 0, 0),
        (30, 39, 0, 0),
        (32, 39, 0.03, 1),  # its centre is 2.5 pixels from the box, and 3 are tolerated
        (33, 39, 0.03, 0),
        (32, 42, 0.03, 0),  # at a corner the distance is Euclidean: 3.5
    ],
)
def test_a_hit_is_in_the_box_or_near_it(x, y, tolerance, expected):
    assert hit(with_peak(x, y), case(), tolerance) == expected


def test_any_box_of_the_finding_counts():
    two = Case("Mass", "p", 100, 100, np.array([[10, 20, 30, 40], [60, 60, 80, 80]], float))
    assert hit(with_peak(70, 70), two) == hit(with_peak(15, 25), two) == 1
    np.testing.assert_allclose(two.relative, [0.1, 0.2, 0.8, 0.8])


def test_a_constant_map_scores_what_a_random_pixel_does():
    assert hit(np.zeros((100, 100)), case(), 0) == pytest.approx(0.04)
    assert hit(np.full((100, 100), np.nan), case()) == 0


def test_the_tolerance_is_a_share_of_the_longer_side():
    wide = case(side=(100, 400))
    assert hit(with_peak(40, 25, (100, 400)), wide, 0.03) == 1  # 12 pixels


def test_iou_of_known_overlaps():
    values = np.zeros((100, 100))
    values[20:40, 20:40] = 1  # half of the box, and as much beside it
    assert iou(values, case()) == pytest.approx(200 / 600)
    values[20:40, 10:20] = 0.49  # below half of the largest value
    assert iou(values, case()) == pytest.approx(200 / 600)
    assert iou(values, case(), threshold=0.4) == pytest.approx(400 / 600)
    assert iou(-np.ones((100, 100)), case()) == iou(np.full((100, 100), np.nan), case()) == 0


def test_floors_leave_the_patient_out():
    """Two patients have their finding in opposite corners: neither helps the other."""
    cases = [case(0, 0, 20, 20, patient="a")] * 3 + [case(80, 80, 100, 100, patient="b")]
    found = localisation.floors(cases)
    np.testing.assert_array_equal(found[AVERAGE_BOX][0], 0)
    np.testing.assert_array_equal(found[AVERAGE_BOX][1], 0)
    cases = [case(40, 40, 60, 60, patient=p) for p in "abc"]
    found = localisation.floors(cases)
    for name in (CENTRE, AVERAGE_BOX):
        np.testing.assert_array_equal(found[name], np.ones((2, 3)))
    alone = localisation.floors(cases[:1])
    assert alone[CENTRE][0] == 1
    assert np.isnan(alone[AVERAGE_BOX][0])


def test_the_average_box_is_of_the_finding():
    cases = [case(0, 0, 20, 20, "Mass", p) for p in "ab"]
    cases += [case(80, 0, 100, 20, "Edema", p) for p in "cd"]
    np.testing.assert_array_equal(localisation.floors(cases)[AVERAGE_BOX], np.ones((2, 4)))


def test_the_null_of_uniform_places():
    """Places drawn uniformly: a random point hits with the boxes' share of the area."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 80, (400, 2))
    cases = [case(x, y, x + 20, y + 20, patient=i) for i, (x, y) in enumerate(corners)]
    points = np.array([hit(with_peak(*rng.integers(0, 100, 2)), c, 0) for c in cases])
    (judged,) = localisation.judged(cases, {MAPS: (points, points)}, tolerance=0)
    assert judged.pointing[MAPS].low < 0.04 < judged.pointing[MAPS].high
    # The centre hits if both corners lie in [30, 50] of [0, 80].
    assert judged.pointing[CENTRE].low < 1 / 16 < judged.pointing[CENTRE].high
    perfect = np.ones(400)
    (judged,) = localisation.judged(cases, {MAPS: (perfect, perfect)}, tolerance=0)
    for gain in judged.pointing_gain.values():
        assert gain.value > 0.9
        assert gain.low > 0.85


def test_intervals_of_differences_cover_zero_as_often_as_they_should():
    rng = np.random.default_rng(1)
    missed = 0
    for seed in range(100):
        a, b = (rng.random((2, 60)) < 0.3).astype(float)
        patients = np.repeat(np.arange(30), 2).tolist()
        found = localisation.difference(a, b, patients, 100, seed)
        missed += not found.low <= 0 <= found.high
    assert missed <= 13  # 5 are expected; the bootstrap of 30 patients is a little short


@pytest.mark.parametrize("patients", [6, 40])
def test_few_patients_or_a_few_with_most_cases_are_not_said_to_gain(patients):
    """Maps and others that are alike, in patients of equal and of very unequal numbers of cases.

    A gain is said where the low end is above 0: in 2.5 % of draws. Percentiles of resampled
    patients alone say so in 7.5 % of both.
    """
    rng = np.random.default_rng(1)
    found = []
    for seed in range(150):
        sizes = np.ones(6, int) if patients == 6 else np.minimum(rng.zipf(1.6, patients), 50)
        signs = rng.choice([-1, 0, 1], p=[0.3, 0.4, 0.3], size=patients)
        deltas = np.repeat(signs, sizes)
        ids = np.repeat(np.arange(patients), sizes).tolist()
        ends = localisation.difference((deltas > 0) * 1.0, (deltas < 0) * 1.0, ids, 100, seed)
        if ends.estimable:
            found.append((ends.low > 0, ends.high < 0))
    assert len(found) > 100
    assert np.mean(found) <= 0.04


def test_fewer_hits_do_not_say_more():
    """5 of 5 patients are too few to show a gain: so are 4 of 5, though resamples vary then."""
    five, four = (
        localisation.difference(np.array(hits, float), np.zeros(5), list("abcde"), 1000, 0)
        for hits in ([1, 1, 1, 1, 1], [1, 1, 1, 1, 0])
    )
    assert four.value == 0.8
    assert four.low < five.low < 0


def test_all_hits_still_have_an_interval():
    ones = np.ones(20)
    found = localisation.share(ones, range(20))
    assert found.value == found.high == 1
    assert 0.8 < found.low < 0.84
    same = localisation.difference(ones, ones, list(range(20)), 100, 0)
    assert same.value == 0
    assert same.low < -0.1
    assert same.high > 0.1


def test_few_patients_have_no_estimate():
    cases = [case(patient=p) for p in ("a", "b")]
    (judged,) = localisation.judged(cases, {MAPS: (np.ones(2), np.ones(2))})
    assert not judged.pointing[MAPS].estimable
    assert "2 patients, 5 are needed" in judged.pointing[MAPS].reason
    assert not judged.pointing_gain[CENTRE].estimable
    assert judged.to_json()["pointing"][MAPS]["value"] is None


def test_findings_are_judged_alone_and_together():
    cases = [case(label=name, patient=i) for name in ("Mass", "Edema") for i in range(6)]
    scores = np.array([1.0] * 6 + [0.0] * 6)
    found = localisation.judged(cases, {MAPS: (scores, scores)})
    assert [(j.label, j.cases) for j in found] == [("Mass", 6), ("Edema", 6), ("", 12)]
    assert [j.pointing[MAPS].value for j in found] == [1, 0, 0.5]
