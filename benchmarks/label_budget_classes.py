"""Coverage and x-fold reductions of label-budget studies of exclusive classes, by their accuracy.

    python benchmarks/label_budget_classes.py [--draws=100 --only=steep]
    python benchmarks/label_budget_classes.py --points [--draws=400]

A study is of the top-3 accuracy of seven equally frequent classes, one of which each test patient
has. The accuracy follows the laws of `label_budget.py`, with the same noise: the logit of the true
class is higher by the shift that the accuracy needs. The tables are in
`remedis.evaluation.label_budget`.
"""

import argparse
import dataclasses
import itertools
from collections import defaultdict

import numpy as np
from label_budget import BUDGETS, SHAPES, Law
from scipy.stats import binom, norm

from remedis.evaluation.label_budget import Cell, LabelledTestSet
from remedis.evaluation.label_budget.grid import complete_grid
from remedis.evaluation.label_budget.learning_curves import learning_curves
from remedis.evaluation.label_budget.required_patients import (
    Questions,
    excludes_one,
    required_patients,
)
from remedis.evaluation.label_budget.resampling import Interval
from remedis.evaluation.label_budget.study_metric import StudyMetric
from remedis.evaluation.label_budget.test_set import made_test_set
from remedis.models.tasks import MULTI_CLASS

CLASSES, TOP = 7, 3


def top_accuracy_of(shifts: np.ndarray) -> np.ndarray:
    """Returns the top-3 accuracy of `CLASSES` normal logits, that of the true one being shifted."""
    x = np.linspace(-6, 10, 801)
    others = binom.cdf(TOP - 1, CLASSES - 1, norm.sf(x))
    return np.trapezoid(norm.pdf(x - shifts[:, None]) * others, x, axis=1)


def simulate_classes(
    laws: tuple[Law, Law], seeds: int, patients: int, seed: int
) -> tuple[LabelledTestSet, dict[Cell, np.ndarray]]:
    """Returns a test set of exclusive classes and the logits of both arms."""
    rng = np.random.default_rng(seed)
    of_patient = rng.integers(CLASSES, size=patients)
    rows = np.repeat(np.arange(patients), rng.integers(1, 3, patients))
    targets = np.eye(CLASSES)[of_patient[rows]]
    shifts = np.linspace(-2, 6, 401)
    accuracies = top_accuracy_of(shifts)

    def noise() -> np.ndarray:
        person = rng.normal(size=(patients, CLASSES))
        return (person[rows] + rng.normal(size=targets.shape)) / np.sqrt(2)

    of_all_models = noise()
    of_seed = rng.normal(size=seeds) * 0.005
    cells = {}
    for arm, law in zip(("arm", "base"), laws, strict=True):
        of_arm = noise()
        for budget in BUDGETS:
            for number in range(seeds if budget else 1):
                spread = 0.03 / np.sqrt(1 + budget) + 0.003
                offset = of_seed[number] + rng.normal() * spread if budget else 0.0
                shift = np.interp(law(budget) + offset, accuracies, shifts)
                of_model = (of_arm * 2 + noise()) / np.sqrt(5)
                logits = targets * shift + (of_all_models + of_model) / np.sqrt(2)
                cells[Cell(arm, "probe", budget, number)] = logits.astype(np.float32)
    names = [f"class {i}" for i in range(CLASSES)]
    metric = StudyMetric(TOP)
    return LabelledTestSet(names, targets, rows, MULTI_CLASS, metric), cells


