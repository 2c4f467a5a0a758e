"""The filled checklist as Markdown, and as values for JSON."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from remedis.errors import unknown_choice
from remedis.reporting.checklists import (
    claim,
    data_facts,
    model_facts_label,
    stard_ai,
    training_facts,
    tripod_ai,
)
from remedis.reporting.checklists.answers import AUTHOR, PARTLY, RUN, Answer
from remedis.reporting.checklists.cited_records import Records
from remedis.reporting.checklists.guideline import Guideline, Item
from remedis.reporting.notes import RESEARCH_USE
from remedis.zoo import markdown_text

_MODULES = (claim, tripod_ai, stard_ai, model_facts_label)
GUIDELINES = {module.GUIDELINE.name: module.GUIDELINE for module in _MODULES}
_STATES = (RUN, PARTLY, AUTHOR)
_MOST_WITHIN = 2  # places within one object that a document names one by one
_MARKS = {RUN: "From the run", PARTLY: "Partly from the run", AUTHOR: "The author must write this"}


def guideline(name: str) -> Guideline:
    """Returns the guideline of a name.

    Raises:
      UserError: there is none.
    """
    if name not in GUIDELINES:
        raise unknown_choice("guideline", name, GUIDELINES)
    return GUIDELINES[name]


def filled(of: Guideline, records: Records) -> dict[Item, Answer]:
    """Returns the answer of every item."""
    return {item: item.answer(records) for item in of.items}


def counts(answers: Mapping[Item, Answer]) -> dict[str, int]:
    """Returns how many items the run answers, answers in part, and leaves to the author."""
    found = Counter(answer.state for answer in answers.values())
    return {state: found[state] for state in _STATES}


def summary(of: Guideline, answers: Mapping[Item, Answer]) -> str:
    """Returns the counts as a sentence."""
    found = counts(answers)
    return f"{of.title}: {found[RUN]} {RUN}, {found[PARTLY]} {PARTLY}, {found[AUTHOR]} {AUTHOR}."


def text(of: Guideline, records: Records, answers: Mapping[Item, Answer]) -> str:
    """Returns the document in Markdown.

    Args:
      of: the guideline.
      records: of the run.
      answers: of `filled`.
    """
    run = markdown_text.code(records.folder.resolve().name)
    lines = [
        f"# {of.title}",
        f"Filled from {run} ({records.kind}). {RESEARCH_USE}",
        summary(of, answers),
        f"Guideline: {of.citation} The questions are worded here. {of.numbering}",
        "Each answer names the file and the field that it is from, below the run's directory. "
        "Paste an answer only if you can stand for it; replace every line that begins with "
        "**Author** by your text.",
    ]
    lines += [f"> **{sentence.text}**" for sentence in data_facts.made_up(records).said]
    lines += [f"> **{sentence.text}**" for sentence in training_facts.random_weights(records).said]
    section = ""
    for item, answer in answers.items():
        if item.section != section:
            section = item.section
            lines.append(f"## {section}")
        lines += _item(item, answer)
    return "\n\n".join(lines) + "\n"


def _item(item: Item, answer: Answer) -> list[str]:
    number = f"{item.id}. " if item.id[0].isdigit() else ""  # of a label, ids are names of ours
    lines = [f"### {number}{item.subject}", f"*{_MARKS[answer.state]}.*"]
    lines += [sentence.text for sentence in answer.said]
    lines += [f"**Author:** {sentence}" for sentence in answer.author]
    if sources := shortened(source for sentence in answer.said for source in sentence.sources):
        lines.append("Source: " + ", ".join(map(markdown_text.code, sources)))
    return lines


def shortened(sources: Iterable[str]) -> list[str]:
    """Returns places, of which several within one object are named by the object.

    Places at or below another one of them are left out.
    """
    given: list[str] = []
    places = list(dict.fromkeys(sources))
    while places != given:
        given = places
        inside = Counter(map(_outer, places))
        outer = (_outer(of) if inside[_outer(of)] > _MOST_WITHIN else of for of in places)
        places = list(dict.fromkeys(outer))
    return [
        place
        for place in places
        if not any(
            place != other and place.startswith((f"{other}.", f"{other}[")) for other in places
        )
    ]


def _outer(place: str) -> str:
    """Returns the place of the object around a value; the place itself at the top of a file."""
    file, _, keys = place.partition(": ")
    outer = re.sub(r"(\.[\w/]+|\[\d+\]|\[\"(?:[^\"\\]|\\.)*\"\])$", "", keys)
    return f"{file}: {outer}" if outer and outer != keys else place


def values(of: Guideline, records: Records, answers: Mapping[Item, Answer]) -> dict[str, Any]:
    """Returns the document as plain values: every answer with all of its fields."""
    return {
        "guideline": of.name,
        "title": of.title,
        "citation": of.citation,
        "numbering": of.numbering,
        "kind": records.kind,
        "counts": counts(answers),
        "items": [
            {
                "id": item.id,
                "section": item.section,
                "subject": item.subject,
                "state": answer.state,
                "answer": [sentence.text for sentence in answer.said],
                "author": list(answer.author),
                "sources": [source for sentence in answer.said for source in sentence.sources],
            }
            for item, answer in answers.items()
        ],
    }
