"""Whether label budgets and x-fold reductions are found again where the law of learning is known.

    python benchmarks/label_budget.py [--draws=300 --resamples=200 --only=steep]
    python benchmarks/label_budget.py --speed

A draw is a whole study of two arms over the budgets 0, 3, 10, 20, 40, 66, 100 and 200 patients. The
mean AUROC of an arm after n patients is

    a - b (n + 3)^-c

the 3 being what the in-distribution labels are worth. A seed adds noise to it (the standard
deviation is 0.005 for a seed at all budgets and arms, and 0.03 / sqrt(1 + n) + 0.003 for a cell;
nothing at 0), and labels are easier or harder by up to 0.03. A test patient has one or two images
and each label with a probability of 0.3; a score is normal, its mean higher in positives by what
the AUROC asks for (equal-variance binormal), and half of its variance is the image's alone, half
shared by all models; half of each is the patient's.

Printed are, of the estimated budget and x-fold reduction: the median of all draws over the truth
(those that do not reach the level lying beyond the largest budget), less 1; how often the 95 %
interval holds the truth, of those draws that give one; and how often there is a number at all.
Beside them, the bias of the budget at which the largest mean so far first touches the level, which
is what one reads off a plot. The standard error of a coverage of 0.95 in 300 draws is 0.013.
"""

import argparse
import dataclasses
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from remedis.evaluation.label_budget import Cell, Examined, study
from remedis.evaluation.label_budget.crossing import crossing

BUDGETS = (0, 3, 10, 20, 40, 66, 100, 200)
PREVALENCE, HARDER, WORTH = 0.3, 0.03, 3.0


@dataclasses.dataclass(frozen=True)
class Law:
    """AUROC = a - b (n + WORTH)^-c after n patients."""

    a: float
    b: float
    c: float

    def __call__(self, patients: float) -> float:
        """Returns the mean AUROC."""
        return float(self.a - self.b * (patients + WORTH) ** -self.c)

    def needed(self, level: float) -> float:
        """Returns the patients at which the law reaches a level above zero-shot."""
        return float(brentq(lambda n: self(n) - level, 0, 1e9))


# The arm, then the baseline.
LAWS = {
    "steep": (Law(0.92, 0.45, 0.6), Law(0.92, 0.80, 0.6)),
    "flat": (Law(0.86, 0.14, 0.35), Law(0.86, 0.20, 0.35)),
    "far apart": (Law(0.94, 0.40, 0.6), Law(0.90, 0.80, 0.6)),
}

# Labels, seeds, test patients.
SETTINGS = ((2, 3, 60), (2, 3, 400), (5, 3, 400), (2, 10, 400), (5, 10, 400))


def simulate(
    laws: tuple[Law, Law], labels: int, seeds: int, patients: int, seed: int
) -> tuple[Examined, dict[Cell, np.ndarray]]:
    """Returns a test set and the scores of the cells of the arms `arm` and `base` on it."""
    rng = np.random.default_rng(seed)
    ill = rng.random((patients, labels)) < PREVALENCE
    rows = np.repeat(np.arange(patients), rng.integers(1, 3, patients))
    names = [f"label {i}" for i in range(labels)]

    def noise() -> np.ndarray:
        person, image = rng.normal(size=(patients, labels)), rng.normal(size=(len(rows), labels))
        return (person[rows] + image) / np.sqrt(2)

    shared, harder = noise(), np.linspace(-HARDER, HARDER, labels)
    together = rng.normal(size=seeds) * 0.005
    cells = {}
    for arm, law in zip(("arm", "base"), laws, strict=True):
        own = noise()
        for budget in BUDGETS:
            for number in range(seeds if budget else 1):
                spread = 0.03 / np.sqrt(1 + budget) + 0.003
                off = together[number] + rng.normal() * spread if budget else 0.0
                area = np.clip(law(budget) + harder + off, 0.01, 0.995)
                # Models of one arm err alike; each cell has some noise of its own.
                mine = (own * 2 + noise()) / np.sqrt(5)
                score = ill[rows] * norm.ppf(area) * np.sqrt(2) + (shared + mine) / np.sqrt(2)
                cells[Cell(arm, "probe", budget, number)] = score.astype(np.float32)
    return Examined(names, ill[rows].astype(float), rows), cells


