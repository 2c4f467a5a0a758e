"""What a run records about its labels: their names, and what uncertain and empty ones count as."""

from collections.abc import Iterable

from remedis.reporting.checklists.answers import Answer, Part, name, say, several, table, together
from remedis.reporting.checklists.cited_records import (
    CONFIG,
    DESCRIPTION,
    EXPORT,
    RESULTS,
    SUMMARY,
    Field,
    Records,
    place,
)
from remedis.reporting.checklists.data_facts import tested_place

_MOST_ROWS = 40  # of a table in the document; the file has all
# What a label value counts as, in the words of `remedis.data.label_policies`.
_KINDS = {
    "uncertain": "uncertain (-1)",
    "unmentioned": "empty beside others",
    "unlabelled": "empty for every label",
}
_SUBJECTS = {
    "uncertain": "an uncertain label (-1)",
    "unmentioned": "an empty label beside others",
    "unlabelled": "an empty label of an image without any",
}
_POLICIES = {
    "ignore": "is left out",
    "zeros": "counts as negative",
    "ones": "counts as positive",
    "keep": "stays uncertain",
}


def labels(records: Records) -> Answer:
    """Returns the outcome: names of the labels, and whether they exclude each other."""
    listed = [records.filled(file, "labels") for file in (CONFIG, SUMMARY, DESCRIPTION)]
    found: list[Part] = [field for field in listed if field is not None]
    if not found and records.evaluated.get("labels"):
        evaluated = records.evaluated["labels"]
        found = [several(name(RESULTS, records.split, "labels", label) for label in evaluated)]
    return say("Labels: ", found[0] if found else None, ".") + _task(records)


def _task(records: Records) -> Answer:
    for file in (RESULTS, CONFIG, SUMMARY, DESCRIPTION):
        task = records.field(file, "task")
        if task is not None:
            if task.value == "multi_class":
                return say("Exactly one of them is true per image.", cites=[task])
            return say("Each is true or false per image on its own.", cites=[task])
    return Answer()


def label_policies(records: Records) -> Answer:
    """Returns what uncertain and missing labels count as, in training and in evaluation."""
    found = [_training_policies(records), _evaluation_policies(records)]
    found += [
        say("On ", *tested_place(records), ": ", note)
        for note in records.each(RESULTS, records.split, "label_notes")
    ]
    for side in ("id", "ood"):
        found += [
            say(records.field(SUMMARY, "data", side, "name"), ": ", note)
            for note in records.each(SUMMARY, "data", side, "label_notes")
        ]
    if records.kind == EXPORT:
        found.append(_described_policies(records))
    return together(found)


def _training_policies(records: Records) -> Answer:
    policies = records.value(RESULTS, "data", "policies")
    if not policies or records.value(RESULTS, "model"):
        return Answer()
    kinds = list(dict.fromkeys(kind for of in policies.values() for kind in of))
    if len({tuple(sorted(of.items())) for of in policies.values()}) == 1:
        first = next(iter(policies))
        return _policies("In training", records.each(RESULTS, "data", "policies", first))
    rows = [
        [
            name(RESULTS, "data", "policies", label),
            *(_POLICIES.get(records.value(RESULTS, "data", "policies", label, k)) for k in kinds),
        ]
        for label in list(policies)[:_MOST_ROWS]
    ]
    return table(
        ["label", *(_KINDS.get(kind, kind) for kind in kinds)],
        rows,
        [place(RESULTS, ("data", "policies"))],
        "What labels other than positive and negative count as in training:",
    )


def _evaluation_policies(records: Records) -> Answer:
    return _policies("In evaluation", records.each(RESULTS, "data", "evaluation_policies"))


def _policies(where: str, policies: Iterable[Field]) -> Answer:
    """Returns what each kind of label counts as; policies that differ by label stay as they are."""
    words: list[Part] = []
    cites = []
    for policy in policies:
        kind = _SUBJECTS.get(str(policy.keys[-1]), str(policy.keys[-1]))
        if policy.value in _POLICIES:
            words.append(f"{kind} {_POLICIES[policy.value]}")
            cites.append(policy)
        else:
            words.append([f"{kind} counts as: ", policy])
    return say(f"{where}, ", several(words) if words else None, ".", cites=cites)


def _described_policies(records: Records) -> Answer:
    policies: list[Part] = [
        [name(policy.file, *policy.keys), " = ", policy]
        for policy in records.each(DESCRIPTION, "label_policies")
        if policy.value
    ]
    return say(
        "Label policies of the run that trained the model: ",
        several(policies) if policies else None,
        ".",
    )
