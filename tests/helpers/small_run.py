"""Fixtures of tests that train: small data with a visible label, a config, a finished run."""

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ml_collections
import numpy as np
import pandas as pd
import pytest
from made_once import Once
from PIL import Image

if TYPE_CHECKING:
    from remedis.finetuning.data import RunData

IMAGES = 60
Configured = Callable[..., ml_collections.ConfigDict]


@pytest.fixture(scope="session")
def squares(once: Once) -> pathlib.Path:
    """A user's own directory: 60 grey images, half with a bright square, a few labels unknown."""
    return once("squares", _write_squares)


def _write_squares(root: pathlib.Path) -> None:
    root.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(IMAGES):
        pixels = rng.integers(40, 120, (32, 32), dtype=np.uint8)
        if i % 2:
            top, left = rng.integers(2, 18, 2)
            pixels[top : top + 12, left : left + 12] = 240
        Image.fromarray(pixels).save(root / f"{i}.png")
        rows.append((f"{i}.png", f"p{i // 2}", i % 2, "" if i % 10 == 0 else i % 2))
    columns = ["path", "patient_id", "square", "sometimes"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "manifest.csv", index=False)


@pytest.fixture(scope="session")
def configured(squares: pathlib.Path, tiny_checkpoint: pathlib.Path) -> Configured:
    """Returns a function that makes the config of `own_data.py` for the squares, with changes."""
    from configs import own_data

    def config(**changes: Any) -> ml_collections.ConfigDict:
        made = own_data.get_config()
        small = {
            "checkpoint": str(tiny_checkpoint),
            "data_dir": str(squares),
            "labels": ("square", "sometimes"),
            "image_size": 32,
            "batch_size": 8,
            "steps": 20,
            "learning_rate": 1.0,
            "evaluate_every": 10,
            "checkpoint_every": 5,
            "log_every": 2,
            "resamples": 50,
            "splits": {"train": 0.5, "validation": 0.2, "test": 0.3},
        }
        made.update(small | changes)
        return made

    return config


@pytest.fixture(scope="session")
def finished(once: Once, configured: Configured) -> tuple[pathlib.Path, dict[str, Any]]:
    """Directory and results of an undisturbed run that trained all layers."""
    from remedis.finetuning.finetune import finetune

    workdir = once("run", lambda folder: finetune(configured(), folder))
    return workdir, finetune(configured(), workdir)  # a finished run returns what it has written


def prepared(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> "RunData":
    """Returns the data of a config, prepared in a run directory."""
    from remedis.finetuning import data
    from remedis.finetuning.settings import FinetuneSettings
    from remedis.training.run_directory import RunDirectory

    settings = FinetuneSettings.from_config(config)
    return data.prepare(settings.data, settings.model.task, RunDirectory(workdir, config.to_dict()))
