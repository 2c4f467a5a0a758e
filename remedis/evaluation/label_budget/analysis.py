"""Learning curves, required patients and comparisons, from the scores of all cells of a study."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.errors import UserError
from remedis.evaluation.intervals import RESAMPLES
from remedis.evaluation.label_budget.arm_differences import (
    ADJUSTMENT,
    Primary,
    arm_differences,
    check_primary,
    primary_difference,
)
from remedis.evaluation.label_budget.baseline_halves import placebo
from remedis.evaluation.label_budget.distribution_gap import distribution_gap
from remedis.evaluation.label_budget.grid import Cell, Grid, complete_grid
from remedis.evaluation.label_budget.learning_curves import (
    LearningCurve,
    averaged,
    estimates,
    learning_curves,
)
from remedis.evaluation.label_budget.levels import SHARES, level_row
from remedis.evaluation.label_budget.required_patients import Cost, Questions, required_patients
from remedis.evaluation.label_budget.study_metric import AUROC, AUROC_CHANCE, StudyMetric
from remedis.evaluation.label_budget.test_set import LabelledTestSet, TestSet, made_test_set

MIN_SEEDS = 5  # Student's t of three degrees of freedom and fewer makes intervals twice as wide
METHOD = (
    "95 %: {variance} and Student's t over {units}, logit scale; budgets from percentiles "
    "of draws of both"
)
ONE_SEED = "95 %: {variance}, logit scale; one seed, so variance over seeds is not included"
NUMBERS = ("low", "high", "band_low", "band_high")


def analyse_study(
    ood_test: LabelledTestSet,
    cells: Mapping[Cell, npt.ArrayLike],
    baseline: str,
    *,
    id_test: LabelledTestSet | None = None,
    id_scores: Mapping[tuple[str, str], npt.ArrayLike] | None = None,
    levels: Sequence[float] = SHARES,
    targets: Sequence[float] = (),
    primary: Primary | None = None,
    trainings: Mapping[str, int] | None = None,
    modes_of: Mapping[str, Collection[str]] | None = None,
    images: Mapping[int, int] | None = None,
    cost: Cost | None = None,
    extrapolate: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Returns all estimates of `summary.json`, from the key `interval` to `gap`.

    Args:
      ood_test: the out-of-distribution test set.
      cells: cell -> scores [n, L] on it. The cells must fill a grid (`complete_grid`). Each is
        looked up once, so that a mapping may read it from disk at that moment.
      baseline: the arm that the others are compared with. In each mode, its largest budget is the
        reference; this should be all labelled patients there are.
      id_test: the in-distribution test set; without it, `id` and `gap` are empty.
      id_scores: (arm, mode) -> scores of the in-distribution models on `id_test`: [n, L], or
        [R, n, L] for R trainings.
      levels: levels to reach, as shares of the baseline's gain from its first to its largest
        budget, each between 0 and 1; the first is the headline.
      targets: values of the metric that are further levels.
      primary: the comparison that was stated beforehand.
      trainings: mode -> number R of in-distribution trainings per arm, 1 for other modes; seed s
        starts from training s % R. With several, they are the unit over which Student's t runs.
      modes_of: arm -> its modes; None if every arm has all of them.
      images: budget in patients -> number of images, for the points; None for other budgets.
      cost: cost of labelling one patient.
      extrapolate: whether a power law is used beyond the largest budget.
      resamples: number of draws of patients and seeds.
      seed: seed of the draws. The same cells and seed give the same numbers.

    Raises:
      UserError: a cell is missing, its scores are not finite or not of the shape of the targets,
        the baseline is not among the arms, a level or target is out of its range, the primary
        comparison does not exist, there are fewer seeds than trainings, or no label of a test set
        is estimable.
    """
    grid = complete_grid(cells, baseline, trainings, modes_of)
    ood = made_test_set(ood_test, "out-of-distribution")
    check_levels(levels, targets, ood.metric, ood.chance)
    curves = {
        (curve.arm, curve.mode): curve for curve in learning_curves(ood, cells, grid, baseline)
    }
    if primary is not None:
        check_primary(primary, curves, baseline)
        ood_test.check_labels(primary.labels)
    drawn = {
        key: curve.drawn(resamples, seed, number)
        for number, (key, curve) in enumerate(curves.items())
    }
    too_few = tuple(mode for mode in grid.budgets if _too_few_seeds(grid, mode))
    questions = Questions(levels, targets, cost or Cost(), extrapolate, too_few, ood.metric)
    headlines = {
        mode: questions.levels(drawn[baseline, mode], drawn[baseline, mode])[0]
        for mode in grid.budgets
    }
    inside, gaps, id_chance = [], [], None
    if id_test is not None:
        within = made_test_set(id_test, "in-distribution")
        id_chance = within.chance
        for (arm, mode), scores in (id_scores or {}).items():
            models = in_distribution_curve(within, np.asarray(scores), grid, arm, mode)
            (mean,) = estimates(models.quantities(), within)
            inside.append({"arm": arm, "mode": mode, "mean": mean.to_json()})
            curve = curves.get((arm, mode))
            if curve is not None and curve.budgets[0] == 0:
                gaps.append(distribution_gap(curve, ood, models, within, resamples, seed))
    return {
        "metric": ood.metric.title,
        "chance": ood.chance,
        "id_chance": id_chance,
        "interval": _method(grid, ood.metric),
        "trainings": grid.trainings,
        "too_few_seeds": bool(too_few),
        "points": [
            {
                "arm": arm,
                "mode": mode,
                "patients": patients,
                "images": (images or {}).get(patients),
                **point,
            }
            for (arm, mode), curve in curves.items()
            for patients, point in zip(
                curve.budgets, curve.points(ood, resamples, seed), strict=True
            )
        ],
        "id": inside,
        "reference": [
            {
                "mode": mode,
                "arm": baseline,
                "patients": budgets[-1],
                "mean": estimates(curves[baseline, mode].quantities().at(-1), ood)[0].to_json(),
                "above_chance": drawn[baseline, mode].above_chance,
            }
            for mode, budgets in grid.budgets.items()
        ],
        "levels": [
            level_row(drawn[baseline, mode], level)
            for mode in grid.budgets
            for level in questions.levels(drawn[baseline, mode], drawn[baseline, mode])
            if level.share is not None
        ],
        "answers": required_patients(drawn, baseline, questions),
        "placebo": [
            placebo(curves[baseline, mode], headline, resamples, seed)
            for mode, headline in headlines.items()
            if levels
        ],
        "primary": primary and primary_difference(curves, baseline, primary, ood),
        "paired": arm_differences(curves, baseline, primary),
        "adjustment": ADJUSTMENT,
        "gap": gaps,
    }


