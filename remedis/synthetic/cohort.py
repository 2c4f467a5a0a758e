"""Imaginary patients with their studies and findings, before the labelling of any data set."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from remedis.synthetic.anatomy import Anatomy, draw_anatomy
from remedis.synthetic.chest import HospitalStyle, draw_chest
from remedis.synthetic.drawing import generator
from remedis.synthetic.findings import CONDITIONS

# The multiples of the square root of a prime, modulo 1, are spread evenly over [0, 1) (Weyl's
# theorem). Those of different primes are independent of each other.
_PRIMES = (2, 3, 5, 7, 11, 13)
_OLDEST = 90


@dataclasses.dataclass(frozen=True)
class Study:
    """One visit of a patient.

    Attributes:
      number: from 1.
      age: in years.
      findings: severity in (0, 1] of the visible findings, by name.
      rng: the generator for the views and labels of the data set.
    """

    number: int
    age: int
    findings: Mapping[str, float]
    rng: np.random.Generator


@dataclasses.dataclass(frozen=True)
class Patient:
    """An imaginary patient.

    Attributes:
      number: from 1.
      sex: "F" or "M".
      anatomy: the same in all studies.
      studies: in order of time.
      key: the first keys of the generators of this patient's images.
    """

    number: int
    sex: str
    anatomy: Anatomy
    studies: tuple[Study, ...]
    key: tuple[int, ...]

    def draw(
        self,
        study: Study,
        image: int,
        view: str,
        style: HospitalStyle,
        shape: tuple[int, int],
    ) -> NDArray[np.uint8]:
        """Returns the radiograph with the number `image` of a study, [H, W] uint8."""
        rng = generator(*self.key, study.number, image)
        return draw_chest(self.anatomy, study.findings, style, view, rng, shape)


def spread(number: int, stream: int, seed: int) -> float:
    """Returns a number in [0, 1) for a patient; consecutive patients fill the interval evenly.

    The count of patients below a threshold therefore stays within one or two of its expectation.
    Independent draws would sometimes give a small set too few patients with a rare condition.

    Args:
      number: of the patient.
      stream: one of the independent sequences, 0 to 5.
      seed: decides the start of the sequence.
    """
    return float((generator(seed, stream).random() + number * np.sqrt(_PRIMES[stream])) % 1)


def patients(
    seed: int, cohort: int, count: int, style: HospitalStyle, most_studies: int = 3
) -> Iterator[Patient]:
    """Yields patients 1 to `count`; a patient does not depend on `count`.

    Args:
      seed: of the data set.
      cohort: a number per data set and split, so that their patients differ.
      count: the number of patients.
      style: the hospital, with its prevalences.
      most_studies: largest number of studies of a patient.
    """
    for number in range(1, count + 1):
        yield _patient((seed, cohort, number), style, most_studies)


def _patient(key: tuple[int, int, int], style: HospitalStyle, most_studies: int) -> Patient:
    seed, cohort, number = key
    rng = generator(*key)
    sex = str(rng.choice(["F", "M"]))
    age = int(np.clip(rng.normal(58, 17), 18, _OLDEST))
    anatomy = draw_anatomy(rng, sex, age)
    ill = {
        name: spread(number, stream, seed + cohort) < style.prevalence[name]
        for stream, name in enumerate(CONDITIONS)
    }
    studies = []
    for study in range(1, int(rng.integers(1, most_studies + 1)) + 1):
        study_rng = generator(*key, study)
        findings = _findings(study_rng, ill, first=study == 1)
        studies.append(Study(study, min(age + (study - 1) // 2, _OLDEST), findings, study_rng))
    return Patient(number, sex, anatomy, tuple(studies), key)


def _findings(rng: np.random.Generator, ill: Mapping[str, bool], first: bool) -> dict[str, float]:
    """Returns severities by name; in later studies some diseases have healed and some are new."""
    findings = {}
    for name in CONDITIONS:
        draw, severity = rng.random(), rng.uniform(0.15, 1)
        chance = (1.0 if first else 0.8) if ill[name] else (0.0 if first else 0.04)
        if draw < chance:
            findings[name] = severity
    if rng.random() < 0.12:
        findings["Lung Lesion"] = rng.uniform(0.15, 1)
    # Sicker patients have more lines and leads.
    if rng.random() < 0.12 + 0.10 * len(findings):
        findings["Support Devices"] = 1.0
    return findings


def frontal_view(study: Study, style: HospitalStyle) -> str:
    """Draws whether a study is taken in bed ("AP") or upright ("PA")."""
    severest = max(
        (severity for name, severity in study.findings.items() if name in CONDITIONS), default=0.0
    )
    return "AP" if study.rng.random() < style.share_ap + style.ap_sick * severest else "PA"
