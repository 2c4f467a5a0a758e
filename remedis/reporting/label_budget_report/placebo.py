"""The placebo: the baseline compared with itself, one half of its seeds with the other."""

from remedis.evaluation.label_budget.baseline_halves import MIN_SEEDS
from remedis.evaluation.label_budget.levels import LEVEL_AT_CHANCE, NO_GAIN
from remedis.evaluation.label_budget.required_patients import TOO_FEW_SEEDS
from remedis.reporting.label_budget_report.number_format import (
    Fields,
    fold,
    percent,
    range_in_words,
    times,
)
from remedis.reporting.label_budget_report.study_summary import Study, mode_name
from remedis.reporting.page_content import Table

_WHY_NONE = {
    TOO_FEW_SEEDS: f"it needs {MIN_SEEDS} seeds or more",
    LEVEL_AT_CHANCE: "the level is not shown to be above chance",
    NO_GAIN: "the baseline is not shown to gain",
}
NOT_RECORDED = "This study has no placebo: it was made by an earlier version."


def sentences(study: Study) -> dict[str, str]:
    """Returns one sentence per mode that has a placebo, by the mode's name."""
    return {mode_name(of["mode"]): sentence(of) for of in study["placebo"]}


def sentence(placebo: Fields) -> str:
    """Returns the placebo of one mode in words."""
    if placebo["missing"] is not None:
        why = _WHY_NONE[placebo["missing"]]
        return f"Placebo, the baseline compared with itself: none, because {why}."
    ends = range_in_words(placebo["ratio"], times, "unmeasurably many", "unmeasurably few")
    text = (
        f"Placebo: compared with itself, one half of its seeds with the other, {placebo['arm']} "
        f"needs {ends} times as many patients (95 % of {placebo['splits']:,} splits), although "
        "only the seeds differ"
    )
    if placebo["share_multiples"] is not None:
        text += f". By chance, {percent(placebo['share_multiples'])} of the splits state a multiple"
    return f"{text}."


def table(study: Study) -> Table | None:
    """Returns the numbers of the placebo, one row per mode; None if no mode has any."""
    rows = [
        [
            mode_name(of["mode"]),
            f"{of['arm']} against itself",
            fold(of["ratio"]),
            percent(of["share_twofold"]),
            "" if of["share_multiples"] is None else percent(of["share_multiples"]),
            f"{of['splits']:,}",
        ]
        for of in study["placebo"]
        if of["missing"] is None
    ]
    header = ["mode", "arms", "quotient [95 % of the splits]", "2-fold or more, either way"]
    header += ["would state a multiple", "splits"]
    caption = "The baseline against itself: labelled patients that two halves of its seeds need."
    return Table(caption, header, rows, "estimates") if rows else None
