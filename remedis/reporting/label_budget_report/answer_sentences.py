"""The answers in words: how many labelled patients each arm needs to reach a level."""

from collections.abc import Callable, Mapping, Sequence

from remedis.evaluation.label_budget import power_law
from remedis.evaluation.label_budget.analysis import MIN_SEEDS
from remedis.evaluation.label_budget.levels import LEVEL_AT_CHANCE, NO_GAIN, REFERENCE
from remedis.evaluation.label_budget.required_patients import (
    ARM_AT_CHANCE,
    BASELINE_BELOW,
    BELOW,
    CONTAINS_ONE,
    IS_BASELINE,
    NOT_REACHED,
    ONE_SIDED,
    REACHED,
    TOO_FEW_SEEDS,
)
from remedis.reporting.label_budget_report.number_format import (
    Fields,
    listed,
    metric_in_words,
    percent,
    range_in_words,
    times,
    whole,
)
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    budgets,
    chance_in_words,
    hospital,
    largest_budget,
    last_mean,
    metric,
    metric_name,
    mode_name,
    pool,
)

NO_ANSWER = "No arm was compared with a level to reach."
_WHY_NO_EXTRAPOLATION = {
    power_law.TOO_FEW_BUDGETS: "there are too few budgets for it",
    power_law.NEVER: "the power law levels off below the level",
    power_law.OPEN: "its interval has no upper end",
    power_law.TOO_WIDE: "its interval is too wide",
}


def paragraphs(study: Study) -> dict[str, list[str]]:
    """Returns the sentences of each mode that has any, by the mode's name.

    They are about the headline level and about the values that the config asks for; about the
    reference only in studies without a headline level.
    """
    result = {}
    for mode in study["modes"]:
        asked = [answer for answer in study["answers"] if answer["mode"] == mode]
        if any(answer["headline"] for answer in asked):
            asked = [a for a in asked if a["headline"] or _is_fixed_level(a)]
        asked.sort(key=lambda answer: _is_fixed_level(answer))
        sentences = []
        for target in dict.fromkeys(answer["target"] for answer in asked):
            sentences += _of_level([a for a in asked if a["target"] == target], study)
        if sentences:
            result[mode_name(mode)] = sentences
    return result


def _is_fixed_level(answer: Fields) -> bool:
    """Whether the level is a value of the config, and not one of the baseline's curve."""
    return answer["share_of_gain"] is None and answer["target"] != REFERENCE


def _of_level(answers: Sequence[Fields], study: Study) -> list[str]:
    """Returns the sentences about one level in one mode; arms of one fate share a sentence."""
    others = [a for a in answers if a["arm"] != study["baseline"]]
    # The sentences about other arms state what the baseline needs, but not that it fails.
    told = [a for a in answers if a in others or not others or a["status"] == NOT_REACHED]
    groups: dict[object, list[Fields]] = {}
    for number, answer in enumerate(told):
        status, extrapolation = answer["status"], answer["extrapolation"]
        key: object = number
        if status in (LEVEL_AT_CHANCE, NO_GAIN):
            key = status
        elif status == NOT_REACHED and not (extrapolation and extrapolation["patients"]):
            # Arms that end below the baseline have levels of their own.
            key = (status, answer["level"], extrapolation and extrapolation["missing"])
        groups.setdefault(key, []).append(answer)
    return [sentence(group, study) for group in groups.values()]


def sentence(answers: Sequence[Fields], study: Study) -> str:
    """Returns answers of one level, one mode and one status in words.

    Args:
      answers: one answer; several if the status is that a level is not reached, not above chance,
        or not defined because the baseline does not gain.
      study: the content of `summary.json`.

    Raises:
      ValueError: the status is unknown.
    """
    status = answers[0]["status"]
    if answers[0]["level"] is None and status in (REACHED, NOT_REACHED, BELOW):
        return f"There is no answer for {answers[0]['arm']}: the level to reach is not estimable."
    if status not in _WORDS:
        raise ValueError(f"Status {status!r} is unknown; expected one of {', '.join(_WORDS)}.")
    return _WORDS[status](answers, study)


def _reached(answers: Sequence[Fields], study: Study) -> str:
    (answer,) = answers
    needed = answer["patients"]
    text = (
        f"To reach {_goal(answer, study)}, {answer['arm']} needs "
        f"{_labelled(needed['value'])} of {hospital(study)} (95 % interval "
        f"{_range(needed, study)}){_comparison(answer, study)}"
    )
    if needed["high"] is None:
        text += (
            f" The interval is open: {percent(answer['share_reached'])} of the resamples reach "
            "the level."
        )
    return text