def classes_table(draws: int, resamples: int, only: str) -> None:
    """Prints coverage of accuracies, of their difference without an effect, and of the ratio.

    `zero` and `all` are the shares of intervals of the accuracy with no and with all patients that
    hold it; `difference` the same at all patients, and `p` the share of p-values below 0.05, both
    for arms of one law. The others are those of `label_budget.null_table`, for 80 % of the gain.
    """
    print(
        f"{'curve':<12}{'patients':>9}{'seeds':>6}{'truth':>6}{'zero':>7}{'all':>7}"
        f"{'difference':>12}{'p':>7}{'number':>8}{'median':>8}{'stated':>8}{'covers':>8}"
    )
    settings = itertools.product(("steep", "flat"), ((400, 10), (150, 5), (60, 5)), (1.0, 5.0))
    for shape, (patients, seeds), fold in settings:
        if only not in ("", shape):
            continue
        law = SHAPES[shape]
        laws = dataclasses.replace(law, speed=fold), law
        held: defaultdict[str, list[float]] = defaultdict(list)
        for seed in range(draws):
            labelled, cells = simulate_classes(laws, seeds, patients, seed)
            test, grid = made_test_set(labelled, "test"), complete_grid(cells, "base")
            curves = {
                (curve.arm, curve.mode): curve
                for curve in learning_curves(test, cells, grid, "base")
            }
            arm, base = (curves[name, "probe"].quantities() for name in ("arm", "base"))
            low, high = base.intervals().T
            for name, place in (("zero", 0), ("all", -1)):
                held[name].append(low[place] <= law(BUDGETS[place]) <= high[place])
            if fold == 1:
                (difference,), (p,) = arm.minus(base).at(-1).differences()
                held["difference"].append((difference.low or 0) <= 0 <= (difference.high or 0))
                held["p"].append(p < 0.05)
            drawn = {
                key: curve.drawn(resamples, seed, number)
                for number, (key, curve) in enumerate(curves.items())
            }
            questions = Questions((0.8,), metric=test.metric)
            (ratio,) = (
                one["ratio"]
                for one in required_patients(drawn, "base", questions)
                if one["arm"] == "arm" and one["headline"]
            )
            if ratio and ratio["value"] is not None:
                held["ratio"].append(ratio["value"])
                held["stated"].append(excludes_one(Interval(**ratio)))
                held["covers"].append((ratio["low"] or 0) <= fold <= (ratio["high"] or np.inf))
        names = ("zero", "all", "difference", "p", "covers")
        share = {name: float(np.mean(held[name])) if held[name] else np.nan for name in names}
        print(
            f"{shape:<12}{patients:>9}{seeds:>6}{fold:>6g}{share['zero']:7.3f}{share['all']:7.3f}"
            f"{share['difference']:12.3f}{share['p']:7.3f}{len(held['ratio']) / draws:8.2f}"
            f"{np.median(held['ratio']):8.2f}{np.sum(held['stated']) / draws:8.2f}"
            f"{share['covers']:8.2f}",
            flush=True,
        )


def class_points_table(draws: int) -> None:
    """Prints the coverage of top-3 accuracies and of differences of two arms of equal accuracy.

    Every patient has two images, one seed. Half of the variance of a logit is that of the patient.
    """
    print("patients  accuracy   point  difference  p < 0.05")
    shifts = np.linspace(-2, 6, 401)
    for patients, accuracy in itertools.product((30, 100, 400), (0.95, 0.7)):
        shift = np.interp(accuracy, top_accuracy_of(shifts), shifts)
        held: defaultdict[str, list[bool]] = defaultdict(list)
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            rows = np.repeat(np.arange(patients), 2)
            targets = np.eye(CLASSES)[rng.integers(CLASSES, size=patients)[rows]]
            cells = {}
            for name in ("arm", "base"):
                noise = rng.normal(size=(patients, CLASSES))[rows] + rng.normal(size=targets.shape)
                cells[Cell(name, "probe", 20, 0)] = targets * shift + noise / np.sqrt(2)
            names = [f"class {i}" for i in range(CLASSES)]
            labelled = LabelledTestSet(names, targets, rows, MULTI_CLASS, StudyMetric(TOP))
            test, grid = made_test_set(labelled, "test"), complete_grid(cells, "base")
            arm, base = (c.quantities() for c in learning_curves(test, cells, grid, "base"))
            ((low, high),) = arm.intervals()
            held["point"].append(low <= accuracy <= high)
            (difference,), (p,) = arm.minus(base).differences()
            held["difference"].append((difference.low or 0) <= 0 <= (difference.high or 0))
            held["p"].append(p < 0.05)
        share = {name: float(np.mean(values)) for name, values in held.items()}
        print(
            f"{patients:8}{accuracy:10.2f}{share['point']:8.3f}{share['difference']:12.3f}"
            f"{share['p']:10.3f}",
            flush=True,
        )


def main() -> None:
    """Prints a line per setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--only", default="", help="shape of the curves: steep or flat")
    parser.add_argument("--points", action="store_true", help="small test sets")
    parsed = parser.parse_args()
    if parsed.points:
        class_points_table(parsed.draws)
    else:
        classes_table(parsed.draws, parsed.resamples, parsed.only)


if __name__ == "__main__":
    main()
