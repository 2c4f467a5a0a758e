"""The section of `docs/results.md` on white blood cells, and its figure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from remedis.reporting.figures import panels
from remedis.reporting.label_budget_report import answer_sentences, curve_panels
from remedis.reporting.label_budget_report.number_format import (
    difference,
    interval,
    patients,
    three_decimals,
)

Study = Mapping[str, Any]  # as `pooled_studies.pooled` returns it


def cells_for_patients(text: str) -> str:
    """Returns a sentence of a report with `cell` for `patient`: no patients are known."""
    return re.sub(r"\bpatient(s?)\b", r"cell\1", text)


def figure(studies: Sequence[Study], title: str) -> Figure:
    """Returns one panel per direction, all with the same arms and the same axes.

    Without bands and references, so that the intervals of up to six arms can be read.
    """
    # An arm has one style in all panels, also where it is not finished in one direction.
    most = max(studies, key=lambda study: len(study["arms"]))
    everyone = dict(most["arms"])
    for study in studies:
        everyone |= {name: arm for name, arm in study["arms"].items() if name not in everyone}
    studies = [
        {
            **study,
            "arms": everyone,
            "reference": [],
            "points": [_without_band(point) for point in study["points"]],
        }
        for study in studies
    ]
    drawn, grid = panels(
        len(studies),
        2,
        (4.6, 4.3),
        title=title,
        subtitle="Mean AUROC on test cells of the second laboratory, with 95 % intervals. The "
        "labels of the first laboratory are all known.",
        random_weights=False,
    )
    for axes, study in zip(grid, studies, strict=True):
        counts = study["data"]["ood"]["counts"]["test"]
        axes.set_title(f"{study['title']} ({counts['images']} test cells)", fontsize=11, loc="left")
        curve_panels.beside(axes, study, study["modes"][0], studies)
        axes.set_xlabel(f"labelled cells of {study['data']['ood']['name']}", fontsize=10)
    first = studies[0]
    drawn.legend(
        handles=[Line2D([], [], **style) for style in curve_panels.styles(first)],
        labels=[
            name + (" (random weights)" if arm["random_weights"] else "")
            for name, arm in first["arms"].items()
        ],
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        frameon=False,
        handlelength=3.6,
    )
    return drawn


def _without_band(point: Mapping[str, Any]) -> dict[str, Any]:
    return {**point, "mean": {**point["mean"], "band_low": None, "band_high": None}}


def joined(probes: Study, whole: Study) -> Study:
    """Returns what the figure draws: all points of the probes, and the other arms' points."""
    others = [point for point in whole["points"] if point["arm"] not in probes["arms"]]
    return {**whole, "points": [*probes["points"], *others]}


def counts(study: Study) -> str:
    """Returns how many cells of the second laboratory may be labelled, and how many test."""
    name, of = study["data"]["ood"]["name"], study["data"]["ood"]["counts"]
    return (
        f"Of {name}, {of['pool']['images']} cells may be labelled and {of['test']['images']} test."
    )


def seen(study: Study) -> str:
    """Returns what a panel shows, in words: where each curve begins and ends."""
    ends = []
    for arm in study["arms"]:
        own = [point for point in study["points"] if point["arm"] == arm]
        first, last = (three_decimals(own[i]["mean"]).partition(" [")[0] for i in (0, -1))
        ends.append(f"{arm} {first} to {last}")
    most = max(point["patients"] for point in study["points"])
    return f"{study['title']}, from 0 to {most} labelled cells: {', '.join(ends)}"


