"""Tables of estimates: the curves, the gap between the hospitals, and differences of arms."""

from collections.abc import Callable, Iterable

from remedis.reporting.comparison_report import p_value
from remedis.reporting.label_budget_report.content import Table
from remedis.reporting.label_budget_report.number_format import Fields, auroc, difference, share
from remedis.reporting.label_budget_report.study_summary import Study, budget_name, mode_name


def curve_tables(study: Study) -> list[Table]:
    """Returns the numbers behind the curves, one table per mode."""
    counts = ""
    if study["points"]:
        mean = study["points"][0]["mean"]
        counts = f", {mean['patients']:,} patients, {mean['positives']:,} positive"
    quantity = f"{study['metric']} on the OOD test set [95 % interval]{counts}"
    return _by_budget(study, study["points"], quantity, lambda point: auroc(point["mean"]))


def gap_table(study: Study) -> Table:
    """Returns each arm's metric on both test sets without any OOD label, and the difference."""
    return Table(
        f"Without any OOD label: {study['metric']} [95 % interval].",
        ["arm", "mode", "ID test", "OOD test, zero-shot", "ID minus OOD"],
        [
            [
                gap["arm"],
                mode_name(gap["mode"]),
                auroc(gap["id"]),
                auroc(gap["zero_shot"]),
                difference(gap["gap"]),
            ]
            for gap in study["gap"]
        ],
        "estimates",
    )


def recovery_tables(study: Study) -> list[Table]:
    """Returns the share of the gap that each budget recovers, one table per mode."""
    shares = [
        {"arm": gap["arm"], "mode": gap["mode"], **budget}
        for gap in study["gap"]
        for budget in gap["recovered"]
    ]
    quantity = "share of the gap recovered [95 % interval]"
    return _by_budget(study, shares, quantity, lambda budget: share(budget["share"]))


def paired_tables(study: Study) -> list[Table]:
    """Returns the differences of arms at equal budgets, one table per mode; none for one arm."""
    if not study["paired"]:
        return []
    tables = []
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
        header = ["labelled patients", "arms", "difference", "p"]
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
