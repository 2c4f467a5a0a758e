"""Learning curves, required patients and comparisons, from the scores of all cells of a study."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import pandas as pd

from remedis.errors import UserError
from remedis.evaluation.intervals import RESAMPLES
from remedis.evaluation.label_budget.arm_differences import arm_differences
from remedis.evaluation.label_budget.distribution_gap import distribution_gap
from remedis.evaluation.label_budget.grid import Cell, complete_grid
from remedis.evaluation.label_budget.learning_curves import LearningCurve, learning_curves
from remedis.evaluation.label_budget.required_patients import Cost, required_patients
from remedis.evaluation.label_budget.test_set import LabelledTestSet, ResampledTestSet

METHOD = "95 % percentiles of resampled patients, seeds by Student's t"
METHOD_OF_ONE_SEED = (
    "95 % percentiles of resampled patients; one seed, so variance over seeds is not included"
)
NUMBERS = ("auroc", "low", "high")


def analyse_study(
    ood_test: LabelledTestSet,
    cells: Mapping[Cell, npt.ArrayLike],
    baseline: str,
    *,
    id_test: LabelledTestSet | None = None,
    id_scores: Mapping[tuple[str, str], npt.ArrayLike] | None = None,
    levels: Sequence[float] = (),
    images: Mapping[int, int] | None = None,
    cost: Cost | None = None,
    extrapolate: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Returns the keys interval, points, id, reference, answers, paired and gap of `summary.json`.

    Args:
      ood_test: the out-of-distribution test set.
      cells: cell -> scores [n, L] on it. The cells must fill a grid (`complete_grid`). Each is
        looked up once, so that a mapping may read it from disk at that moment.
      baseline: the arm that the others are compared with. In each mode, its largest budget is the
        reference; this should be all labelled patients there are.
      id_test: the in-distribution test set; without it, `id` and `gap` are empty.
      id_scores: (arm, mode) -> scores of the in-distribution model on `id_test`.
      levels: mean AUROCs that are targets in addition to the reference.
      images: budget in patients -> number of images, for the points; None for other budgets.
      cost: cost of labelling one patient.
      extrapolate: whether a power law is used beyond the largest budget.
      resamples: number of draws of patients and seeds.
      seed: seed of the draws. The same cells and seed give the same numbers.

    Raises:
      UserError: a cell is missing, its scores are not finite or not of the shape of the targets,
        the baseline is not among the arms, a level is not between 0.5 and 1, or no label of a test
        set is estimable.
    """
    for level in levels:
        if not 0.5 < level < 1:
            raise UserError(
                f"config.target asks for an AUROC of {level:g}; expected a number between 0.5 "
                "(chance) and 1."
            )
    grid = complete_grid(cells, baseline)
    ood = ResampledTestSet(ood_test, "out-of-distribution", resamples, seed)
    curves = {(curve.arm, curve.mode): curve for curve in learning_curves(ood, cells, grid, seed)}
    id_means: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    if id_test is not None:
        # Another seed: the patients of the two hospitals are drawn independently.
        in_distribution = ResampledTestSet(id_test, "in-distribution", resamples, seed + 1)
        for (arm, mode), scores in (id_scores or {}).items():
            checked = in_distribution.check_scores(scores, f"{arm}-{mode} in distribution")
            aurocs = in_distribution.aurocs([checked])[:, 0]
            mean = in_distribution.mean(aurocs, in_distribution.estimable)
            id_means.append({"arm": arm, "mode": mode, "mean": mean.to_json()})
            curve = curves.get((arm, mode))
            if curve is not None and curve.budgets[0] == 0:
                gaps.append(distribution_gap(curve, ood, aurocs, in_distribution))
    return {
        "interval": METHOD if len(grid.seeds) > 1 else METHOD_OF_ONE_SEED,
        "points": [
            _point(curve, k, ood, images or {})
            for curve in curves.values()
            for k in range(len(curve.budgets))
        ],
        "id": id_means,
        "reference": [
            {
                "mode": mode,
                "arm": baseline,
                "patients": budgets[-1],
                "mean": ood.mean(curves[baseline, mode].by_label[:, -1], ood.estimable).to_json(),
            }
            for mode, budgets in grid.budgets.items()
        ],
        "answers": list(required_patients(curves, baseline, levels, cost or Cost(), extrapolate)),
        "paired": list(arm_differences(curves, baseline)),
        "gap": gaps,
    }


def _point(
    curve: LearningCurve, k: int, test: ResampledTestSet, images: Mapping[int, int]
) -> dict[str, Any]:
    """Returns the point of a curve at its k-th budget."""
    aurocs, patients = curve.by_label[:, k], curve.budgets[k]
    return {
        "arm": curve.arm,
        "mode": curve.mode,
        "patients": patients,
        "images": images.get(patients),
        "mean": test.mean(aurocs, test.estimable).to_json(),
        "labels": {name: estimate.to_json() for name, estimate in test.by_label(aurocs).items()},
        "per_seed": curve.per_seed[k].tolist(),
    }


def curves_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the points of a study as a table with one row per point and label, the mean first.

    Args:
      summary: a summary with the key `points`.

    Returns:
      arm, mode, patients, images, label (`mean` for the mean), auroc, low, high, test_patients,
      test_positives; numbers that are not estimable are empty.
    """
    rows = []
    for point in summary["points"]:
        for label, estimate in {"mean": point["mean"], **point["labels"]}.items():
            rows.append(
                {
                    **{key: point[key] for key in ("arm", "mode", "patients", "images")},
                    "label": label,
                    "auroc": estimate["value"],
                    "low": estimate["low"],
                    "high": estimate["high"],
                    "test_patients": estimate["patients"],
                    "test_positives": estimate["positives"],
                }
            )
    return pd.DataFrame(rows).astype({"images": "Int64"} | dict.fromkeys(NUMBERS, "float64"))
