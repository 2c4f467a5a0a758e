"""The answers as tables: every arm, level to reach and mode."""

from remedis.reporting.label_budget_report.content import Table
from remedis.reporting.label_budget_report.number_format import (
    Fields,
    fold,
    patients,
    percent,
    whole,
)
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    largest_budget,
    mode_name,
    pool,
)


def answer_tables(study: Study) -> list[Table]:
    """Returns one table per mode; none if there are no answers."""
    if not study["answers"]:
        return []
    costs = any(answer.get("cost") for answer in study["answers"])
    header = ["arm", "level to reach", "labelled patients [95 % interval]"]
    header += ["times fewer than the baseline [95 % interval]", "resamples that reach it"]
    hospital = study["data"]["ood"]["name"]
    return [
        Table(
            f"{mode_name(mode)}: labelled patients of {hospital} that each arm needs.",
            header + ["cost of labelling"] * costs,
            [_row(answer, study, costs) for answer in study["answers"] if answer["mode"] == mode],
        )
        for mode in study["modes"]
    ]


def _row(answer: Fields, study: Study, costs: bool) -> list[str]:
    target = answer["target"]
    if target == "reference":
        target = f"{study['baseline']} with all {pool(study):,}"
        if answer["level"] is not None:
            target += f": {answer['level']:.3f}"
    return [
        answer["arm"],
        target,
        _needed(answer, study),
        _times_fewer(answer, study),
        percent(answer["share_reached"]),
        *([_cost(answer.get("cost"))] if costs else []),
    ]


def _needed(answer: Fields, study: Study) -> str:
    estimate = answer["patients"]
    if answer["extrapolated"]:
        return f"{patients(estimate, None)} (extrapolated, not measured)"
    largest = largest_budget(study)
    if estimate is not None:
        return patients(estimate, largest)
    text = f"{answer['status']} with {largest:,}"
    if answer["at_least"] is None:
        return text
    return f"{text} [{whole(answer['at_least'])}, beyond {largest:,}]"


def _times_fewer(answer: Fields, study: Study) -> str:
    if answer["fold"] is not None:
        return fold(answer["fold"])
    # The ratio is undefined if the arm or the baseline needs no patients, or more than exist.
    missed = answer["status"] == "reached" and answer["arm"] != study["baseline"]
    return "the baseline does not reach it" if missed else ""


def _cost(cost: Fields | None) -> str:
    amounts = []
    if cost and cost.get("minutes") is not None:
        amounts.append(f"{cost['minutes']:,.0f} minutes")
    if cost and cost.get("price") is not None:
        amounts.append(f"price {cost['price']:,.2f}")
    return ", ".join(amounts)
