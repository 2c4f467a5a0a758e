"""Fixtures of studies that train tiny networks."""

import ml_collections
import pytest
from small_study import write_hospital


@pytest.fixture(scope="session")
def two_hospitals(tmp_path_factory):
    root = tmp_path_factory.mktemp("hospitals")
    return write_hospital(root / "id", 0, 240), write_hospital(root / "ood", 1, 0)


@pytest.fixture
def study_config(two_hospitals, tiny_checkpoint):
    from configs import ood_own

    def made(**changes) -> ml_collections.ConfigDict:
        config = ood_own.get_config()
        config.update(
            arms=f"one={tiny_checkpoint}; two={tiny_checkpoint}",
            baseline="two",
            labels=("square", "noise"),
            id_data_dir=str(two_hospitals[0]),
            ood_data_dir=str(two_hospitals[1]),
            image_size=32,
            modes=("probe",),
            budgets="0, 1, 50%, 100%",
            seeds=2,
            id_trainings=1,
            resamples=50,
            target=0.9,
        )
        for part in (config.id, config.ood):
            part.update(steps=2, evaluate_every=2, checkpoint_every=1, batch_size=8)
            part.splits = {"train": 0.4, "validation": 0.1, "test": 0.5}
        config.update(changes)
        return config

    return made
