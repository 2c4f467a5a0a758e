"""Linear probes on frozen features of the images of a label-budget study, compared in a table."""

import json
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

import ml_collections
import numpy as np
import pandas as pd
import results
import thumbnails

from remedis.data.manifest import Manifest
from remedis.evaluation.few_shot import FewShot, few_shot
from remedis.evaluation.label_budget import Cell, LabelledTestSet, analyse_study
from remedis.evaluation.linear_probe import linear_probe
from remedis.inference import embedding_store
from remedis.label_budget import budgets, data
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import StudySettings
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.zoo import resolve

Difference = Mapping[str, float | None]
Differences = dict[tuple[str, str], Difference]  # by arm and task
ROOT = pathlib.Path(__file__).resolve().parents[1]
Embedding = Callable[[Manifest, "pd.Series[str]"], np.ndarray]
FLOOR = "thumbnails"  # name of an arm, in place of a checkpoint


class FrozenFeatures:
    """Frozen features of the study's images, and the scores of linear probes on them.

    A task names the data of a probe: `kermany` learns from children and is tested on children,
    `kermany to nih64` learns from children and is tested on adults of another hospital, `nih64`
    learns from some of the adults and is tested on others.

    Attributes:
      tests: task -> its test images.
    """

    def __init__(self, workdir: pathlib.Path, size: int, shares: str, draws: int) -> None:
        """Prepares the data as the study does.

        Args:
          workdir: holds the study in `study`.
          size: of the images, in pixels.
          shares: of the labelled adults, as in `config.budgets`; each is a task.
          draws: of the patients per share; tasks with one draw have one run.
        """
        self._store = workdir / "study" / "embeddings"
        # The configs import each other as `configs.NAME`.
        sys.path.append(str(ROOT))
        from configs import ood_own

        # The study's directory does not record the keys that its cells do not depend on.
        settings = json.loads((workdir / "study" / "config.json").read_text())
        config = ml_collections.ConfigDict({**ood_own.get_config().to_dict(), **settings})
        config.id_name, config.ood_name = "kermany", "nih64"
        config.modes = ("probe",)
        config.baseline = config.arms.partition("=")[0].strip()
        directory = StudyDirectory(workdir / "frozen", {})
        self._data = data.prepare(StudySettings.from_config(config), directory)
        planned = budgets.plan(self._data.pool, shares, draws, 0, 0.25)
        self._budgets = {
            f"nih64, {budget.patients} patients": budget for budget in planned if budget.patients
        }
        self._labels, self._norm = tuple(config.labels), config.head_norm
        self._preprocess = parse(config.eval_preprocess.format(size=size), deterministic=True)
        children, adults = (
            LabelledTestSet(self._labels, images.targets(), images.table["patient_id"])
            for images in (self._data.inside.test, self._data.test)
        )
        self.tests = {"kermany": children, "kermany to nih64": adults}
        self.tests |= dict.fromkeys(self._budgets, adults)

    def scores(self, checkpoint: str, seed: int) -> dict[str, np.ndarray]:
        """Returns task -> scores [runs, n, 1]; there is one run per draw of patients.

        Args:
          checkpoint: as `resolve.load_backbone` takes it, or `FLOOR`.
          seed: of the weights, if they are drawn.
        """
        embed = self._embedding(checkpoint, seed)
        children, hashes = self._data.inside, self._data.inside.hashes
        probe = linear_probe(
            embed(children.train, hashes),
            children.train.targets(),
            embed(children.validation, hashes),
            children.validation.targets(),
        )
        pool, test = (
            embed(images, self._data.hashes) for images in (self._data.pool, self._data.test)
        )
        scores = {
            "kermany": probe.logits(embed(children.test, hashes))[None],
            "kermany to nih64": probe.logits(test)[None],
        }
        targets = self._data.pool.targets()
        for task, budget in self._budgets.items():
            probes = [
                linear_probe(
                    pool[draw.train],
                    targets[draw.train],
                    pool[draw.validation],
                    targets[draw.validation],
                )
                for draw in budget.draws
            ]
            scores[task] = np.stack([probe.logits(test) for probe in probes])
        return scores

    def few_labels(self, checkpoint: str, shots: int, repeats: int) -> FewShot:
        """Returns the AUROC of probes from few children, on validation children; no test image.

        Args:
          checkpoint: as `resolve.load_backbone` takes it.
          shots: labelled patients per class.
          repeats: draws of them.
        """
        embed, children = self._embedding(checkpoint, 0), self._data.inside
        sides = [
            (embed(images, children.hashes), images.targets(), images.table["patient_id"])
            for images in (children.train, children.validation)
        ]
        return few_shot(*sides[0], *sides[1], shots=(shots,), repeats=repeats)[shots]

    def _embedding(self, checkpoint: str, seed: int) -> Embedding:
        """Returns a function from images and their hashes to frozen features."""
        if checkpoint == FLOOR:
            return lambda images, _: thumbnails.features(images)
        loaded = resolve.load_backbone(checkpoint, seed)
        classifier = Classifier(loaded.backbone, self._labels, self._norm)
        stored = embedding_store.of_head(classifier, self._store, self._preprocess, 64)
        return lambda images, hashes: stored(images, hashes, f"Embedding by {checkpoint}")


