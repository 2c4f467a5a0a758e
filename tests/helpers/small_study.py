"""Tiny hospitals, and the summary of a study without what differs between two starts."""

import numpy as np
import pandas as pd
from PIL import Image

from remedis import files

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
    found = files.read_json(workdir / "summary.json")
    return {k: v for k, v in found.items() if k not in ("created", "minutes", "command")}
