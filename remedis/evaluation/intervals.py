"""Estimates with their intervals, resampled by patient.

Images of one patient are not independent, so patients are drawn, each with all of its images (the
cluster bootstrap: Field and Welsh, J. R. Stat. Soc. B 69:369-390, 2007). The interval is made of
percentiles of the resampled metric (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13). It is blind where the data are: a metric of exactly 1 has the interval [1, 1].
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.errors import UserError

LEVEL = 0.95
RESAMPLES = 1000
# With k patients positive, a resample has none of them with probability about exp(-k): 0.7 % at
# five, 5 % at three. And k patients give few distinct resamples, C(2k - 1, k): 126 at five, 10 at
# three. Below five the 2.5 % tail is made of a handful of draws, and percentiles mean nothing.
MIN_PATIENTS = 5
# Fewer resamples than this have no draw beyond the 2.5 and 97.5 % percentiles.
MIN_RESAMPLES = 40


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval and what it rests on.

    Attributes:
      value: the metric on the data as they are; None if not estimable.
      low: lower end of the interval; None if not estimable.
      high: upper end of the interval; None if not estimable.
      patients: distinct patients with a known label.
      positives: distinct patients with at least one positive image.
    """

    value: float | None
    low: float | None
    high: float | None
    patients: int
    positives: int

    @property
    def estimable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    @property
    def interval(self) -> str:
        """The numbers without the counts: `0.812 [0.780, 0.840]` or `not estimable`."""
        if self.value is None:
            return "not estimable"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def __str__(self) -> str:
        return f"{self.interval}, {self.patients} patients, {self.positives} positive"

    def to_json(self) -> dict[str, float | int | None]:
        """Returns the fields as JSON takes them: null where not estimable, never NaN."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Estimate":
        """Returns the estimate that `to_json` made `fields` of."""
        return cls(**{field.name: fields[field.name] for field in dataclasses.fields(cls)})


def patient_codes(patient_ids: Iterable[object]) -> npt.NDArray[np.intp]:
    """Returns [n] integers from 0 up, one a distinct patient.

    An id that is missing (None, NaN or blank) is a patient of its own. The numbers follow the
    sorted ids, not the order of the rows, so that a shuffled table draws the same resamples.
    """
    column = pd.Series(list(patient_ids), dtype=object)
    text = column.astype(str)
    missing = (column.isna() | (text.str.strip() == "")).to_numpy()
    codes, known = pd.factorize(text.mask(missing), sort=True)
    codes[missing] = len(known) + np.arange(missing.sum())
    return codes


def patient_counts(patients: int, resamples: int, seed: int) -> npt.NDArray[np.uint16]:
    """Returns [resamples, patients]: how often each resample draws each patient, with replacement.

    Raises:
      UserError: too few resamples for a percentile interval.
    """
    if resamples < MIN_RESAMPLES:
        raise UserError(
            f"{resamples} resamples are too few for an interval; at least {MIN_RESAMPLES}, "
            f"{RESAMPLES} by default."
        )
    generator = np.random.default_rng(seed)
    # Counting draws gives the multinomial counts several times faster than `multinomial` does.
    counts = np.empty((resamples, patients), dtype=np.uint16)
    for row in counts:
        row[:] = np.bincount(generator.integers(patients, size=patients), minlength=patients)
    return counts


def percentile_interval(draws: npt.NDArray[np.float64]) -> tuple[float, float] | None:
    """Returns the central 95 % of `draws` [B], or None if none is defined.

    Draws that are NaN (a resample with one class only) are left out: the interval is conditional on
    the metric being defined, as the value itself is.
    """
    defined = draws[~np.isnan(draws)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
