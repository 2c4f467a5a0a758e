"""Training with one image each in validation and test."""

import json

import pandas as pd
import pytest

from remedis.errors import UserError
from remedis.finetuning.finetune import finetune
from remedis.reporting import run_report


@pytest.fixture
def one_each(squares, configured, tmp_path):
    """Returns a function that makes a config with 8 images to train on, or the number named."""

    def made(training=8, **changes):
        table = pd.read_csv(squares / "manifest.csv").head(training + 2).drop(columns="sometimes")
        table["split"] = ["train"] * training + ["validation", "test"]
        table["path"] = [str(squares / path) for path in table["path"]]
        table["patient_id"] = [f"p{i}" for i in range(len(table))]
        (tmp_path / "data").mkdir()
        table.to_csv(tmp_path / "data" / "manifest.csv", index=False)
        small = {"steps": 2, "evaluate_every": 2, "checkpoint_every": 2}
        return configured(data_dir=str(tmp_path / "data"), labels=("square",), **small, **changes)

    return made


@pytest.mark.guarantee
@pytest.mark.parametrize("method", ["finetune", "probe"])
def test_numbers_are_not_estimable_and_the_report_says_so(one_each, tmp_path, method):
    results = finetune(one_each(method=method), tmp_path / "run")
    json.dumps(results, allow_nan=False)
    assert results["selection"]["estimable"] is False
    auroc = results["test"]["labels"]["square"]
    assert auroc["value"] is None
    assert auroc["reason"]
    assert run_report.report(tmp_path / "run") is not None
    assert "not estimable" in (tmp_path / "run" / "report.html").read_text()


def test_one_training_image_is_refused(one_each, tmp_path):
    with pytest.raises(UserError, match="has no positive image among the 1 of the training split"):
        finetune(one_each(training=1), tmp_path / "run")