def check_levels(
    levels: Sequence[float],
    targets: Sequence[float],
    metric: StudyMetric = AUROC,
    chance: float = 0.0,
) -> None:
    """Raises a UserError for levels or targets out of their range, or if none is above chance.

    Args:
      levels: shares of the baseline's gain.
      targets: values of the metric.
      metric: of the study.
      chance: of a top-k accuracy on the test set; 0 if the test set is not known yet. That of an
        AUROC is 0.5.
    """
    if metric.top is None:
        chance = AUROC_CHANCE
    if chance > 1 - 1e-9:
        raise UserError(
            f"The {metric.name} of always naming {metric.most_frequent} is 1 in the "
            "out-of-distribution test set, which has no images of other classes; set "
            "config.metric to one with a smaller K or to auroc, or test on more classes."
        )
    for level in levels:
        if not 0 < level < 1:
            raise UserError(
                f"config.levels has {level:g}; expected shares of the baseline's gain between 0 "
                "and 1, such as (0.8, 0.5, 0.9)."
            )
    for target in targets:
        if not chance < target < 1:
            floor = f"{chance:.3g} (chance)" if chance else "chance"
            raise UserError(
                f"config.target is {target}; expected {metric.one} between {floor} and 1."
            )


def in_distribution_curve(
    test: TestSet, scores: npt.NDArray[np.generic], grid: Grid, arm: str, mode: str
) -> LearningCurve:
    """Returns the in-distribution models of an arm as a curve of one budget, 0.

    Args:
      test: the in-distribution test set.
      scores: [n, L], or [R, n, L] for R trainings.
      grid: of the study, which says from which training each seed starts.
      arm: name of the arm.
      mode: method of adaptation.

    Raises:
      UserError: scores are not finite, or not of the shape of the targets.
    """
    of_training = [
        test.areas(test.check_scores(one, f"{arm}-{mode} in distribution"))
        for one in (scores if scores.ndim == 3 else scores[None])
    ]
    areas = [of_training[seed % len(of_training)] for seed in grid.seeds]
    values, influence = averaged(areas, grid.units(mode))
    per_seed = np.array([[one.values.mean() for one in areas]])
    influence = influence[:, None]
    return LearningCurve(
        arm, mode, (0,), values[None], influence, test.pairs, per_seed, chance=test.chance
    )


def _too_few_seeds(grid: Grid, mode: str) -> bool:
    """Returns whether intervals over seeds are too wide for a multiple to be stated."""
    return len(grid.seeds) < MIN_SEEDS or grid.trainings[mode] == 2


def _method(grid: Grid, metric: StudyMetric) -> str:
    """Returns the method of the intervals in a phrase."""
    variance = "DeLong by patient" if metric.top is None else "variance by patient"
    if len(grid.seeds) == 1:
        return ONE_SEED.format(variance=variance)
    units = ["seeds"] * (1 in grid.trainings.values())
    units += ["in-distribution trainings"] * (max(grid.trainings.values()) > 1)
    return METHOD.format(variance=variance, units=" or ".join(units))


def curves_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the points of a study as a table with one row per point and label, the mean first.

    Args:
      summary: a summary with the keys `metric` and `points`.

    Returns:
      arm, mode, patients, images, label (`mean` for the mean), auroc (or the key of another metric,
      such as top_3_accuracy, whose label is `mean` alone), low, high, band_low and band_high (of
      the mean, simultaneous for all budgets of a curve), test_patients, test_positives; numbers
      that are not estimable are empty.
    """
    column = StudyMetric.from_title(summary["metric"]).key
    rows = []
    for point in summary["points"]:
        for label, estimate in {"mean": point["mean"], **point["labels"]}.items():
            rows.append(
                {
                    **{key: point[key] for key in ("arm", "mode", "patients", "images")},
                    "label": label,
                    column: estimate["value"],
                    "low": estimate["low"],
                    "high": estimate["high"],
                    "band_low": estimate.get("band_low"),
                    "band_high": estimate.get("band_high"),
                    "test_patients": estimate["patients"],
                    "test_positives": estimate["positives"],
                }
            )
    numbers = dict.fromkeys((column, *NUMBERS), "float64")
    return pd.DataFrame(rows).astype({"images": "Int64"} | numbers)