def _comparison(answer: Fields, study: Study) -> str:
    """Returns what the baseline needs and the multiple, or the reason why there is none."""
    arm, baseline, missing = answer["arm"], study["baseline"], answer["fold_missing"]
    if missing == IS_BASELINE:
        return "."
    if missing == ONE_SIDED:
        return (
            f". No multiple is given: {pool(study):,} patients are all that {baseline} has, and "
            "fewer may have been enough."
        )
    theirs = _value(answer["baseline_patients"])
    if theirs is None:
        return f"; {baseline} does not reach it with up to {largest_budget(study):,}."
    if missing == BASELINE_BELOW:
        first = budgets(study)[0]
        fewest = f"with {first:,}, the smallest budget" if first else "without any (zero-shot)"
        return (
            f", and {baseline} already reaches it {fewest}. How many times more cannot be said: "
            f"the curve of {baseline} starts at the level or above it."
        )
    need = f", and {baseline} needs {_number(answer['baseline_patients'], study)}"
    if answer["fold"] is not None:
        return f"{need}: {arm} needs {_multiple(answer['fold'])}."
    if missing == TOO_FEW_SEEDS:
        return f"{need}. No multiple is given: {too_few(study)}."
    if missing == CONTAINS_ONE:
        ratio = answer["ratio"]
        ends = f" (interval of the ratio: {range_in_words(ratio, times)})" if ratio else ""
        return f"{need}: the study does not show that either needs fewer{ends}."
    return f"{need}."


def _multiple(fold: Fields) -> str:
    """Returns for example `2.2 times fewer (1.3 to 3.6)`, or `at least 1.3 times fewer`."""
    low, high, few = fold["low"], fold["high"], "fewer"
    if fold["value"] < 1:
        low, high, few = high, low, "more"
        low, high = (end and 1 / end for end in (low, high))
        fold = {"value": 1 / fold["value"], "low": low, "high": high or None}
    if not high:
        return f"at least {times(low)} times {few}"
    return f"{times(fold['value'])} times {few} ({range_in_words(fold, times)})"


def _below(answers: Sequence[Fields], study: Study) -> str:
    (answer,) = answers
    first = budgets(study)[0]
    fewest = (
        f"With {_labelled(first)} of {hospital(study)}, the smallest budget,"
        if first
        else f"Without any labelled patient of {hospital(study)} (zero-shot),"
    )
    text = f"{fewest} {answer['arm']} already reaches {_goal(answer, study)}"
    needed = answer["patients"]
    if needed is not None and needed["high"] != needed["value"]:
        end = (
            "beyond the largest budget"
            if needed["high"] is None
            else f"to {_labelled(needed['high'])}"
        )
        text += f", with an interval that extends {end}"
    theirs = _value(answer["baseline_patients"])
    if answer["fold_missing"] in (IS_BASELINE, ONE_SIDED):
        return f"{text}."
    if theirs is None:
        return f"{text}; {study['baseline']} does not reach it."
    if theirs <= first:
        return f"{text}, and so does {study['baseline']}."
    return (
        f"{text}, and {study['baseline']} needs {_number(answer['baseline_patients'], study)}. "
        "How many times fewer cannot be said: the curve starts at the level or above it."
    )


def _not_reached(answers: Sequence[Fields], study: Study) -> str:
    verb = "does" if len(answers) == 1 else "do"
    shares = listed([percent(answer["share_reached"]) for answer in answers])
    text = (
        f"{listed([answer['arm'] for answer in answers])} {verb} not reach "
        f"{_goal(answers[0], study)} with up to {_labelled(largest_budget(study))} of "
        f"{hospital(study)} ({shares} of the resamples do)"
    )
    theirs = answers[0]["baseline_patients"]
    if answers[0]["target"] != REFERENCE and _value(theirs) is not None:
        needs = f"{study['baseline']} needs {_number(theirs, study)}"
        text += "" if study["baseline"] in [a["arm"] for a in answers] else f"; {needs}"
    extrapolation = answers[0]["extrapolation"]
    if extrapolation is None:
        return f"{text}."
    if extrapolation["missing"] is not None:
        why = _WHY_NO_EXTRAPOLATION[extrapolation["missing"]]
        return f"{text}. No extrapolation is given: {why}."
    beyond = extrapolation["patients"]
    return (
        f"{text}. By extrapolation, which was not measured, it would need "
        f"{whole(beyond['value'])} ({range_in_words(beyond, whole)})."
    )


