"""What a run's directory holds: its kind, state, performance, weights and data.

Only files are read that runs of every version have, and no network: TensorFlow is not needed.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis import files
from remedis.errors import counted
from remedis.evaluation import results_record
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.training import run_directory

FINE_TUNING, PRETRAINING, STUDY, EVALUATION = (
    "fine-tuning run",
    "pretraining run",
    "label-budget study",
    "evaluation of predictions",
)
_FILES = ("config.json", "results.json", "summary.json")


def is_run(directory: files.Path) -> bool:
    """Returns whether a directory is that of a run, a study or an evaluation."""
    if pathlib.Path(directory, "saved_model.pb").is_file():
        return False
    return any(os.path.lexists(pathlib.Path(directory, name)) for name in _FILES)


def run_info(directory: files.Path) -> tuple[RenderableType, dict[str, Any]]:
    """Returns a report on a run's directory, and the same as values for JSON.

    Args:
      directory: of a run of fine-tuning or pretraining, of a study, or the output of
        `remedis evaluate`; finished or not.

    Raises:
      UserError: a file of the run is damaged.
    """
    run = pathlib.Path(directory)
    file = run / "config.json"
    config = run_directory.read_config(file) if os.path.lexists(file) else {}
    results = _results(run, config)
    kind = STUDY if (run / "summary.json").is_file() else _kind(config, results)
    finished = (run / "summary.json").is_file() if kind == STUDY else bool(results)
    export = run / "export"
    properties = {
        "directory": str(run),
        "kind": kind,
        "state": _state(run, config, kind, finished),
        "command": run_directory.read_environment(run).get("command", ""),
        "labels": ", ".join(config.get("labels") or _labels(results)),
        **_weights(config, results),
        **_data(config, results.get("data", {})),
        "model": f"{export}; more: remedis info {export}" if export.is_dir() else "",
        "report": _report(run),
    }
    properties = {name: text for name, text in properties.items() if text}
    split = results.get("split", "test")  # named if predictions were evaluated again
    performance = results.get(split, {}) if kind in (FINE_TUNING, EVALUATION) else {}
    random_weights = bool(results.get("random_weights") or _is_random(results))
    values = {
        **properties,
        "finished": finished,
        "random_weights": random_weights,
        "split": split if performance else None,
        "performance": performance or None,
        "probe": results.get("probe") if kind == PRETRAINING else None,
    }
    parts: list[RenderableType] = [property_table(properties)]
    if counts := results.get("data", {}).get("counts"):
        parts.append(_counts(counts))
    if performance:
        from remedis.reporting import results_table  # loads SciPy

        title = results.get("title", f"{split.capitalize()} split")
        parts.append(
            results_table.results_report(performance, random_weights=random_weights, title=title)
        )
    else:
        if random_weights:
            parts.append(Text(RANDOM_WEIGHTS, style="bold red"))
        if kind == PRETRAINING and results.get("probe"):
            parts.append(_probes(results["probe"], results.get("best_step")))
        parts.append(Text(RESEARCH_USE))
    return Group(*parts), values


def property_table(values: Mapping[str, str]) -> Table:
    """Returns a table of one property per row; empty values are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        if value:
            table.add_row(name, Text(value))
    return table


def kind_and_results(directory: files.Path) -> tuple[str, dict[str, Any]]:
    """Returns the kind of a finished run or evaluation, and the content of its `results.json`.

    Raises:
      UserError: a file of the run is damaged.
    """
    run = pathlib.Path(directory)
    file = run / "config.json"
    config = run_directory.read_config(file) if os.path.lexists(file) else {}
    results = _results(run, config)
    return _kind(config, results), results


def _results(run: pathlib.Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the `results.json` of a run of any kind; nothing without one."""
    if not os.path.lexists(run / results_record.FILE):
        return {}
    if _kind(config, {}) == PRETRAINING:
        return results_record.read_pretraining(run)
    return results_record.read(run)


def _kind(config: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    if "arms" in config:
        return STUDY
    if "method_options" in config or "labels_used" in results.get("data", {}):
        return PRETRAINING
    return FINE_TUNING if config else EVALUATION


def _state(run: pathlib.Path, config: Mapping[str, Any], kind: str, finished: bool) -> str:
    if finished:
        return "finished"
    if kind == STUDY:
        return "not finished: the same command resumes it, and with --list shows what is left"
    steps = [row["step"] for row in run_directory.read_metrics(run)]
    if not steps:
        return "started; no step is logged yet"
    of = f" of {config['steps']:,}" if config.get("steps") else ""
    return f"not finished: step {max(steps):,}{of} is logged; the same command resumes it"


def _labels(results: Mapping[str, Any]) -> list[str]:
    return list(results.get(results.get("split", "test"), {}).get("labels", {}))


def _weights(config: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, str]:
    """Returns what the run started from, and the first weights of all."""
    given = results.get("checkpoint")
    if not isinstance(given, Mapping):
        return {"started from": str(config.get("checkpoint") or "")}
    first = given
    while first.get("parent"):
        first = first["parent"]
    began = first["description"] if first is not given else ""
    return {"started from": given["description"], "which began with": began}


def _is_random(results: Mapping[str, Any]) -> bool:
    given = results.get("checkpoint")
    while isinstance(given, Mapping) and given.get("parent"):
        given = given["parent"]
    return isinstance(given, Mapping) and given.get("origin") == "random"


def _data(config: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, str]:
    source = data.get("source") or config.get("data_dir") or config.get("data") or ""
    if "images" in data and "patients" in data:
        source = source or ", ".join(data.get("sources", {}))
        source = (
            f"{source}: {counted(data['images'], 'image')} of "
            f"{counted(data['patients'], 'patient')}"
        )
    bad = data.get("bad_images", 0)
    return {
        "made up": "yes, a rehearsal" if config.get("rehearsal") else "",
        "data": source,
        "unreadable images": f"{bad:,}" if isinstance(bad, int) and bad else "",
        "not checked": " ".join(data.get("unchecked", ())),
    }


def _report(run: pathlib.Path) -> str:
    found = [run / name for name in ("report.html", "report.md") if (run / name).is_file()]
    return str(found[0]) if found else ""


def _counts(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Returns images, patients and positives of each label, one column per split."""
    table = Table(title="Data", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("positive images of a label", overflow="fold")
    for split in counts:
        table.add_column(split, justify="right", no_wrap=True)
    names = list(next(iter(counts.values())))
    for name in names:
        number = len(set(names) & {"images", "patients", "studies"})
        cells = (f"{of.get(name, 0):,}" for of in counts.values())
        table.add_row(Text(name), *cells, end_section=names.index(name) == number - 1)
    return table


def _probes(rows: list[dict[str, float]], best: int | None) -> Table:
    """Returns the AUROC of the probes on validation, one row per step."""
    title = "Probes, mean AUROC"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    names = [name for name in rows[0] if name != "step"]
    for name in ("step", *(name.removeprefix("probe/").removesuffix("_auroc") for name in names)):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = (row.get(name) for name in names)
        cells = ("" if number is None else f"{number:.3f}" for number in numbers)
        table.add_row(f"{row['step']:,}", *cells, style="bold" if row["step"] == best else "")
    return table
