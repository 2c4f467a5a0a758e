"""The benchmark of outlier scores: no patient is on both sides of a half."""

import pandas as pd
import pytest

from remedis.data.manifest import Manifest


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("outlier_scores")


def test_halves_divide_patients(benchmark, tmp_path):
    patients = [f"p{i // 3}" for i in range(60)]
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(60)], "patient_id": patients})
    table = table.assign(study_id=None, site=None, split="test", ill=0)
    first = benchmark.halves(Manifest(table, ("ill",), tmp_path, "made up"))
    assert first.sum() == 30
    assert not set(table["patient_id"][first]) & set(table["patient_id"][~first])