def _level_at_chance(answers: Sequence[Fields], study: Study) -> str:
    mode, baseline, everyone = answers[0]["mode"], study["baseline"], _labelled(pool(study), "all")
    cannot = "the question cannot be answered"
    if answers[0]["baseline_above_chance"]:
        return (
            f"{_goal(answers[0], study)}: this level is not shown to be above chance "
            f"({chance_in_words(study)}), and {cannot} for it."
        )
    arms = [a for a in answers if a["arm"] != baseline]
    above = [a["arm"] for a in arms if a["arm_above_chance"]]
    at_chance = [a["arm"] for a in arms if not a["arm_above_chance"]] + [baseline]
    named = [_with_metric(study, arm, mode) for arm in at_chance]
    text = (
        f"is shown to beat chance ({chance_in_words(study)}) at {hospital(study)}, even with "
        f"{everyone}: {cannot}."
    )
    if len(named) == 1:
        text = f"{named[0]} is not shown{text.removeprefix('is shown')}"
    elif len(named) == 2:
        text = f"Neither {listed(named, 'nor')} {text}"
    else:
        text = f"None of {listed(named)} {text}"
    if above:
        verb = "is" if len(above) == 1 else "are"
        named = [_with_metric(study, arm, mode) for arm in above]
        text += (
            f" {listed(named)} {verb} shown to beat it, but without {baseline} there is no level "
            "to compare at."
        )
    return text


def _no_gain(answers: Sequence[Fields], study: Study) -> str:
    gain = next(
        (
            of["gain"]
            for of in study["levels"]
            if of["mode"] == answers[0]["mode"]
            and of["share_of_gain"] == answers[0]["share_of_gain"]
        ),
        None,
    )
    with_all = ""
    if gain is not None and gain["value"] is not None:
        ends = range_in_words(gain, "{:+.3f}".format)
        gained = f"{gain['value']:+.3f}, {ends}"
        with_all = f" (gain in {metric_name(study)} with all {pool(study):,}: {gained})"
    return (
        f"It is not shown that labelled patients of {hospital(study)} help {study['baseline']}"
        f"{with_all}. Without a gain that is shown there is no level to reach, and the question "
        "cannot be answered."
    )


def _arm_at_chance(answers: Sequence[Fields], study: Study) -> str:
    (answer,) = answers
    arm = _with_metric(study, answer["arm"], answer["mode"])
    return (
        f"The curve of {answer['arm']} crosses {_goal(answer, study)}, but with "
        f"{_labelled(pool(study), 'all')} of {hospital(study)} {arm} is not shown to beat chance "
        f"({chance_in_words(study)}): no number of patients is given."
    )


_WORDS: Mapping[str, Callable[[Sequence[Fields], Study], str]] = {
    REACHED: _reached,
    NOT_REACHED: _not_reached,
    BELOW: _below,
    LEVEL_AT_CHANCE: _level_at_chance,
    NO_GAIN: _no_gain,
    ARM_AT_CHANCE: _arm_at_chance,
}


def too_few(study: Study) -> str:
    """Returns why a study with few seeds or trainings gives no multiple."""
    seeds = study["seeds"]
    if seeds < MIN_SEEDS:
        return f"{seeds} {'seed is' if seeds == 1 else 'seeds are'} too few"
    return "2 trainings per arm are too few"


def _goal(answer: Fields, study: Study) -> str:
    """Returns the level in words, with its value."""
    level = answer["level"]
    number = "" if level is None else f"{level:.3f}"
    baseline, first, everyone = study["baseline"], budgets(study)[0], pool(study)
    if answer["target"] == REFERENCE:
        return (
            f"the {metric_name(study)} of {baseline} with all {everyone:,} labelled patients "
            f"({number})"
        )
    if answer["share_of_gain"] is None:
        return f"{metric(study).one} of {level:g}"
    gained = f"from {first:,} to all {everyone:,}" if first else f"with all {everyone:,}"
    # The level is lower for an arm that ends below the baseline, so that both can reach it.
    is_lower = answer.get("level_lowered")
    why = f", lowered because {answer['arm']} ends below {baseline}" if is_lower else ""
    number = f" ({metric(study).one} of {number}{why})" if number else ""
    return (
        f"{percent(answer['share_of_gain'])} of the gain that {baseline} makes {gained} labelled "
        f"patients{number}"
    )


def _labelled(patients: float, before: str = "") -> str:
    """Returns for example `42 labelled patients`, or `all 310 labelled patients`."""
    number = whole(patients)
    noun = "patient" if number == "1" else "patients"
    return f"{before} {number} labelled {noun}".lstrip()


def _number(needed: Fields, study: Study) -> str:
    """Returns for example `91 (61 to 122)`; without brackets if there is nothing uncertain."""
    return f"{whole(needed['value'])} ({_range(needed, study)})"


def _range(needed: Fields, study: Study) -> str:
    return range_in_words(needed, whole, f"more than {largest_budget(study):,}")


def _value(fields: Fields | None) -> float | None:
    return None if fields is None else fields["value"]


def _with_metric(study: Study, arm: str, mode: str) -> str:
    """Returns the arm with its metric at the largest budget."""
    return f"{arm} ({metric_in_words(last_mean(study, arm, mode), metric_name(study))})"