def table(
    features: FrozenFeatures, arms: Mapping[str, Sequence[tuple[str, int]]], baseline: str
) -> tuple[list[str], Differences, Differences]:
    """Returns the table, and the differences from the baseline and from the floor.

    The table has one row per task and arm, and below it a sentence about the intervals.

    Args:
      features: of the data.
      arms: name -> checkpoints, each with the seed of weights that are drawn; the checkpoints of
        two arms at the same position are paired.
      baseline: name of the arm that all others are compared with.
    """
    arms = {**arms, FLOOR: [(FLOOR, seed) for seed in range(len(arms[baseline]))]}
    scores: dict[str, dict[str, np.ndarray]] = {}
    for arm, checkpoints in arms.items():
        by_checkpoint = [features.scores(*checkpoint) for checkpoint in checkpoints]
        scores[arm] = {
            task: np.concatenate([values[task] for values in by_checkpoint])
            for task in features.tests
        }
    lines = ["| task | arm | AUROC | minus the baseline |", "|---|---|---|---|"]
    differences: Differences = {}
    from_floor: Differences = {}
    methods: dict[str, None] = {}
    for task, test_set in features.tests.items():
        cells = {
            Cell(arm, "probe", 1, run): values
            for arm, by_task in scores.items()
            for run, values in enumerate(by_task[task])
        }
        summary = analyse_study(test_set, cells, baseline)
        methods[summary["interval"]] = None
        paired = {
            row["arm"]: row["difference"] for row in summary["paired"] if row["against"] == baseline
        }
        for row in summary["paired"]:
            if row["against"] == FLOOR:
                from_floor[row["arm"], task] = row["difference"]
            elif (row["arm"], row["against"]) == (FLOOR, baseline):
                from_floor[baseline, task] = _negated(row["difference"])
        for point in summary["points"]:
            arm = point["arm"]
            difference = ""
            if arm in paired:
                if arm != FLOOR:
                    differences[arm, task] = paired[arm]
                difference = results.number(paired[arm], "+")
            lines.append(f"| {task} | {arm} | {results.number(point['mean'])} | {difference} |")
    return [*lines, "", f"Intervals: {'; '.join(methods)}."], differences, from_floor


def _negated(difference: Difference) -> Difference:
    """Returns the difference of the same two arms in the other order."""
    opposite = {"value": "value", "low": "high", "high": "low"}
    ends = {end: difference[other] for end, other in opposite.items()}
    return {end: None if number is None else -number for end, number in ends.items()}


def sides(differences: Differences) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Returns the keys whose interval lies above 0, and those whose interval lies below it."""
    above = [key for key, of in differences.items() if (of["low"] or 0.0) > 0]
    below = [key for key, of in differences.items() if (of["high"] or 0.0) < 0]
    return above, below


def floor_sentences(from_floor: Differences) -> str:
    """Returns which arms differ from thumbnails, and on which task.

    Args:
      from_floor: AUROC of an arm minus that of thumbnails.
    """
    above, below = sides(from_floor)
    text = (
        f"The floor is the arm `{FLOOR}`, {thumbnails.DESCRIPTION}. Of {len(from_floor)} "
        "differences from it, the interval (95 %, not adjusted for their number) lies above 0 for "
        f"{_listed(above, from_floor)} and below 0 for {_listed(below, from_floor)}."
    )
    unknown = sum(of["value"] is None for of in from_floor.values())
    rest = len(from_floor) - len(above) - len(below) - unknown
    text += f" For the other {rest} it includes 0." if rest else ""
    return f"{text} For {unknown} it is not estimable." if unknown else text


def _touches_zero(difference: Difference) -> bool:
    """Returns whether an end of the interval is 0 to three decimals."""
    return any(abs(difference[end] or 0.0) < 5e-4 for end in ("low", "high"))


def _listed(keys: Sequence[tuple[str, str]], differences: Differences) -> str:
    named = (
        f"{arm} ({task}: {results.number(differences[arm, task], '+')}"
        f"{', barely' if _touches_zero(differences[arm, task]) else ''})"
        for arm, task in keys
    )
    return ", ".join(named) or "none"
