"""Fixtures of studies that train tiny networks."""

import ml_collections
import pytest
from small_study import small_config, write_hospital


@pytest.fixture(scope="session")
def two_hospitals(tmp_path_factory):
    root = tmp_path_factory.mktemp("hospitals")
    return write_hospital(root / "id", 0, 240), write_hospital(root / "ood", 1, 0)


@pytest.fixture
def study_config(two_hospitals, tiny_checkpoint):
    def made(**changes) -> ml_collections.ConfigDict:
        own = {"labels": ("square", "noise"), "budgets": "0, 1, 50%, 100%"}
        splits = {"train": 0.4, "validation": 0.1, "test": 0.5}
        return small_config(two_hospitals, tiny_checkpoint, splits, **{**own, **changes})

    return made
