import numpy as np
import pytest
from study_helpers import RISING, make_cells, make_scores, make_test_set

from remedis.evaluation.label_budget import analyse_study


def test_gap_and_share_recovered():
    test, id_test = make_test_set(patients=300), make_test_set(1, patients=300)
    grid = make_cells(test, {"base": (0.2, 0.6, 1.0, 1.4)})
    id_scores = {("base", "probe"): make_scores(id_test, 1.4, seed=9)}
    result = analyse_study(test, grid, "base", id_test=id_test, id_scores=id_scores, resamples=300)
    (gap,) = result["gap"]
    areas = [point["mean"]["value"] for point in result["points"]]
    in_distribution = result["id"][0]["mean"]["value"]
    assert (gap["id"]["value"], gap["zero_shot"]["value"]) == (in_distribution, areas[0])
    assert gap["gap"]["value"] == pytest.approx(in_distribution - areas[0])
    assert 0 < gap["gap"]["low"] < gap["gap"]["value"] < gap["gap"]["high"]
    assert [share["patients"] for share in gap["recovered"]] == [5, 20, 60]
    for recovered, area in zip(gap["recovered"], areas[1:], strict=True):
        want = (area - areas[0]) / (in_distribution - areas[0])
        assert recovered["share"]["value"] == pytest.approx(want)
        assert recovered["share"]["low"] < want < recovered["share"]["high"]
    # The patients are independent: the variances of the two AUROCs add up.
    widths = [end["high"] - end["low"] for end in (gap["id"], gap["zero_shot"])]
    width = gap["gap"]["high"] - gap["gap"]["low"]
    assert width == pytest.approx(np.hypot(*widths), rel=0.15)


def test_no_share_of_a_gap_that_may_be_none():
    test, id_test = make_test_set(), make_test_set(1)
    grid = make_cells(test, {"base": RISING})
    id_scores = {("base", "probe"): make_scores(id_test, 0.3, seed=9)}
    (gap,) = analyse_study(test, grid, "base", id_test=id_test, id_scores=id_scores)["gap"]
    assert gap["gap"]["low"] < 0 < gap["gap"]["high"]
    assert all(recovered["share"] is None for recovered in gap["recovered"])
