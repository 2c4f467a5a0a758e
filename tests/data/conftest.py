"""What the tests of data share: made-up datasets in their real layouts, small manifests."""

import pathlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis.data import rehearsal
from remedis.data.manifest import Manifest


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """Directories of small rehearsal datasets, and of a user's own, by name of their source."""
    root = tmp_path_factory.mktemp("datasets")
    own = root / "own"
    (own / "images").mkdir(parents=True)
    rows = []
    for i in range(40):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(own / "images" / f"{i}.png")
        rows.append((f"images/{i}.png", f"p{i // 2}", i % 2, ""))
    table = pd.DataFrame(rows, columns=["path", "patient_id", "pneumonia", "site"])
    table.to_csv(own / "manifest.csv", index=False)
    return {
        "chexpert": rehearsal.write_chexpert(root, patients=12, valid_patients=6, image_size=64),
        "chestxray14": rehearsal.write_chestxray14(root, patients=12, image_size=64),
        "wilds_camelyon17": rehearsal.write_wilds_camelyon17(
            root, slides_per_centre=2, patches_per_slide=4
        ),
        "csv": own,
    }


@pytest.fixture
def make() -> Callable[..., Manifest]:
    """Returns a function that makes a manifest of one label `ill` from columns."""

    def make_manifest(n: int, root: pathlib.Path = pathlib.Path("/nowhere"), **columns) -> Manifest:
        table = pd.DataFrame(
            {
                "path": [f"{i}.png" for i in range(n)],
                "patient_id": [f"p{i}" for i in range(n)],
                "study_id": [f"s{i}" for i in range(n)],
                "site": None,
                "split": None,
                "ill": [float(i % 2) for i in range(n)],
            }
        )
        return Manifest(table.assign(**columns), ("ill",), root, "a test")

    return make_manifest
