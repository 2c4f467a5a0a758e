"""The baseline against itself with other seeds: what the headline ratio is worth without an effect.

The seeds of the baseline are split into two random halves, many times. Each half is a study of its
own with the same patients in the test set; one half takes the part of the arm. The true ratio is 1,
and the median is close to 1 by symmetry. The range of the ratios says which multiples arise from
seeds alone. A real comparison has more noise: the arms' models differ on the test patients.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit, logit

from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.intervals import LEVEL
from remedis.evaluation.label_budget.learning_curves import Curve, LearningCurve
from remedis.evaluation.label_budget.levels import Level, share_of_gain
from remedis.evaluation.label_budget.required_patients import (
    TOO_FEW_SEEDS,
    crossings,
    excludes_one,
    intervals,
    quotient,
)
from remedis.evaluation.label_budget.resampling import (
    Interval,
    patient_noise,
    seed_draws,
)

SPLITS = 40
MIN_SEEDS = 4  # two per half, so that each half has a variance over seeds


def placebo(curve: LearningCurve, level: Level, resamples: int, seed: int) -> dict[str, Any]:
    """Returns the ratios of random halves of one arm's seeds, in the form of `summary.json`.

    Args:
      curve: the baseline's, with `influence_per_seed`.
      level: the headline level of the whole baseline; each half sets its own.
      resamples: draws of patients and seeds.
      seed: of the draws and of the halves.

    Returns:
      mode, arm, splits, and `missing`, the reason if there is no placebo. `ratio` has the median
      over the halves and the range of 95 % of them; `share_twofold` is the share of ratios of at
      least 2 or at most 1/2; `share_multiples` is the share of halves whose interval excludes 1.
    """
    seeds = curve.per_seed.shape[1]
    row: dict[str, Any] = {"mode": curve.mode, "arm": curve.arm, "splits": 0}
    row |= dict.fromkeys(("ratio", "share_twofold", "share_multiples", "missing"))
    missing = TOO_FEW_SEEDS if seeds < MIN_SEEDS else level.missing
    if missing is not None:
        return row | {"missing": missing}
    share = float(level.share or 0)
    pairs = [
        (first, second, *crossings(first, second, share_of_gain(second, first, share, True)))
        for first, second in _halves(curve, resamples, seed)
    ]
    # A ratio of -inf, where only the second half reaches the level, counts as 0.
    ratios = np.array([max(quotient(base[:1], arm[:1])[0], 0.0) for _, _, arm, base in pairs])
    # Ratios may be infinite: quantiles are ratios themselves, without interpolation.
    ordered = np.sort(ratios)
    ranks = np.round(np.array([0.5, (1 - LEVEL) / 2, (1 + LEVEL) / 2]) * (len(ordered) - 1))
    ends = (float(x) if np.isfinite(x) else None for x in ordered[ranks.astype(int)])
    return row | {
        "splits": len(pairs),
        "ratio": dataclasses.asdict(Interval(*ends)),
        "share_twofold": float(((ratios >= 2) | (ratios <= 0.5)).mean()),
        "share_multiples": float(np.mean([excludes_one(intervals(*pair)[2]) for pair in pairs])),
    }


def _halves(curve: LearningCurve, resamples: int, seed: int) -> Iterator[tuple[Curve, Curve]]:
    """Yields the curves of two random halves of the seeds, `SPLITS` times."""
    seeds = curve.per_seed.shape[1]
    assert curve.influence_per_seed is not None
    influence = curve.influence_per_seed
    noise = patient_noise(influence.reshape(len(influence), -1), resamples, seed)
    noise = noise.reshape(resamples, *curve.per_seed.shape)
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4,)))
    for _ in range(SPLITS):
        order = generator.permutation(seeds)
        halves = order[: seeds // 2], order[seeds // 2 : 2 * (seeds // 2)]
        yield (
            _half(curve, noise, halves[0], int(generator.integers(2**31))),
            _half(curve, noise, halves[1], int(generator.integers(2**31))),
        )


def _half(curve: LearningCurve, noise: Floats, half: Integers, seed: int) -> Curve:
    """Returns the curve of some seeds; `noise` of the patients is [B, K, seeds]."""
    per_seed = curve.per_seed[:, half]
    values = per_seed.mean(axis=1)
    weights = seed_draws(len(half), len(noise), seed)[1:]
    deviations = noise[:, :, half].mean(axis=2) + weights @ (per_seed - values[:, None]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = expit(logit(values) + deviations / (values * (1 - values)))
    drawn = np.where((values > 0) & (values < 1), drawn, values)
    draws = np.vstack([values, drawn])
    return Curve(curve.arm, curve.mode, curve.budgets, draws, values, curve.chance)
