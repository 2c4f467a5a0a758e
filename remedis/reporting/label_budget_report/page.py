"""The HTML page of the report: the template `report.html.jinja` with the values of a study."""

import functools
from collections.abc import Mapping

import jinja2

from remedis.reporting.figures import RED
from remedis.reporting.label_budget_report import (
    answer_sentences,
    answer_table,
    curve_figures,
    data_tables,
    estimate_tables,
    provenance_lists,
)
from remedis.reporting.label_budget_report.content import Drawing
from remedis.reporting.label_budget_report.figure_export import inline_svg
from remedis.reporting.label_budget_report.number_format import auroc
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    budget_name,
    mode_name,
    random_weights_note,
)
from remedis.reporting.notes import RESEARCH_USE

_ADAPTATIONS = {
    "probe": "its last layer alone (linear probe)",
    "finetune": "all of its layers (end-to-end fine-tuning)",
}


def page(study: Study, versions: Mapping[str, str]) -> str:
    """Returns the page: self-contained HTML without scripts, also well-formed as XML.

    Args:
      study: the content of `summary.json`.
      versions: of the software that made the study, by package.
    """
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            red=RED,
            research_use=RESEARCH_USE,
            title=study["title"],
            created=study["created"],
            id_name=study["data"]["id"]["name"],
            ood_name=study["data"]["ood"]["name"],
            metric=study["metric"],
            adaptations=[_ADAPTATIONS[mode] for mode in study["modes"]],
            random_weights_note=random_weights_note(study),
            cells_done=study["cells"]["done"],
            cells_planned=study["cells"]["planned"],
            answers=answer_sentences.paragraphs(study),
            no_answer=answer_sentences.NO_ANSWER,
            answer_tables=answer_table.answer_tables(study),
            curves=[_curve(study, mode) for mode in study["modes"]],
            curve_tables=estimate_tables.curve_tables(study),
            gap_table=estimate_tables.gap_table(study),
            recovery_tables=estimate_tables.recovery_tables(study),
            legend=inline_svg(
                curve_figures.legend(study), "key", "Legend: the line of each arm.", "Arms"
            ),
            label_curves={mode_name(mode): _label_curves(study, mode) for mode in study["modes"]},
            paired_tables=estimate_tables.paired_tables(study),
            budget_table=data_tables.budget_table(study),
            budgets_left_out=data_tables.budgets_left_out(study),
            data_sets=data_tables.data_sets(study),
            receipt_between=data_tables.receipt(study["between"]),
            arms=provenance_lists.arms(study),
            caveats=study["caveats"],
            command=study["command"],
            method=provenance_lists.method(study, versions),
        )
    )


@functools.cache
def environment() -> jinja2.Environment:
    """Returns the templates; they escape every value and refuse a value that is missing."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("remedis.reporting.label_budget_report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _curve(study: Study, mode: str) -> Drawing:
    return inline_svg(
        curve_figures.curve_panel(study, mode),
        f"curve-{mode}",
        f"{mode_name(mode)}. {_ends_in_words(study, mode)}",
        mode_name(mode),
    )


def _ends_in_words(study: Study, mode: str) -> str:
    """Returns each arm's metric at the smallest and at the largest budget."""
    sentences = []
    for arm in study["arms"]:
        points = [p for p in study["points"] if (p["arm"], p["mode"]) == (arm, mode)]
        if points:
            first, last = (pick(points, key=lambda p: p["patients"]) for pick in (min, max))
            sentences.append(
                f"{arm}: {study['metric']} {auroc(first['mean'])} at "
                f"{budget_name(first['patients'], study)} labelled patients, "
                f"{auroc(last['mean'])} at {budget_name(last['patients'], study)}."
            )
    return " ".join(sentences)


def _label_curves(study: Study, mode: str) -> list[Drawing]:
    return [
        inline_svg(
            curve_figures.label_panel(study, mode, label),
            f"label-{mode}-{index}",
            f"{label}: AUROC by labelled patients. {mode_name(mode)}.",
            label,
        )
        for index, label in enumerate(study["labels"])
    ]
