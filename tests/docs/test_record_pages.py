"""The pages on the fields of JSON records: meanings, types, and a real run."""

import json
from typing import Annotated

import jsonschema
import pytest
from annotated_types import Ge, Gt, Le
from documented_records import fields_of, read_fields
from typing_extensions import NotRequired, TypedDict

from docs.generate import json_kinds, metric_table, records, results_sections, sections
from docs.generate.json_kinds import Undocumented
from docs.generate.sections import Page, Section
from remedis.evaluation.evaluated_record import EvaluatedRecord


class Part(TypedDict):
    """A part.

    Attributes:
      share: of the whole.
    """

    share: Annotated[float, Ge(0), Le(1)] | None


class Whole(TypedDict):
    """A whole.

    Attributes:
      parts: name -> part. None if there are none,
        as here.
      width: of all.
    """

    parts: dict[str, Part] | None
    width: NotRequired[Annotated[float, Gt(0)]]


class Unsaid(TypedDict):
    """A kind.

    Attributes:
      said: yes.
    """

    said: str
    unsaid: int


class Renamed(TypedDict):
    """A kind.

    Attributes:
      before: its old name.
      now: its new name.
    """

    now: str


def page(*kinds, root=Whole):
    made = [Section(kind, kind.__name__, kind.__name__) for kind in kinds]
    return Page("reference/a.md", "A", "", (root,), made)


def test_a_field_has_its_type_and_its_meaning():
    text = sections.render([page(Whole, Part)])["reference/a.md"]
    assert (
        "| `parts`<br><small>by name: [Part](#part) or `null`</small> | Name → part. `null` if "
        in text
    )
    assert "if there are none, as here. |" in text
    assert "| `width`<br><small>number above 0, optional</small> | Of all. |" in text
    assert "| `share`<br><small>number 0 to 1 or `null`</small> | Of the whole. |" in text


def test_a_field_without_a_meaning_says_where_to_write_it():
    with pytest.raises(
        Undocumented, match=r"'unsaid' of .*\.Unsaid has no meaning; write one, `un"
    ):
        json_kinds.schema(Unsaid)
    with pytest.raises(Undocumented, match=r"Renamed describes 'before', which is no field of it"):
        json_kinds.meanings(Renamed)


def test_a_kind_without_a_section_stops_the_build():
    with pytest.raises(Undocumented, match=r"Part has no section; add a Section to the page"):
        sections.render([page(Whole)])


def test_a_written_field_that_no_kind_names_says_where_to_name_it():
    with pytest.raises(
        AssertionError, match=r"f\.parts\.a\.more has no meaning; add it to its kind"
    ):
        fields_of({"parts": {"a": {"share": 1.0, "more": 1}}}, Whole, "f")


def test_a_metric_without_a_meaning_stops_the_build(monkeypatch):
    monkeypatch.delitem(metric_table.MEANINGS, "ppv")
    with pytest.raises(Undocumented, match=r"differ in the metric 'ppv'; write its meaning there"):
        metric_table.metrics()


def test_every_field_of_a_real_run_is_on_the_pages(finished):
    run, _ = finished
    found = [file for file in run.rglob("*.json") if read_fields(file)]
    assert {file.name for file in found} == {
        *("results.json", "leaks.json", "judged.json", "environment.json"),
        *("remedis.json", "run.json", "seen.json"),
    }
    for task in ("multi_label", "multi_class"):
        fields_of(json.loads(json.dumps(metric_table.example(task))), EvaluatedRecord)


def test_the_schema_of_results_accepts_a_real_run_and_refuses_others(finished):
    schema, (_, results) = records.results_schema(), finished
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(results, schema)
    results = json.loads(json.dumps(results))
    results["test"]["labels"]["square"]["patients"] = "many"
    with pytest.raises(jsonschema.ValidationError, match="'many' is not of type 'integer'"):
        jsonschema.validate(results, schema)


def test_the_paths_to_what_is_looked_for_exist(finished):
    example = {**finished[1], "test": metric_table.example()}
    for path in results_sections.QUESTIONS.values():
        value = example
        name = "pneumonia" if path.startswith("test.") else "square"
        for part in path.replace("NAME", name).split("."):
            value = value[part]
