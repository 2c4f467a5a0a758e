"""Sentences on calibration and thresholds: what was chosen on which data, and what was not and why.

The log, the report, the model card, `remedis info` and `results.json` take their sentences from
here, so that they agree.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remedis.errors import counted
from remedis.evaluation.calibration import SCALES
from remedis.evaluation.intervals import MIN_PATIENTS
from remedis.evaluation.thresholds import KINDS
from remedis.options import label_text

VALIDATION = "the validation split"
OF_ITS_RUN = f"{VALIDATION} of the model's own run"  # beside other data, which have splits, too
METHODS = {"platt": "Platt's method", "temperature": "temperature scaling"}


def fits(calibration: Mapping[str, Any] | None, labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns the method and the data of each label's calibration.

    Args:
      calibration: as `Calibration.to_json` makes it, perhaps with `data`, the name of the data;
        None for none.
      labels: their names.

    Returns:
      Per label `method` and `data`, and where they are known `cases`, `positives`, `negatives` and
      `prevalence`.
    """
    calibration = calibration or {"method": "none"}
    fit_of_label = calibration.get("fitted_on", {}).get("labels", {})
    left_out = calibration.get("left_out") or ()
    return {
        label: {
            "method": "none" if label in left_out else calibration["method"],
            "data": calibration.get("data") or VALIDATION,
            **fit_of_label.get(label, {}),
        }
        for label in labels
    }


def calibration_sentence(calibration: Mapping[str, Any] | None, labels: Sequence[str]) -> str:
    """Returns which labels' probabilities are calibrated, on which data, and why others are not.

    Args:
      calibration: as for `fits`.
      labels: names of the labels.
    """
    of_label = fits(calibration, labels)
    groups: dict[tuple[str, str], list[str]] = {}
    for label, fit in of_label.items():
        if fit["method"] != "none":
            groups.setdefault((fit["method"], fit["data"]), []).append(label)
    without = [label for label, fit in of_label.items() if fit["method"] == "none"]
    if not groups:
        asked = (calibration or {}).get("method", "none") != "none"
        return f"The probabilities are not calibrated{_uncalibrated(of_label) if asked else ''}."
    alone = len(groups) == 1 and not without
    parts: list[str] = []
    for (method, data), members in groups.items():
        patients = max((of_label[label].get("cases", 0) for label in members), default=0)
        of_patients = f"{counted(patients, 'patient')} of " if patients else ""
        on = f"by {METHODS.get(method, method)} on {of_patients}{data}"
        which = "" if alone else f" of {label_text(members)}"
        parts.append(f"{'those' if parts else 'The probabilities'}{which} are calibrated {on}")
    if without:
        unfitted = {label: of_label[label] for label in without}
        parts.append(f"those of {label_text(without)} are not calibrated{_uncalibrated(unfitted)}")
    return " ".join(filter(None, ["; ".join(parts) + ".", flat_sentence(calibration, labels)]))


def flat_sentence(calibration: Mapping[str, Any] | None, labels: Sequence[str]) -> str:
    """Returns which labels' scores hardly count after the fit; empty if there are none.

    The fit's scale is then the smallest that is allowed: without that bound it would be 0, the same
    probability for every image, or turn the order of the images around.

    Args:
      calibration: as for `fits`.
      labels: names of the labels.
    """
    scales = (calibration or {}).get("scale") or ()
    # Files have the scale with all its digits; the optimizer stops just at its bound.
    flat = [n for n, scale in zip(labels, scales, strict=False) if scale < 1.01 * SCALES[0]]
    if not flat:
        return ""
    return (
        f"The scores of {label_text(flat)} do not tell positive from negative images of these "
        "patients: the fit gives all images nearly the same probability, the share of positives."
    )


