"""The answers as tables: every arm, level to reach and mode."""

from remedis.evaluation.label_budget.levels import LEVEL_AT_CHANCE, NO_GAIN, REFERENCE
from remedis.evaluation.label_budget.required_patients import (
    ARM_AT_CHANCE,
    BASELINE_BELOW,
    BASELINE_MISSES,
    BELOW,
    CONTAINS_ONE,
    IS_BASELINE,
    NOT_REACHED,
    ONE_SIDED,
    TOO_FEW_SEEDS,
)
from remedis.reporting.label_budget_report.number_format import (
    Fields,
    fold,
    patients,
    percent,
    whole,
)
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    hospital,
    largest_budget,
    metric_name,
    mode_name,
    pool,
)
from remedis.reporting.page_content import Table

_WHY_NO_MULTIPLE = {
    IS_BASELINE: "the baseline",
    ONE_SIDED: "no: the baseline may need fewer than all",
    LEVEL_AT_CHANCE: "no: the level is not shown to be above chance",
    NO_GAIN: "no: the baseline is not shown to gain",
    ARM_AT_CHANCE: "no: the arm is not shown to be above chance",
    TOO_FEW_SEEDS: "no: too few seeds",
    NOT_REACHED: "no: the arm does not reach it",
    BELOW: "no: the arm starts at the level",
    BASELINE_MISSES: "no: the baseline does not reach it",
    BASELINE_BELOW: "no: the baseline starts at the level",
    CONTAINS_ONE: "no: the interval includes 1",
}
_STATUS = {
    LEVEL_AT_CHANCE: "no answer: level not shown to be above chance",
    NO_GAIN: "no answer: the baseline is not shown to gain",
    ARM_AT_CHANCE: "no answer: arm not shown to be above chance",
}


def answer_tables(study: Study) -> list[Table]:
    """Returns one table per mode; none if there are no answers."""
    if not study["answers"]:
        return []
    costs = any(answer.get("cost") for answer in study["answers"])
    header = ["arm", "level to reach", "labelled patients [95 % interval]"]
    header += [f"{study['baseline']} needs [95 % interval]", "quotient [95 % interval]"]
    header += ["stated as a multiple", "resamples that reach it"]
    return [
        Table(
            f"{mode_name(mode)}: labelled patients of {hospital(study)} that each arm needs.",
            header + ["cost of labelling"] * costs,
            [_row(answer, study, costs) for answer in _by_level(study, mode)],
        )
        for mode in study["modes"]
    ]


def headline_answer(study: Study, arm: str, mode: str) -> list[str]:
    """Returns level, patients, those of the baseline, quotient, and whether it is a multiple.

    Empty texts stand where the study has no headline answer of this arm and mode.
    """
    for answer in study["answers"]:
        if answer["headline"] and (answer["arm"], answer["mode"]) == (arm, mode):
            return _row(answer, study, costs=False)[1:6]
    return [""] * 5


def _by_level(study: Study, mode: str) -> list[Fields]:
    """Returns the answers of a mode; those of one level are neighbours."""
    answers = [answer for answer in study["answers"] if answer["mode"] == mode]
    levels = list(dict.fromkeys(answer["target"] for answer in answers))
    return sorted(answers, key=lambda answer: levels.index(answer["target"]))


def _row(answer: Fields, study: Study, costs: bool) -> list[str]:
    reached = answer["share_reached"]
    return [
        answer["arm"],
        _level(answer, study),
        _needed(answer, study),
        _estimate_or_nothing(answer["baseline_patients"], study),
        _quotient(answer),
        "yes" if answer["fold"] else _WHY_NO_MULTIPLE[answer["fold_missing"]],
        "" if reached is None else percent(reached),
        *([_cost(answer.get("cost"))] if costs else []),
    ]


def _level(answer: Fields, study: Study) -> str:
    target: str = answer["target"]
    if target == REFERENCE:
        target = f"{study['baseline']} with all {pool(study):,}"
    elif answer["share_of_gain"] is None:
        return target
    if answer["level"] is None:
        return target
    is_lower = answer.get("level_lowered") and answer["status"] not in _STATUS
    lowered = ", lowered: the arm ends lower" if is_lower else ""
    return f"{target}: {metric_name(study)} {answer['level']:.3f}{lowered}"


def _quotient(answer: Fields) -> str:
    """Returns the ratio of both arms' patients; empty for the baseline with itself."""
    ratio = answer["ratio"]
    if ratio is None or ratio["value"] is None or answer["fold_missing"] == IS_BASELINE:
        return ""
    return fold(ratio)


def _needed(answer: Fields, study: Study) -> str:
    if answer["status"] in _STATUS:
        return _STATUS[answer["status"]]
    largest = largest_budget(study)
    if answer["patients"] is not None:
        return patients(answer["patients"], largest)
    text = f"{answer['status']} with {largest:,}"
    if answer["at_least"] is not None:
        text += f" [{whole(answer['at_least'])}, beyond {largest:,}]"
    extrapolation = answer["extrapolation"]
    if extrapolation is not None and extrapolation["missing"] is None:
        text += f"; extrapolated, not measured: {patients(extrapolation['patients'], None)}"
    return text


def _estimate_or_nothing(needed: Fields | None, study: Study) -> str:
    if needed is None or needed["value"] is None:
        return ""
    if needed["low"] == needed["value"] == needed["high"]:
        return f"{whole(needed['value'])} (all)"
    return patients(needed, largest_budget(study))


def _cost(cost: Fields | None) -> str:
    amounts = []
    if cost and cost.get("minutes") is not None:
        amounts.append(f"{cost['minutes']:,.0f} minutes")
    if cost and cost.get("price") is not None:
        amounts.append(f"price {cost['price']:,.2f}")
    return ", ".join(amounts)
