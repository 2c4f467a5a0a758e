"""Bias and coverage of label budgets and x-fold reductions where the law of learning is known.

    python benchmarks/label_budget.py [--draws=300 --resamples=200 --only=steep]
    python benchmarks/label_budget.py --speed

A draw is a whole study of two arms over the budgets 0, 3, 10, 20, 40, 66, 100 and 200 patients. The
mean AUROC of an arm after n patients is

    a - b (n + 3)^-c

where 3 patients stand for the value of the in-distribution labels. Noise is added to it: with a
standard deviation of 0.005 per seed, shared by all budgets and arms, and of 0.03 / sqrt(1 + n) +
0.003 per cell; none at 0 patients. Labels are easier or harder by up to 0.03. A test patient has
one or two images, and each label with a probability of 0.3. A score is normally distributed; its
mean is higher in positives by the shift that the AUROC needs (equal-variance binormal model). Half
of its variance is shared by all models, half is the model's own; half of each belongs to the
patient, half to the image.

The table has three numbers for the estimated budget and for the x-fold reduction. The bias is the
median over all draws divided by the truth, less 1; a draw that does not reach the level counts as
beyond the largest budget. `covers` is the share of 95 % intervals that hold the truth, among the
draws that give an interval. `given` is the share of draws that give a number. A further line has
the bias of the budget at which the running maximum of the means first reaches the level, as one
reads it off a plot. The standard error of a coverage of 0.95 in 300 draws is 0.013.
"""

import argparse
import dataclasses
import itertools
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from remedis.evaluation.auroc import auroc
from remedis.evaluation.intervals import patient_counts, percentile_interval
from remedis.evaluation.label_budget import Cell, LabelledTestSet, analyse_study, power_law
from remedis.evaluation.label_budget.crossing import crossing, monotone
from remedis.evaluation.label_budget.grid import complete_grid
from remedis.evaluation.label_budget.learning_curves import Curve, learning_curves
from remedis.evaluation.label_budget.levels import SHARES
from remedis.evaluation.label_budget.quantities import two_part_half
from remedis.evaluation.label_budget.required_patients import (
    Questions,
    excludes_one,
    required_patients,
)
from remedis.evaluation.label_budget.resampling import Interval, interval, seed_draws
from remedis.evaluation.label_budget.test_set import TestSet

BUDGETS = (0, 3, 10, 20, 40, 66, 100, 200)
PREVALENCE, HARDER, WORTH = 0.3, 0.03, 3.0


@dataclasses.dataclass(frozen=True)
class Law:
    """AUROC = a - b (speed n + WORTH)^-c after n patients."""

    a: float
    b: float
    c: float
    speed: float = 1.0

    def __call__(self, patients: float) -> float:
        """Returns the mean AUROC after a number of patients."""
        return float(self.a - self.b * (self.speed * patients + WORTH) ** -self.c)

    def needed(self, level: float) -> float:
        """Returns the number of patients at which the law reaches a level above zero-shot."""
        return float(brentq(lambda n: self(n) - level, 0, 1e9))


# Name -> laws of the arm and of the baseline.
LAWS = {
    "steep": (Law(0.92, 0.45, 0.6), Law(0.92, 0.80, 0.6)),
    "flat": (Law(0.86, 0.14, 0.35), Law(0.86, 0.20, 0.35)),
    "far apart": (Law(0.94, 0.40, 0.6), Law(0.90, 0.80, 0.6)),
}

# Of the null and of the table of power: an arm of the k-fold speed needs a k-th of the patients.
SHAPES = {
    "steep": Law(0.92, 0.80, 0.6),
    "flat": Law(0.86, 0.20, 0.35),
    "saturating": Law(0.85, 2.70, 2.0),
}

# Labels, seeds, test patients.
SETTINGS = ((2, 3, 60), (2, 3, 400), (2, 10, 400), (5, 10, 400))


