import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture
def data(tmp_path):
    """A folder of 40 images with a manifest: 20 train, 10 validate and 10 test; half are ill."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8)).save(tmp_path / f"{i}.png")
        split = "train" if i < 20 else ("validation" if i < 30 else "test")
        rows.append((f"{i}.png", f"p{i}", f"s{i}", split, i % 2))
    columns = ["path", "patient_id", "study_id", "split", "ill"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path