def thresholds_sentence(chosen: Mapping[str, Any] | None, labels: Sequence[str]) -> str:
    """Returns the data that the thresholds were chosen on, and which labels have none and why.

    Args:
      chosen: as `Thresholds.to_json` makes it, of any version; None for a model without thresholds.
      labels: names of the labels.
    """
    if not chosen:
        return "The model has no thresholds."
    groups: dict[str, list[str]] = {}
    without = []
    for label in labels:
        if any(chosen[kind].get(label) is not None for kind in KINDS if kind in chosen):
            groups.setdefault(_origin(chosen, label)["data"], []).append(label)
        else:
            without.append(f"{label} ({_no_threshold(_origin(chosen, label))})")
    if not groups:
        return f"No threshold could be chosen: {', '.join(without)}."
    parts: list[str] = []
    for data, members in groups.items():
        which = "" if len(groups) == 1 and not without else f" of {label_text(members)}"
        verb = "" if parts else " were chosen"
        parts.append(f"{'those' if parts else 'Thresholds'}{which}{verb} on {data}")
    if without:
        parts.append(f"there is none of {', '.join(without)}")
    return "; ".join(parts) + "."


def choice_notes(
    calibration: Mapping[str, Any] | None, chosen: Mapping[str, Any] | None, labels: Sequence[str]
) -> list[str]:
    """Returns both sentences, for a report."""
    return [calibration_sentence(calibration, labels), thresholds_sentence(chosen, labels)]


def of_its_run(
    calibration: Mapping[str, Any] | None, chosen: Mapping[str, Any] | None, labels: Sequence[str]
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Returns `choice_notes` and the origins of thresholds, to stand beside results on other data.

    The validation split is named as that of the run that trained the model.
    """
    notes = choice_notes(calibration, chosen, labels)
    origins = {label: _origin(chosen, label) for label in labels} if chosen else {}
    for origin in origins.values():
        origin["data"] = OF_ITS_RUN if origin["data"] == VALIDATION else origin["data"]
    return [note.replace(VALIDATION, OF_ITS_RUN) for note in notes], origins


def threshold_data(chosen: Mapping[str, Any], labels: Sequence[str]) -> str:
    """Returns the data that the thresholds of these labels were chosen on; empty if several."""
    names = {_origin(chosen, label)["data"] for label in labels}
    return names.pop() if len(names) == 1 else ""


def has_thresholds(chosen: Mapping[str, Any] | None, labels: Iterable[str]) -> bool:
    """Returns whether any of the labels has a threshold."""
    kinds = [chosen[kind] for kind in KINDS if kind in chosen] if chosen else []
    return any(values.get(label) is not None for label in labels for values in kinds)


def chosen_on_this_data(
    calibration: Mapping[str, Any] | None, chosen: Mapping[str, Any] | None, labels: Sequence[str]
) -> str:
    """Returns the warning above results on the validation split, with what was chosen there."""
    things = ["the checkpoint (of a probe: the penalty)"]
    # Results of version 0.1 do not record their calibration.
    if calibration is None or any(
        fit["method"] != "none" for fit in fits(calibration, labels).values()
    ):
        things.append("the calibration")
    if has_thresholds(chosen, labels):
        things.append("the thresholds")
    listed = " and ".join(filter(None, [", ".join(things[:-1]), things[-1]]))
    were = "was" if len(things) == 1 else "were"
    better = "Chosen on this data: looks better than it is."
    return f"{better} T{listed[1:]} {were} chosen on {VALIDATION}."


def _uncalibrated(of_label: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns why labels have no calibration, as the end of a sentence; empty if not recorded."""
    few, no_gain = [], []
    for label, fit in of_label.items():
        if "positives" not in fit or "negatives" not in fit:
            continue
        if min(fit["positives"], fit["negatives"]) < MIN_PATIENTS:
            few.append(f"{label} has {fit['positives']:,} positive, {fit['negatives']:,} negative")
        else:
            no_gain.append(label)
    parts: list[str] = []
    if few:
        parts.append(f"too few patients, {MIN_PATIENTS} of each class are needed: {', '.join(few)}")
    if no_gain:
        parts.append(f"no fit made the labels more likely: {', '.join(no_gain)}")
    return f" ({'; '.join(parts)})" if parts else ""


def _origin(chosen: Mapping[str, Any], label: str) -> dict[str, Any]:
    return {"data": VALIDATION, **(chosen.get("chosen_on") or {}).get(label, {})}


def _no_threshold(origin: Mapping[str, Any]) -> str:
    for kind in ("positive", "negative"):
        if origin.get(f"{kind}s") == 0:
            return f"no {kind} patient in {origin['data']}"
    return f"no positive or no negative patient in {origin['data']}"
