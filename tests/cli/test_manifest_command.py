"""The command `manifest`: guesses are confirmed, problems listed, the printed command works."""

import json
import shlex

import hospital_export
import pandas as pd
import pytest

from remedis.cli import UNWELL, main


@pytest.fixture
def export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return hospital_export.write_export(tmp_path, patients=30, image_size=32)


def test_guesses_need_consent_and_the_printed_command_states_them(export, capsys):
    arguments = ["manifest", "export.csv", "--out", "manifest.csv"]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "Nothing was written: confirm the guesses by --accept-guesses" in printed.err
    assert not (export.parent / "manifest.csv").exists()
    command = printed.out[printed.out.index("remedis manifest") :].replace("\\\n", " ")
    stated = shlex.split(command)[1:]
    assert stated[:5] == [*arguments, "--path-prefix=D:/PACS"]
    assert main(stated) == 0
    by_hand = pd.read_csv("manifest.csv", dtype=str)
    assert "Next: remedis doctor manifest.csv --labels='Erguss, Herzgr" in capsys.readouterr().out
    assert main([*arguments, "--accept-guesses"]) == 0
    assert by_hand.equals(pd.read_csv("manifest.csv", dtype=str))


def test_problems_are_numbered_and_nothing_is_written(export, capsys):
    text = export.read_text("utf-8-sig").replace("0003.png", "x.png").replace("unklar", "evtl.")
    export.write_text(text, "utf-8")
    assert main(["manifest", "export.csv", "--out", "m.csv", "--labels=Ergus"]) == UNWELL
    printed = capsys.readouterr()
    out = " ".join(printed.out.split())
    assert "1. problem: There is no label 'Ergus' (did you mean 'Erguss'?)." in out
    assert "2. problem: 1 of 30 files do not exist in .:" in out
    assert "Nothing was written: the table has 2 problems." in printed.err
    assert main(["manifest", "export.csv", "--out=m.csv", "--labels=Erguss", "--json"]) == UNWELL
    written = json.loads(capsys.readouterr().out)
    assert written["labels"] == ["Erguss"]
    assert [problem["is_serious"] for problem in written["problems"]] == [True, True]
    assert "'evtl.' (row 1" in written["problems"][0]["sentence"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--column", "Datei"], "--column has 'Datei'; expected COLUMN=NAME, such as 'Patient ID"),
        (["--value", "Ja=yes"], "The value 'Ja' means 'yes'; expected one of 1, 0"),
        (["--value", "Ja=1", "--value", "Ja=0"], "--value names 'Ja' twice; name it once."),
        (["--images", "none"], "--images=none: there is no such directory."),
        (["--out", "export.csv"], "--out=export.csv is the table itself; name another file."),
        (["--separator", "dot"], "Unknown separator 'dot'"),
    ],
)
def test_wrong_arguments(export, capsys, arguments, sentence):
    assert main(["manifest", "export.csv", "--out", "m.csv", *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_without_a_file_to_write_the_table_is_shown(export, capsys):
    assert main(["manifest", "export.csv"]) == 1
    assert "remedis manifest export.csv --out manifest.csv" in capsys.readouterr().out
    assert main(["manifest", "export.csv", "--accept-guesses"]) == 1
    assert "Nothing was written: name the file by --out." in capsys.readouterr().err