def simulate(
    laws: tuple[Law, Law], labels: int, seeds: int, patients: int, seed: int
) -> tuple[LabelledTestSet, dict[Cell, np.ndarray]]:
    """Returns a test set and the scores of the cells of the arms `arm` and `base` on it."""
    rng = np.random.default_rng(seed)
    positive = rng.random((patients, labels)) < PREVALENCE
    rows = np.repeat(np.arange(patients), rng.integers(1, 3, patients))
    names = [f"label {i}" for i in range(labels)]

    def noise() -> np.ndarray:
        of_patient = rng.normal(size=(patients, labels))
        of_image = rng.normal(size=(len(rows), labels))
        return (of_patient[rows] + of_image) / np.sqrt(2)

    of_all_models, difficulty = noise(), np.linspace(-HARDER, HARDER, labels)
    of_seed = rng.normal(size=seeds) * 0.005
    cells = {}
    for arm, law in zip(("arm", "base"), laws, strict=True):
        of_arm = noise()
        for budget in BUDGETS:
            for number in range(seeds if budget else 1):
                spread = 0.03 / np.sqrt(1 + budget) + 0.003
                offset = of_seed[number] + rng.normal() * spread if budget else 0.0
                area = np.clip(law(budget) + difficulty + offset, 0.01, 0.995)
                # Errors of one arm's models are correlated; each cell adds noise of its own.
                of_model = (of_arm * 2 + noise()) / np.sqrt(5)
                shift = positive[rows] * norm.ppf(area) * np.sqrt(2)
                score = shift + (of_all_models + of_model) / np.sqrt(2)
                cells[Cell(arm, "probe", budget, number)] = score.astype(np.float32)
    return LabelledTestSet(names, positive[rows].astype(float), rows), cells


