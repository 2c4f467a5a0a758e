import json
import pathlib
import subprocess
import sys

import mlcroissant
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remedis import cli
from remedis.data import croissant
from remedis.errors import UserError

MANIFEST = """path,patient_id,split,pneumonia,"a ""b"", c",age,Name
meier/1.png,qzvkwx7,train,1,,61,Meier
meier/2.png,qzvkwx8,test,,0,,Meier
meier/3.png,qzvkwx9,test,-1,1,40.5,Meier
"""
LABELS = ("pneumonia", 'a "b", c')
ABOUT = {
    "license": "https://creativecommons.org/licenses/by/4.0/",
    "citation": "Doe, A data set, 2026",
    "creator": "Hospital A",
    "url": "https://example.org/data?a=b",
    "date_published": "2026-11-28",
}


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text(MANIFEST)
    return path


def read(path):
    """Returns the data set and its records as the reference reader sees them."""
    dataset = mlcroissant.Dataset(jsonld=str(path))
    return dataset, list(dataset.records("images"))


def test_the_reference_reader_reads_the_manifest(manifest, tmp_path):
    values = croissant.write(tmp_path / "c.json", manifest, LABELS, ABOUT)
    dataset, records = read(tmp_path / "c.json")
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    assert dataset.metadata.name == "manifest"
    assert dataset.metadata.license == [ABOUT["license"]]
    assert dataset.metadata.cite_as == ABOUT["citation"]
    assert [record["images/path"] for record in records] == [
        b"meier/1.png",
        b"meier/2.png",
        b"meier/3.png",
    ]
    assert [record["images/label-3"] for record in records] == [1, None, -1]
    assert [record["images/label-4"] for record in records] == [None, 0, 1]
    assert [record["images/age"] for record in records] == [61.0, None, 40.5]
    names = [field["name"] for field in values["recordSet"][0]["field"]]
    assert names == ["path", "patient_id", "split", *LABELS, "age"]


def test_no_value_of_the_manifest_is_in_the_file(manifest, tmp_path):
    croissant.write(tmp_path / "c.json", manifest, LABELS, {})
    text = (tmp_path / "c.json").read_text()
    for secret in ("qzvkwx", "meier", "Meier", "40.5", str(tmp_path)):
        assert secret not in text
    # Columns that are neither a manifest's nor labels are no part of it.
    assert '"Name"' not in text


def test_what_is_not_stated_is_unknown(manifest, tmp_path):
    values = croissant.write(tmp_path / "c.json", manifest, LABELS, {})
    assert values["license"] == values["citeAs"] == values["creator"]["name"] == "unknown"
    assert not {"url", "datePublished"} & values.keys()
    dataset, _ = read(tmp_path / "c.json")
    assert not dataset.metadata.ctx.issues.errors


@pytest.mark.guarantee
def test_the_validator_of_mlcroissant_accepts_the_file(manifest, tmp_path):
    croissant.write(tmp_path / "c.json", manifest, LABELS, ABOUT)
    command = [str(pathlib.Path(sys.executable).with_name("mlcroissant")), "validate", "--jsonld"]
    done = subprocess.run([*command, str(tmp_path / "c.json")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Done." in done.stderr
    assert "WARNING" not in done.stderr


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(st.characters(codec="utf-8", exclude_characters=',"\r\n;|\t\0'), min_size=1))
def test_any_name_of_a_label_and_any_statement_are_read_back(tmp_path, name):
    name = name.strip()
    if not name or name in ("path", "x"):
        return
    path = tmp_path / "manifest.csv"
    path.write_text(f"path,{name}\na.png,1\n", encoding="utf-8")
    if name not in croissant.header.plain(path):  # the table would be read otherwise, or refused
        return
    croissant.write(tmp_path / "c.json", path, (name,), {"license": name, "name": "x"})
    dataset, records = read(tmp_path / "c.json")
    assert dataset.metadata.license == [name]
    assert records == [{"images/path": b"a.png", "images/label-1": 1}]


@pytest.mark.parametrize(
    ("text", "labels", "said"),
    [
        ("path;ill\na;1\n", ("ill",), "is no CSV file in UTF-8 with commas. Write a manifest"),
        ("path,ill\na,1\n", ("sick",), "no column 'sick'"),
        ("path,ill\na,yes\n", ("ill",), "'yes' is no value of a manifest's label; expected 1, 0,"),
        ("image,ill\na,1\n", ("ill",), "no column 'path'"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, labels, said):
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        croissant.write(tmp_path / "c.json", path, labels, {})
    assert said in str(error.value)
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"licence": "x"}, "did you mean 'license'"),
        ({"date_published": "May"}, "is no date; expected one such as 2026-11-28"),
        ({"url": "example.org"}, "is no address; expected https://"),
    ],
)
def test_wrong_statements(about, said):
    with pytest.raises(UserError, match="about") as error:
        croissant.check_about(about)
    assert said in str(error.value)


def test_the_command_describes_a_manifest(manifest, tmp_path, capsys):
    out = tmp_path / "c.json"
    command = ["manifest", str(manifest), '--labels=pneumonia,"a ""b"", c"', f"--croissant={out}"]
    assert cli.main([*command, "--about=url=https://example.org/?a=b"]) == 0
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert "Croissant also asks for license, citation, creator, date_published: " in said
    assert json.loads(out.read_text())["url"] == "https://example.org/?a=b"
    assert read(out)[1]


def test_the_command_describes_what_it_writes(tmp_path, capsys):
    table = tmp_path / "export.csv"
    table.write_text("file;patient;ill\na.png;P1;yes\nb.png;P2;no\n")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    out = tmp_path / "manifest.csv"
    command = ["manifest", str(table), f"--out={out}", "--accept-guesses", "--labels=ill"]
    assert cli.main([*command, f"--croissant={tmp_path / 'c.json'}"]) == 0, capsys.readouterr()
    _, records = read(tmp_path / "c.json")
    assert [record["images/label-2"] for record in records] == [1, 0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--about=license=x"], "--about goes with --croissant=FILE.json only."),
        (["--croissant=c.txt"], "--croissant=c.txt: expected a name that ends in .json."),
        (["--croissant=c.json", "--about=license"], "expected KEY=TEXT, such as license=CC-BY"),
        (["--croissant=c.json", "--about=url=x", "--about=url=y"], "names 'url' twice"),
        (["--croissant=c.json"], "name its label columns by --labels"),
    ],
)
def test_wrong_arguments(manifest, capsys, options, said):
    assert cli.main(["manifest", str(manifest), *options]) == 1
    assert said in capsys.readouterr().err
