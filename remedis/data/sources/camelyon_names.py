"""Slides of Camelyon16 and Camelyon17 in the names of files: their patient, node and hospital.

Camelyon16 names slides `normal_001`, `tumor_001` and `test_001`. Every slide counts as a patient:
Cancers 14:5424, 2022, table 1, counts 399 slides of 399 cases. Camelyon17 names them
`patient_004_node_4`. Its patients are artificial mixtures of several real ones.
"""

import dataclasses
import pathlib
import re

_SLIDE = re.compile(
    r"(?<![a-z0-9])(?:(?P<kind>normal|tumor|test)_(?P<number>[0-9]{3})"
    r"|patient_(?P<patient>[0-9]{3})_node_(?P<node>[0-9]))(?![0-9])",
    re.IGNORECASE,
)
# The last number of Radboud's slides; the first name of tumor_111 was normal_086. Numbers of
# FLamby's metadata, arXiv 2210.04620.
_RADBOUD = {"normal": 100, "tumor": 70}
_RADBOUD_TOO = "tumor_111"
# Removed by the publishers: one shows tumour and is now tumor_111, the other is a duplicate.
REMOVED = ("normal_086", "test_049")
PATIENTS_PER_CENTRE = 20
TRAINING_PATIENTS = 100  # of Camelyon17: the hospitals of further ones are not published


@dataclasses.dataclass(frozen=True)
class Slide:
    """A slide as its name describes it.

    Attributes:
      slide_id: such as `tumor_001` or `patient_004_node_4`, in lower case.
      kind: `normal`, `tumor` or `test` of Camelyon16; empty for Camelyon17.
      patient_id: the slide of Camelyon16, the number of the patient of Camelyon17, such as `004`.
      study_id: the slide, or patient and node, such as `004/4`.
      site: `Radboud` or `Utrecht`, 0 to 4 of Camelyon17, None where it is not published.
    """

    slide_id: str
    kind: str
    patient_id: str
    study_id: str
    site: str | None


def find(path: str) -> Slide | None:
    """Returns the slide that a path names, in its last part that names one; None if none does."""
    for part in reversed(pathlib.PurePosixPath(path).parts):
        if match := _SLIDE.search(part):
            return _slide(match)
    return None


def _slide(match: re.Match[str]) -> Slide:
    name = match[0].lower()
    if patient := match["patient"]:
        known = int(patient) < TRAINING_PATIENTS
        site = str(int(patient) // PATIENTS_PER_CENTRE) if known else None
        return Slide(name, "", patient, f"{patient}/{match['node']}", site)
    kind = match["kind"].lower()
    return Slide(name, kind, name, name, hospital(kind, int(match["number"]), name))


def hospital(kind: str, number: int, name: str) -> str | None:
    """Returns the hospital of a slide of Camelyon16, None for a test slide.

    Args:
      kind: `normal`, `tumor` or `test`.
      number: of the slide.
      name: of the slide, such as `tumor_111`.
    """
    if kind == "test":
        return None
    return "Radboud" if number <= _RADBOUD[kind] or name == _RADBOUD_TOO else "Utrecht"
