"""The answers in words: how many labelled patients each arm needs to reach a level."""

from collections.abc import Sequence

from remedis.reporting.label_budget_report.number_format import (
    NOT_ESTIMABLE,
    Fields,
    fold,
    patients,
    percent,
    whole,
)
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    budgets,
    largest_budget,
    mode_name,
    pool,
)

NO_ANSWER = "No arm was compared with a level to reach."


def paragraphs(study: Study) -> dict[str, list[str]]:
    """Returns the sentences of each mode that has any, by the mode's name."""
    result = {}
    for mode in study["modes"]:
        answers = [
            answer
            for answer in sorted(study["answers"], key=lambda a: a["target"] != "reference")
            # The baseline reaches its own level by definition.
            if answer["mode"] == mode
            and (answer["arm"], answer["target"]) != (study["baseline"], "reference")
        ]
        sentences = [sentence(answer, study) for answer in answers if not _missed(answer)]
        for target in dict.fromkeys(answer["target"] for answer in answers if _missed(answer)):
            missed = [a for a in answers if _missed(a) and a["target"] == target]
            sentences.append(missed_sentence(missed, study))
        if sentences:
            result[mode_name(mode)] = sentences
    return result


def sentence(answer: Fields, study: Study) -> str:
    """Returns an answer other than "not reached" in words, with its open ends and doubts."""
    arm = answer["arm"]
    if answer["level"] is None:
        return f"There is no answer for {arm}: the level to reach is {NOT_ESTIMABLE}."
    goal = _goal(answer, study)
    largest = largest_budget(study)
    if answer["extrapolated"]:
        needed = patients(answer["patients"], None)
        return (
            f"By extrapolation beyond the {largest:,} patients measured, {arm} would need {needed} "
            f"labelled patients to reach {goal}; this was not measured."
        )
    if answer["status"] == "below the first budget":
        first = budgets(study)[0]
        fewest = (
            f"With {first:,} labelled patients, the smallest budget,"
            if first
            else "Without labelled patients (zero-shot),"
        )
        return f"{fewest} {arm} already reaches {goal}{_up_to(answer)}."
    if answer["patients"] is None:
        return f"{arm}, to reach {goal}: {answer['status']}."
    number, _, ends = patients(answer["patients"], largest).partition(" ")
    noun = "patient" if number == "1" else "patients"
    text = f"{arm} needs {number} labelled {noun} {ends} to reach {goal}{_saving(answer, study)}."
    if answer["patients"]["high"] is None:
        share = percent(answer["share_reached"])
        text += f" The interval is open: {share} of the resamples reach it."
    return text


def _up_to(answer: Fields) -> str:
    """Returns the interval's upper end where the smallest measured budget seems enough."""
    estimate = answer["patients"]
    if estimate is None or estimate["high"] == estimate["value"]:
        return ""
    if estimate["high"] is None:
        return " (the interval extends beyond the largest budget)"
    return f" (the interval extends to {whole(estimate['high'])} patients)"


def missed_sentence(answers: Sequence[Fields], study: Study) -> str:
    """Returns the sentence about arms that do not reach a level; they share the level."""
    verb = "does" if len(answers) == 1 else "do"
    shares = _and([percent(answer["share_reached"]) for answer in answers])
    return (
        f"{_and([answer['arm'] for answer in answers])} {verb} not reach "
        f"{_goal(answers[0], study)} with up to {largest_budget(study):,} labelled patients "
        f"({shares} of the resamples do)."
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
            f"the AUROC of {study['baseline']} with all {pool(study):,} patients "
            f"({answer['level']:.3f})"
        )
    return str(answer["target"])


def _saving(answer: Fields, study: Study) -> str:
    """Returns the x-fold reduction in words, with the doubt where the interval includes 1."""
    ratio, baseline = answer["fold"], study["baseline"]
    if answer["arm"] == baseline:
        return ""
    if ratio is None:
        return f"; {baseline} does not reach it with up to {largest_budget(study):,} patients"
    low, high = ratio["low"], ratio["high"]
    if ratio["value"] >= 1:
        few, doubtful = "fewer", low is None or low <= 1
    else:
        few, doubtful = "more", high is None or high >= 1
        ratio = {
            "value": 1 / ratio["value"],
            "low": 1 / high if high else None,
            "high": 1 / low if low else None,
        }
    number, _, ends = fold(ratio).partition(" ")
    doubt = "; this cannot be distinguished from no saving" * doubtful
    return f", {number} times {few} {ends} than {baseline}{doubt}"
