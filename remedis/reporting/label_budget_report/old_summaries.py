"""Summaries of earlier versions, completed with what this version records."""

from typing import Any

from remedis.evaluation.label_budget.analysis import MIN_SEEDS
from remedis.evaluation.label_budget.levels import LEVEL_AT_CHANCE, REFERENCE
from remedis.evaluation.label_budget.required_patients import (
    ARM_AT_CHANCE,
    BASELINE_MISSES,
    BELOW,
    CONTAINS_ONE,
    IS_BASELINE,
    NOT_REACHED,
    ONE_SIDED,
    TOO_FEW_SEEDS,
)
from remedis.evaluation.label_budget.study_metric import AUROC_CHANCE
from remedis.reporting.label_budget_report.number_format import Fields
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    last_mean,
    pool,
)


def completed(study: Study) -> Study:
    """Returns a summary with every key that the report reads; present keys are unchanged.

    Answers of 0.1.0 divide the baseline's whole pool, and do not ask whether an arm beats chance.
    They become answers of this version: without such a multiple, and without a number for an arm or
    a level that is not above chance.
    """
    return {
        "levels": [],
        "placebo": [],
        "primary": None,
        "adjustment": None,
        "tuning": {},
        "trainings": {},
        "rehearsal": False,
        "too_few_seeds": study["seeds"] < MIN_SEEDS,
        **study,
        "answers": [
            answer if "fold_missing" in answer else _answer(answer, study)
            for answer in study["answers"]
        ],
    }


def _answer(old: Fields, study: Study) -> dict[str, Any]:
    """Returns an answer of 0.1.0 in the form of this version."""
    arm, mode, baseline = old["arm"], old["mode"], study["baseline"]
    above = {name: _above_chance(last_mean(study, name, mode)) for name in (arm, baseline)}
    reference = old["target"] == REFERENCE
    status = old["status"]
    if reference and not above[baseline]:
        status = LEVEL_AT_CHANCE
    elif status != NOT_REACHED and not above[arm]:
        status = ARM_AT_CHANCE
    answered = status == old["status"]
    patients = old["patients"] if answered and not old["extrapolated"] else None
    ratio = old["fold"] if answered and not old["extrapolated"] else None
    missing = _fold_missing(old, status, study)
    return {
        **old,
        "share_of_gain": None,
        "headline": False,
        "status": status,
        "arm_above_chance": above[arm],
        "baseline_above_chance": above[baseline],
        "patients": patients,
        "at_least": old["at_least"] if answered else None,
        "share_reached": old["share_reached"] if answered else None,
        "baseline_patients": _baseline_patients(old, study) if answered else None,
        "ratio": ratio,
        "fold": None if missing else ratio,
        "fold_missing": missing,
        "extrapolation": {"patients": old["patients"], "missing": None}
        if old["extrapolated"]
        else None,
        "cost": old.get("cost") if answered else None,
    }


def _above_chance(mean: Fields | None) -> bool:
    return mean is not None and mean["low"] is not None and mean["low"] > AUROC_CHANCE


def _fold_missing(old: Fields, status: str, study: Study) -> str | None:
    """Returns the reason for which no multiple is given; None if there is one."""
    if old["arm"] == study["baseline"]:
        return IS_BASELINE
    if old["target"] == REFERENCE:
        return ONE_SIDED
    if status in (LEVEL_AT_CHANCE, ARM_AT_CHANCE):
        return status
    if study["seeds"] < MIN_SEEDS:
        return TOO_FEW_SEEDS
    if status in (NOT_REACHED, BELOW):
        return status
    if old["fold"] is None:
        return BASELINE_MISSES
    low, high = old["fold"]["low"], old["fold"]["high"]
    includes_one = (low is None or low <= 1) and (high is None or high >= 1)
    return CONTAINS_ONE if includes_one else None


def _baseline_patients(old: Fields, study: Study) -> Fields | None:
    """Returns what the baseline needs for the same level; its whole pool for the reference."""
    if old["target"] == REFERENCE:
        return dict.fromkeys(("value", "low", "high"), float(pool(study)))
    for other in study["answers"]:
        same = (other["mode"], other["target"]) == (old["mode"], old["target"])
        if same and other["arm"] == study["baseline"]:
            needed: Fields | None = None if other["extrapolated"] else other["patients"]
            return needed
    return None
