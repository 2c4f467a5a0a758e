"""From the scores of all cells to curves and answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import pandas as pd

from remedis.errors import UserError
from remedis.evaluation.intervals import RESAMPLES
from remedis.evaluation.label_budget.answers import Cost, answers
from remedis.evaluation.label_budget.cells import Cell, Examined, whole_grid
from remedis.evaluation.label_budget.comparisons import gap, paired
from remedis.evaluation.label_budget.curves import Curve, curves
from remedis.evaluation.label_budget.test_set import TestSet

METHOD = "95 % percentiles of resampled patients, seeds by Student's t"
METHOD_OF_ONE_SEED = "95 % percentiles of resampled patients; one seed, whose chance is not in it"
AREAS = ("auroc", "low", "high")


def study(
    ood: Examined,
    cells: Mapping[Cell, npt.ArrayLike],
    baseline: str,
    *,
    id_test: Examined | None = None,
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
      ood: the out-of-distribution test set.
      cells: the scores [n, L] of each cell on it. They must fill a grid (`whole_grid`). Each is
        looked up once, so that a mapping may read it from disk then.
      baseline: the arm that the others are held against. In each mode its largest budget, which
        should be all labelled patients there are, is the reference.
      id_test: the in-distribution test set; without it there is neither id nor gap.
      id_scores: of each arm's in-distribution model in each mode on it, by (arm, mode).
      levels: mean AUROCs to be reached, beside the reference.
      images: budget in patients -> images, for the points; those without are None.
      cost: of labelling a patient.
      extrapolate: whether to look beyond the largest budget by a power law.
      resamples: how many draws of patients and seeds.
      seed: of the draws. The same cells and seed give the same study.

    Raises:
      UserError: a cell is missing or its scores are not finite or not of the shape of the targets,
        the baseline is not among the arms, a level is not between 0.5 and 1, or no label of a test
        set is estimable.
    """
    for level in levels:
        if not 0.5 < level < 1:
            raise UserError(
                f"config.target asks for an AUROC of {level:g}; expected a number between 0.5 "
                "(chance) and 1."
            )
    grid = whole_grid(cells, baseline)
    test = TestSet(ood, "out-of-distribution", resamples, seed)
    found = {(curve.arm, curve.mode): curve for curve in curves(test, cells, grid, seed)}
    inside: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    if id_test is not None:
        # Another seed, as the two hospitals' patients are not drawn together.
        home = TestSet(id_test, "in-distribution", resamples, seed + 1)
        for (arm, mode), scores in (id_scores or {}).items():
            areas = home.areas([home.check(scores, f"{arm}-{mode} in distribution")])[:, 0]
            inside.append(
                {"arm": arm, "mode": mode, "mean": home.mean(areas, home.estimable).to_json()}
            )
            curve = found.get((arm, mode))
            if curve is not None and curve.budgets[0] == 0:
                gaps.append(gap(curve, test, areas, home))
    return {
        "interval": METHOD if len(grid.seeds) > 1 else METHOD_OF_ONE_SEED,
        "points": [
            _point(curve, k, test, images or {})
            for curve in found.values()
            for k in range(len(curve.budgets))
        ],
        "id": inside,
        "reference": [
            {
                "mode": mode,
                "arm": baseline,
                "patients": budgets[-1],
                "mean": test.mean(found[baseline, mode].labels[:, -1], test.estimable).to_json(),
            }
            for mode, budgets in grid.budgets.items()
        ],
        "answers": list(answers(found, baseline, levels, cost or Cost(), extrapolate)),
        "paired": list(paired(found, baseline)),
        "gap": gaps,
    }


def _point(curve: Curve, k: int, test: TestSet, images: Mapping[int, int]) -> dict[str, Any]:
    """Returns the point of a curve at its k-th budget."""
    labels, patients = curve.labels[:, k], curve.budgets[k]
    return {
        "arm": curve.arm,
        "mode": curve.mode,
        "patients": patients,
        "images": images.get(patients),
        "mean": test.mean(labels, test.estimable).to_json(),
        "labels": {name: of.to_json() for name, of in test.by_label(labels).items()},
        "per_seed": curve.per_seed[k].tolist(),
    }


def curves_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the points of a study as a table, a row a point and label, the mean first.

    Args:
      summary: with the key `points`.

    Returns:
      arm, mode, patients, images, label (`mean` for the mean), auroc, low, high, test_patients,
      test_positives; numbers that are not estimable are empty.
    """
    rows = []
    for point in summary["points"]:
        for label, of in {"mean": point["mean"], **point["labels"]}.items():
            rows.append(
                {
                    **{key: point[key] for key in ("arm", "mode", "patients", "images")},
                    "label": label,
                    "auroc": of["value"],
                    "low": of["low"],
                    "high": of["high"],
                    "test_patients": of["patients"],
                    "test_positives": of["positives"],
                }
            )
    return pd.DataFrame(rows).astype({"images": "Int64"} | dict.fromkeys(AREAS, "float64"))
