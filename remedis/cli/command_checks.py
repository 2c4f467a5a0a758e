"""Checks of a command line that take milliseconds, before TensorFlow and pandas take seconds.

Those of paths and names are `api.early_checks`, which Python's functions have, too; these add the
syntax of labels, options and preprocessing.
"""

import argparse
import re

from remedis.api import early_checks, model_exports
from remedis.options import label_list, literals
from remedis.specifications import piped

# Commands that take labels from the user alone: others have a model's, or need none.
_OWN_LABELS = ("doctor", "prepare", "probe")


def check_command(parsed: argparse.Namespace) -> None:
    """Raises a UserError for what is certainly wrong in the arguments of a command."""
    given = {name: value for name, value in vars(parsed).items() if value is not None}
    if "source" in given:
        early_checks.check_source(given["source"])
    labels = label_list(given["labels"]) if "labels" in given else None
    literals(given.get("option", []), "--option")
    if "preprocess" in given:
        piped(given["preprocess"])
    if "checkpoint" in given:
        early_checks.check_weights(given["checkpoint"])
    runs = [given[name] for name in ("model", "run_folder") if name in given]
    for run in (*runs, *given.get("runs", ())):
        early_checks.check_path(run, "directory of a run or a model")
    if "to" in given:
        model_exports.check(given["model"], given["to"], given["out"], given["overwrite"])
        if "images" in given:
            early_checks.check_path(given["images"], "images", "--images")
    if "model" in given and ("data" in given or "manifest" in given):
        early_checks.check_model(given["model"])  # without data, stored predictions are evaluated
    data = given.get("data")
    # Labels beside a model are those of the model, and not of the data.
    of_data = labels is not None and "model" not in given
    if isinstance(data, list) and (not of_data or len(data) > 1):  # paths of images
        early_checks.check_images(data, given.get("source", "csv"))
    elif data is not None:
        early_checks.check_data(
            data[0] if isinstance(data, list) else data,
            given.get("source", "csv"),
            # The labels of a model are checked first against the model.
            None if "model" in given else labels,
            given.get("option", ()),
            needs_labels=given.get("command") in _OWN_LABELS,
        )
    if "image" in given and not re.match(r"\w+:", given["image"]):
        early_checks.check_path(given["image"], "image file")
