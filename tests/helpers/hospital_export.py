"""A table as a German hospital exports it, with made-up films."""

import pathlib

from PIL import Image

from remedis import synthetic
from remedis.synthetic import cohort

LABELS = ("Erguss", "Herzgr\u00f6\u00dfe")
HEADER = f"Patient ID;Datei;Studiendatum;Geschlecht;Alter;{';'.join(LABELS)};Bemerkung"


def write_export(
    root: pathlib.Path, patients: int = 40, image_size: int = 48, encoding: str = "utf-8-sig"
) -> pathlib.Path:
    r"""Writes `export.csv` and the films in `Bilder/`; returns the table.

    Semicolons, a byte order mark, ids with leading zeros, Ja, Nein and unklar, paths of Windows,
    dates, and ages of children with a decimal comma.
    """
    rows = [HEADER]
    for patient in cohort.patients(0, 7, patients, synthetic.HOSPITAL_A):
        number = patient.number
        study = patient.studies[0]
        folder = root / "Bilder" / f"{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = patient.draw(study, 1, "PA", synthetic.HOSPITAL_A, (image_size, image_size))
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")
        findings = [
            "unklar" if number % 11 == place else ("Ja" if name in study.findings else "Nein")
            for place, name in enumerate(("Pleural Effusion", "Cardiomegaly"))
        ]
        age = "1,5" if number == 5 else f"{study.age},0"
        rows.append(
            ";".join(
                [
                    f"{number:06d}",
                    f"D:\\PACS\\Bilder\\{number % 3}\\{number:04d}.png",
                    f"{1 + number % 28:02d}.03.2021",
                    "W" if patient.sex == "F" else "M",
                    age,
                    *findings,
                    "pr\u00fcfen" if number % 7 == 0 else "",
                ]
            )
        )
    table = root / "export.csv"
    table.write_bytes(("\r\n".join(rows) + "\r\n").encode(encoding))
    return table
