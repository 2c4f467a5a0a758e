"""JSON files of runs compared with their kinds: what the documentation says of each field."""

import json
import pathlib
from typing import Any

from docs.generate import json_kinds
from docs.generate.json_kinds import Schema
from remedis import json_records
from remedis.conversion.convert import ExportRecord
from remedis.data.checks.leaks import LeaksRecord
from remedis.data.judged_images import JudgedRecord
from remedis.evaluation.corrupted_scores import RobustnessRecord
from remedis.evaluation.results_record import PretrainingRecord, ResultsRecord, UnlabelledData
from remedis.finetuning.tuning_grid import CandidateRecord
from remedis.inference.embedding_archive import ArchiveRecord
from remedis.label_budget.summary_record import SetsRecord, SummaryRecord
from remedis.suite.board_record import BoardRecord
from remedis.suite.suite_record import SuiteRecord
from remedis.training.run_directory import EnvironmentRecord
from remedis.zoo.export import DescriptionRecord
from remedis.zoo.run_record import RunRecord
from remedis.zoo.seen_images import SeenRecord

KINDS: dict[str, Any] = {
    "results.json": ResultsRecord,
    "summary.json": SummaryRecord,
    "ood_sets.json": SetsRecord,
    "remedis.json": DescriptionRecord,
    "seen.json": SeenRecord,
    "run.json": RunRecord,
    "judged.json": JudgedRecord,
    "leaks.json": LeaksRecord,
    "environment.json": EnvironmentRecord,
    "candidate.json": CandidateRecord,
    "export.json": ExportRecord,
    "archive.json": ArchiveRecord,
    "suite.json": SuiteRecord,
    "board.json": BoardRecord,
    "robustness.json": RobustnessRecord,
}
# Their keys are names, which other pages explain; `metadata.json` has the form of MONAI bundles;
# `settings.json` is for the sweep alone that wrote it.
OTHERS = ("config.json", "inputs.json", "left_out.json", "metadata.json", "settings.json")
Fields = set[tuple[str, str]]  # name of the kind, name of the field


def kind_of(file: pathlib.Path) -> Any:
    """Returns the kind of a JSON file by its name and content; None for `OTHERS`."""
    if file.name in OTHERS:
        return None
    values = json.loads(file.read_text())
    if file.name == "results.json" and "method" in values:
        return PretrainingRecord
    if file.name == "leaks.json" and "labels_used" in values:
        return UnlabelledData
    return KINDS[file.name]


def read_fields(file: pathlib.Path) -> Fields:
    """Returns the fields that a JSON file has; fails for a field without a meaning."""
    kind = kind_of(file)
    return set() if kind is None else fields_of(json.loads(file.read_text()), kind, file.name)


def fields_of(values: Any, kind: Any, where: str = "") -> Fields:
    """Returns the fields that a record has; fails if it is not of the kind, or has others."""
    json_records.checked(values, kind, where, "write its type beside the kind")
    schema = json_kinds.schema(kind)
    found: Fields = set()
    unknown = list(
        _walk(
            values, {**schema, "title": json_kinds.unwrapped(kind).__name__}, schema, where, found
        )
    )
    assert not unknown, (
        f"{unknown[0]} has no meaning; add it to its kind, beside the code that writes it, with a "
        "line in the section `Attributes` of the kind's docstring"
    )
    return found


def every_field(kind: Any) -> Fields:
    """Returns the fields of a kind that runs of this version write."""
    return {
        (one.__name__, field)
        for one in json_kinds.kinds_in(kind)
        for field, meaning in json_kinds.meanings(one).items()
        if "o run of this version writes it" not in meaning
    }


def _walk(values: Any, part: Schema, schema: Schema, where: str, found: Fields) -> list[str]:
    """Returns the places of fields that the schema does not name; adds the others to `found`."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        part = {**schema["$defs"][name], "title": name}
    if "anyOf" in part:
        matching = [one for one in part["anyOf"] if _fits(values, one)]
        return _walk(values, matching[0], schema, where, found) if matching else []
    unknown: list[str] = []
    if isinstance(values, dict):
        inside = part.get("additionalProperties")
        for name, value in values.items():
            if name in part.get("properties", {}):
                found.add((part["title"], name))
                unknown += _walk(value, part["properties"][name], schema, f"{where}.{name}", found)
            elif isinstance(inside, dict):
                unknown += _walk(value, inside, schema, f"{where}.{name}", found)
            elif "properties" in part:
                unknown.append(f"{where}.{name}")
    elif isinstance(values, list) and "items" in part:
        for value in values:
            unknown += _walk(value, part["items"], schema, where, found)
    return unknown


def _fits(value: Any, part: Schema) -> bool:
    is_object = "$ref" in part or part.get("type") == "object"
    if isinstance(value, dict):
        return is_object
    return not is_object and (value is None) == (part.get("type") == "null")
