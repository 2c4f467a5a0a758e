"""The page "Fields of summary.json", of a study with several numbers of labelled patients."""

from docs.generate.sections import Page, Section
from remedis.label_budget import study_numbers, summary_record

PATH = "reference/study-summary.md"
ROOTS = (summary_record.SummaryRecord, summary_record.SetsRecord)
_QUESTIONS = """| You look for | Read |
|---|---|
| how many patients an arm needs | in `answers`, the one with its `arm` and `headline`: `patients` |
| how many times fewer than the baseline | the same: `fold`, or why not: `fold_missing` |
| the learning curve | `points`, or the table `curves.csv` |
| what is lost at the second hospital | `gap` |
| whether two arms differ | `primary`, stated beforehand; `paired`, all pairs |
| what to say beside the numbers | `caveats` |"""


def page() -> Page:
    """Returns the page."""
    return Page(
        PATH,
        "Fields of summary.json",
        "A study (`remedis ood-curves`) asks how many labelled patients of a second hospital a "
        "model needs. It ends with `summary.json`; `report.html` shows the same numbers. "
        "[What the numbers mean](../numbers.md#label-budget) explains them. How to read the "
        "tables is said [on the page of results.json](results.md#reading).\n\n"
        f"## Find a number {{ #find }}\n\n{_QUESTIONS}",
        ROOTS,
        _sections(),
    )


def _sections() -> list[Section]:
    of = study_numbers
    return [
        Section(summary_record.SummaryRecord, "study", "The whole file"),
        Section(
            of.Answer,
            "answer",
            "How many patients are needed",
            "`answers`",
            text="One per arm, way of adaptation (`mode`) and level.",
        ),
        Section(
            of.Interval,
            "interval",
            "A number whose interval may be open",
            "patients, ratios and differences",
            level=3,
        ),
        Section(
            of.Extrapolation,
            "extrapolation",
            "Beyond the largest budget",
            "in answers: `extrapolation`",
            level=3,
        ),
        Section(of.Cost, "cost", "The cost of labels", "in answers: `cost`", level=3),
        Section(of.Level, "level", "The levels", "`levels`", level=3),
        Section(
            of.Placebo,
            "placebo",
            "What chance alone would show",
            "`placebo`",
            text="The baseline against itself: halves of its seeds, as if they were two arms. "
            "A multiple of the study that is no larger than these is noise.",
            level=3,
        ),
        Section(of.Point, "point", "The learning curves", "`points`"),
        Section(
            of.MeanPoint,
            "mean of a point",
            "The mean over labels at a point",
            "in points: `mean`",
            level=3,
        ),
        Section(
            of.Reference, "reference", "The baseline with all patients", "`reference`", level=3
        ),
        Section(of.Gap, "loss", "The loss at the second hospital", "`gap`"),
        Section(of.Recovered, "recovery", "The share recovered", "in `gap`: `recovered`", level=3),
        Section(of.InDistribution, "first hospital", "Arms at the first hospital", "`id`", level=3),
        Section(of.Primary, "primary comparison", "Whether two arms differ", "`primary`"),
        Section(of.Paired, "difference", "All pairs of arms", "`paired`", level=3),
        Section(
            of.Uncertain,
            "uncertain test labels",
            "Uncertain test labels",
            "`uncertain_labels`",
        ),
        Section(summary_record.Hospitals, "hospitals", "The data", "`data`"),
        Section(
            summary_record.Hospital, "hospital", "One hospital", "`data.id`, `data.ood`", level=3
        ),
        Section(summary_record.BudgetOfStudy, "budget", "The budgets", "`budgets`", level=3),
        Section(summary_record.StudyArm, "arm", "The arms", "`arms.NAME`", level=3),
        Section(
            summary_record.TuningOfMode,
            "tuning of a study",
            "How settings were chosen",
            "`tuning.MODE`",
        ),
        Section(
            summary_record.TunedArm,
            "choices of an arm",
            "The choices of an arm",
            "in `tuning`: `arms.NAME`",
            level=3,
        ),
        Section(
            summary_record.CandidateOfCells,
            "candidate of cells",
            "A candidate",
            "in the choices: `ood`",
            level=3,
        ),
        Section(
            summary_record.Training,
            "training",
            "A training at the first hospital",
            "in the choices: `id`",
            level=3,
        ),
        Section(summary_record.Cells, "cells", "Finished models", "`cells`", level=3),
        Section(
            summary_record.SetsRecord,
            "sets",
            "ood_sets.json",
            text="A study of several out-of-distribution sets has one `summary.json` per set. "
            "This file lists them.",
        ),
        Section(summary_record.SetRecord, "set", "One set", "`sets`", level=3),
    ]
