"""The HTML page of the report: the template `report.html.jinja` with the values of a study."""

from collections.abc import Mapping

from remedis.reporting.figures import RED
from remedis.reporting.label_budget_report import (
    answer_sentences,
    answer_table,
    curve_figures,
    curve_panels,
    data_tables,
    estimate_tables,
    lay_summary,
    placebo,
    provenance_lists,
    tuning_tables,
)
from remedis.reporting.label_budget_report.number_format import three_decimals
from remedis.reporting.label_budget_report.old_summaries import completed
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    budget_name,
    first_hospital,
    has_labels,
    hospital,
    metric,
    metric_name,
    mode_name,
    with_hospital,
)
from remedis.reporting.notes import RESEARCH_USE
from remedis.reporting.page_content import Drawing
from remedis.reporting.page_template import environment, unbroken
from remedis.reporting.svg import inline_svg
from remedis.zoo import shared_names

_TRAINED = {"probe": "the last layer is trained", "finetune": "all layers are trained"}


def page(study: Study, versions: Mapping[str, str]) -> str:
    """Returns the page: self-contained HTML without scripts, also well-formed as XML.

    Args:
      study: the content of `summary.json`.
      versions: of the software that made the study, by package.
    """
    study = completed(study)
    rendered = (
        environment()
        .get_template("report.html.jinja")
        .render(
            red=RED,
            research_use=RESEARCH_USE,
            title=study["title"],
            created=study["created"],
            id_name=first_hospital(study),
            ood_name=hospital(study),
            metric=study["metric"],
            warnings=lay_summary.warnings(study),
            answers=answer_sentences.paragraphs(study),
            seeds=_seeds(study),
            placebo_sentences=placebo.sentences(study),
            placebo_table=placebo.table(study),
            no_placebo=placebo.NOT_RECORDED,
            meaning=lay_summary.meaning(study),
            no_meaning=lay_summary.no_meaning(study),
            has_primary=study["primary"] is not None,
            primary=estimate_tables.primary_sentence(study),
            tunings=tuning_tables.tunings(study),
            trained_layers={mode_name(mode): _TRAINED[mode] for mode in study["modes"]},
            no_answer=answer_sentences.NO_ANSWER,
            answer_tables=answer_table.answer_tables(study),
            label_columns=_columns(len(study["labels"])),
            has_bands=curve_panels.has_bands(study),
            curves=[_curve(study, mode) for mode in study["modes"]],
            curve_tables=estimate_tables.curve_tables(study),
            gap_notes=estimate_tables.gap_notes(study),
            gap_table=estimate_tables.gap_table(study),
            recovery_tables=estimate_tables.recovery_tables(study),
            legend=inline_svg(
                curve_figures.legend(study), "key", "Legend: the line of each arm.", "Arms"
            ),
            label_curves={mode_name(mode): _label_curves(study, mode) for mode in study["modes"]}
            if has_labels(study)
            else {},
            no_label_curves=_no_label_curves(study),
            paired_tables=estimate_tables.paired_tables(study),
            budget_table=data_tables.budget_table(study),
            budgets_left_out=data_tables.budgets_left_out(study),
            data_sets=data_tables.data_sets(study),
            uncertain_table=data_tables.uncertain_table(study),
            receipt_between=data_tables.receipt_between(study),
            arms=provenance_lists.arms(study),
            caveats=_caveats(study),
            command=shared_names.command(study["command"], keep_relative=True),
            method=provenance_lists.method(study, versions),
        )
    )
    return unbroken(rendered)


def _columns(count: int) -> int:
    """Returns the number of panels side by side, at most five, that leaves the fewest gaps."""
    return count if count <= 5 else min((5, 4, 3), key=lambda columns: -count % columns)


def _caveats(study: Study) -> list[str]:
    """Returns the caveats, without those on tuning if the section on tuning states them."""
    return [
        with_hospital(caveat, study)
        for caveat in study["caveats"]
        if not (study["tuning"] and caveat.startswith("Tuning, "))
    ]


def _seeds(study: Study) -> str:
    """Returns how many draws of labelled patients each number comes from."""
    if study["seeds"] == 1:
        return (
            f"Every {metric_name(study)} after adaptation comes from one draw of labelled patients "
            "(1 seed)."
        )
    return (
        f"Every {metric_name(study)} after adaptation is the mean over {study['seeds']:,} draws of "
        "labelled patients (seeds)."
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
                f"{arm}: {study['metric']} {three_decimals(first['mean'])} at "
                f"{budget_name(first['patients'], study)} labelled patients, "
                f"{three_decimals(last['mean'])} at {budget_name(last['patients'], study)}."
            )
    return " ".join(sentences)


def _no_label_curves(study: Study) -> str:
    """Returns why there are no curves of labels, where there are none."""
    if metric(study).top is not None:
        return f"{metric_name(study).capitalize()} is one number for all classes: see above."
    return f"There is one label, {study['labels'][0]}: its curves are those above."


def _label_curves(study: Study, mode: str) -> list[Drawing]:
    return [
        inline_svg(
            curve_figures.label_panel(study, mode, label),
            f"label-{mode}-{index}",
            f"{label}: {metric_name(study)} by labelled patients. {mode_name(mode)}.",
            label,
        )
        for index, label in enumerate(study["labels"])
    ]
