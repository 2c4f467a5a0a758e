"""The tuning of each arm: the candidates, their scores on validation patients, and the choices."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from remedis.reporting.label_budget_report.number_format import listed
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    first_hospital,
    hospital,
    mode_name,
    with_hospital,
)
from remedis.reporting.page_content import Table


@dataclasses.dataclass(frozen=True)
class Tuning:
    """The tuning of one mode: its heading, sentences on budget and rule, and tables."""

    heading: str
    sentences: Sequence[str]
    tables: Sequence[Table]


def tunings(study: Study) -> list[Tuning]:
    """Returns the tuning of every mode that recorded it."""
    return [
        Tuning(
            mode_name(mode),
            [with_hospital(text, study) for text in _sentences(of) if text],
            [
                table
                for table in (_choices(study, mode), _first_trainings(study, mode))
                if table.rows
            ],
        )
        for mode, of in study["tuning"].items()
    ]


def _sentences(tuning: Mapping[str, Any]) -> list[str]:
    """Returns the tuning budget, the rule of choice, and what was not tuned, in words."""
    budget = tuning["budget"].rstrip(".")
    if budget.startswith("Tuning, "):  # the heading names the mode already
        budget = budget.partition(": ")[2]
    sentences = [f"Tuning budget: {budget}.", tuning.get("rule") or ""]
    for key, text in (
        (
            "unranked",
            "Step 0 is kept where no label has both classes among the validation patients: in",
        ),
        ("unrecorded", "Cells of an earlier version have no record:"),
    ):
        counts = [
            f"{arm[key]:,} of {arm['cells'] + arm.get('unrecorded', 0):,} cells of {name}"
            for name, arm in tuning["arms"].items()
            if arm.get(key)
        ]
        if counts:
            sentences.append(f"{text} {listed(counts)}.")
    return sentences


def _choices(study: Study, mode: str) -> Table:
    """Returns the mean validation score of each candidate, and how often it was chosen."""
    tuning = study["tuning"][mode]
    arms = tuning["arms"]
    of_arm = {name: {one["candidate"]: one for one in arm["ood"]} for name, arm in arms.items()}
    rows = []
    for candidate in tuning["candidates"]:
        cells = []
        for name, candidates in of_arm.items():
            one = candidates.get(candidate)
            if one is None:
                cells.append("")
                continue
            score = "no score" if one["score"] is None else f"{one['score']:.3f}"
            cells.append(f"{score}; {one['chosen']:,} of {arms[name]['cells']:,}")
        rows.append([_words(candidate), *cells])
    caption = (
        f"{mode_name(mode)} at {hospital(study)}: {study['metric']} on the validation patients of "
        "the budgets (chosen on these, so it looks better than it is), and number of cells that "
        "chose the candidate. A cell is one budget with one seed. Step 0 is the model before "
        "adaptation."
    )
    return Table(caption, ["candidate", *of_arm], rows, "estimates")


def _first_trainings(study: Study, mode: str) -> Table:
    """Returns what each training at the first hospital chose, with its validation scores."""
    arms = study["tuning"][mode]["arms"]
    runs = [(name, run) for name, arm in arms.items() for run in arm.get("id", ())]
    scored = list(dict.fromkeys(key for _, run in runs for key in run.get("scores", ())))
    labels = list(dict.fromkeys(key for _, run in runs for key in run.get("penalties", ())))
    chosen = any("chosen" in run for _, run in runs)
    rows = []
    for name, run in runs:
        scores, penalties = run.get("scores", {}), run.get("penalties", {})
        cells = [_words(run.get("chosen", ""))] if chosen else []
        cells += [
            "" if key not in scores else "diverged" if scores[key] is None else f"{scores[key]:.3f}"
            for key in scored
        ]
        cells += [f"{penalties[label]:.3g}" if label in penalties else "" for label in labels]
        rows.append([name, str(run["training"] + 1), *cells])
    header = ["arm", "training", *(["chosen"] * chosen), *map(_words, scored)]
    header += [f"penalty, {label}" for label in labels]
    caption = (
        f"{mode_name(mode)} at {first_hospital(study)}: the choice of each training, by validation "
        "AUROC."
    )
    return Table(caption, header, rows, "estimates")


def _words(candidate: str) -> str:
    """Returns for example `learning rate 0.02` of `learning_rate=0.02`, so that it wraps."""
    return candidate.replace("_", " ").replace("=", " ")