def estimates(answer: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Returns value, low and high of an answer's `patients` and `ratio`.

    An open end of the interval of `patients` is infinite, of that of `ratio` 0 or infinite. The
    interval of a ratio that is not given is NaN.
    """
    budget, ratio = answer["patients"], answer["ratio"]
    if budget is None:
        budget = {"value": None, "low": answer["at_least"], "high": None}
    value, low, high = (
        np.inf if budget[key] is None else float(budget[key]) for key in ("value", "low", "high")
    )
    patients = (value, low, high)
    if ratio is None or ratio["value"] is None:
        missing = 0.0 if answer["status"] == "not reached" else np.inf
        return {"patients": patients, "ratio": (missing, np.nan, np.nan)}
    low = 0.0 if ratio["low"] is None else ratio["low"]
    high = np.inf if ratio["high"] is None else ratio["high"]
    return {"patients": patients, "ratio": (ratio["value"], low, high)}


def first_touch(means: np.ndarray, level: float) -> float:
    """Returns the budget at which the running maximum of the means first reaches a level.

    Noise makes it too small.
    """
    return float(crossing(BUDGETS, np.maximum.accumulate([means], axis=1), np.array([level]))[0])


def outcomes(
    laws: tuple[Law, Law], labels: int, seeds: int, patients: int, draws: int, resamples: int
) -> Iterator[tuple[str, float, float, float, float]]:
    """Yields name, true value, bias, coverage and share of draws with a number, per quantity."""
    first, last = laws[1](BUDGETS[0]), laws[1](BUDGETS[-1])
    middle = round(laws[1](BUDGETS[-3]), 3)
    common = min(last, laws[0](BUDGETS[-1]))
    targets = {
        "80 % of the gain": first + 0.8 * (common - first),
        "reference": last,
        f"AUROC {middle:g}": middle,
    }
    truths = {}
    for target, at in targets.items():
        truths[target, "patients"] = laws[0].needed(at)
        if target == f"AUROC {middle:g}":
            truths[target, "first touch"] = laws[0].needed(at)
        truths[target, "ratio"] = laws[1].needed(at) / laws[0].needed(at)
    estimated: defaultdict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for curves, answers in answered(
        laws, labels, seeds, patients, draws, resamples, Questions((0.8,), (middle,))
    ):
        for target, answer in answers.items():
            for key, bounds in estimates(answer).items():
                estimated[target, key].append(bounds)
        touch = first_touch(curves["arm", "probe"].draws[0], middle)
        estimated[f"AUROC {middle:g}", "first touch"].append((touch, np.nan, np.nan))
    for quantity, truth in truths.items():
        value, low, high = np.array(estimated[quantity]).T
        holds = ((low <= truth) & (truth <= high))[~np.isnan(low)]
        yield (
            " ".join(quantity),
            truth,
            float(np.median(value)) / truth - 1,
            float(holds.mean()) if len(holds) else np.nan,
            float(np.mean(np.isfinite(value) & (value > 0))),
        )


def answered(
    laws: tuple[Law, Law],
    labels: int,
    seeds: int,
    patients: int,
    draws: int,
    resamples: int,
    questions: Questions,
) -> Iterator[tuple[dict[tuple[str, str], Curve], dict[str, dict[str, Any]]]]:
    """Yields the drawn curves of one study after the other, and the arm's answers by target."""
    for seed in range(draws):
        labelled, cells = simulate(laws, labels, seeds, patients, seed)
        test, grid = TestSet(labelled, "test"), complete_grid(cells, "base")
        curves = {
            (curve.arm, curve.mode): curve.drawn(resamples, seed, number)
            for number, curve in enumerate(learning_curves(test, cells, grid, "base"))
        }
        answers = required_patients(curves, "base", questions)
        yield curves, {answer["target"]: answer for answer in answers if answer["arm"] == "arm"}


def null_table(draws: int, resamples: int, only: str, folds: Sequence[float]) -> None:
    """Prints a line per shape, size, true fold and target.

    `number` is the share of studies with a ratio, `median` its median, `twofold` the share of
    studies with a ratio of 2 and more, `stated` the share that state a multiple, `covers` the share
    of intervals that hold the truth, among those that exist.
    """
    print(
        f"{'curve':<12}{'patients':>9}{'seeds':>6}{'truth':>6}  {'target':<18}{'number':>7}"
        f"{'median':>8}{'twofold':>8}{'stated':>7}{'covers':>7}"
    )
    for (shape, law), (patients, seeds), fold in itertools.product(
        SHAPES.items(), ((400, 10), (150, 3)), folds
    ):
        if only not in ("", shape):
            continue
        laws = dataclasses.replace(law, speed=fold), law
        drawn = answered(laws, 1, seeds, patients, draws, resamples, Questions(SHARES))
        curves, studies = zip(*drawn, strict=True)
        if fold == 1:
            print_alone(shape, seeds, patients, curves)
        for target in studies[0]:
            ratios = [study[target]["ratio"] for study in studies if study[target]["ratio"]]
            values = np.array([ratio["value"] for ratio in ratios if ratio["value"] is not None])
            stated = [
                ratio["value"] is not None and excludes_one(Interval(**ratio)) for ratio in ratios
            ]
            holds = [(ratio["low"] or 0) <= fold <= (ratio["high"] or np.inf) for ratio in ratios]
            print(
                f"{shape:<12}{patients:>9}{seeds:>6}{fold:>6g}  {target:<18}"
                f"{len(values) / draws:7.2f}{np.median(values):8.2f}"
                f"{(values >= 2).sum() / draws:8.2f}{np.sum(stated) / draws:7.2f}"
                f"{np.mean(holds):7.2f}",
                flush=True,
            )


def small_test_set(
    classes: tuple[int, int], area: float, seeds: int, seed: int
) -> tuple[LabelledTestSet, dict[Cell, np.ndarray], tuple[float, float]]:
    """Returns a test set, the scores of two arms of one budget, and their true mean AUROCs.

    The AUROC of a seed varies around `area` with a standard deviation of a tenth of 1 - area; that
    of a single seed is the truth. Half of the variance of a score is shared by both arms, a quarter
    belongs to the arm and a quarter to the seed.
    """
    rng = np.random.default_rng(seed)
    positive = np.repeat([1.0, 0.0], classes)
    of_all, cells, truths = rng.normal(size=len(positive)), {}, []
    for arm in ("arm", "base"):
        of_arm = rng.normal(size=len(positive))
        areas = area + rng.normal(size=seeds) * (1 - area) / 10
        for number, of_seed in enumerate(areas):
            noise = of_all / np.sqrt(2) + (of_arm + rng.normal(size=len(positive))) / 2
            score = noise + positive * norm.ppf(of_seed) * np.sqrt(2)
            cells[Cell(arm, "probe", 20, number)] = score[:, None]
        truths.append(areas[0] if seeds == 1 else area)
    labelled = LabelledTestSet(["label"], positive[:, None], range(len(positive)))
    return labelled, cells, (truths[0], truths[1])


def print_alone(
    shape: str, seeds: int, patients: int, studies: Sequence[dict[tuple[str, str], Curve]]
) -> None:
    """Prints the line for 80 % of the baseline's gain, whether or not the arm gets there."""
    ratios = []
    for curves in studies:
        arm, base = (monotone(curves[name, "probe"].draws[:1]) for name in ("arm", "base"))
        level = base[:, 0] + 0.8 * (base[:, -1] - base[:, 0])
        patients_needed, of_base = (crossing(BUDGETS, curve, level)[0] for curve in (arm, base))
        if 0 < patients_needed < np.inf:
            ratios.append(of_base / patients_needed)
    values = np.array(ratios)
    print(
        f"{shape:<12}{patients:>9}{seeds:>6}{1:>6}  {'80 %, base alone':<18}"
        f"{len(values) / len(studies):7.2f}{np.median(values):8.2f}"
        f"{(values >= 2).sum() / len(studies):8.2f}",
        flush=True,
    )


def points_table(draws: int, resamples: int) -> None:
    """Prints the coverage of points and differences in small test sets.

    `old` are percentiles of resampled patients, with seeds by Student's t.
    """
    print(f"{'positive/negative':<18}{'AUROC':>6}{'seeds':>6}{'point':>8}{'old':>7}", end="")
    print(f"{'difference':>12}{'old':>7}{'p < 0.05':>10}")
    for (classes, area), seeds in itertools.product(
        (((5, 50), 0.95), ((12, 48), 0.95), ((5, 20), 0.99)), (1, 3, 10)
    ):
        held: defaultdict[str, list[bool]] = defaultdict(list)
        for seed in range(draws):
            labelled, cells, truths = small_test_set(classes, area, seeds, seed)
            test, grid = TestSet(labelled, "test"), complete_grid(cells, "base")
            arm, base = (c.quantities() for c in learning_curves(test, cells, grid, "base"))
            ((low, high),) = arm.intervals()
            held["point"].append(low <= truths[0] <= high)
            (difference,), (p,) = arm.minus(base).differences()
            gap = truths[0] - truths[1]
            ends = difference.low or 0.0, difference.high or 0.0
            held["difference"].append(ends[0] <= gap <= ends[1])
            held["p"].append(p < 0.05)
            scores = np.hstack(list(cells.values()))
            known = np.repeat(labelled.targets, scores.shape[1], axis=1)
            counts = patient_counts(len(known), resamples, seed)
            drawn = auroc(known, scores, counts).reshape(resamples, 2, seeds)
            means = np.einsum("bas,bs->ba", drawn, seed_draws(seeds, resamples, seed)[1:])
            for name, values, truth in (
                ("old point", means[:, 0], truths[0]),
                ("old difference", means[:, 0] - means[:, 1], gap),
            ):
                low, high = percentile_interval(values) or (0.0, 1.0)
                held[name].append(low - 1e-12 <= truth <= high + 1e-12)
        share = {name: float(np.mean(values)) for name, values in held.items()}
        print(
            f"{classes[0]:>8}/{classes[1]:<9}{area:6.2f}{seeds:6}{share['point']:8.3f}"
            f"{share['old point']:7.3f}{share['difference']:12.3f}{share['old difference']:7.3f}"
            f"{share['p']:10.3f}",
            flush=True,
        )


def two_parts_table(draws: int = 200_000) -> None:
    """Prints the coverage of both ways to add variances of patients and units.

    The estimate has the variance 1; `share` of it is that of the units, which is estimated.
    """
    rng = np.random.default_rng(0)
    print("units  share of V   Satterthwaite   square-and-add")
    for units, share in itertools.product((2, 3, 5, 10), (0.2, 0.8)):
        error, patients = np.abs(rng.normal(size=draws)), np.full(draws, 1 - share)
        of_units = share * rng.chisquare(units - 1, draws) / (units - 1)
        total = patients + of_units
        degrees = (units - 1) * (total / of_units) ** 2
        covers = [
            100 * np.mean(error < half)
            for reach in (
                lambda level: student.ppf((1 + level) / 2, degrees) * np.sqrt(total),  # noqa: B023
                lambda level: two_part_half(patients, of_units, units, level),  # noqa: B023
            )
            for half in map(reach, (0.95, 1 - 0.05 / 8))
        ]
        print(f"{units:5}{share:12.1f}" + "{:9.2f}{:7.2f}{:9.2f}{:8.2f}".format(*covers))


def extrapolation_table(draws: int, resamples: int) -> None:
    """Prints what the power law says of an arm that needs more patients than were measured.

    200 patients were measured.
    """
    law = SHAPES["steep"]
    print("patients  seeds  truth     law gives  10 % to 90 %   is given   covers, if given")
    for (patients, seeds), needed in itertools.product(((400, 10), (4000, 10)), (300, 871)):
        target = law(needed)
        values, given, covers = [], [], []
        for seed in range(draws):
            labelled, cells = simulate((law, law), 1, seeds, patients, seed)
            cells = {cell: scores for cell, scores in cells.items() if cell.arm == "base"}
            test, grid = TestSet(labelled, "test"), complete_grid(cells, "base")
            (curve,) = learning_curves(test, cells, grid, "base")
            drawn = curve.drawn(resamples, seed, 0)
            at = power_law.patients_at(BUDGETS, drawn.draws, np.full(len(drawn.draws), target))
            estimate = interval(at)
            values.append(at[0])
            given.append(power_law.missing(estimate) is None)
            if given[-1]:
                covers.append((estimate.low or 0) <= needed <= (estimate.high or np.inf))
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], method="nearest")
        print(
            f"{patients:8}{seeds:7}{needed:7}{middle:14.0f}  {low:6.0f} to {high:<6.0f}"
            f"{np.mean(given):8.2f}{np.mean(covers) if covers else np.nan:15.2f}",
            flush=True,
        )


