"""The table of a calibration to a site: a classifier before and after, on other patients."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from remedis.errors import counted
from remedis.evaluation.evaluation_result import images_of_patients
from remedis.evaluation.intervals import Estimate
from remedis.reporting.results_table import brief, empty


def recalibration_table(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    """Returns AUROC, rates, Brier score and calibration line of each label.

    Args:
      before: evaluation of the classifier as it was, of `evaluate_table`.
      after: evaluation of the calibrated one, on the same images.
    """
    patients = counted(after["mean"]["patients"], "other patient")
    behind = images_of_patients(after["images"], after.get("labelled_images"), patients)
    table = empty(f"On {behind} [95 % interval]", "label")
    table.add_column("metric", no_wrap=True)
    table.add_column("before", no_wrap=True)
    table.add_column("after", no_wrap=True)
    target = after["thresholds"]["target"]
    words = {
        "target_sensitivity/sensitivity": f"sensitivity (target {target:g})",
        "target_sensitivity/specificity": f"specificity (target {target:g})",
        "youden/sensitivity": "sensitivity (Youden)",
        "youden/specificity": "specificity (Youden)",
        "brier": "Brier score",
        "calibration_slope": "calibration slope (1 is best)",
        "calibration_intercept": "calibration intercept (0 is best)",
    }
    for label in after["labels"]:
        areas = [brief(Estimate.from_json(of["labels"][label])) for of in (before, after)]
        # A temperature of exclusive classes may change the order of the images of one class.
        same = " (unchanged)" if areas[0] == areas[1] != "not estimable" else ""
        table.add_row(Text(label), f"AUROC{same}", *areas)
        for position, (metric, text) in enumerate(words.items()):
            cells = [
                brief(Estimate.from_json(of["metrics"][metric]["labels"][label]))
                if metric in of["metrics"]
                else "none"
                for of in (before, after)
            ]
            table.add_row("", text, *cells, end_section=position == len(words) - 1)
    return table