def table(study: Study, against: Sequence[str]) -> list[str]:
    """Returns the rows of a table: AUROC by arm and budget, and paired differences.

    Args:
      study: of one direction.
      against: arms that every other arm is compared with, one column each.
    """
    here = study["data"]["ood"]["name"]
    lines = [
        f"| arm | labelled cells of {here} | AUROC | "
        + " | ".join(f"minus {arm}" for arm in against)
        + " |",
        "|---|---|---|" + "---|" * len(against),
    ]
    for point in study["points"]:
        minus = [
            difference(paired(study, point["arm"], arm, point["patients"]))
            if arm != point["arm"]
            else ""
            for arm in against
        ]
        lines.append(
            f"| {point['arm']} | {point['patients']} | {three_decimals(point['mean'])} | "
            + " | ".join(minus)
            + " |"
        )
    return lines


def paired(study: Study, arm: str, against: str, patients: int) -> dict[str, float | None]:
    """Returns the difference of two arms at a budget, whichever comes first in the study."""
    for row in study["paired"]:
        if row["patients"] == patients and {row["arm"], row["against"]} == {arm, against}:
            found = row["difference"]
            if row["arm"] == arm:
                return {end: found[end] for end in ("value", "low", "high")}
            opposite = {"value": "value", "low": "high", "high": "low"}
            return {
                end: None if found[other] is None else -found[other]
                for end, other in opposite.items()
            }
    raise KeyError((arm, against, patients))


def gains(study: Study, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Returns a list: the paired difference of each pair of arms at each budget, in words."""
    here = study["data"]["ood"]["name"]
    lines = []
    for arm, against in pairs:
        for budget in sorted({point["patients"] for point in study["points"]}):
            found = paired(study, arm, against, budget)
            low, high = found["low"], found["high"]
            if low is None or high is None:
                said = "not estimable"
            elif low > 0 or high < 0:
                said = "a gain" if low > 0 else "a loss"
            else:
                said = "neither a gain nor a loss is shown"
            lines.append(
                f"- {arm}, minus {against}, with {budget} labelled cells of {here}: "
                f"{difference(found)}: {said}."
            )
    return lines


def answers(study: Study) -> list[str]:
    """Returns the answers to the question, against the baseline of a study, as a list."""
    (sentences,) = answer_sentences.paragraphs(study).values()
    lines = [f"- {cells_for_patients(sentence)}" for sentence in sentences]
    if study["too_few_seeds"]:
        lines.append(f"- {answer_sentences.too_few(study)}: no multiple is stated.")
    return lines


def needs(study: Study) -> list[str]:
    """Returns a table of the labelled cells that each arm needs to reach the headline level."""
    largest = max(point["patients"] for point in study["points"])
    lines = [
        f"| arm | level | cells it needs | cells {study['baseline']} needs | times fewer | said |",
        "|---|---|---|---|---|---|",
    ]
    for answer in study["answers"]:
        if not answer["headline"] or answer["arm"] == study["baseline"]:
            continue
        level = "" if answer["level"] is None else f"{answer['level']:.3f}"
        said = "a multiple" if answer["fold"] else f"none: {answer['fold_missing']}"
        lines.append(
            f"| {answer['arm']} | {level} | {_cells(answer['patients'], answer, largest)} | "
            f"{_cells(answer['baseline_patients'], answer, largest)} | "
            f"{interval(answer['ratio'], '{:.2g}'.format)} | {said} |"
        )
    return lines


def _cells(needed: Mapping[str, float | None] | None, answer: Study, largest: int) -> str:
    return patients(needed, largest) if needed else answer["status"]


def replicates(numbers: Mapping[str, Mapping[int, Sequence[float]]]) -> list[str]:
    """Returns a table of each replicate alone.

    Args:
      numbers: arm -> labelled cells -> AUROC of each replicate, the mean over its draws.
    """
    budgets = list(next(iter(numbers.values())))
    lines = [
        "| arm | " + " | ".join(f"{n} labelled cells" for n in budgets) + " |",
        "|---|" + "---|" * len(budgets),
    ]
    for arm, of in numbers.items():
        values = (", ".join(f"{value:.3f}" for value in of[n]) for n in budgets)
        lines.append(f"| {arm} | " + " | ".join(values) + " |")
    return lines
