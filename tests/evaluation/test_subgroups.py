import json

import numpy as np
import pandas as pd
import pytest

from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.subgroups import subgroups
from remedis.evaluation.thresholds import choose

NAMES = ("Edema", "Fracture")


def case(seed, patients=160, worse=0.0):
    """Labels, scores and the table; scores of site b are blurred by `worse`."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(patients), 2)
    labels = (rng.random((patients, 2)) < 0.4)[rows].astype(float)
    site = np.where(rows % 2, "a", "b")
    blur = 1 + worse * (site == "b")
    scores = rng.normal(size=labels.shape) * blur[:, None] + 1.5 * labels
    table = pd.DataFrame(
        {
            "sex": np.array(["F", "M", "F", None], object)[rows % 4],
            "age": rng.integers(20, 60, patients)[rows],
            "view": "PA",
            "site": site,
        }
    )
    return labels, scores, rows, table


def test_groups_are_the_evaluation_of_their_rows():
    labels, scores, rows, table = case(0)
    labels[:9, 0] = np.nan
    chosen = choose(labels, scores, NAMES)
    found = subgroups(labels, scores, NAMES, rows, table, thresholds=chosen, resamples=60)
    assert list(found) == ["sex", "age", "site"]  # one view makes no groups
    for column, group in (("sex", "F"), ("site", "b")):
        of = (table[column] == group).to_numpy()
        alone = evaluate(labels[of], scores[of], NAMES, rows[of], thresholds=chosen, resamples=60)
        for name in NAMES:
            mine = found[column][name]["groups"][group]
            assert mine["auroc"] == pytest.approx(alone.labels[name].to_json())
            for metric in ("sensitivity", "specificity"):
                other = alone.metrics[f"youden/{metric}"].labels[name]
                assert mine[metric]["value"] == pytest.approx(other.value)
                assert mine[metric]["low"] == pytest.approx(other.low, abs=0.06)
        mean = found[column]["mean"]["groups"][group]["auroc"]
        assert mean == pytest.approx(alone.mean.to_json())
    json.dumps(found, allow_nan=False)


def test_a_gap_is_found_and_none_is_not():
    labels, scores, rows, table = case(1, patients=400, worse=5.0)
    gap = subgroups(labels, scores, NAMES, rows, table, resamples=100)["site"]["mean"]["gaps"]
    assert list(gap) == ["auroc"]  # no thresholds, no sensitivity
    assert (gap["auroc"]["largest"], gap["auroc"]["smallest"]) == ("a", "b")
    assert gap["auroc"]["low"] > 0.05
    labels, scores, rows, table = case(2, patients=400)
    found = subgroups(labels, scores, NAMES, rows, table, resamples=100)
    gap = found["site"]["mean"]["gaps"]["auroc"]
    values = [group["auroc"]["value"] for group in found["site"]["mean"]["groups"].values()]
    assert gap["value"] == pytest.approx(np.ptp(values))
    assert gap["low"] == 0 <= gap["value"] <= gap["high"]


def test_age_comes_in_bands():
    labels, scores, rows, table = case(3)
    table["age"] = np.resize([0, 19.9, 20, 39, 40, 79, 80, 101, np.nan, -1], len(table))
    found = subgroups(labels, scores, NAMES, rows, table, resamples=40)
    groups = found["age"]["Edema"]["groups"]
    assert list(groups) == ["0-19", "20-39", "40-59", "60-79", "80+"]
    for band, ages in (("0-19", (0, 19.9)), ("60-79", (79,)), ("80+", (80, 101))):
        of = np.isin(table["age"], ages) & ~np.isnan(labels[:, 0])
        assert groups[band]["auroc"]["patients"] == len(set(rows[of]))


def test_small_groups_are_listed_and_in_no_gap():
    labels, scores, rows, table = case(4)
    table["site"] = np.where(rows < 6, "small", table["site"])
    found = subgroups(labels, scores, NAMES, rows, table, resamples=40)["site"]
    for name in NAMES:
        assert found[name]["not_estimable"] == ["small"]
        assert found[name]["groups"]["small"]["auroc"]["value"] is None
        assert found[name]["groups"]["small"]["auroc"]["patients"] == 6
        assert "small" not in (found[name]["gaps"]["auroc"][end] for end in ("largest", "smallest"))
    assert found["mean"]["averaged"] == list(NAMES)


def test_the_mean_is_over_labels_estimable_in_every_group():
    labels, scores, rows, table = case(5)
    labels[(table["site"] == "a").to_numpy(), 1] = 0
    found = subgroups(labels, scores, NAMES, rows, table, resamples=40)["site"]
    assert found["mean"]["averaged"] == ["Edema"]
    assert found["Fracture"]["gaps"]["auroc"] is None
    assert found["mean"]["groups"]["b"] == found["Edema"]["groups"]["b"]


def test_without_columns_or_values_there_are_none():
    labels, scores, rows, table = case(6)
    assert subgroups(labels, scores, NAMES, rows, table[[]], resamples=40) == {}
    empty = table.assign(sex="", age=np.nan, site=None)
    assert subgroups(labels, scores, NAMES, rows, empty, resamples=40) == {}
