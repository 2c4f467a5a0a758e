"""`run.json` of an export: the run that made a classifier, with its settings, checks and results.

Together with `remedis.json`, which has calibration, thresholds and the licence chain, it tells
years later what the model was when it left its run. It has no path, no id and no name of a site:
the receipt of the leak check has numbers only, and results by site stay in the run's
`results.json`.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Len
from typing_extensions import NotRequired, TypedDict

from remedis import files, json_records
from remedis.data.checks.leaks import read_receipt
from remedis.evaluation.evaluated_record import EvaluatedRecord
from remedis.json_records import Count, Line, Name
from remedis.zoo import shared_names
from remedis.zoo.export import RUN_RECORD as FILE

ADVICE = "copy the export again, or remove the file: the model works without it"
# Settings that are no paths though they may have slashes: names of labels, patterns, terms.
_NO_PATHS = frozenset(
    {
        "data_terms",
        "eval_preprocess",
        "eval_uncertain",
        "eval_unmentioned",
        "eval_unlabelled",
        "labels",
        "learning_rates",
        "select",
        "stratify",
        "train_preprocess",
        "uncertain",
        "unmentioned",
        "unlabelled",
    }
)


class SharedCount(TypedDict):
    """The number of values that two splits share.

    Attributes:
      what: `patient_id`, `study_id`, `slide_id`, `sha256` (identical images) or `look` (images
        that look the same).
      splits: the two splits.
      count: number of distinct shared values; of `look`, of pairs.
    """

    what: Name
    splits: Annotated[list[Name], Len(2, 2)]
    count: Count


class LeakCounts(TypedDict):
    """The receipt of the leak check in numbers, without ids and paths.

    Attributes:
      ok: whether no leak was found in what could be checked.
      counts: split -> `images`, `patients`, `studies` and `slides`, as far as known.
      shared: what splits share; empty where there is nothing.
      similar_ids: column -> number of pairs of ids that differ only in leading zeros, a trailing
        `.0` or letter case, which the run's settings allow.
      unchecked: sentences on what could not be checked.
    """

    ok: bool
    counts: dict[Name, dict[Name, Count]]
    shared: list[SharedCount]
    similar_ids: dict[Name, Count]
    unchecked: list[Line]


class RunRecord(TypedDict):
    """The run that made an exported classifier.

    Attributes:
      format: version of this format, 1.
      config: the settings, as in the run's `config.json`, with base names in place of paths.
      leaks: the receipt of the leak check. None if the run has none.
      data: name of the data of `test`, such as `the test split of nih`.
      test: the evaluation on data that chose nothing, as in `results.json`. Results by site are
        left out. None if a calibration to another place had no such data.
    """

    format: NotRequired[Count]
    config: json_records.Object
    leaks: LeakCounts | None
    data: Line
    test: EvaluatedRecord | None


def of_run(
    run: pathlib.Path, config: Mapping[str, Any], data: str, test: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the record of a run.

    Args:
      run: its directory, for `leaks.json`.
      config: its settings.
      data: name of the test data.
      test: their evaluation, of `evaluate_table`.
    """
    receipt = run / "leaks.json"
    return {
        "format": 1,
        "config": _settings(json_records.plain(dict(config))),
        "leaks": _leaks(read_receipt(receipt)) if os.path.lexists(receipt) else None,
        "data": data,
        "test": _test(test),
    }


def recalibrated(
    record: Mapping[str, Any], data: str, test: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns a record for a calibration to another place, which the old results are not of.

    Args:
      record: of the classifier before.
      data: name of the data that judged the new calibration.
      test: their evaluation; None if there were none.
    """
    return {**record, "data": data, "test": None if test is None else _test(test)}


def write(record: Mapping[str, Any], folder: files.Path) -> None:
    """Writes the record into the folder of an export."""
    files.write_json(pathlib.Path(folder, FILE), record)


def read(folder: files.Path) -> RunRecord | None:
    """Returns the record of an export; None if it has none, as exports of earlier versions.

    Raises:
      UserError: the file is damaged.
    """
    file = pathlib.Path(folder, FILE)
    if not os.path.lexists(file):
        return None
    return json_records.read(file, RunRecord, ADVICE)


def _settings(values: Any) -> Any:
    """Returns nested settings with base names in place of paths."""
    if isinstance(values, dict):
        return {
            key: value if key in _NO_PATHS else _settings(value) for key, value in values.items()
        }
    if isinstance(values, list):
        return [_settings(value) for value in values]
    return shared_names.setting(values) if isinstance(values, str) else values


def _leaks(receipt: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ok": receipt["ok"],
        "counts": receipt.get("counts", {}),
        "shared": [
            {"what": of.get("column", "look"), "splits": of["splits"], "count": of["count"]}
            for of in [*receipt["overlaps"], *receipt.get("near_duplicates", ())]
        ],
        "similar_ids": {of["column"]: of["count"] for of in receipt.get("similar_ids", ())},
        "unchecked": receipt["unchecked"],
    }


def _test(evaluated: Mapping[str, Any]) -> dict[str, Any]:
    groups = evaluated.get("subgroups") or {}
    return {**evaluated, "subgroups": {name: of for name, of in groups.items() if name != "site"}}
