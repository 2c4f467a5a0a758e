"""The options of `remedis serve`, and what is wrong with them before a model is loaded."""

import pytest

from remedis import cli
from remedis.serving import run_server
from remedis.serving.settings import ServingSettings

TOKEN = "0123456789abcdef"


@pytest.fixture
def started(monkeypatch):
    """The arguments with which a server would have started."""
    found = []
    monkeypatch.setattr(run_server, "serve", lambda *of: found.append(of))
    return found


def fault(capsys, *options):
    assert cli.main(["serve", *map(str, options)]) == 1
    return capsys.readouterr().err


def test_the_defaults_are_those_of_the_settings(tmp_path, started):
    assert cli.main(["serve", str(tmp_path)]) == 0
    ((model, settings, engine, *_),) = started
    assert (model, settings, engine) == (str(tmp_path), ServingSettings(), "auto")


def test_every_option_arrives(tmp_path, started, capsys):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    line = (
        f"serve {tmp_path} --engine=onnx --host=0.0.0.0 --port=0 --token-file={tmp_path}/token "
        "--max-bytes=5000 --max-megapixels=2 --max-queue=7 --batch-size=3 --batch-wait-ms=1.5 "
        "--timeout-seconds=9 --body-seconds=8 --concurrency=6 --decoders=1 "
        "--embeddings=mine.npz --neighbours=4"
    )
    assert cli.main(line.split()) == 0
    ((_, settings, engine, _, embeddings),) = started
    assert (engine, embeddings) == ("onnx", "mine.npz")
    assert settings == ServingSettings(
        host="0.0.0.0",
        port=0,
        token=TOKEN,
        max_bytes=5_000,
        max_pixels=2_000_000,
        max_queue=7,
        batch_size=3,
        batch_wait_ms=1.5,
        timeout_seconds=9,
        body_seconds=8,
        concurrency=6,
        decoders=1,
        neighbours=4,
    )
    assert TOKEN not in repr(settings) + capsys.readouterr().out


def test_a_server_without_a_token_says_so(tmp_path, started, capsys):
    assert cli.main(["serve", str(tmp_path), "--host=0.0.0.0", "--no-token"]) == 0
    assert "Everyone who reaches this server may use its model" in capsys.readouterr().err


def test_other_computers_need_a_token(tmp_path, started, capsys):
    error = fault(capsys, tmp_path, "--host=0.0.0.0")
    assert "give --token-file, or --no-token if everyone there may use the model." in error
    assert not started


@pytest.mark.parametrize("text", ["", "short", "0123456789abcdef\n0123456789abcdef", "a b" * 9])
def test_a_file_without_a_token_is_refused(tmp_path, started, capsys, text):
    (tmp_path / "token").write_text(text)
    error = fault(capsys, tmp_path, f"--token-file={tmp_path}/token")
    assert "token" in error
    assert text.strip() not in error or not text
    assert not started


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--port=70000", "--port=70000: expected 0 to 65,535."),
        ("--port=x", "invalid int value: 'x'; see remedis serve --help."),
        ("--batch-wait-ms=nan", "--batch-wait-ms=nan: expected 0 to"),
        ("--batch-size=100", "--max-queue=64 is less than --batch-size=100"),
        ("--token-file=none", "none cannot be opened (No such file or directory)"),
        ("--max-megapixels=0", "--max-megapixels is 0; expected million pixels"),
    ],
)
def test_wrong_options_have_a_sentence(tmp_path, started, capsys, option, sentence):
    assert sentence in fault(capsys, tmp_path, option)
    assert not started


def test_a_missing_model_is_named_before_tensorflow_is_loaded(tmp_path, capsys):
    error = fault(capsys, tmp_path / "run")
    assert f"{tmp_path}/run does not exist" in error
    error = fault(capsys, tmp_path, "--engine=onyx", "--port=0")
    assert "Unknown --engine 'onyx': did you mean 'onnx'?" in error


def test_an_empty_folder_is_no_model(tmp_path, capsys):
    assert str(tmp_path) in fault(capsys, tmp_path, "--port=0")
