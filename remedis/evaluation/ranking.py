"""Values that rank images without ties from saturation: log odds in double precision.

A sigmoid in single precision is exactly 1 for log odds above 17.3, and a softmax likewise. Images
beyond tie although the model tells them apart, and every metric of ranks then counts their pairs as
half right. The log odds of the same probability do not saturate. For labels they are the calibrated
logit; for a class k with logits z they are

    log p_k - log(1 - p_k) = z_k - log sum_{j != k} exp(z_j).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.special

from remedis.evaluation.auroc import Floats
from remedis.models.tasks import MULTI_CLASS

# The log odds from which a sigmoid in single precision is 1: 2^-25 is half of the spacing below 1.
SATURATION = float(np.log(2.0**25 - 1))
# Rounding of a score in single precision, when its order is compared with that of a logit.
_ROUNDING = 1e-6
# A difference in the third decimal of an AUROC: fewer tied pairs cannot be seen in a table.
_VISIBLE = 0.001


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Values that rank the images of a table.

    Attributes:
      values: [n, L] float64, finite; higher means more likely positive.
      source: `log odds`, `logits` or `scores`.
    """

    values: Floats
    source: str


def class_log_odds(logits: npt.ArrayLike) -> Floats:
    """Returns the log odds [n, K] float64 of each of K >= 2 exclusive classes with logits [n, K].

    The formula is that of the module.
    """
    z = np.asarray(logits, np.float64)
    others = [scipy.special.logsumexp(np.delete(z, k, axis=1), axis=1) for k in range(z.shape[1])]
    return z - np.stack(others, axis=1)


def log_odds(logits: npt.ArrayLike, task: str) -> Floats:
    """Returns the log odds [n, L] float64 of logits [n, L], for one of `TASKS`."""
    return class_log_odds(logits) if task == MULTI_CLASS else np.asarray(logits, np.float64)


def log_odds_of_probabilities(probabilities: npt.ArrayLike) -> Floats:
    """Returns the log odds of probabilities, float64 and finite.

    Probabilities of 0 and 1 get log odds of -`SATURATION` and `SATURATION`, or those of the most
    extreme other probability, if they are further from 0.
    """
    odds = scipy.special.logit(np.asarray(probabilities, np.float64))
    inside = np.abs(odds[np.isfinite(odds)])
    limit = max(SATURATION, float(inside.max(initial=0)))
    return np.clip(odds, -limit, limit)


def log_odds_of_scores(probabilities: Floats, ranking: Floats) -> Floats:
    """Returns the log odds [n, L] of probabilities [n, L], finite.

    A column of `ranking` [n, L] that has the probabilities as its sigmoid is their log odds; other
    columns are computed from the probabilities, with `log_odds_of_probabilities`.
    """
    same = np.abs(scipy.special.expit(ranking) - probabilities).max(axis=0, initial=0) < 1e-5
    columns = [log_odds_of_probabilities(column) for column in probabilities.T]
    return np.where(same, ranking, np.stack(columns, axis=1))


def ranking_of(rows: pd.DataFrame, names: Sequence[str], task: str = "multi_label") -> Ranking:
    """Returns the values that rank the images of a table of predictions.

    These are, in this order: the columns `log_odds/<name>`; for `multi_class`, the log odds of each
    class computed from all probabilities, which lose precision near 0 only; the columns
    `logit/<name>`, for each label whose logits order the images as its scores do; and
    `score/<name>`.

    Args:
      rows: with `score/<name>`, and `log_odds/<name>` and `logit/<name>` where known.
      names: names of the L labels.
      task: `multi_label`, or `multi_class` if the labels are all classes of the model.
    """

    def columns(kind: str) -> Floats | None:
        wanted = [f"{kind}/{name}" for name in names]
        if any(column not in rows for column in wanted):
            return None
        values = rows[wanted].to_numpy(np.float64)
        return values if np.isfinite(values).all() else None

    if (values := columns("log_odds")) is not None:
        return Ranking(values, "log odds")
    scores = rows[[f"score/{name}" for name in names]].to_numpy(np.float64)
    logits = columns("logit")
    if task == MULTI_CLASS and len(names) > 1:
        if (values := _from_softmax(scores)) is not None:
            return Ranking(values, "log odds")
        return (
            Ranking(scores, "scores")
            if logits is None
            else Ranking(class_log_odds(logits), "logits")
        )
    if logits is None:
        return Ranking(scores, "scores")
    agree = np.array([_same_order(*pair) for pair in zip(logits.T, scores.T, strict=True)], bool)
    # Images are compared within a label, so that labels may have different scales.
    return Ranking(np.where(agree, logits, scores), "logits" if agree.all() else "scores")


def _from_softmax(probabilities: Floats) -> Floats | None:
    """Returns the log odds of classes, or None if some probability is 0 or they do not add to 1."""
    if (probabilities <= 0).any() or np.abs(probabilities.sum(axis=1) - 1).max(initial=0) > 1e-3:
        return None
    return class_log_odds(np.log(probabilities))


def _same_order(logits: Floats, scores: Floats) -> bool:
    """Returns whether scores [n] do not fall as logits [n] rise."""
    return bool((np.diff(scores[np.argsort(logits, kind="stable")]) >= -_ROUNDING).all())


def ties(known: Floats, values: Floats) -> dict[str, npt.NDArray[np.generic]]:
    """Returns the ties between the two classes of every label.

    Args:
      known: [n, L]; 1 positive, 0 negative, NaN unknown.
      values: [n, L], by which images are ranked.

    Returns:
      `images` [L], the number of images whose value an image of the other class has, too; and
      `pairs` [L] in [0, 1], the share of such pairs among all pairs of a positive and a negative
      image. The AUROC counts each as half right, so that it could differ by half of `pairs`.
    """
    images = np.zeros(known.shape[1], dtype=np.intp)
    pairs = np.zeros(known.shape[1])
    for column in range(known.shape[1]):
        use = ~np.isnan(known[:, column])
        _, level = np.unique(values[use, column], return_inverse=True)
        positive = known[use, column] == 1
        per_level = [
            np.bincount(level[rows], minlength=level.max(initial=-1) + 1)
            for rows in (positive, ~positive)
        ]
        tied = (per_level[0] > 0) & (per_level[1] > 0)
        images[column] = (per_level[0] + per_level[1])[tied].sum()
        all_pairs = int(positive.sum()) * int((~positive).sum())
        pairs[column] = float(per_level[0] @ per_level[1]) / all_pairs if all_pairs else 0.0
    return {"images": images, "pairs": pairs}


def tie_warning(names: Sequence[str], found: dict[str, npt.NDArray[np.generic]]) -> str:
    """Returns a sentence on labels whose ties may change the AUROC visibly; empty if none are.

    Args:
      names: names of the labels.
      found: of `ties`.
    """
    places = [
        f"{name} ({images:,} images, {share:.1%} of the pairs)"
        for name, images, share in zip(names, found["images"], found["pairs"], strict=True)
        if share / 2 >= _VISIBLE / 2
    ]
    if not places:
        return ""
    return (
        f"Scores of positive and negative images tie: {', '.join(places)}. Each tied pair counts "
        "as half right; if scores were rounded to 0 or 1, log odds or more digits tell them apart."
    )
