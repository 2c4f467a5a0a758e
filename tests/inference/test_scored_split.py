"""The split that an exported classifier is evaluated on."""

import types

import pandas as pd
import pytest

from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.inference import rescore, run_policies


@pytest.mark.parametrize(
    ("splits", "found"), [(("train", "validation"), "train, validation"), ((None, None), "none")]
)
def test_a_split_without_images_names_those_of_the_data(monkeypatch, tmp_path, splits, found):
    table = pd.DataFrame({"path": ["a.png", "b.png"], "patient_id": ["1", "2"], "ill": [1.0, 0.0]})
    table = table.assign(split=list(splits), study_id=None, site=None)
    manifest = Manifest(table, ("ill",), tmp_path, "site.csv")
    monkeypatch.setattr(run_policies, "of_model", lambda _: None)
    exported = types.SimpleNamespace(check_labels=lambda _: None, folder=tmp_path)
    with pytest.raises(UserError) as error:
        rescore.score(exported, manifest, tmp_path / "scan", split="test")
    assert str(error.value) == (
        f"split='test': no image of site.csv is in this split; splits of the data: {found}."
    )
