"""Whether a run tests inside or outside of the data that it was trained on."""

from remedis.reporting.checklists import data_facts, result_facts, training_facts
from remedis.reporting.checklists.answers import (
    Answer,
    Part,
    counted,
    estimate,
    name,
    say,
    table,
    together,
    write,
)
from remedis.reporting.checklists.cited_records import EXPORT, RESULTS, SUMMARY, Records, place
from remedis.reporting.run_info import PRETRAINING, STUDY

_MOST_ROWS = 60
NO_EXTERNAL = (
    "The run holds no test on data of another place: test the model there (`remedis evaluate`), or "
    "state why external testing is missing."
)


def internal(records: Records) -> Answer:
    """Returns the test on a split of the data that the model was trained on."""
    if records.kind == STUDY:
        return _of_study_inside(records)
    if records.kind == EXPORT or records.value(RESULTS, "model"):
        return write(
            "This evaluation does not record whether its data are of the place that the model was "
            "trained at; fill this item from the run that trained the model."
        )
    if records.kind == PRETRAINING or not records.evaluated:
        return write("The run holds no results on labelled test images.")
    found = say(
        "The model is evaluated on the ",
        name(RESULTS, records.split),
        " split of the data that it was trained on: ",
        counted(records.field(RESULTS, records.split, "images"), "image"),
        *data_facts.with_known_label(records),
        ".",
    )
    if records.split != "test":
        return found + write(
            "This split chose the model, its calibration or its thresholds: report the test split."
        )
    return found


def external(records: Records) -> Answer:
    """Returns the test on data of another place, if the run holds one."""
    if records.kind == STUDY:
        return _of_study_outside(records)
    if records.value(RESULTS, "model"):
        data = records.field(RESULTS, "data", "source")
        return say(
            "A model that was trained before is scored, unchanged, on ",
            data and data.base_name(),
            ": ",
            counted(records.field(RESULTS, records.split, "images"), "image"),
            *data_facts.with_known_label(records),
            ".",
        ) + write(
            "State whether these data are of another place than the training data, and how they "
            "differ (patients, scanners, labels, dates): the run does not know it."
        )
    return write(NO_EXTERNAL)


def differences(records: Records) -> Answer:
    """Returns how the data of an external test differ from the training data, as far as known."""
    if records.kind == STUDY or records.value(RESULTS, "model"):
        return write(
            "Describe how the data of the external test differ from those of training, validation "
            "and internal test: patients, setting, scanners, labels, prevalence, dates."
        )
    return write(NO_EXTERNAL)


def _of_study_inside(records: Records) -> Answer:
    rows: list[list[Part | None]] = []
    for i in range(len(records.value(SUMMARY, "id") or ())):
        rows.append(
            [
                records.field(SUMMARY, "id", i, "arm"),
                records.field(SUMMARY, "id", i, "mode"),
                estimate(records, SUMMARY, "id", i, "mean"),
            ]
        )
    if not rows:
        return Answer()
    return table(
        ["arm", "mode", "metric (95 % interval)"],
        rows,
        [place(SUMMARY, ("id",))],
        "Each arm is tested on the test split of ",
        records.field(SUMMARY, "data", "id", "name"),
        " (",
        records.field(SUMMARY, "metric"),
        "):",
    )


def _of_study_outside(records: Records) -> Answer:
    rows: list[list[Part | None]] = []
    for i in range(min(len(records.value(SUMMARY, "points") or ()), _MOST_ROWS)):
        rows.append(
            [
                records.field(SUMMARY, "points", i, "arm"),
                records.field(SUMMARY, "points", i, "mode"),
                records.field(SUMMARY, "points", i, "patients"),
                estimate(records, SUMMARY, "points", i, "mean"),
            ]
        )
    header = ["arm", "mode", "labelled patients of this place", "metric (95 % interval)"]
    return table(
        header,
        rows,
        [place(SUMMARY, ("points",))],
        "Each arm is tested on the test split of ",
        records.field(SUMMARY, "data", "ood", "name"),
        ", which the study names as another place than ",
        records.field(SUMMARY, "data", "id", "name"),
        ". Rows without labelled patients of it are an external test of the model as trained; the "
        "others are tests after adaptation to the place.",
    ) + write("Describe how the two places differ: patients, scanners, labels, dates.")


def results(records: Records) -> Answer:
    """Returns the performance of a run, an evaluation or an export; of a study, at both places."""
    if records.kind == STUDY:
        return together(
            [
                data_facts.made_up(records),
                training_facts.random_weights(records),
                _of_study_inside(records),
                _of_study_outside(records),
            ]
        )
    return result_facts.performance(records)
