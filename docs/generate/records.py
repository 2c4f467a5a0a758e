"""Pages on the fields of JSON files, and the JSON Schema of `results.json`."""

import json

from docs.generate import (
    json_kinds,
    other_sections,
    results_sections,
    sections,
    study_sections,
)
from remedis.evaluation.results_record import ResultsRecord

SCHEMA = f"reference/{results_sections.SCHEMA}"


def site_pages() -> list[sections.Page]:
    """Returns the pages as sections."""
    return [results_sections.page(), study_sections.page(), other_sections.page()]


def results_schema() -> json_kinds.Schema:
    """Returns the JSON Schema of the `results.json` of a fine-tuning run or an evaluation."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "results.json of remedis",
        **json_kinds.schema(ResultsRecord),
    }


def pages() -> dict[str, str | bytes]:
    """Returns the pages and the schema."""
    schema = json.dumps(results_schema(), indent=1) + "\n"
    return {**sections.render(site_pages()), SCHEMA: schema}