def estimates(answer: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Returns value, low and high of an answer's patients and fold, with the open ends filled in.

    The interval of a fold that is not given is NaN.
    """
    of, fold = answer["patients"], answer["fold"]
    if of is None:
        of = {"value": None, "low": answer["at_least"], "high": None}
    patients = tuple(np.inf if of[key] is None else of[key] for key in ("value", "low", "high"))
    if fold is None:
        missing = 0.0 if answer["status"] == "not reached" else np.inf
        return {"patients": patients, "fold": (missing, np.nan, np.nan)}
    low = 0.0 if fold["low"] is None else fold["low"]
    high = np.inf if fold["high"] is None else fold["high"]
    return {"patients": patients, "fold": (fold["value"], low, high)}


def first_touch(points: list[dict[str, Any]], level: float) -> float:
    """Returns where the largest mean so far first touches a level: what noise makes too early."""
    means = [point["mean"]["value"] for point in points if point["arm"] == "arm"]
    return float(crossing(BUDGETS, np.maximum.accumulate([means], axis=1), np.array([level]))[0])


def outcomes(
    laws: tuple[Law, Law], labels: int, seeds: int, patients: int, draws: int, resamples: int
) -> Iterator[tuple[str, float, float, float, float]]:
    """Yields what is estimated, the truth, its bias, coverage and the share of studies with it."""
    level = laws[1](BUDGETS[-1])
    middle = round(laws[1](BUDGETS[-3]), 3)
    of = {"reference": level, f"AUROC {middle:g}": middle}
    truths = {}
    for target, at in of.items():
        truths[target, "patients"] = truths[target, "first touch"] = laws[0].needed(at)
        truths[target, "fold"] = laws[1].needed(at) / laws[0].needed(at)
    found = defaultdict(list)
    for seed in range(draws):
        test, cells = simulate(laws, labels, seeds, patients, seed)
        result = study(test, cells, "base", levels=(middle,), resamples=resamples, seed=seed)
        for answer in result["answers"]:
            if answer["arm"] == "arm":
                target = answer["target"]
                for key, ends in estimates(answer).items():
                    found[target, key].append(ends)
                touch = first_touch(result["points"], answer["level"])
                found[target, "first touch"].append((touch, np.nan, np.nan))
    for of_what, truth in truths.items():
        value, low, high = np.array(found[of_what]).T
        holds = ((low <= truth) & (truth <= high))[~np.isnan(low)]
        yield (
            " ".join(of_what),
            truth,
            float(np.median(value)) / truth - 1,
            float(holds.mean()) if len(holds) else np.nan,
            float(np.mean(np.isfinite(value) & (value > 0))),
        )


def speed() -> None:
    """Prints the time of 8 budgets x 10 seeds x 3 arms x 2 modes, 2,000 images, 5 labels."""
    rng = np.random.default_rng(0)
    targets = (rng.random((2000, 5)) < 0.15).astype(float)
    cells = {
        Cell(arm, mode, budget, seed): (rng.normal(size=targets.shape) + targets).astype(np.float32)
        for arm in ("a", "b", "c")
        for mode in ("probe", "finetune")
        for budget in BUDGETS
        for seed in range(10)
    }
    test = Examined(list("vwxyz"), targets, np.repeat(np.arange(1000), 2))
    start, cpu = time.perf_counter(), time.process_time()
    study(test, cells, "a", levels=(0.75,), resamples=1000)
    print(
        f"{len(cells)} cells, 1,000 resamples: {time.perf_counter() - start:.1f} s, "
        f"{time.process_time() - cpu:.1f} s of one core"
    )


def main() -> None:
    """Prints a line for every setting and quantity."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--only", default="", help="name of a pair of laws")
    parser.add_argument("--speed", action="store_true")
    parsed = parser.parse_args()
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
