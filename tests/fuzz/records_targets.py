"""Fuzzes every record that is read as JSON, with what the package makes of it."""

import json
import pathlib
from typing import Any

import harness
from hypothesis import strategies as st

SHA = "ab" * 32
ESTIMATE = {"value": 0.8, "low": 0.7, "high": 0.9, "patients": 40, "positives": 9}
PROVENANCE = {
    "origin": "training",
    "description": "Fine-tuned.",
    "file": None,
    "details": {"labels": ["Edema"], "frozen_variables": 3},
    "parent": {"origin": "random", "description": "RANDOM WEIGHTS (seed 0)."},
}
CALIBRATION = {
    "method": "platt",
    "scale": [1.5],
    "offset": [0.1],
    "fitted_on": {"cases": 40, "labels": {"Edema": {"cases": 40, "positives": 9, "negatives": 31}}},
    "left_out": [],
    "task": "multi_label",
}
THRESHOLDS = {
    "youden": {"Edema": 0.3},
    "target_sensitivity": {"Edema": None},
    "target": 0.95,
    "log_odds": {"youden": {"Edema": -0.8}, "target_sensitivity": {"Edema": None}},
}
METRIC = {"labels": {"Edema": ESTIMATE}, "mean": ESTIMATE, "averaged": ["Edema"], "interval": "95"}
EVALUATED = {
    **METRIC,
    "left_out": [],
    "metrics": dict.fromkeys(
        (
            *("average_precision", "brier", "calibration_error", "accuracy"),
            *("youden/sensitivity", "youden/specificity"),
            *("target_sensitivity/sensitivity", "target_sensitivity/specificity"),
        ),
        METRIC,
    ),
    "thresholds": THRESHOLDS,
    "images": 60,
    "resamples": 100,
    "seed": 0,
    "note": "Intervals.",
    "subgroups": {
        "sex": {
            "Edema": {
                "groups": {"F": {"auroc": ESTIMATE}, "M": {"auroc": ESTIMATE}},
                "gaps": {"auroc": {"value": 0.1, "low": 0.0, "high": 0.2}},
            }
        }
    },
    "ties": {"Edema": {"images": 1}},
    "warnings": ["A warning."],
}
RESULTS = {
    "random_weights": True,
    "checkpoint": PROVENANCE,
    "task": "multi_label",
    "data": {"source": "nih", "counts": {"train": {"images": 9, "Edema": 2}}, "bad_images": 1},
    "steps": 10,
    "best_step": 5,
    "calibration": CALIBRATION,
    "thresholds": THRESHOLDS,
    "tuning": {"names": ["a", "b"], "scores": [0.5, None], "chosen": 0},
    "test": EVALUATED,
}
PRETRAINING = {
    "name": "cxr",
    "method": "simclr",
    "checkpoint": PROVENANCE,
    "data": {"labels_used": False, "images": 9, "patients": 5, "sources": {"nih": {}}},
    "steps": 10,
    "best_step": 5,
    "probe": [{"step": 5, "probe/linear_auroc": 0.6, "probe/knn_auroc": None}],
}
DESCRIPTION = {
    "kind": "classifier",
    "name": "run",
    "units": [1, 1, 1, 1],
    "width": 0.5,
    "final_norm": True,
    "value_range": [0.0, 1.0],
    "trunk_range": [-1.0, 1.0],
    "parameters": 9,
    "tensors": 3,
    "signatures": ["serving_default"],
    "provenance": PROVENANCE,
    "record": None,
    "backbone": "1-1-1-1x0.5",
    "labels": ["Edema"],
    "preprocess": "resize(32)",
    "calibration": CALIBRATION,
    "thresholds": THRESHOLDS,
    "label_policies": {"source": "nih", "uncertain": "ignore"},
    "performance": {
        **{"data": "nih", "images": 60, "patients": 40, "note": "", "warnings": []},
        **{"labels": {"Edema": {"auroc": ESTIMATE}}, "mean": {"auroc": ESTIMATE}, "averaged": []},
    },
    "software": {"remedis": "0.1"},
}
CONFIG = {
    **{"labels": ["Edema"], "checkpoint": "a", "data_dir": "b"},
    **{"steps": 10, "uncertain": "ignore"},
}
LEAKS = {
    "ok": False,
    "overlaps": [{"column": "patient_id", "splits": ["train", "test"], "count": 1, "ids": ["1"]}],
    "unchecked": [],
    "duplicates": {"train": 1},
}
SEEN = {"salt": "ab", "digests": [SHA], "looks": [], "ids": {"ab": {"patient_id": ["12"]}}}
JUDGED = {"sets": [{"split": "test", "root": "/a", "sha256": [SHA], "patient_ids": ["1"]}]}
METRICS = {"step": 5, "train/loss": 0.5, "probe/linear_auroc": None}
SETS = {"title": "", "sets": [{"name": "a", "directory": "."}], "overlaps": [], "caveats": []}
TF_CONFIG = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([10**9, 2**63, 10**400, -1, 1e308, "x" * 20_000, "\ud800", "Edema", "a/../.."]),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the paths of all values inside of one."""
    if not isinstance(value, dict | list):
        return [path]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


def changed(record: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Returns a record as JSON in which a few values are replaced, renamed or left out."""
    known = [place for place in places(record) if place]

    @st.composite
    def draw_one(draw: st.DrawFn) -> bytes:
        made = json.loads(json.dumps(record))
        for place in draw(st.lists(st.sampled_from(known), min_size=1, max_size=3)):
            *parents, key = place
            inside = made
            for parent in parents:
                try:
                    inside = inside[parent]
                except (KeyError, IndexError, TypeError):
                    break
            if isinstance(inside, dict):
                if draw(st.booleans()):
                    inside[key] = draw(values)
                else:
                    inside.pop(key, None)
            elif isinstance(inside, list) and isinstance(key, int) and key < len(inside):
                inside[key] = draw(values)
        return json.dumps(made).encode()

    return draw_one()


