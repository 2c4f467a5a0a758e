"""What embeddings are worth: linear probe, nearest neighbours, few-shot curve."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import scipy.special

from remedis.errors import UserError
from remedis.evaluation.auroc import auroc
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import Estimate, patient_codes
from remedis.evaluation.logistic import Floats, Regression, Solution
from remedis.evaluation.repeated import mean_auroc

# Of the mean loss, on standardised features; see `logistic`. From where a probe is no more than the
# difference of the class means, to where one of thousands of images is hardly held back.
PENALTIES = tuple(10.0 ** (1 - half / 2) for half in range(11))
DEFAULT_PENALTY = 0.1  # for a label that validation cannot choose for
_PATIENCE = 3  # penalties in a row that choose no label's before the path ends
NEIGHBOURS = 20
TEMPERATURE = 0.07  # Wu et al. 2018
SHOTS = (1, 2, 5, 10, 20)
_QUERIES = 1024  # at a time


@dataclasses.dataclass(frozen=True)
class LinearProbe:
    """A linear classifier of embeddings.

    Attributes:
      kernel: [C, L] float32.
      bias: [L] float32.
      penalties: [L], as chosen.
      converged: whether all labels were solved to the end.
      constant: [L], labels that training has only one class of: their kernel is 0.
    """

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    penalties: Floats
    converged: bool
    constant: npt.NDArray[np.bool_]

    def logits(self, x: Floats) -> Floats:
        """Returns the logits [n, L] of embeddings [n, C]."""
        return x @ self.kernel + self.bias


def linear_probe(
    x: Floats,
    y: npt.ArrayLike,
    validation_x: Floats | None = None,
    validation_y: npt.ArrayLike | None = None,
    task: str = "multi_label",
    penalties: Sequence[float] = PENALTIES,
) -> LinearProbe:
    """Returns the logistic regression of the labels on the embeddings, solved to its minimum.

    Features are standardised by mean and deviation of `x`, which kernel and bias then contain. The
    penalty of the mean loss is chosen, for each label of a `multi_label` task and for all classes
    of a `multi_class` one, by the AUROC on validation; of equals the largest is taken, and
    `DEFAULT_PENALTY` where there is no choice to make for want of both classes. Penalties are tried
    from the largest on, until three in a row are no better for any label.

    Args:
      x: [n, C] embeddings.
      y: [n, L]; 1, 0, NaN unknown. Of `multi_class`, rows with an unknown label are left out.
      validation_x: [m, C]; None for none.
      validation_y: [m, L]; None for none.
      task: `multi_label` or `multi_class`.
      penalties: to choose from.

    Raises:
      UserError: shapes do not fit, or a penalty is not above 0.
    """
    features = np.ascontiguousarray(x, np.float32)
    targets = np.array(y, np.float64)
    _check(features, targets)
    if not len(penalties) or min(penalties) <= 0:
        raise UserError(f"The penalties are {tuple(penalties)}; expected one or more, all above 0.")
    softmax = task == "multi_class"
    if softmax:
        targets[np.isnan(targets).any(axis=1)] = np.nan
        rows = np.isfinite(targets).all(axis=1)
        features, targets = features[rows], targets[rows]
    if not len(features):
        raise UserError("There are no images with known labels to fit a probe on.")
    means = features.mean(axis=0, dtype=np.float64)
    centred = features - means.astype(np.float32)
    deviations = np.sqrt(np.einsum("nc,nc->c", centred, centred) / len(centred))
    # What differs by rounding alone says nothing, and would be blown up.
    factors = np.zeros_like(deviations)
    np.divide(1, deviations, out=factors, where=deviations > 1e-6 * np.abs(means))
    features = np.multiply(centred, factors, out=centred)

    positives, negatives = (np.sum(targets == value, axis=0) for value in (1, 0))
    constant = (positives == 0) | (negatives == 0)
    # Half an image more of each class keeps the log odds finite.
    bias = np.log((positives + 0.5) / (negatives + 0.5))
    kernel = np.zeros((features.shape[1], len(bias)))
    chosen = np.full(len(bias), DEFAULT_PENALTY)
    fitted = ~constant
    converged = True
    if fitted.any():
        regression = Regression(features, targets[:, fitted], softmax)
        start = None
        usable = validation_x is not None and validation_y is not None and len(validation_x)
        if len(penalties) == 1:
            chosen[fitted] = penalties[0]
        elif usable:
            looked = (np.asarray(validation_x, np.float32) - means.astype(np.float32)) * factors
            asked = np.asarray(validation_y, np.float64)[:, fitted]
            chosen[fitted], start = _choose(regression, looked, asked, penalties, softmax)
        solution = regression.solve(chosen[fitted], start, exact=True)
        kernel[:, fitted], bias[fitted] = solution.kernel, solution.bias
        converged = bool(solution.converged.all())
        if softmax and constant.any():
            bias[constant] = bias[fitted].min() - np.log(len(features) + 1)
    # Of the kernel as it is kept: large means would show its rounding.
    kept = (kernel * factors[:, None]).astype(np.float32)
    bias = bias - means @ kept
    return LinearProbe(kept, bias.astype(np.float32), chosen, converged, constant)


def _choose(
    regression: Regression, x: Floats, y: Floats, penalties: Sequence[float], softmax: bool
) -> tuple[Floats, Solution]:
    """Returns the best penalty a label [L] on validation, and the solutions with them, roughly."""
    count = y.shape[1]
    best, chosen = np.full(count, -np.inf), np.full(count, DEFAULT_PENALTY)
    kept: Solution | None = None
    solution, idle = None, 0
    for penalty in sorted(set(penalties), reverse=True):
        solution = regression.solve(penalty, solution)
        area = auroc(y, x @ solution.kernel + solution.bias)[0]
        if softmax:
            area = np.full(count, np.nanmean(area) if np.isfinite(area).any() else np.nan)
        better = area > best  # never of NaN: a label without both classes
        best[better], chosen[better] = area[better], penalty
        # A label nothing can be chosen for starts from the default's neighbourhood.
        near = np.isnan(area) & (penalty >= DEFAULT_PENALTY)
        take = better | near
        kept = solution if kept is None else _merged(kept, solution, take)
        idle = 0 if take.any() else idle + 1
        if idle == _PATIENCE:
            break
    assert kept is not None
    return chosen, kept


def _merged(old: Solution, new: Solution, take: npt.NDArray[np.bool_]) -> Solution:
    return Solution(
        np.where(take, new.kernel, old.kernel),
        np.where(take, new.bias, old.bias),
        np.where(take, new.converged, old.converged),
    )


def knn(
    x: Floats,
    y: npt.ArrayLike,
    queries: Floats,
    k: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
) -> Floats:
    """Returns the share of positives among the nearest neighbours, weighted by similarity.

    A neighbour of cosine similarity s votes with weight exp(s / temperature) (Wu et al. 2018,
    "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", arXiv 1805.01978).

    Args:
      x: [n, C] embeddings.
      y: [n, L]; 1, 0, NaN unknown: a label's neighbours are those where it is known.
      queries: [m, C] embeddings.
      k: neighbours; all, if there are fewer.
      temperature: the smaller, the more the nearest alone decide.

    Returns:
      [m, L] float32 in [0, 1].

    Raises:
      UserError: shapes do not fit, `k` is not positive, or a label is known of no image.
    """
    features, targets = np.asarray(x, np.float32), np.asarray(y, np.float64)
    _check(features, targets)
    known = np.isfinite(targets)
    if k < 1:
        raise UserError(f"k is {k}; expected 1 or more neighbours.")
    if not known.any(axis=0).all():
        column = int(np.argmin(known.any(axis=0)))
        raise UserError(f"Label number {column} is known of no image that could be a neighbour.")
    directions, wanted = _directions(features), _directions(np.asarray(queries, np.float32))
    result = np.empty((len(wanted), targets.shape[1]), np.float32)
    # Labels known of the same images have the same neighbours.
    masks, group = np.unique(known, axis=1, return_inverse=True)
    for i, mask in enumerate(masks.T):
        columns = np.flatnonzero(group.ravel() == i)
        pool, votes = directions[mask], targets[np.ix_(mask, columns)]
        count = min(k, len(pool))
        for first in range(0, len(wanted), _QUERIES):
            similarity = wanted[first : first + _QUERIES] @ pool.T
            nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
            near = np.take_along_axis(similarity, nearest, axis=1)
            weights = scipy.special.softmax(near.astype(np.float64) / temperature, axis=1)
            result[first : first + _QUERIES, columns] = np.einsum(
                "mk,mkl->ml", weights, votes[nearest]
            )
    return result


def _directions(x: Floats) -> Floats:
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(lengths > 0, lengths, 1)


def few_shot(
    x: Floats,
    y: npt.ArrayLike,
    groups: Iterable[object],
    test_x: Floats,
    test_y: npt.ArrayLike,
    test_groups: Iterable[object],
    shots: Sequence[int] = SHOTS,
    repeats: int = 10,
    seed: int = 0,
) -> dict[int, Estimate]:
    """Returns the mean AUROC of probes that learn from a few patients, by number of patients.

    For each label, `shots` patients with a positive image and as many without one are drawn, with
    all of their images where the label is known, and a probe with `DEFAULT_PENALTY` is fitted. The
    larger draws of a repeat contain the smaller. The mean is over repeats, and over the labels that
    have the patients for it and both classes in the test images.

    Args:
      x: [n, C] embeddings to learn from.
      y: [n, L]; 1, 0, NaN unknown.
      groups: [n], the patient of each.
      test_x: [m, C] embeddings to be judged on.
      test_y: [m, L].
      test_groups: [m], the patient of each.
      shots: numbers of patients a class.
      repeats: draws of patients.
      seed: of all draws.

    Returns:
      For each of `shots` an estimate, with the test images' patients; its 95 % interval, of
      `remedis.evaluation.repeated`, is over them and over repeats.

    Raises:
      UserError: shapes do not fit, or a number of shots or repeats is not positive.
    """
    targets, asked = np.asarray(y, np.float64), np.asarray(test_y, np.float64)
    _check(np.asarray(x), targets)
    if min((*shots, repeats), default=0) < 1:
        raise UserError(f"shots={tuple(shots)}, repeats={repeats}: expected 1 or more of each.")
    patients, judges = patient_codes(groups), patient_codes(test_groups)
    generator = np.random.default_rng(seed)
    scores: dict[tuple[int, int], list[Floats]] = {}  # by shots and label, one a repeat
    tests_both = [{0.0, 1.0} <= set(asked[:, label]) for label in range(asked.shape[1])]
    for _ in range(repeats):
        for label in np.flatnonzero(tests_both):
            known = np.isfinite(targets[:, label])
            ill = np.unique(patients[targets[:, label] == 1])
            well = np.setdiff1d(patients[known], ill)
            orders = [generator.permutation(ill), generator.permutation(well)]
            for n in shots:
                if n > min(len(ill), len(well)):
                    continue
                drawn = np.concatenate([order[:n] for order in orders])
                rows = known & np.isin(patients, drawn)
                probe = linear_probe(
                    x[rows], targets[rows, label, None], penalties=(DEFAULT_PENALTY,)
                )
                scores.setdefault((n, int(label)), []).append(probe.logits(test_x)[:, 0])
    return {n: _few_shot_estimate(n, scores, asked, judges) for n in shots}


def _few_shot_estimate(
    shots: int,
    scores: Mapping[tuple[int, int], list[Floats]],
    labels: npt.NDArray[np.float64],
    patients: npt.NDArray[np.intp],
) -> Estimate:
    columns = [label for n, label in scores if n == shots]
    if columns:
        repeated = np.stack([scores[shots, label] for label in columns], -1, dtype=np.float64)
        return mean_auroc(labels[:, columns], repeated, patients)
    cases = Cases(labels, patients)
    return Estimate(None, None, None, *cases.counts(range(labels.shape[1])))


def _check(x: Floats, y: Floats) -> None:
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not len(x):
        raise UserError(
            f"Embeddings of shape {x.shape} and labels of shape {y.shape}: expected [images, "
            "channels] and [images, labels], of the same images, at least one."
        )
    if not np.isfinite(x).all():
        row = int(np.argmin(np.isfinite(x).all(axis=1)))
        raise UserError(f"The embedding in row {row} (from 0) holds NaN or infinity.")
    if not (np.isnan(y) | (y == 0) | (y == 1)).all():
        row = int(np.argmin((np.isnan(y) | (y == 0) | (y == 1)).all(axis=1)))
        raise UserError(f"Row {row} (from 0) has a label that is not 1, 0 or NaN (unknown).")
