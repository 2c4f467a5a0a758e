"""The doctor's diagnosis as text."""

import io

from rich.console import Console

from remedis.data.checks.doctor import Diagnosis, Expectation, Finding
from remedis.reporting.doctor_table import diagnosis_report

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
    Console(file=buffer, width=120).print(diagnosis_report(diagnosis), highlight=False)
    return buffer.getvalue()


def test_the_heading_of_a_public_layout_names_its_directory():
    text = printed(Diagnosis("dicom", 1, (), {}, directory="/data/pacs"))
    assert text.startswith("1 image of /data/pacs, source dicom\n")


def test_tables_and_findings():
    text = printed(Diagnosis("my data", 1239, FINDINGS, TABLES))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "1,239 images of my data"
    assert "train 1,234 7 0" in lines
    assert "[red]ill 5 of 15 (3) 6 of 16 (3) 2 4" in lines
    assert "unknown 3" in lines
    assert f"|█{' ' * 30}█|" in text
    # The worst finding stands last, above the verdict, with the first three bad images.
    assert lines[-8:] == [
        "note: Who knows.",
        "warning: It is dark.",
        "error: Bad [bold]images.",
        "0.png: Gone.",
        "1.png: Gone.",
        "2.png: Gone.",
        "... more with --json",
        "1 error and 1 warning.",
    ]


def test_nothing_wrong():
    text = printed(Diagnosis("my data", 0, (), {}))
    assert text.splitlines()[-1] == "Nothing wrong was found."


def test_random_weights_are_noted():
    diagnosis = Diagnosis("my data", 0, (), {}, Expectation("folder", random=True))
    assert "for folder" in printed(diagnosis)
    assert "RANDOM WEIGHTS" in printed(diagnosis)
