"""The origin of the arms' weights and of the study's numbers."""

from collections.abc import Mapping

from remedis.reporting.label_budget_report.number_format import Fields
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    random_weights_note,
    with_hospital,
)
from remedis.reporting.page_content import Arm
from remedis.zoo import shared_names


def arms(study: Study) -> list[Arm]:
    """Returns the checkpoint of every arm, and each checkpoint that it was trained from."""
    return [
        Arm(
            name + (" (baseline)" if name == study["baseline"] else ""),
            random_weights_note({"arms": {name: arm}}),
            {"checkpoint": arm["checkpoint"], **_lineage(arm["provenance"])},
        )
        for name, arm in study["arms"].items()
    ]


def _lineage(provenance: Fields | None) -> dict[str, str]:
    """Returns the properties of the weights and of all weights that they were started from."""
    properties: dict[str, str] = {}
    step, prefix = provenance, ""
    while step:
        values = {
            "weights": step.get("description"),
            "file": step.get("file"),
            "SHA-256": step.get("sha256"),
            "made by": shared_names.command(step.get("command") or "", keep_relative=True),
        }
        properties |= {prefix + key: str(value) for key, value in values.items() if value}
        step, prefix = step.get("parent"), f"{prefix}started from: "
    return properties


def method(study: Study, versions: Mapping[str, str]) -> dict[str, str]:
    """Returns metric, intervals, seeds, resamples, cells, computing time, date and versions."""
    done, planned = study["cells"]["done"], study["cells"]["planned"]
    return {
        "metric": study["metric"],
        "intervals": with_hospital(study["interval"], study),
        "seeds": f"{study['seeds']:,}",
        "resamples": f"{study['resamples']:,}",
        "cells": f"{done:,} of {planned:,} (one per arm, mode, budget and seed)",
        "time": f"{study['minutes']:,.0f} minutes of computing, the sum of all processes",
        "written": study["created"],
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items())
        or "not recorded",
    }
