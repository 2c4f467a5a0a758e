"""Tables of estimates: the curves, the gap between the hospitals, and differences of arms."""

from collections.abc import Callable, Iterable

from remedis.evaluation.label_budget.distribution_gap import NOT_SHOWN, UNCHANGED
from remedis.reporting.comparison_report import p_value
from remedis.reporting.label_budget_report.answer_sentences import too_few
from remedis.reporting.label_budget_report.number_format import (
    NOT_ESTIMABLE,
    Fields,
    difference,
    listed,
    share,
    three_decimals,
)
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    budget_name,
    chance,
    first_hospital,
    hospital,
    metric,
    metric_name,
    mode_name,
    most_frequent,
)
from remedis.reporting.page_content import Table

_WHY_NOT_RECOVERED = {
    NOT_SHOWN: "the gap is not shown",
    UNCHANGED: "0 % (unchanged)",
}


def curve_tables(study: Study) -> list[Table]:
    """Returns the numbers behind the curves, one table per mode."""
    counts = f", {_counts(study['points'][0]['mean'], study)}" if study["points"] else ""
    quantity = f"{study['metric']} on test patients of {hospital(study)} [95 % interval]{counts}"
    return _by_budget(study, study["points"], quantity, lambda point: three_decimals(point["mean"]))


def _counts(mean: Fields, study: Study) -> str:
    """Returns the test patients of an estimate, and how uneven their images are, if recorded."""
    if metric(study).top is not None:  # every patient has a class
        effective = mean.get("effective_patients")
        uneven = effective is not None and round(effective, 1) != mean["patients"]
        return f"{mean['patients']:,} patients" + (
            f" (effectively {effective:,.1f})" if uneven else ""
        )
    text = f"{mean['patients']:,} patients, {mean['positives']:,} positive"
    if mean.get("effective_positives") is not None and _uneven(mean):
        most = mean.get("largest_patient_images")
        images = "" if most is None else f", up to {most:,}"
        text += (
            f" (effectively {mean['effective_patients']:,.1f} and "
            f"{mean['effective_positives']:,.1f}, because patients have different numbers of "
            f"images{images})"
        )
    return text


def _uneven(mean: Fields) -> bool:
    """Whether the effective numbers of patients, as printed, differ from the counts."""
    return any(round(mean[f"effective_{of}"], 1) != mean[of] for of in ("patients", "positives"))


def gap_table(study: Study) -> Table:
    """Returns each arm's metric at both hospitals before adaptation, and the difference."""
    there, here = first_hospital(study), hospital(study)
    return Table(
        f"Without any label of {here}: {study['metric']} [95 % interval].",
        ["arm", "mode", f"test patients of {there}", f"of {here} (zero-shot)", "gap (difference)"],
        [
            [
                gap["arm"],
                mode_name(gap["mode"]),
                three_decimals(gap["id"]),
                three_decimals(gap["zero_shot"]),
                difference(gap["gap"]),
            ]
            for gap in study["gap"]
        ],
        "estimates",
    )


def gap_notes(study: Study) -> list[str]:
    """Returns what else than the models may make the gap: frequencies of the classes."""
    inside = study.get("id_chance")  # studies of early versions do not record it
    if metric(study).top is None or inside is None:
        return []
    return [
        f"A {metric_name(study)} depends on how frequent the classes are: always naming "
        f"{most_frequent(study)} scores {inside:.3f} at {first_hospital(study)} and "
        f"{chance(study):.3f} at {hospital(study)}. The gap contains what this difference makes, "
        "besides what the models lose."
    ]


def recovery_tables(study: Study) -> list[Table]:
    """Returns the share of the gap that each budget recovers, one table per mode."""
    shares = [
        {"arm": gap["arm"], "mode": gap["mode"], **budget}
        for gap in study["gap"]
        for budget in gap["recovered"]
    ]
    quantity = "share of the gap recovered [95 % interval]"
    return _by_budget(study, shares, quantity, _recovered)


def _recovered(budget: Fields) -> str:
    """Returns the share of the gap, or why there is none."""
    missing = budget.get("missing")
    return share(budget["share"]) if missing is None else _WHY_NOT_RECOVERED[missing]


def primary_sentence(study: Study) -> str:
    """Returns the comparison that the config states as the primary one, and its result."""
    primary = study["primary"]
    if primary is None:
        return (
            "The config states no primary comparison (config.primary): every p-value here is "
            "exploratory."
        )
    arm, against, value = primary["arm"], primary["against"], primary["difference"]
    labels = primary["labels"]
    if metric(study).top is not None:
        averaged = "all classes"
    else:
        averaged = "mean over the labels" if labels == study["labels"] else listed(labels)
    where = (
        f"{mode_name(primary['mode'])}, {budget_name(primary['patients'], study)} labelled "
        f"patients, {averaged}"
    )
    name = metric_name(study)
    text = f"Primary comparison, as stated in the config: {name} of {arm} minus {against} ({where})"
    if value is None or value["value"] is None:
        return f"{text}: {NOT_ESTIMABLE}."
    low, high = value["low"], value["high"]
    if low is not None and low > 0:
        verdict = f"{arm} has the higher {name}"
    elif high is not None and high < 0:
        verdict = f"{against} has the higher {name}"
    else:
        verdict = "no difference is shown"
    p = p_value(primary["p"])
    p = f"p {p[0]} {p[1:]}" if p.startswith("<") else f"p = {p}"
    if study["too_few_seeds"]:
        verdict += f"; this is provisional, since {too_few(study)}"
    return f"{text}: {difference(value)}, {p}: {verdict}."


def paired_tables(study: Study) -> list[Table]:
    """Returns the differences of arms at equal budgets, one table per mode; none for one arm."""
    if not study["paired"]:
        return []
    adjusted = study["adjustment"] is not None
    which = "all comparisons but the primary one" if study["primary"] else "all comparisons"
    corrected = (
        f"p two-sided; adjusted over {which} ({study['adjustment']})"
        if adjusted
        else "p two-sided, not corrected for the number of tests"
    )
    header = ["labelled patients", "arms", "difference", "p", *(["adjusted p"] * adjusted)]
    tables = []
    for mode in study["modes"]:
        tests = [test for test in study["paired"] if test["mode"] == mode]
        tests.sort(key=lambda test: not test.get("primary"))
        rows = [
            [
                budget_name(test["patients"], study) + ", primary" * bool(test.get("primary")),
                f"{test['arm']} minus {test['against']}",
                difference(test["difference"]),
                p_value(test["p"]),
                *([p_value(test["p_adjusted"])] if adjusted else []),
            ]
            for test in tests
        ]
        caption = (
            f"{mode_name(mode)}: difference of {study['metric']} [95 % interval]; {corrected}."
        )
        tables.append(Table(caption, header, rows, "estimates"))
    return tables


def _by_budget(
    study: Study, estimates: Iterable[Fields], quantity: str, text: Callable[[Fields], str]
) -> list[Table]:
    """Returns one table per mode, with one row per budget and one column per arm."""
    cells = {(of["mode"], of["patients"], of["arm"]): text(of) for of in estimates}
    tables = []
    for mode in study["modes"]:
        budgets = sorted({budget for at, budget, _ in cells if at == mode})
        rows = [
            [budget_name(b, study), *(cells.get((mode, b, arm), "") for arm in study["arms"])]
            for b in budgets
        ]
        header = ["labelled patients", *study["arms"]]
        tables.append(Table(f"{mode_name(mode)}: {quantity}.", header, rows, "estimates"))
    return tables
