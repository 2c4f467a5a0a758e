"""The page "Files of a run" beside real runs: files, columns and fields."""

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from documented_records import KINDS, every_field, fields_of, read_fields
from every_run import make_all
from study_helpers import BUDGETS, RISING, make_cells, make_test_set

from docs.generate import column_list, file_list
from docs.generate.column_list import Table
from docs.generate.file_list import Entry
from remedis.data.checks import leaks
from remedis.data.manifest import Manifest
from remedis.evaluation import label_budget
from remedis.evaluation.results_record import PretrainingRecord, ResultsRecord, UnlabelledData
from remedis.label_budget import study_numbers
from remedis.zoo import export, licences, records, run_record

# Of a run that is going on, and of rehearsals, which `tests/configs` runs.
ELSEWHERE = {"work/FILES", "rehearsal/FILES"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every kind of run, as (what the documentation says of it, folder)."""
    return make_all(tmp_path_factory.mktemp("runs"))


def left_in(folder):
    """Returns the files of a folder that are no locks or caches."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if not path.name.startswith("."))


def check_columns(table: Table, columns: dict[str, str]) -> None:
    """Fails unless a table has the columns that are documented, of their types."""
    for name, kind in columns.items():
        # A column of that very name before one whose name stands for any.
        found = sorted(
            (one for one in table.columns if one.matches(name)), key=lambda one: one.name != name
        )
        assert found, f"{table.title} has the column {name!r}; add it to column_list.py"
        assert kind in (found[0].kind, "empty"), (table.title, name)
    for one in table.columns:
        assert one.optional or any(one.matches(name) for name in columns), (table.title, one.name)


def kinds_of_columns(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): kind_of(frame[name].dropna()) for name in frame}


def kind_of(values: Iterable[object]) -> str:
    """Returns the type of a column in words."""
    kinds = {type(value) for value in values}
    if not kinds:
        return "empty"
    if kinds <= {bool, np.bool_}:
        return "true or false"
    if kinds <= {int, np.int64}:
        return "whole number"
    if all(issubclass(kind, int | float | np.number) for kind in kinds):
        return "number"
    return {str: "text", bytes: "bytes", np.ndarray: "list of numbers"}[kinds.pop()]


def kind_of_array(array: np.ndarray) -> str:
    """Returns the type of an array of an archive in words."""
    if array.dtype.kind == "U":
        return "text"
    return "list of numbers" if array.ndim else "number"


def test_an_entry_matches_files_of_its_form():
    entry = Entry("id/ARM/export/FILES", "", "", "")
    assert entry.matches("id/one two/export/variables/a.b")
    assert not entry.matches("id/one/two/export/a")
    assert Entry("MODEL_CARD.md", "", "", "").matches("MODEL_CARD.md")
    assert not Entry("a.json", "", "", "").matches("abjson")
    assert Entry("id-N/FILES", "", "", "").matches("id-1/one/scores.npz")


def test_every_file_of_a_run_is_documented(finished):
    run, _ = finished
    unknown = [
        path
        for path in left_in(run)
        if not any(entry.matches(path) for entry in file_list.RUN.entries)
    ]
    assert not unknown, f"{unknown[0]} is not documented; add an Entry to file_list.py"
    predictions = pd.read_parquet(run / "predictions.parquet")
    check_columns(column_list.PREDICTIONS, kinds_of_columns(predictions))


def test_every_number_of_a_study_is_documented():
    test = make_test_set()
    low = (0.1, 0.1, 0.2, 0.3)
    cells = make_cells(test, {"base": RISING, "one": low}, seeds=4)
    primary = label_budget.Primary("one", "probe", 20)
    result = label_budget.analyse_study(
        test,
        cells,
        "base",
        id_test=test,
        id_scores={(arm, "probe"): test.targets for arm in ("base", "one")},
        primary=primary,
        images=dict(zip(BUDGETS, range(4), strict=True)),
        cost=label_budget.Cost(1.0, 2.0),
        extrapolate=True,
        resamples=100,
    )
    parts = {
        "points": study_numbers.Point,
        "reference": study_numbers.Reference,
        "id": study_numbers.InDistribution,
        "answers": study_numbers.Answer,
        "paired": study_numbers.Paired,
        "gap": study_numbers.Gap,
        "levels": study_numbers.Level,
        "placebo": study_numbers.Placebo,
    }
    found = fields_of(result["primary"], study_numbers.Primary)
    for name, kind in parts.items():
        for one in result[name]:
            found |= fields_of(json.loads(json.dumps(one)), kind, name)
    for kind in (*parts.values(), study_numbers.Primary):
        assert every_field(kind) <= found, sorted(every_field(kind) - found)


