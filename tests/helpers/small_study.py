"""Studies of tiny hospitals: their config, their interruption, and what two starts have alike."""

import ml_collections
import numpy as np
import pandas as pd
import pytest
from json_file import read_json
from PIL import Image

from configs import ood_own
from remedis import label_budget
from remedis.label_budget.cell_store import CellStore

PATIENTS = 44


def write_hospital(root, seed, dark):
    """A directory with a manifest: one image per patient, a square in half of them."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(PATIENTS):
        pixels = rng.integers(40, 120, (32, 32), dtype=np.uint8)
        if i % 2:
            top, left = rng.integers(2, 18, 2)
            pixels[top : top + 12, left : left + 12] = dark
        Image.fromarray(pixels).save(root / f"{i}.png")
        rows.append((f"{i}.png", f"{root.name}{i}", i % 2, int(i % 4 > 1)))
    columns = ["path", "patient_id", "square", "noise"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "manifest.csv", index=False)
    return root


def summary_of(workdir):
    """The summary of a study without dates and durations."""
    found = read_json(workdir / "summary.json")
    return {k: v for k, v in found.items() if k not in ("created", "minutes", "command")}


def small_config(hospitals, checkpoint, splits, **changes) -> ml_collections.ConfigDict:
    """The config of a study of two arms with one checkpoint, in two steps.

    Args:
      hospitals: directories of both.
      checkpoint: of the arms `one` and `two`.
      splits: shares of the patients, of both hospitals.
      **changes: values of keys.
    """
    config = ood_own.get_config()
    config.update(
        arms=f"one={checkpoint}; two={checkpoint}",
        baseline="two",
        id_data_dir=str(hospitals[0]),
        ood_data_dir=str(hospitals[1]),
        image_size=32,
        modes=("probe",),
        seeds=2,
        id_trainings=1,
        resamples=50,
        target=0.9,
    )
    for part in (config.id, config.ood):
        part.update(steps=2, evaluate_every=2, checkpoint_every=1, batch_size=8)
        part.splits = splits
    config.update(changes)
    return config


def run_killed(config, workdir, cells, monkeypatch):
    """Runs a study that is interrupted when it writes one cell more than `cells`."""
    write, written = CellStore.write, []

    def dying(store, cell, *results):
        if len(written) == cells:
            raise KeyboardInterrupt
        written.append(cell)
        write(store, cell, *results)

    with monkeypatch.context() as patched:
        patched.setattr(CellStore, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            label_budget.run(config, workdir)
