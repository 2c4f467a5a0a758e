"""The AUROC with uncertain labels ignored, as negative and as positive."""

import numpy as np
import pandas as pd
import pytest

from remedis.evaluation.evaluate import evaluate, evaluate_table

NAMES = ("Edema", "Hernia", "Mass")


@pytest.fixture
def table():
    """120 images of 60 patients: Edema has 18 uncertain ones, Hernia 6, Mass none."""
    rng = np.random.default_rng(0)
    labels = (rng.random((120, 3)) < 0.4).astype(float)
    labels[5, 2] = np.nan
    found = labels.copy()
    found[:18, 0] = found[30:36, 1] = -1.0
    labels[found == -1] = np.nan
    scores = 1 / (1 + np.exp(-(np.nan_to_num(labels) + rng.normal(size=labels.shape))))
    rows = pd.DataFrame({"patient_id": np.arange(120) // 2, "split": "test"})
    for i, name in enumerate(NAMES):
        rows[f"label/{name}"], rows[f"found/{name}"] = labels[:, i], found[:, i]
        rows[f"score/{name}"] = scores[:, i]
    return rows


def evaluated(table):
    return evaluate_table(table, NAMES, "test", resamples=40)


@pytest.mark.parametrize(("way", "value"), [("ignore", np.nan), ("zeros", 0.0), ("ones", 1.0)])
def test_each_way_is_an_evaluation_of_labels_that_were_replaced(table, way, value):
    found = table[[f"found/{name}" for name in NAMES]].to_numpy()
    scores = table[[f"score/{name}" for name in NAMES]].to_numpy()
    replaced = np.where(found == -1, value, found)
    twin = evaluate(replaced, scores, NAMES, table["patient_id"], resamples=40).to_json()
    ways = evaluated(table)["uncertain_labels"]
    assert set(ways["labels"]) == {"Edema", "Hernia"}
    for name in ways["labels"]:
        assert ways["labels"][name][way] == twin["labels"][name]
    assert ways["averaged"] == twin["averaged"] == list(NAMES)
    assert ways["mean"][way] == twin["mean"]


def test_the_main_policy_decides_what_stands_in_its_own_column(table):
    result = evaluated(table)
    ways = result["uncertain_labels"]
    assert result["labels"]["Edema"] == ways["labels"]["Edema"]["ignore"]
    assert (ways["labels"]["Edema"]["images"], ways["labels"]["Edema"]["patients"]) == (18, 9)
    as_ones = table.assign(**{"label/Edema": table["label/Edema"].fillna(1.0)})
    other = evaluated(as_ones)
    assert other["labels"]["Edema"] == ways["labels"]["Edema"]["ones"]
    assert other["uncertain_labels"]["labels"]["Edema"] == ways["labels"]["Edema"]


def test_the_mean_is_over_labels_that_are_estimable_in_every_way(table):
    # Hernia has no negatives unless uncertain ones count as such.
    rare = table.assign(**{"label/Hernia": table["label/Hernia"].where(table["label/Hernia"] == 1)})
    rare["found/Hernia"] = rare["label/Hernia"].mask(table["found/Hernia"] == -1, -1.0)
    rare.loc[40:60, "found/Hernia"] = -1.0
    rare.loc[40:60, "label/Hernia"] = np.nan
    ways = evaluated(rare)["uncertain_labels"]
    hernia = ways["labels"]["Hernia"]
    assert hernia["ignore"]["value"] is None
    assert hernia["ones"]["value"] is None
    assert hernia["zeros"]["value"] is not None
    assert ways["averaged"] == ["Edema", "Mass"]


def test_there_is_no_block_without_uncertain_labels_or_in_tables_of_earlier_versions(table):
    earlier = table.drop(columns=[f"found/{name}" for name in NAMES])
    assert "uncertain_labels" not in evaluated(earlier)
    certain = table.iloc[60:]
    assert "uncertain_labels" not in evaluated(certain)
