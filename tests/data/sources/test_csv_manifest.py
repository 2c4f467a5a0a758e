import pytest

from remedis.data.sources import csv_manifest
from remedis.errors import UserError


def test_directory_or_file(datasets):
    directory = datasets["csv"]
    by_directory = csv_manifest.load(directory, ("pneumonia",))
    by_file = csv_manifest.load(directory / "manifest.csv", ("pneumonia",))
    assert by_directory.table.equals(by_file.table)
    assert by_file.root == directory
    assert by_file.table["site"].isna().all()


def test_labels_must_be_named(datasets):
    with pytest.raises(UserError, match="The source 'csv' needs the names of its label columns"):
        csv_manifest.load(datasets["csv"], None)


def test_patient_ids_are_needed_or_opted_out(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,ill\na.png,1\n")
    with pytest.raises(UserError, match="no column 'patient_id'"):
        csv_manifest.load(tmp_path, ("ill",))
    m = csv_manifest.load(tmp_path, ("ill",), allow_missing_patient_ids=True)
    assert m.table["patient_id"].isna().all()
