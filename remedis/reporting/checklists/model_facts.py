"""What a run records about its model: architecture, input, output, and how it is run."""

from remedis.reporting.checklists.answers import Answer, counted, name, say, together, write
from remedis.reporting.checklists.cited_records import CONFIG, EXPORT, RESULTS, SUMMARY, Records
from remedis.reporting.run_info import FINE_TUNING, PRETRAINING, STUDY


def model(records: Records) -> Answer:
    """Returns architecture, number of parameters, input and outputs."""
    file = records.description
    units = records.filled(file, "units")
    found = [
        say(
            "The backbone is a BiT ResNet v2 with ",
            units,
            " bottleneck units in its four blocks and a width multiplier of ",
            records.field(file, "width"),
            ".",
        ),
        Answer() if units else say("The backbone is ", records.filled(file, "backbone"), "."),
        say(
            "All variables together have ",
            counted(records.field(file, "parameters"), "scalar parameter"),
            " in ",
            counted(records.field(file, "tensors"), "tensor"),
            ".",
        ),
        _input(records),
        _head(records),
    ]
    if records.kind == STUDY:
        for arm in records.value(SUMMARY, "arms") or ():
            weights = records.field(SUMMARY, "arms", arm, "checkpoint")
            named = name(SUMMARY, "arms", arm)
            found.append(say("Arm ", named, ": ", weights and weights.base_name(), "."))
    if records.kind == STUDY:
        missing = "State the architecture of each arm: the summary of a study names its weights."
        return together(found) + write(missing)
    if not units and not records.filled(file, "backbone"):
        missing = "State the architecture of the backbone and its number of parameters: "
        return together(found) + write(f"{missing}these records do not hold them.")
    return together(found)


def _input(records: Records) -> Answer:
    spec = records.field(RESULTS, "preprocess", "evaluation")
    if records.kind == EXPORT:
        spec = records.field(records.description, "preprocess")
    return say("Images enter as prepared by ", spec and spec.code(), ", with three channels.")


def _head(records: Records) -> Answer:
    task = next(
        (f for f in (records.field(of, "task") for of in (RESULTS, records.description)) if f), None
    )
    if task is None or records.kind in (STUDY, PRETRAINING):
        return Answer()
    output = "softmax over the classes" if task.value == "multi_class" else "sigmoid per label"
    found = say(f"A linear head on the pooled map ends in a {output}.", cites=[task])
    norm = records.field(CONFIG, "head_norm")
    if norm is not None:
        has = "is normalised" if norm.value else "is not normalised"
        found += say(f"The map {has} before it is pooled.", cites=[norm])
    return found


def input_images(records: Records) -> Answer:
    """Returns what enters the model: the image alone, prepared as for evaluation."""
    found = _input(records)
    if not found.said:
        return found
    return found + say(
        "The image is the only input: no clinical data enter the model.",
        cites=found.said[0].fields,
    )


def predictions_by(records: Records) -> Answer:
    """Returns how scores of the evaluation were computed."""
    exported = records.field(RESULTS, "model")
    if exported is not None:
        return say(
            "Scores are those of the exported TensorFlow SavedModel ", exported.base_name(), "."
        )
    if records.kind != FINE_TUNING:
        return Answer()
    names = records.field(records.description, "signatures")
    return say(
        "Scores are those of the trained network, calibrated as stated; the same network is "
        "exported as a TensorFlow SavedModel in `export/`, which takes images and gives "
        "probabilities.",
        cites=[names],
    )


def always_a_result(records: Records) -> Answer:
    """Returns that the model has no indeterminate output."""
    task = records.field(RESULTS, "task") or records.field(records.description, "task")
    return say(
        "The model gives a probability for every image that can be read, so that the index test "
        "has no indeterminate result.",
        cites=[task],
    )


def named(records: Records) -> Answer:
    """Returns the name of the model."""
    model_name = records.field(records.description, "name")
    exported = records.field(RESULTS, "model")
    return say("Model: ", model_name, ".") + say("Model: ", exported and exported.base_name(), ".")
