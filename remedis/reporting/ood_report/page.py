"""The page: its sections in order."""

from collections.abc import Mapping

from remedis.reporting.notes import RESEARCH_USE
from remedis.reporting.ood_report import answers, figures, measured, record
from remedis.reporting.ood_report.drawings import within_page
from remedis.reporting.ood_report.markup import Markup, items, join, tag
from remedis.reporting.ood_report.style import CSS
from remedis.reporting.ood_report.words import (
    Study,
    auroc,
    budget_name,
    mode_name,
    random_note,
)

_KEY = "Hollow: zero-shot. Bands: 95 % intervals. Patients are on the scale of log(1 + patients)."


def page(study: Study, versions: Mapping[str, str]) -> str:
    """Returns the page: self-contained HTML without scripts, also well-formed as XML.

    Args:
      study: what `summary.json` holds.
      versions: of the software it was made with, by package.
    """
    body = tag(
        "main",
        _head(study),
        _section("Curves", _curves(study), measured.curves(study)),
        _section("Answers", answers.answers_table(study)),
        _section("In and out of distribution", measured.gap(study)),
        _section("Label by label", *_labels(study)),
        _section("Arm against arm", measured.paired(study)),
        _section("Budgets", record.budgets(study)),
        _section("Data and splits", record.data(study)),
        _section("Checkpoints", record.checkpoints(study)),
        _section("Caveats", items(study["caveats"])),
        _section("How it was made", record.method(study, versions)),
    )
    head = tag(
        "head",
        Markup('<meta charset="utf-8"/>'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1"/>'),
        tag("title", study["title"]),
        tag("style", Markup(CSS)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', body), lang='en')}\n"


def _section(title: str, *content: Markup) -> Markup:
    name = title.lower().replace(" ", "-")
    heading = tag("h2", title, id=name)
    return tag("section", heading, *content, aria_labelledby=name)


def _head(study: Study) -> Markup:
    names = [study["data"][key]["name"] for key in ("id", "ood")]
    parts = [
        tag("h1", study["title"]),
        tag("p", f"From {names[0]} to {names[1]}, {study['created']}.", class_="note"),
    ]
    if note := random_note(study):
        parts.append(tag("p", note, class_="alarm"))
    done, planned = study["cells"]["done"], study["cells"]["planned"]
    if done < planned:
        said = f"UNFINISHED: {done:,} of {planned:,} cells are done; numbers will change."
        parts.append(tag("p", said, class_="alarm"))
    parts += [tag("div", answers.paragraphs(study), class_="answer"), tag("p", _terms(study))]
    return join([*parts, tag("p", RESEARCH_USE, class_="note")])


def _terms(study: Study) -> str:
    """Returns what a reader needs who has not read one of these before."""
    inside, outside = (study["data"][key]["name"] for key in ("id", "ood"))
    ways = {
        "probe": "its last layer alone (linear probe)",
        "finetune": "all of its layers (end-to-end fine-tuning)",
    }
    adapted = " or ".join(ways[mode] for mode in study["modes"])
    return (
        f"Each arm is a network with the weights it started from. It learnt from {inside}, the "
        f"in-distribution (ID) data; was adapted to {outside}, out of distribution (OOD), by "
        f"training {adapted} on labelled patients from there; and is judged on other patients from "
        "there. AUROC is how often an image with a finding is ranked above one without: 0.5 is "
        "chance, 1 is perfect. Brackets hold 95 % intervals."
    )


def _curves(study: Study) -> Markup:
    drawn = [
        within_page(
            figures.curve_panel(study, mode),
            f"curve-{mode}",
            f"{mode_name(mode)}. {_in_words(study, mode)}",
            mode_name(mode),
        )
        for mode in study["modes"]
    ]
    said = f"On the OOD test set: {study['metric']}. {_KEY}"
    return join([tag("p", said), tag("div", *drawn, class_="curves")])


def _in_words(study: Study, mode: str) -> str:
    """Returns where each arm begins and ends."""
    said = []
    for arm in study["arms"]:
        points = [p for p in study["points"] if (p["arm"], p["mode"]) == (arm, mode)]
        ends = sorted(points, key=lambda point: point["patients"])
        if ends:
            said.append(
                f"{arm}: {study['metric']} {auroc(ends[0]['mean'])} at "
                f"{budget_name(ends[0]['patients'], study)} labelled patients, "
                f"{auroc(ends[-1]['mean'])} at {budget_name(ends[-1]['patients'], study)}."
            )
    return " ".join(said)


def _labels(study: Study) -> list[Markup]:
    parts = [
        tag("p", f"On the OOD test set: AUROC. {_KEY}"),
        within_page(figures.legend(study), "key", "Which line is which arm.", "Arms"),
    ]
    for mode in study["modes"]:
        drawn = [
            within_page(
                figures.label_panel(study, mode, label),
                f"label-{mode}-{index}",
                f"{label}: AUROC by labelled patients. {mode_name(mode)}.",
                label,
            )
            for index, label in enumerate(study["labels"])
        ]
        parts += [tag("h3", mode_name(mode)), tag("div", *drawn, class_="labels")]
    return parts
