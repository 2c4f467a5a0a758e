"""Facts of a study that several parts of the report state: its budgets, modes and random arms."""

import re
from collections.abc import Mapping
from typing import Any

from remedis.evaluation.label_budget.study_metric import AUROC_CHANCE, StudyMetric
from remedis.reporting.label_budget_report.number_format import Fields, percent
from remedis.reporting.notes import RANDOM_WEIGHTS

Study = Mapping[str, Any]  # the content of summary.json

_MODES = {"probe": "Linear probe", "finetune": "End-to-end fine-tuning"}


def metric(study: Study) -> StudyMetric:
    """Returns the metric of the study."""
    return StudyMetric.from_title(study["metric"])


def metric_name(study: Study) -> str:
    """Returns a word for one value of the metric: `AUROC` or for example `top-3 accuracy`."""
    return metric(study).name


def chance(study: Study) -> float:
    """Returns the metric of scores that say nothing."""
    return float(study.get("chance", AUROC_CHANCE))  # early studies do not record it


def chance_in_words(study: Study) -> str:
    """Returns for example `AUROC 0.5`; of a top-k accuracy with where it comes from."""
    top = metric(study).top
    if top is None:
        return f"AUROC {chance(study):g}"
    return f"{metric_name(study)} {chance(study):.3f}, by always naming {most_frequent(study)}"


def most_frequent(study: Study) -> str:
    """Returns for example `the 3 most frequent classes`: who names them always, scores chance."""
    return metric(study).most_frequent


def has_labels(study: Study) -> bool:
    """Whether several labels have curves of their own; a single one is the mean."""
    return len(study["labels"]) > 1 and metric(study).top is None


def mode_name(mode: str) -> str:
    """Returns the name of the mode `probe` or `finetune`, capitalised."""
    return _MODES.get(mode, mode)


def hospital(study: Study) -> str:
    """Returns the name of the hospital that arms are adapted to and tested at."""
    name: str = study["data"]["ood"]["name"]
    return name


def first_hospital(study: Study) -> str:
    """Returns the name of the hospital that arms are trained at first."""
    name: str = study["data"]["id"]["name"]
    return name


def with_hospital(text: str, study: Study) -> str:
    """Returns a sentence of the summary with the first hospital's name for `in-distribution`."""

    def named(match: re.Match[str]) -> str:
        noun = match[1].capitalize() if match[0].startswith("I") else match[1]
        return f"{noun} {'on' if noun == 'trainings' else 'of'} {first_hospital(study)}"

    return re.sub(r"[Ii]n-distribution (training set|\w+)", named, text)


def last_mean(study: Study, arm: str, mode: str) -> Fields | None:
    """Returns an arm's metric at its largest budget; None without points."""
    points = [p for p in study["points"] if (p["arm"], p["mode"]) == (arm, mode)]
    if not points:
        return None
    mean: Fields = max(points, key=lambda point: point["patients"])["mean"]
    return mean


def trainings(study: Study, mode: str) -> int:
    """Returns the number of trainings at the first hospital per arm; 1 if it is not recorded."""
    recorded = study["trainings"]
    return int(recorded if isinstance(recorded, int) else recorded.get(mode, 1))


def largest_budget(study: Study) -> int:
    """Returns the number of patients of the largest measured budget."""
    return max((point["patients"] for point in study["points"]), default=0)


def pool(study: Study) -> int:
    """Returns the number of OOD patients that can be labelled: those of the reference."""
    return max((r["patients"] for r in study["reference"]), default=largest_budget(study))


def budgets(study: Study) -> list[int]:
    """Returns the measured budgets in patients, ascending; 0 is zero-shot."""
    return sorted({point["patients"] for point in study["points"]})


def budget_name(patients: int, study: Study) -> str:
    """Returns for example `16 (5 %)`, or `0 (zero-shot)`."""
    if not patients:
        return "0 (zero-shot)"
    return f"{patients:,} ({percent(patients / pool(study))})"


def floors(study: Study) -> list[str]:
    """Returns the names of the arms that are no network, but thumbnails of the images."""
    return [name for name, arm in study["arms"].items() if arm.get("floor")]


def random_arms(study: Study) -> list[str]:
    """Returns the names of the arms whose network started from random weights."""
    return [name for name, arm in study["arms"].items() if arm["random_weights"]]


def all_random(study: Study) -> bool:
    """Whether there are networks, and none is pretrained."""
    return 0 < len(random_arms(study)) == len(study["arms"]) - len(floors(study))


def random_weights_note(study: Study) -> str:
    """Returns the note on arms with random weights; empty if there are none."""
    names = random_arms(study)
    if all_random(study):
        return RANDOM_WEIGHTS
    return f"RANDOM WEIGHTS, not pretrained: {', '.join(names)}" if names else ""
