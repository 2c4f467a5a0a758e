"""The overview of a study of several out-of-distribution sets, which leads to each set's page."""

from collections.abc import Mapping, Sequence

from remedis.reporting.figures import RED
from remedis.reporting.label_budget_report import answer_table, curve_figures, curve_panels
from remedis.reporting.label_budget_report.lay_summary import warnings
from remedis.reporting.label_budget_report.number_format import difference, listed, three_decimals
from remedis.reporting.label_budget_report.old_summaries import completed
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    chance,
    first_hospital,
    metric,
    metric_name,
    mode_name,
    most_frequent,
    pool,
)
from remedis.reporting.notes import RESEARCH_USE
from remedis.reporting.page_content import Drawing, Table
from remedis.reporting.page_template import environment, unbroken
from remedis.reporting.svg import inline_svg
from remedis.zoo import shared_names

_CAVEATS = (
    "Every number of a set is that of a study of this set alone. The in-distribution models are "
    "the same for all sets: a lucky or unlucky training shows in all of them, so agreement of sets "
    "is weaker evidence than agreement of studies.",
    "p-values are adjusted within a set, not over the sets, and intervals hold for one set at a "
    "time: among many sets one differs by chance. To compare sets or to name the best one was no "
    "question of this study.",
    "Sets differ in their patients, labels and prevalence: the same {metric} may be hard in one "
    "and easy in another.",
)


def page(
    studies: Mapping[str, Study], links: Mapping[str, str], caveats: Sequence[str], title: str = ""
) -> str:
    """Returns the page: HTML without scripts, also well-formed as XML.

    Args:
      studies: content of `summary.json` by name of the set, the first set first.
      links: relative address of each set's own page.
      caveats: sentences of the config, and on what sets have in common.
      title: of the study; empty for one made from the names of the sets.
    """
    studies = {name: completed(study) for name, study in studies.items()}
    first = next(iter(studies.values()))
    rendered = (
        environment()
        .get_template("overview.html.jinja")
        .render(
            red=RED,
            research_use=RESEARCH_USE,
            title=title or f"How many labelled patients of {listed(list(studies))} are needed?",
            created=max(study["created"] for study in studies.values()),
            id_name=first_hospital(first),
            names=listed(list(studies)),
            metric=first["metric"],
            warnings=_warnings(studies),
            sets=[
                {
                    "name": name,
                    "link": links[name],
                    "patients": study["data"]["ood"]["counts"]["test"]["patients"],
                    "pool": pool(study),
                }
                for name, study in studies.items()
            ],
            tables=[_table(studies, mode) for mode in first["modes"]],
            has_bands=any(map(curve_panels.has_bands, studies.values())),
            legend=inline_svg(
                curve_figures.legend_of_sets(studies), "key", "Legend: the lines.", "Arms"
            ),
            curves={mode_name(mode): _curves(studies, mode) for mode in first["modes"]},
            columns=min(len(studies), 3),
            caveats=[*caveats, *_comparisons(studies)],
            command=shared_names.command(first["command"], keep_relative=True),
        )
    )
    # A line does not break between a number and its percent sign.
    return unbroken(rendered)


def _comparisons(studies: Mapping[str, Study]) -> list[str]:
    """Returns what all overviews say; for accuracies, also what chance is in each set."""
    first = next(iter(studies.values()))
    sentences = [caveat.format(metric=metric_name(first)) for caveat in _CAVEATS]
    if metric(first).top is not None:
        of_sets = [f"{chance(study):.3f} at {name}" for name, study in studies.items()]
        sentences.append(
            f"Always naming {most_frequent(first)} of a set scores {listed(of_sets)}: gaps "
            "contain differences in how frequent the classes are."
        )
    return sentences


def _warnings(studies: Mapping[str, Study]) -> list[str]:
    """Returns each warning once, with the sets that it is about unless it is about all."""
    of: dict[str, list[str]] = {}
    for name, study in studies.items():
        for warning in warnings(study):
            of.setdefault(warning, []).append(name)
    return [
        warning if len(names) == len(studies) else f"{listed(names)}: {warning}"
        for warning, names in of.items()
    ]


def _table(studies: Mapping[str, Study], mode: str) -> Table:
    """Returns the estimates before adaptation and the headline answer, per set and arm."""
    first = next(iter(studies.values()))
    header = ["set", "arm", f"at {first_hospital(first)}", "zero-shot", "gap", "level to reach"]
    header += ["labelled patients", f"{first['baseline']} needs", "quotient"]
    rows = []
    for name, study in studies.items():
        gaps = {gap["arm"]: gap for gap in study["gap"] if gap["mode"] == mode}
        measured = {point["arm"] for point in study["points"] if point["mode"] == mode}
        for arm in filter(measured.__contains__, study["arms"]):
            gap = gaps.get(arm)
            before = ["", "", ""]
            if gap is not None:
                before = [
                    three_decimals(gap["id"]),
                    three_decimals(gap["zero_shot"]),
                    difference(gap["gap"]),
                ]
            rows.append([name, arm, *before, *answer_table.headline_answer(study, arm, mode)])
    caption = (
        f"{mode_name(mode)}: {first['metric']} at {first_hospital(first)} and without any label of "
        "the set, and the labelled patients of the set that reach its headline level "
        "[95 % intervals]."
    )
    return Table(caption, [*header, "stated as a multiple"], rows)


def _curves(studies: Mapping[str, Study], mode: str) -> list[Drawing]:
    return [
        inline_svg(
            curve_figures.set_panel(studies, mode, name),
            f"set-{mode}-{index}",
            f"{name}: {study['metric']} by labelled patients. {mode_name(mode)}.",
            name,
        )
        for index, (name, study) in enumerate(studies.items())
    ]