def read_description(contents: bytes, _: pathlib.Path) -> None:
    from remedis import json_records
    from remedis.evaluation.calibration import Calibration
    from remedis.evaluation.thresholds import Thresholds
    from remedis.reporting import checkpoint_info
    from remedis.zoo import card, checkpoint
    from remedis.zoo.export import Description, DescriptionRecord

    described = Description.from_json(
        json_records.parse(contents, DescriptionRecord, "remedis.json", "build it again")
    )
    checkpoint.architecture_of(described)
    checkpoint_info._of_description(described)
    card.text(described.to_json())
    if described.thresholds:
        Thresholds.from_json(described.thresholds).for_labels(described.labels).arrays()
    if described.calibration:
        Calibration.from_json(described.calibration)


def read_results(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.evaluation import results_record
    from remedis.evaluation.evaluation_result import Result
    from remedis.reporting import results_table, run_info, run_page
    from remedis.reporting.tuning_table import tuning_table

    (folder / "results.json").write_bytes(contents)
    results = results_record.read(folder)
    evaluated = results[results.get("split", "test")]
    Result.from_json(evaluated)
    results_table.results_report(evaluated, random_weights=results["random_weights"])
    run_page.page(results, "run", [], None)
    run_info.run_info(folder)
    if "tuning" in results:
        tuning_table(results["tuning"])


def read_pretraining(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.evaluation import results_record
    from remedis.reporting import run_info

    (folder / "config.json").write_text(json.dumps({"method_options": ""}))
    (folder / "results.json").write_bytes(contents)
    results_record.read_pretraining(folder)
    run_info.run_info(folder)


def read_config(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.inference.run_policies import RunPolicies
    from remedis.reporting import run_info
    from remedis.training import run_directory

    (folder / "config.json").write_bytes(contents)
    config = run_directory.read_config(folder / "config.json")
    run_info.run_info(folder)
    RunPolicies.from_record(config)
    (folder / "results.json").touch()
    run_directory.RunDirectory(folder, CONFIG)


def read_leaks(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.data.checks.leaks import read_receipt
    from remedis.reporting.leak_receipt import receipt

    (folder / "leaks.json").write_bytes(contents)
    receipt(read_receipt(folder / "leaks.json"))


def read_seen(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.zoo.seen_images import SeenImages

    (folder / "seen.json").write_bytes(contents)
    seen = SeenImages.read(folder)
    assert seen is not None
    seen.write(folder)


def read_judged(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.data import judged_images

    (folder / "judged.json").write_bytes(contents)
    assert judged_images.read(folder)


def read_metrics(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.reporting import pretraining_report, training_plot
    from remedis.training import run_directory

    (folder / "metrics.jsonl").write_bytes(contents)
    rows = run_directory.read_metrics(folder)
    pretraining_report.loss_remark([row for row in rows if row.get("train/loss") is not None] * 2)
    training_plot.training_curves(rows, random_weights=False)


def read_sets(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.label_budget import summary_record

    (folder / "ood_sets.json").write_bytes(contents)
    for one in summary_record.read_sets(folder)["sets"]:
        assert (folder / one["directory"]).resolve().is_relative_to(folder.resolve())


def read_tf_config(contents: bytes, _: pathlib.Path) -> None:
    from remedis import json_records
    from remedis.training.distribution import TfConfig

    json_records.parse(contents, TfConfig, "TF_CONFIG", "set another")


def read_table(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.evaluation import predictions_file

    (folder / "predictions.parquet").write_bytes(contents)
    predictions_file.read(folder)


def table() -> bytes:
    """Returns a small table of predictions."""
    import io

    import pandas as pd

    made = io.BytesIO()
    pd.DataFrame(
        {
            **{"path": ["a", "b"], "patient_id": ["1", None], "split": ["test", "train"]},
            **{"label/Edema": [1.0, 0.0], "score/Edema": [0.5, 0.25]},
        }
    ).to_parquet(made, index=False)
    return made.getvalue()


def target(record: dict[str, Any], read: Any) -> harness.Target:
    contents = json.dumps(record).encode()
    return harness.Target(seeds=lambda: [contents], read=read, drawn=changed(record))


TARGETS = {
    "remedis.json": target(DESCRIPTION, read_description),
    "results.json": target(RESULTS, read_results),
    "results.json of a pretraining": target(PRETRAINING, read_pretraining),
    "config.json": target(CONFIG, read_config),
    "leaks.json": target(LEAKS, read_leaks),
    "seen.json": target(SEEN, read_seen),
    "judged.json": target(JUDGED, read_judged),
    "metrics.jsonl": target(METRICS, read_metrics),
    "ood_sets.json": target(SETS, read_sets),
    "TF_CONFIG": target(TF_CONFIG, read_tf_config),
    "predictions.parquet": harness.Target(seeds=lambda: [table()], read=read_table),
}
