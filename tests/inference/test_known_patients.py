"""Patients of a run's validation split are known again among scored images, in every spelling."""

import pandas as pd

from remedis.data.fingerprints import Fingerprints
from remedis.data.manifest import Manifest
from remedis.inference.exported import ExportedClassifier, seen_by


def of_patients(*ids: str) -> Manifest:
    paths = [f"{i}.png" for i in range(len(ids))]
    table = pd.DataFrame({"path": paths, "patient_id": ids, "ill": 1.0})
    table[["study_id", "site", "split"]] = None
    return Manifest(table, ("ill",), ".", "folder")


def test_a_validation_patient_is_known_in_every_spelling(tmp_path):
    predictions = pd.DataFrame(
        {
            "patient_id": [" p7\u200b", "p8", "p009", "p1"],
            "split": ["validation", "validation", "validation", "test"],
        }
    )
    predictions.to_parquet(tmp_path / "predictions.parquet")
    exported = ExportedClassifier(tmp_path / "export", None, None, tmp_path, None)  # type: ignore[arg-type]
    manifest = of_patients('"p7"', "P8", "p9", "p1")
    known = manifest.table.assign(sha256="a", original_sha256=None, look=None)
    sentence = seen_by(exported, manifest, Fingerprints(known, "elsewhere"))
    assert sentence.startswith(
        "1 of 4 patient ids and 2 patient ids in another spelling (P8 ~ p8, p9 ~ p009) are among "
        "those that trained, selected or calibrated the model: "
    )
    clean = of_patients("q1", "p1")
    known = clean.table.assign(sha256="a", original_sha256=None, look=None)
    sentence = seen_by(exported, clean, Fingerprints(known, "elsewhere"))
    assert "has no seen.json" in sentence
    assert "patient ids" not in sentence
