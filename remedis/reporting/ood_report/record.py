"""What the numbers rest on: budgets, data, receipts, checkpoints, command and versions."""

from collections.abc import Mapping
from typing import Any

from remedis.reporting.ood_report.markup import Markup, items, join, table, tag
from remedis.reporting.ood_report.words import Fields, Study, random_note

_WHAT = {"patient_id": "patients", "study_id": "studies", "slide_id": "slides", "sha256": "images"}


def budgets(study: Study) -> Markup:
    """Returns patients, images and positives of every budget, and why some were left out."""
    asked = study["budgets"]

    def row(name: str, values: list[int | None]) -> list[str]:
        return [name, *("" if value is None else f"{value:,}" for value in values)]

    header = ["", *(b["budget"] + (", left out" if b["left_out"] else "") for b in asked)]
    rows = [row(name, [b[name] for b in asked]) for name in ("patients", "images")]
    for label in study["labels"]:
        values = [b["positives"].get(label) for b in asked]
        rows.append(row(f"patients with {label}", values))
    parts = [table("Budgets of labelled OOD patients.", header, rows, "numbers")]
    if left_out := [f"{b['budget']}: {b['left_out']}" for b in asked if b["left_out"]]:
        parts += [tag("p", "Left out:"), items(left_out)]
    return join(parts)


def data(study: Study) -> Markup:
    """Returns the counts of both data sets by split, and what the leak gate saw."""
    names = {"id": "In-distribution (ID)", "ood": "Out-of-distribution (OOD)"}
    parts = []
    for key, of in study["data"].items():
        counts = of["counts"]
        title = f"{names.get(key, key)}: {of['name']}"
        measured = {"patients": "patients", "images": "images"} | {
            label: f"{label}, positive" for label in study["labels"]
        }
        rows = [
            [said, *(f"{c[name]:,}" if name in c else "" for c in counts.values())]
            for name, said in measured.items()
        ]
        parts += [
            tag("h3", title),
            table(
                f"Splits of {of['name']} (source {of['source']}).", ["", *counts], rows, "numbers"
            ),
            _receipt(of["leaks"]),
        ]
    return join([*parts, tag("h3", "ID against OOD"), _receipt(study["between"])])


def _receipt(leaks: Mapping[str, Any] | None) -> Markup:
    if leaks is None:
        return tag("p", "Leak gate: no receipt.")
    # Counts only: ids of patients belong to the receipt in the run directory, not in a page that is
    # passed around.
    lines = [
        f"{o['count']:,} {_WHAT.get(o['column'], o['column'])} in both {' and '.join(o['splits'])}"
        for o in leaks["overlaps"]
    ]
    lines += leaks["unchecked"]
    lines += [
        f"{n['count']:,} pairs of images that look the same in {' and '.join(n['splits'])}"
        for n in leaks.get("near_duplicates", ())
    ]
    lines += [
        f"{count:,} images of {split} identical to another of it (allowed)"
        for split, count in leaks.get("duplicates", {}).items()
        if count
    ]
    if leaks["ok"]:
        said = tag("p", tag("strong", "Leak gate passed"), ": the splits share nothing it checked.")
    else:
        said = tag("p", tag("strong", "LEAK: the splits are not separate."), class_="alarm")
    return join([said, items(lines)]) if lines else said


def checkpoints(study: Study) -> Markup:
    """Returns where the weights of every arm come from, step by step to the first."""
    parts = []
    for name, arm in study["arms"].items():
        said = [tag("h3", name + (" (baseline)" if name == study["baseline"] else ""))]
        if arm["random_weights"]:
            said.append(tag("p", random_note({"arms": {name: arm}}), class_="alarm"))
        fields = {"checkpoint": arm["checkpoint"], **_lineage(arm["provenance"])}
        rows = (part for key, text in fields.items() for part in (tag("dt", key), tag("dd", text)))
        parts.append(tag("div", *said, tag("dl", *rows), class_="arm"))
    return join(parts)


def _lineage(provenance: Fields | None) -> dict[str, str]:
    """Returns what is known of the weights and of those they were started from."""
    fields: dict[str, str] = {}
    step, before = provenance, ""
    while step:
        found = {
            "weights": step.get("description"),
            "file": step.get("file"),
            "SHA-256": step.get("sha256"),
            "made by": step.get("command"),
        }
        fields |= {before + key: str(value) for key, value in found.items() if value}
        step, before = step.get("parent"), f"{before}started from: "
    return fields


def method(study: Study, versions: Mapping[str, str]) -> Markup:
    """Returns how it was measured, the command and the versions."""
    done, planned = study["cells"]["done"], study["cells"]["planned"]
    fields = {
        "metric": study["metric"],
        "intervals": study["interval"],
        "seeds": f"{study['seeds']:,}",
        "resamples": f"{study['resamples']:,}",
        "cells": f"{done:,} of {planned:,} (an arm, a mode, a budget and a seed each)",
        "time": f"{study['minutes']:,.0f} minutes of computing, all processes together",
        "written": study["created"],
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items())
        or "not recorded",
    }
    rows = (part for key, text in fields.items() for part in (tag("dt", key), tag("dd", text)))
    return join([tag("pre", tag("code", study["command"])), tag("dl", *rows)])
