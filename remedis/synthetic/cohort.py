"""Imaginary patients with their studies and findings, before any dataset's habits of labelling."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from remedis.synthetic.anatomy import Anatomy, draw_anatomy
from remedis.synthetic.chest import HospitalStyle, draw_chest
from remedis.synthetic.drawing import generator
from remedis.synthetic.findings import CONDITIONS

# Square roots of primes: multiples of one spread evenly over [0, 1) modulo 1 (Weyl), and those of
# different ones independently of each other.
_PRIMES = (2, 3, 5, 7, 11, 13)
_OLDEST = 90


@dataclasses.dataclass(frozen=True)
class Study:
    """One visit of a patient.

    Attributes:
      number: from 1.
      age: years.
      findings: severity in (0, 1] of what can be seen, by name.
      rng: for what the dataset adds: views, labels.
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
      key: what the generators of this patient's images start with.
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
        """Returns the radiograph [H, W] uint8 number `image` of a study."""
        rng = generator(*self.key, study.number, image)
        return draw_chest(self.anatomy, study.findings, style, view, rng, shape)


def spread(number: int, stream: int, seed: int) -> float:
    """Returns a number in [0, 1) for a patient: patients in a row fill the interval evenly.

    Counts under a threshold so stay within one or two of their expectation, where independent
    draws would now and then leave a small set with too few patients of a rare condition.

    Args:
      number: of the patient.
      stream: which of the independent sequences, 0 to 5.
      seed: where the sequence starts.
    """
    return float((generator(seed, stream).random() + number * np.sqrt(_PRIMES[stream])) % 1)


def patients(
    seed: int, cohort: int, count: int, style: HospitalStyle, most_studies: int = 3
) -> Iterator[Patient]:
    """Yields patients 1 to `count`, each the same whatever `count` is.

    Args:
      seed: of the data set.
      cohort: keeps the patients of different data sets and splits apart.
      count: how many.
      style: whose prevalences hold.
      most_studies: largest number of studies a patient has.
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
        own = generator(*key, study)
        findings = _findings(own, ill, first=study == 1)
        studies.append(Study(study, min(age + (study - 1) // 2, _OLDEST), findings, own))
    return Patient(number, sex, anatomy, tuple(studies), key)


def _findings(rng: np.random.Generator, ill: Mapping[str, bool], first: bool) -> dict[str, float]:
    """Returns severities: the patient's diseases, some healed in later studies, some new."""
    findings = {}
    for name in CONDITIONS:
        here, severity = rng.random(), rng.uniform(0.15, 1)
        chance = (1.0 if first else 0.8) if ill[name] else (0.0 if first else 0.04)
        if here < chance:
            findings[name] = severity
    if rng.random() < 0.12:
        findings["Lung Lesion"] = rng.uniform(0.15, 1)
    # The sicker, the more lines and leads.
    if rng.random() < 0.12 + 0.10 * len(findings):
        findings["Support Devices"] = 1.0
    return findings


def frontal_view(study: Study, style: HospitalStyle) -> str:
    """Draws whether a study was taken in bed ("AP") or upright ("PA")."""
    worst = max(
        (severity for name, severity in study.findings.items() if name in CONDITIONS), default=0.0
    )
    return "AP" if study.rng.random() < style.share_ap + style.ap_sick * worst else "PA"
