"""The answer: in a sentence each, and as a table."""

from collections.abc import Sequence

from remedis.reporting.ood_report.markup import Markup, join, table, tag
from remedis.reporting.ood_report.words import (
    NOT_ESTIMABLE,
    Fields,
    Study,
    fold,
    largest_budget,
    mode_name,
    patients,
    percent,
    pool,
)


def paragraphs(study: Study) -> Markup:
    """Returns one paragraph a mode: how many labelled patients each arm needs."""
    result = []
    for mode in study["modes"]:
        of_mode = [
            answer
            for answer in study["answers"]
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
    return join(result) or tag("p", "No arm was compared with a level to reach.")


def sentence(answer: Fields, study: Study) -> str:
    """Returns in words an answer that is not "not reached", open ends and doubts included."""
    arm = answer["arm"]
    if answer["level"] is None:
        return f"For {arm} there is no answer: the level to reach is {NOT_ESTIMABLE}."
    goal = _goal(answer, study)
    most = largest_budget(study)
    if answer["extrapolated"]:
        needed = patients(answer["patients"], most)
        return (
            f"Extrapolated beyond the {most:,} patients measured, not measured: {arm} would need "
            f"{needed} labelled patients for {goal}."
        )
    if answer["status"] == "below the first budget":
        return f"Without any labelled patient (zero-shot) {arm} already reaches {goal}."
    if answer["patients"] is None:
        return f"{arm}, {goal}: {answer['status']}."
    number, _, ends = patients(answer["patients"], most).partition(" ")
    noun = "patient" if number == "1" else "patients"
    said = f"With {number} labelled {noun} {ends} {arm} reaches {goal}{_saving(answer['fold'])}."
    if answer["patients"]["high"] is None:
        said += f" The interval is open: {percent(answer['share_reached'])} of the resamples do."
    return said


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


def _saving(fields: Fields | None) -> str:
    """Returns the x-fold reduction in words, with the doubt where the interval includes 1."""
    if fields is None or fields["value"] is None:
        return ""
    low, high = fields["low"], fields["high"]
    if fields["value"] >= 1:
        number, _, ends = fold(fields).partition(" ")
        said = f": {number}-fold fewer {ends}"
    else:
        turned = {
            "value": 1 / fields["value"],
            "low": 1 / high if high else None,
            "high": 1 / low if low else None,
        }
        number, _, ends = fold(turned).partition(" ")
        said = f": {number}-fold more {ends}"
    if low is None or high is None or low <= 1 <= high:
        said += ", which is not told apart from no saving"
    return said


def answers_table(study: Study) -> Markup:
    """Returns every answer, a table a mode."""
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
    needed = str(answer["status"])
    if answer["patients"] is not None and answer["status"] != "below the first budget":
        needed = patients(answer["patients"], largest_budget(study))
    elif answer["status"] == "below the first budget":
        needed = "0: zero-shot reaches it"
    if answer["extrapolated"]:
        needed += " (extrapolated, not measured)"
    reached = answer["share_reached"]
    return [
        answer["arm"],
        target,
        needed,
        "" if answer["fold"] is None else fold(answer["fold"]),
        "" if reached is None else percent(reached),
        *([_cost(answer.get("cost"))] if costs else []),
    ]


def _cost(cost: Fields | None) -> str:
    parts = []
    if cost and cost.get("minutes") is not None:
        parts.append(f"{cost['minutes']:,.0f} minutes")
    if cost and cost.get("price") is not None:
        parts.append(f"price {cost['price']:,.2f}")
    return ", ".join(parts)
