import io

import pytest
from rich.console import Console

from remedis.data.checks.doctor import Diagnosis, Expectation, Finding
from remedis.errors import UserError
from remedis.reporting import doctor

TABLES = {
    "splits": ({"split": "train", "images": 1234, "patients": 7, "studies": 0},),
    "labels": tuple(
        {
            "label": "[red]ill",
            "split": split,
            "positive": positive,
            "negative": 10,
            "uncertain": 1,
            "unknown": 2,
            "positive_patients": 3,
            "negative_patients": 4,
        }
        for split, positive in (("train", 5), ("test", 6))
    ),
    "bits": ({"bits": None, "images": 3},),
    "histogram": tuple(
        {"from": i / 32, "to": (i + 1) / 32, "share": 0.5 * (i in (0, 31))} for i in range(32)
    ),
}
FINDINGS = (
    Finding("error", "unreadable", "Bad [bold]images.", tuple(f"{i}.png: Gone." for i in range(5))),
    Finding("warning", "dark", "It is dark."),
    Finding("note", "unknown", "Who knows."),
)


def printed(diagnosis: Diagnosis) -> str:
    buffer = io.StringIO()
    doctor.print_diagnosis(diagnosis, Console(file=buffer, width=120))
    return buffer.getvalue()


def test_tables_and_findings():
    text = printed(Diagnosis("my data", 1239, FINDINGS, TABLES))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "1,239 images of my data"
    assert "train 1,234 7 0" in lines
    assert "[red]ill 5 of 15 (3) 6 of 16 (3) 2 4" in lines
    assert "unknown 3" in lines
    assert f"|█{' ' * 30}█|" in text
    # The worst stands last, above the verdict; of bad images the first three.
    assert (
        lines[-7:]
        == [
            "note: Who knows.",
            "warning: It is dark.",
            "error: Bad [bold]images.",
            "0.png: Gone.",
            "1.png: Gone.",
            "2.png: Gone.",
            "... more with --json",
            "1 error and 1 warning.",
        ][-7:]
    )
    assert lines[-8] == "note: Who knows."


def test_nothing_wrong():
    text = printed(Diagnosis("my data", 0, (), {}))
    assert text.splitlines()[-1] == "Nothing wrong was found."


def test_random_weights_are_said():
    diagnosis = Diagnosis("my data", 0, (), {}, Expectation("folder", random=True))
    assert "for folder" in printed(diagnosis)
    assert "RANDOM WEIGHTS" in printed(diagnosis)


def test_expectation_of_a_folder(tiny_checkpoint):
    expected = doctor.expectation(tiny_checkpoint)
    assert expected.name == tiny_checkpoint.name
    assert expected.random
    assert expected.value_range == (0.0, 1.0)
    assert expected.data_type is None


def test_expectation_of_no_folder(tmp_path):
    with pytest.raises(UserError, match=r"saved_model\.pb"):
        doctor.expectation(tmp_path)
