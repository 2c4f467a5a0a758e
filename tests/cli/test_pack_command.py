import json

import pytest

from remedis import cli
from remedis.zoo import licences, pack
from remedis.zoo.provenance import Provenance


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Replaces the packing; returns what it was called with."""
    calls = []

    def fake(folder, out, with_seen=False, with_reference=False):
        calls.append((folder, out, with_seen, with_reference))
        return pack.Packed(
            archive=tmp_path / "a b.tar.gz",
            name="run-1",
            sha256="ab" * 32,
            bytes=93_985_024,
            members=("remedis.json", "saved_model.pb"),
            left_out=("notes.txt", "seen.json", "reference.npz"),
            seen=with_seen,
            reference=with_reference,
            handle="OWNER/run-1/TensorFlow2/default/1",
            licences=[*licences.chain(Provenance("training", "x")), licences.BIT],
        )

    monkeypatch.setattr(pack, "pack", fake)
    (tmp_path / "folder").mkdir()
    return calls


def test_the_command_says_how_to_load_and_what_to_check(packed, tmp_path, capsys):
    folder, out = str(tmp_path / "folder"), str(tmp_path / "x.tar.gz")
    assert cli.main(["pack", folder, f"--out={out}"]) == 0
    printed = capsys.readouterr().out
    assert packed == [(folder, out, False, False)]
    flat = " ".join(printed.split())
    assert "93,985,024 bytes" in flat
    assert "ab" * 32 in flat.replace(" ", "")
    assert "mkdir 'a b' && tar -xzf" in flat
    assert "OWNER/run-1/TensorFlow2/default/1" in flat
    assert "seen.json is left out" in flat
    assert "reference.npz is left out" in flat
    assert "no part of an export: notes.txt." in flat
    said = "No terms are stated for the weights made by this training, the training images: state"
    assert said in flat
    assert "If you set config.data_terms when you train, the terms of your data are in" in flat
    assert "weights: BiT: not checked: read it at https://github.com" in flat


def test_the_command_gives_json_and_includes_seen_images_when_asked(packed, tmp_path, capsys):
    folder = str(tmp_path / "folder")
    assert cli.main(["pack", folder, "--out=x.tar.gz", "--with-seen", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["sha256"], values["seen"]) == ("ab" * 32, True)
    assert pack.WITH_SEEN in values["notes"]


def test_the_command_includes_the_reference_when_asked(packed, tmp_path, capsys):
    folder = str(tmp_path / "folder")
    assert cli.main(["pack", folder, "--out=x.tar.gz", "--with-reference", "--json"]) == 0
    assert packed == [(folder, "x.tar.gz", False, True)]
    values = json.loads(capsys.readouterr().out)
    assert (values["reference"], values["seen"]) == (True, False)
    assert pack.WITH_REFERENCE in values["notes"]


def test_a_folder_that_does_not_exist_is_named(tmp_path, capsys):
    assert cli.main(["pack", str(tmp_path / "none"), "--out=x.tar.gz"]) == 1
    assert "none does not exist. Expected the directory of a run or a model." in (
        capsys.readouterr().err
    )
