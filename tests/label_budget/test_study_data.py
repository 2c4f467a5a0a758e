"""The gate between the in-distribution and the out-of-distribution data of a study."""

import pathlib

import numpy as np
import pandas as pd
import pytest
from json_file import read_json
from PIL import Image

from configs import ood_own
from remedis.data.checks.leaks import LeakError
from remedis.label_budget import data
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import StudySettings

PATIENTS = 40


@pytest.fixture
def root(tmp_path):
    """Returns a directory with one image per patient, from two sites."""
    root = tmp_path / "data"
    root.mkdir()
    rng = np.random.default_rng(0)
    for i in range(PATIENTS):
        Image.fromarray(rng.integers(0, 255, (24, 24), dtype=np.uint8)).save(root / f"{i}.png")
    pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(PATIENTS)],
            "patient_id": [f"p{i}" for i in range(PATIENTS)],
            "site": ["a" if i < PATIENTS // 2 else "b" for i in range(PATIENTS)],
            "ill": [i // 2 % 2 for i in range(PATIENTS)],
        }
    ).to_csv(root / "manifest.csv", index=False)
    return root


def prepared(root, workdir, allow_similar_images=False, **ids):
    """Returns the receipt between the sites, with some patients' ids changed."""
    table = pd.read_csv(root / "manifest.csv", dtype=str)
    for row, name in ids.items():
        table.loc[int(row.removeprefix("p")), "patient_id"] = name
    table.to_csv(root / "manifest.csv", index=False)
    config = ood_own.get_config()
    config.update(
        arms="one=random:0", baseline="one", id_data_dir=str(root), ood_data_dir=str(root)
    )
    config.update(labels=("ill",), id_sites="a", ood_sites="b")
    for part in (config.id, config.ood):
        part.splits = {"train": 0.5, "validation": 0.25, "test": 0.25}
        part.allow_similar_images = allow_similar_images
    data.prepare(StudySettings.from_config(config), StudyDirectory(workdir, {}))
    return read_json(workdir / "data" / "leaks.json")


def test_a_patient_in_two_sites_is_found_in_every_spelling(root, tmp_path):
    assert prepared(root, tmp_path / "clean")["ok"]
    ids = {f"p{i}": f'"p{i - PATIENTS // 2}\u200b"' for i in range(PATIENTS // 2, PATIENTS)}
    with pytest.raises(LeakError, match=r"'ID train' and 'OOD pool' share \d+ patients: p"):
        prepared(root, tmp_path / "one", **ids)
    ids = {f"p{i}": f"P{i - PATIENTS // 2:03d}" for i in range(PATIENTS // 2, PATIENTS)}
    with pytest.raises(LeakError, match=r"1[0-9] pairs of patient_id: p\d+ ~ P0\d+, .*; write"):
        prepared(root, tmp_path / "two", **ids)
    receipt = read_json(tmp_path / "two" / "data" / "leaks.json")
    assert (receipt["ok"], receipt["allow_similar_ids"]) == (False, False)
    assert receipt["similar_ids"][0]["column"] == "patient_id"


def test_copies_of_id_images_in_the_ood_data_are_refused(root, tmp_path):
    """Smaller and encoded again; a config can say that they are other images."""
    for i in range(PATIENTS // 2):
        film = np.random.default_rng(i).uniform(20, 230, (12, 12)).astype(np.float32)
        image = Image.fromarray(film).resize((96, 96), Image.Resampling.BICUBIC).convert("L")
        image.save(root / f"{i}.png")
        image.resize((60, 60)).save(root / f"{i + PATIENTS // 2}.png")
    with pytest.raises(LeakError, match=r"images looks? the same but in different spl"):
        prepared(root, tmp_path / "refused")
    receipt = read_json(tmp_path / "refused" / "data" / "leaks.json")
    assert {tuple(near["splits"]) for near in receipt["near_duplicates"]} == {
        ("ID train", "OOD pool"),
        ("ID train", "OOD test"),
    }
    for near in receipt["near_duplicates"]:
        for first, second, apart in near["pairs"]:
            assert int(pathlib.Path(second).stem) - int(pathlib.Path(first).stem) == PATIENTS // 2
            assert apart <= receipt["near_distance"]
    receipt = prepared(root, tmp_path / "allowed", allow_similar_images=True)
    assert receipt["ok"]
    assert receipt["near_duplicates"]
