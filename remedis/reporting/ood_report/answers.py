"""The answer: in a sentence each, and as a table."""

from collections.abc import Sequence

from remedis.reporting.ood_report.markup import Markup, join, table, tag
from remedis.reporting.ood_report.words import (
    NOT_ESTIMABLE,
    Fields,
    Study,
    budgets,
    fold,
    largest_budget,
    mode_name,
    patients,
    percent,
    pool,
    whole,
)

_NO_ANSWER = "No arm was compared with a level to reach."


def paragraphs(study: Study) -> Markup:
    """Returns one paragraph a mode: how many labelled patients each arm needs."""
    result = []
    for mode in study["modes"]:
        of_mode = [
            answer
            for answer in sorted(study["answers"], key=lambda a: a["target"] != "reference")
            # That the baseline reaches itself is no news.
            if answer["mode"] == mode
            and (answer["arm"], answer["target"]) != (study["baseline"], "reference")
        ]
        said = [sentence(answer, study) for answer in of_mode if not _missed(answer)]
        for target in dict.fromkeys(answer["target"] for answer in of_mode if _missed(answer)):
            missed = [a for a in of_mode if _missed(a) and a["target"] == target]
            said.append(missed_sentence(missed, study))
        if said:
            result.append(tag("p", tag("strong", f"{mode_name(mode)}."), " ", " ".join(said)))
    return join(result) or tag("p", _NO_ANSWER)


def sentence(answer: Fields, study: Study) -> str:
    """Returns in words an answer that is not "not reached", open ends and doubts included."""
    arm = answer["arm"]
    if answer["level"] is None:
        return f"For {arm} there is no answer: the level to reach is {NOT_ESTIMABLE}."
    goal = _goal(answer, study)
    most = largest_budget(study)
    if answer["extrapolated"]:
        needed = patients(answer["patients"], None)
        return (
            f"Extrapolated beyond the {most:,} patients measured, not measured: {arm} would need "
            f"{needed} labelled patients for {goal}."
        )
    if answer["status"] == "below the first budget":
        first = budgets(study)[0]
        few = f"With {first:,} labelled patients, the fewest," if first else "Zero-shot,"
        return f"{few} {arm} already reaches {goal}{_up_to(answer)}."
    if answer["patients"] is None:
        return f"{arm}, {goal}: {answer['status']}."
    number, _, ends = patients(answer["patients"], most).partition(" ")
    noun = "patient" if number == "1" else "patients"
    said = f"With {number} labelled {noun} {ends} {arm} reaches {goal}{_saving(answer, study)}."
    if answer["patients"]["high"] is None:
        said += f" The interval is open: {percent(answer['share_reached'])} of the resamples do."
    return said


def _up_to(answer: Fields) -> str:
    """Returns how many patients it may take, where the least measured seem enough."""
    found = answer["patients"]
    if found is None or found["high"] == found["value"]:
        return ""
    high = (
        "more than were measured" if found["high"] is None else f"{whole(found['high'])} patients"
    )
    return f" (the interval goes up to {high})"


def missed_sentence(answers: Sequence[Fields], study: Study) -> str:
    """Returns in words that arms do not reach a level, the same for all of them."""
    verb = "does" if len(answers) == 1 else "do"
    shares = _and([percent(answer["share_reached"]) for answer in answers])
    return (
        f"With up to {largest_budget(study):,} labelled patients "
        f"{_and([answer['arm'] for answer in answers])} {verb} not reach "
        f"{_goal(answers[0], study)} ({shares} of the resamples do)."
    )


def _missed(answer: Fields) -> bool:
    return (
        answer["status"] == "not reached"
        and not answer["extrapolated"]
        and answer["level"] is not None
    )


def _and(words: Sequence[str]) -> str:
    """Returns `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _goal(answer: Fields, study: Study) -> str:
    if answer["target"] == "reference":
        return (
            f"what {study['baseline']} reaches with all {pool(study):,} (AUROC "
            f"{answer['level']:.3f})"
        )
    return str(answer["target"])


def _saving(answer: Fields, study: Study) -> str:
    """Returns the x-fold reduction in words, with the doubt where the interval includes 1."""
    found = answer["fold"]
    if answer["arm"] == study["baseline"]:
        return ""
    if found is None:
        return f", which {study['baseline']} does not with up to {largest_budget(study):,}"
    low, high = found["low"], found["high"]
    if found["value"] >= 1:
        few, doubtful = "fewer", low is None or low <= 1
    else:
        few, doubtful = "more", high is None or high >= 1
        found = {
            "value": 1 / found["value"],
            "low": 1 / high if high else None,
            "high": 1 / low if low else None,
        }
    number, _, ends = fold(found).partition(" ")
    doubt = ", which is not told apart from no saving" * doubtful
    return f": {number}-fold {few} {ends}{doubt}"


def answers_table(study: Study) -> Markup:
    """Returns every answer, a table a mode."""
    if not study["answers"]:
        return tag("p", _NO_ANSWER)
    costs = any(answer.get("cost") for answer in study["answers"])
    header = ["arm", "level to reach", "labelled patients [95 % interval]"]
    header += ["times fewer than the baseline [95 % interval]", "resamples that reach it"]
    where = study["data"]["ood"]["name"]
    return join(
        table(
            f"{mode_name(mode)}: labelled patients of {where} that each arm needs.",
            header + ["cost of labelling"] * costs,
            [_row(answer, study, costs) for answer in study["answers"] if answer["mode"] == mode],
        )
        for mode in study["modes"]
    )


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
    found = answer["patients"]
    if answer["extrapolated"]:
        return f"{patients(found, None)} (extrapolated, not measured)"
    if found is not None:
        return patients(found, largest_budget(study))
    most, least = largest_budget(study), answer["at_least"]
    said = f"{answer['status']} with {most:,}"
    return said if least is None else f"{said} [{whole(least)}, beyond {most:,}]"


def _times_fewer(answer: Fields, study: Study) -> str:
    if answer["fold"] is not None:
        return fold(answer["fold"])
    # No number is beyond all numbers: one of the two needs no patient, or more than there are.
    missed = answer["status"] == "reached" and answer["arm"] != study["baseline"]
    return "the baseline does not reach it" if missed else ""


def _cost(cost: Fields | None) -> str:
    parts = []
    if cost and cost.get("minutes") is not None:
        parts.append(f"{cost['minutes']:,.0f} minutes")
    if cost and cost.get("price") is not None:
        parts.append(f"price {cost['price']:,.2f}")
    return ", ".join(parts)
