"""The doctor: an examination of data before training, with findings and counts."""

from remedis.data.checks.doctor.diagnosis import (
    ERROR,
    NOTE,
    WARNING,
    Diagnosis,
    Expectation,
    Finding,
)
from remedis.data.checks.doctor.examine import diagnose

__all__ = ["ERROR", "NOTE", "WARNING", "Diagnosis", "Expectation", "Finding", "diagnose"]
