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


def test_an_export_with_its_own_names_is_read_as_it_is(tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "export.txt").write_bytes(
        "Patient ID;Datei;Geschlecht;Alter;Menge;Befund\r\n"
        "007;C:\\PACS\\a.png;W;1,5;Training;Ja\r\n"
        "008;c:\\pacs\\sub\\b.png;m;61;val;nein\r\n"
        "009;C:\\PACS\\c.png;unbekannt;;Pr\u00fcfung;unklar\r\n".encode("cp1252")
    )
    options = {
        "columns": "Patient ID=patient_id; Datei=path; Geschlecht=sex; Alter=age; Menge=split",
        "values": "Ja=1; Nein=0; unklar=-1; W=F; unbekannt=unknown; Pr\u00fcfung=test",
        "images": "films",
        "path_prefix": "C:\\PACS",
    }
    m = csv_manifest.load(tmp_path / "export.txt", ("Befund",), **options)
    assert m.root == tmp_path / "films"
    table = m.table.fillna({"sex": "?", "age": -1})
    assert table["path"].tolist() == ["a.png", "sub/b.png", "c.png"]
    assert table["patient_id"].tolist() == ["007", "008", "009"]
    assert table["Befund"].tolist() == [1, 0, -1]
    assert table["sex"].tolist() == ["F", "M", "?"]
    assert table["age"].tolist() == [1.5, 61, -1]
    assert table["split"].tolist() == ["train", "validation", "test"]
    images = csv_manifest.load_images(tmp_path / "export.txt", **options)
    same = ["path", "patient_id", "split"]
    assert images.table[same].equals(m.table[same])


def test_a_missing_column_comes_with_the_command_that_maps_it(tmp_path):
    (tmp_path / "manifest.csv").write_text("Path,patient_id,ill\na.png,1,1\n")
    with pytest.raises(UserError) as error:
        csv_manifest.load(tmp_path, ("ill",))
    assert str(error.value) == (
        f"{tmp_path / 'manifest.csv'}, row 1: no column 'path' (did you mean 'Path'?); the columns "
        f"are: Path, patient_id, ill. Rename a column, or map it: remedis manifest "
        f"{tmp_path / 'manifest.csv'} proposes how."
    )
