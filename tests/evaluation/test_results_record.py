"""An evaluation in `results.json` that does not fit together is refused, each fault by its name."""

import copy

import pytest

from remedis import json_records
from remedis.errors import Damaged
from remedis.evaluation.evaluated_record import EvaluatedRecord
from remedis.evaluation.results_record import ResultsRecord

ESTIMATE = {"value": 0.8, "low": 0.7, "high": 0.9, "patients": 18, "positives": 9}


def metric(*labels):
    return {
        "labels": {label: dict(ESTIMATE) for label in labels},
        "mean": dict(ESTIMATE),
        "averaged": list(labels),
        "interval": "95%, DeLong",
    }


def evaluated():
    chosen = {"a": 0.5, "b": 0.5}
    rates = ("sensitivity", "specificity")
    names = [f"{kind}/{rate}" for kind in ("youden", "target_sensitivity") for rate in rates]
    return {
        **metric("a", "b"),
        "left_out": [],
        "metrics": {name: metric("a", "b") for name in ("average_precision", *names)},
        "thresholds": {"youden": chosen, "target_sensitivity": chosen, "target": 0.9},
        "images": 20,
        "resamples": 100,
        "seed": 0,
        "note": "",
    }


def check(values):
    return json_records.checked(values, EvaluatedRecord, "results.json", "remove it")


FAULTS = {
    "labels, those that are left out among them": lambda of: of.update(left_out=["c"]),
    "the average precision of the labels": lambda of: of["metrics"].pop("average_precision"),
    "metrics that are averaged over labels of the AUROC": lambda of: of["metrics"][
        "average_precision"
    ].update(averaged=["c"]),
    "metrics of the labels of the AUROC": lambda of: of["metrics"].update(
        brier=metric("a") | {"averaged": ["a"]}
    ),
    "top-k accuracies for a k of at most 9999": lambda of: of["metrics"].update(
        top_10000_accuracy=metric()
    ),
    "a sensitivity and a specificity of each kind of threshold": lambda of: of["metrics"].pop(
        "youden/specificity"
    ),
    "thresholds of the labels of the AUROC": lambda of: of["thresholds"].update(
        youden={"a": 0.5}, target_sensitivity={"a": 0.5}
    ),
}


@pytest.mark.parametrize("expected", FAULTS)
def test_a_fault_is_named(expected):
    values = copy.deepcopy(evaluated())
    assert check(values)
    FAULTS[expected](values)
    with pytest.raises(Damaged) as caught:
        check(values)
    assert f"results.json is damaged (it is an object, expected {expected}); " in str(caught.value)


def test_rates_of_nested_intervals_are_needed_too():
    values = evaluated() | {
        "nested": {"note": "", "metrics": {"youden/sensitivity": metric("a", "b")}}
    }
    with pytest.raises(Damaged, match="expected a sensitivity and a specificity"):
        check(values)
    assert check(values | {"nested": None, "thresholds": None})


def test_the_step_that_was_kept_needs_the_number_of_steps():
    run = {"random_weights": False, "split": "test", "test": evaluated(), "best_step": 4}
    json_records.checked(run | {"steps": 8}, ResultsRecord, "results.json", "remove it")
    with pytest.raises(Damaged, match="expected steps beside best_step"):
        json_records.checked(run, ResultsRecord, "results.json", "remove it")