def speed() -> None:
    """Prints the time for 8 budgets x 10 seeds x 3 arms x 2 modes, 2,000 images, 5 labels."""
    rng = np.random.default_rng(0)
    targets = (rng.random((2000, 5)) < 0.15).astype(float)
    cells = {
        Cell(arm, mode, budget, seed): (rng.normal(size=targets.shape) + targets).astype(np.float32)
        for arm in ("a", "b", "c")
        for mode in ("probe", "finetune")
        for budget in BUDGETS
        for seed in range(10)
    }
    test = LabelledTestSet(list("vwxyz"), targets, np.repeat(np.arange(1000), 2))
    start, cpu = time.perf_counter(), time.process_time()
    analyse_study(test, cells, "a", targets=(0.75,), resamples=1000)
    print(
        f"{len(cells)} cells, 1,000 resamples: {time.perf_counter() - start:.1f} s, "
        f"{time.process_time() - cpu:.1f} s of processor time"
    )


def main() -> None:
    """Prints a line per setting and quantity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--only", default="", help="name of a pair of laws")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--null", action="store_true", help="two arms of one law")
    parser.add_argument("--power", action="store_true", help="true folds of 2 and 5")
    parser.add_argument("--points", action="store_true", help="small test sets")
    parser.add_argument("--two-parts", action="store_true", help="how two variances add up")
    parser.add_argument("--extrapolation", action="store_true", help="power law beyond budgets")
    parsed = parser.parse_args()
    if parsed.points:
        points_table(parsed.draws, parsed.resamples)
        return
    if parsed.two_parts:
        two_parts_table()
        return
    if parsed.extrapolation:
        extrapolation_table(parsed.draws, parsed.resamples)
        return
    if parsed.null or parsed.power:
        folds = (1.0,) * parsed.null + (2.0, 5.0) * parsed.power
        null_table(parsed.draws, parsed.resamples, parsed.only, folds)
        return
    if parsed.speed:
        speed()
        return
    print(f"{'':<46}{'truth':>8}{'bias':>8}{'covers':>8}{'given':>8}")
    for name, laws in LAWS.items():
        if parsed.only not in ("", name):
            continue
        for labels, seeds, patients in SETTINGS:
            setting = f"{name}, {labels} labels, {seeds} seeds, {patients} patients"
            print(setting, flush=True)
            for row in outcomes(laws, labels, seeds, patients, parsed.draws, parsed.resamples):
                print(
                    f"  {row[0]:<44}{row[1]:8.1f}{row[2]:+8.2f}{row[3]:8.3f}{row[4]:8.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
