"""What was measured, as tables: the curves, the gap and what heals it, arm against arm."""

from collections.abc import Callable, Iterable

from remedis.reporting.comparison import p_value
from remedis.reporting.ood_report.markup import Markup, join, table, tag
from remedis.reporting.ood_report.words import (
    Fields,
    Study,
    auroc,
    budget_name,
    difference,
    mode_name,
    share,
)


def curves(study: Study) -> Markup:
    """Returns the numbers behind the curves, a table a mode."""
    resting_on = ""
    if study["points"]:
        mean = study["points"][0]["mean"]
        resting_on = f", {mean['patients']:,} patients, {mean['positives']:,} positive"
    what = f"{study['metric']} on the OOD test set [95 % interval]{resting_on}"
    return _by_budget(study, study["points"], what, lambda point: auroc(point["mean"]))


def gap(study: Study) -> Markup:
    """Returns what each arm loses in the other hospital, and the share that each budget heals."""
    rows = [
        [
            of["arm"],
            mode_name(of["mode"]),
            auroc(of["id"]),
            auroc(of["zero_shot"]),
            difference(of["gap"]),
        ]
        for of in study["gap"]
    ]
    lost = table(
        f"Before any OOD label: {study['metric']} [95 % interval].",
        ["arm", "mode", "ID test", "OOD test, zero-shot", "ID minus OOD"],
        rows,
        "estimates",
    )
    healed = [
        {"arm": of["arm"], "mode": of["mode"], **budget}
        for of in study["gap"]
        for budget in of["recovered"]
    ]
    what = "share of the gap recovered [95 % interval]"
    return join([lost, _by_budget(study, healed, what, lambda budget: share(budget["share"]))])


def paired(study: Study) -> Markup:
    """Returns the differences of arms at equal budgets, a table a mode."""
    if not study["paired"]:
        return tag("p", "There is one arm only.")
    parts = []
    for mode in study["modes"]:
        rows = [
            [
                budget_name(test["patients"], study),
                f"{test['arm']} minus {test['against']}",
                difference(test["difference"]),
                p_value(test["p"]),
            ]
            for test in study["paired"]
            if test["mode"] == mode
        ]
        caption = (
            f"{mode_name(mode)}: difference of {study['metric']} [95 % interval]; p two-sided, not "
            "corrected for the number of tests."
        )
        parts.append(
            table(caption, ["labelled patients", "arms", "difference", "p"], rows, "estimates")
        )
    return tag("div", *parts, class_="side")


def _by_budget(
    study: Study, found: Iterable[Fields], what: str, shown: Callable[[Fields], str]
) -> Markup:
    """Returns a table a mode with budgets down and arms across."""
    values = {(of["mode"], of["patients"], of["arm"]): shown(of) for of in found}
    parts = []
    for mode in study["modes"]:
        budgets = sorted({budget for at, budget, _ in values if at == mode})
        rows = [
            [budget_name(b, study), *(values.get((mode, b, arm), "") for arm in study["arms"])]
            for b in budgets
        ]
        header = ["labelled patients", *study["arms"]]
        parts.append(table(f"{mode_name(mode)}: {what}.", header, rows, "estimates"))
    return tag("div", *parts, class_="side")
