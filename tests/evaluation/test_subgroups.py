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
    by_column = subgroups(labels, scores, NAMES, rows, table, thresholds=chosen, resamples=60)
    assert list(by_column) == ["sex", "age", "site"]  # a single view is left out
    for column, group in (("sex", "F"), ("site", "b")):
        use = (table[column] == group).to_numpy()
        want = evaluate(labels[use], scores[use], NAMES, rows[use], thresholds=chosen, resamples=60)
        for name in NAMES:
            got = by_column[column][name]["groups"][group]
            assert got["auroc"] == pytest.approx(want.labels[name].to_json())
            for metric in ("sensitivity", "specificity"):
                estimate = want.metrics[f"youden/{metric}"].labels[name]
                assert got[metric]["value"] == pytest.approx(estimate.value)
                assert got[metric]["low"] == pytest.approx(estimate.low, abs=0.06)
        mean = by_column[column]["mean"]["groups"][group]["auroc"]
        assert mean == pytest.approx(want.mean.to_json())
    json.dumps(by_column, allow_nan=False)


def test_a_true_gap_excludes_0_and_noise_does_not():
    labels, scores, rows, table = case(1, patients=400, worse=5.0)
    gap = subgroups(labels, scores, NAMES, rows, table, resamples=100)["site"]["mean"]["gaps"]
    assert list(gap) == ["auroc"]  # sensitivity needs thresholds
    assert (gap["auroc"]["largest"], gap["auroc"]["smallest"]) == ("a", "b")
    assert gap["auroc"]["low"] > 0.05
    labels, scores, rows, table = case(2, patients=400)
    by_column = subgroups(labels, scores, NAMES, rows, table, resamples=100)
    gap = by_column["site"]["mean"]["gaps"]["auroc"]
    values = [group["auroc"]["value"] for group in by_column["site"]["mean"]["groups"].values()]
    assert gap["value"] == pytest.approx(np.ptp(values))
    assert gap["low"] == 0 <= gap["value"] <= gap["high"]


def test_age_is_grouped_in_bands():
    labels, scores, rows, table = case(3)
    table["age"] = np.resize([0, 19.9, 20, 39, 40, 79, 80, 101, np.nan, -1], len(table))
    by_column = subgroups(labels, scores, NAMES, rows, table, resamples=40)
    groups = by_column["age"]["Edema"]["groups"]
    assert list(groups) == ["0-19", "20-39", "40-59", "60-79", "80+"]
    for band, ages in (("0-19", (0, 19.9)), ("60-79", (79,)), ("80+", (80, 101))):
        use = np.isin(table["age"], ages) & ~np.isnan(labels[:, 0])
        assert groups[band]["auroc"]["patients"] == len(set(rows[use]))


def test_small_groups_are_listed_and_in_no_gap():
    labels, scores, rows, table = case(4)
    table["site"] = np.where(rows < 6, "small", table["site"])
    by_column = subgroups(labels, scores, NAMES, rows, table, resamples=40)["site"]
    for name in NAMES:
        assert by_column[name]["not_estimable"] == ["small"]
        assert by_column[name]["groups"]["small"]["auroc"]["value"] is None
        assert by_column[name]["groups"]["small"]["auroc"]["patients"] == 6
        assert "small" not in (
            by_column[name]["gaps"]["auroc"][end] for end in ("largest", "smallest")
        )
    assert by_column["mean"]["averaged"] == list(NAMES)


def test_the_mean_is_over_labels_estimable_in_every_group():
    labels, scores, rows, table = case(5)
    labels[(table["site"] == "a").to_numpy(), 1] = 0
    by_column = subgroups(labels, scores, NAMES, rows, table, resamples=40)["site"]
    assert by_column["mean"]["averaged"] == ["Edema"]
    assert by_column["Fracture"]["gaps"]["auroc"] is None
    assert by_column["mean"]["groups"]["b"] == by_column["Edema"]["groups"]["b"]


def test_without_columns_or_values_there_are_none():
    labels, scores, rows, table = case(6)
    assert subgroups(labels, scores, NAMES, rows, table[[]], resamples=40) == {}
    empty = table.assign(sex="", age=np.nan, site=None)
    assert subgroups(labels, scores, NAMES, rows, empty, resamples=40) == {}


def test_the_gap_of_perfect_groups_is_not_certain():
    labels, _, rows, table = case(7)
    chosen = choose(labels, labels, NAMES)
    by_column = subgroups(labels, labels, NAMES, rows, table, thresholds=chosen, resamples=400)
    for of_label in by_column["site"].values():
        for metric, gap in of_label["gaps"].items():
            values = [group[metric]["value"] for group in of_label["groups"].values()]
            assert (gap["value"], gap["low"], values) == (0, 0, [1, 1])
            # 80 patients per site, 40 % of them positive.
            assert 0.02 < gap["high"] < 0.25


def test_groups_with_one_patient_of_many_images_say_so():
    labels, scores, rows, table = case(8)
    first = np.flatnonzero((labels[:, 0] == 1) & (table["site"] == "a"))[0]
    more = np.concatenate([np.arange(len(rows)), np.repeat(first, 300)])
    by_column = subgroups(
        labels[more], scores[more], NAMES, rows[more], table.iloc[more], resamples=40
    )
    site = by_column["site"]["Edema"]
    assert site["not_estimable"] == ["a"]
    assert site["gaps"]["auroc"] is None
    reason = site["groups"]["a"]["auroc"]["reason"]
    assert "positive patients count as 1." in reason
    assert "because one has 302 of" in reason
    assert site["groups"]["b"]["auroc"]["reason"] is None