@pytest.mark.guarantee
def test_every_file_of_every_run_is_documented_and_every_documented_one_found(runs):
    for folder in file_list.FOLDERS:
        own = [path for of, path in runs if of is folder]
        files = {path for one in own for path in left_in(one)}
        unknown = [p for p in sorted(files) if not any(e.matches(p) for e in folder.entries)]
        assert not unknown, f"{folder.title}: {unknown}"
        missing = [e.path for e in folder.entries if not any(e.matches(p) for p in files)]
        assert set(missing) <= ELSEWHERE, f"{folder.title}: {missing}"


@pytest.mark.guarantee
def test_every_column_is_documented_and_every_documented_one_found(runs):
    root = runs[0][1].parent
    check_columns(
        column_list.PREDICTIONS,
        kinds_of_columns(pd.read_parquet(root / "tuned/predictions.parquet")),
    )
    check_columns(column_list.SCAN, kinds_of_columns(pd.read_parquet(root / "plain/scan.parquet")))
    check_columns(
        column_list.BAD_IMAGES, kinds_of_columns(pd.read_csv(root / "tuned/bad_images.csv"))
    )
    check_columns(column_list.CURVES, kinds_of_columns(pd.read_csv(root / "study/curves.csv")))
    embedded = pd.read_parquet(root / "embedded.parquet")
    check_columns(column_list.EMBEDDINGS, kinds_of_columns(embedded))
    with np.load(root / "embedded.npz") as arrays:
        assert set(arrays) == {*embedded, "record"}
    rows = [
        row
        for run in ("plain", "pretrained")
        for row in pd.read_json(root / run / "metrics.jsonl", lines=True).to_dict("records")
    ]
    logged = pd.DataFrame(rows)
    check_columns(column_list.METRICS, kinds_of_columns(logged))
    assert {one.name for one in column_list.METRICS.columns} == set(logged)
    of_study = root / "study"
    for table, pattern in (
        (column_list.STORE, "embeddings/*/*.npz"),
        (column_list.CELLS, "cells/*.npz"),
        (column_list.SCORES, "id/*-probe.npz"),
        (column_list.SCORES, "id/*/scores.npz"),
        (column_list.REFERENCE, "../plain/export/reference.npz"),
    ):
        with np.load(next(of_study.glob(pattern))) as arrays:
            names = {name: kind_of_array(arrays[name]) for name in arrays}
        check_columns(table, names)


@pytest.mark.guarantee
def test_every_field_is_found_in_a_run(runs):
    found = set()
    for _, folder in runs:
        for file in folder.rglob("*.json"):
            if "rehearsal" not in file.parts and "1.0.0" not in file.parts:
                found |= read_fields(file)
    found |= fields_of(leaking_receipt(), leaks.LeaksRecord)
    found |= fields_of(run_record._leaks(leaking_receipt()), run_record.LeakCounts)
    found |= fields_of(published(), export.PublishedRecord)
    for link in licences.PUBLISHED.values():
        found |= fields_of(link, licences.LicenceRecord)
    every = set()
    for kind in (*KINDS.values(), PretrainingRecord, ResultsRecord, UnlabelledData):
        every |= every_field(kind)
    # `test_every_number_of_a_study_is_documented` has these.
    every -= every_field(study_numbers.Answer)
    assert every <= found, sorted(every - found)


def published():
    """The record of a published checkpoint as an export has it."""
    import dataclasses

    return json.loads(json.dumps(dataclasses.asdict(records.record("cxr-50x1-remedis-m"))))


def leaking_receipt():
    """What the leak gate writes of two splits that share a patient, similar ids and images."""
    table = pd.DataFrame(
        {
            "path": ["a.png", "b.png", "c.png"],
            "patient_id": ["1", "1", "01"],
            "study_id": None,
            "site": None,
            "split": ["train", "test", "test"],
            "ill": [0.0, 1.0, 0.0],
        }
    )
    manifest = Manifest(table, ("ill",), ".", "made up")
    hashes = pd.Series(["x", "y", "z"], index=table["path"])
    looks = pd.Series(["a5" * 32, "a5" * 31 + "a4", "0f" * 32], index=table["path"])
    receipt = leaks.check(manifest, hashes, phashes=looks)
    return json.loads(json.dumps(receipt.to_json()))
