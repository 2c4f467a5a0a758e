"""Label policies that commands inherit from the run of a model."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from remedis.data import label_policies
from remedis.data.label_policies import LabelPolicies, Meaning
from remedis.data.manifest import Manifest
from remedis.inference import run_policies
from remedis.inference.run_policies import RunPolicies

REPORTS = {
    "source": "chexpert",
    "uncertain": "zeros; ill=ones",
    "unmentioned": "zeros",
    "eval_uncertain": "ignore",
    "eval_unmentioned": "",
    "eval_unlabelled": "ignore",
}


@pytest.mark.parametrize(
    ("source", "training", "evaluation"),
    [
        ("chexpert", "zeros", Meaning("ignore", "zeros", "ignore")),
        ("mimic_cxr", "zeros", Meaning("ignore", "zeros", "ignore")),
        # An empty label is unknown there.
        ("csv", "ignore", Meaning("ignore", "ignore", "ignore")),
    ],
)
def test_empty_labels_inherit_where_they_mean_the_same(source, training, evaluation):
    inherited = RunPolicies.from_record(REPORTS).for_source(source)
    assert inherited.training == Meaning("zeros; ill=ones", training, training)
    assert inherited.evaluation == evaluation


def test_a_run_of_an_earlier_version_judged_as_it_trained():
    record = {key: text for key, text in REPORTS.items() if not key.startswith("eval")}
    judged = RunPolicies.from_record(record).for_source("chexpert").evaluation
    assert judged == Meaning("zeros; ill=ones", "zeros", "zeros")


@pytest.mark.parametrize("spec", ["random:0", "scratch:50x1"])
def test_weights_without_a_run_have_no_policies(spec):
    assert run_policies.of_model(spec) is None


def test_a_difference_is_one_of_labels_that_occur(make_manifest):
    run = RunPolicies("csv", LabelPolicies("zeros; ill=ones", "zeros"))
    doubtful = make_manifest([1, -1, 0], [0, 1, 1])
    same = run.policies.evaluation
    assert run_policies.difference(same, run, doubtful) == ""
    # One policy written in two ways.
    spelt = dataclasses.replace(same, uncertain="ignore; ill=ignore")
    assert run_policies.difference(spelt, run, doubtful) == ""
    ones = dataclasses.replace(same, uncertain="ones", unmentioned="ignore")
    assert run_policies.difference(ones, run, doubtful) == (
        "Labels count otherwise than in the run of this model: uncertain labels 'ones' here, "
        "'ignore' there."
    )
    known = make_manifest([1, 0, 0], [0, 1, 1])
    assert run_policies.difference(ones, run, known) == ""
    assert run_policies.difference(ones, None, known) == ""
    assert run_policies.difference(ones, None, doubtful).startswith("It is not recorded what such")


@pytest.fixture
def make_manifest(tmp_path):
    """Returns a function that makes a manifest from the values of two labels."""

    def made(ill, well):
        table = pd.DataFrame({"ill": ill, "well": well}, dtype=np.float32)
        names = [f"{i}" for i in range(len(table))]
        table = table.assign(path=names, patient_id=names, study_id=None, site=None, split="test")
        return label_policies.keep_found(Manifest(table, ("ill", "well"), tmp_path, "a test"))

    return made
