"""Linear probe: logistic regression of the labels on embeddings, with a penalty per label."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation.auroc import auroc
from remedis.evaluation.estimates import Cases
from remedis.evaluation.logistic import Floats, Regression, Solution
from remedis.evaluation.ranking import class_log_odds

# In units of the mean loss, on standardised features; see `logistic`. With the largest, a probe is
# little more than the difference of the class means; with the smallest, a probe of thousands of
# images is hardly regularised.
PENALTIES = tuple(10.0 ** (1 - half / 2) for half in range(11))
DEFAULT_PENALTY = 0.1  # for a label whose penalty validation cannot choose
_PATIENCE = 3  # the path ends after so many penalties in a row that are no better for any label


@dataclasses.dataclass(frozen=True)
class LinearProbe:
    """A linear classifier of embeddings.

    Attributes:
      kernel: [C, L] float32.
      bias: [L] float32.
      penalties: [L], the penalty chosen for each label.
      converged: whether the search converged for all labels.
      constant: [L], labels that have only one class in training; their kernel is 0.
      chosen: [L], labels whose penalty was chosen on validation.
    """

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    penalties: Floats
    converged: bool
    constant: npt.NDArray[np.bool_]
    chosen: npt.NDArray[np.bool_]

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
    validation_groups: Iterable[object] | None = None,
) -> LinearProbe:
    """Returns the L2-penalised logistic regression of the labels on the embeddings.

    Features are standardised by mean and standard deviation of `x`; kernel and bias include this
    scaling. The penalty is chosen by the AUROC on validation: per label for `multi_label`, one for
    all classes for `multi_class`. Among equally good penalties the largest is taken, and
    `DEFAULT_PENALTY` where validation lacks one of the classes or, with `validation_groups`, has
    too few patients of one for an estimate. Penalties are tried in descending order, until three in
    a row are no better for any label.

    Args:
      x: [n, C] embeddings.
      y: [n, L]; 1, 0, NaN unknown. For `multi_class`, rows with an unknown label are left out.
      validation_x: [m, C]; None for none.
      validation_y: [m, L]; None for none.
      task: `multi_label` or `multi_class`.
      penalties: candidates, in units of the mean loss.
      validation_groups: [m], the patient of each row of validation; None does not count patients.

    Raises:
      UserError: shapes do not fit, a value is not as described, or a penalty is not above 0.
    """
    features = np.ascontiguousarray(x, np.float32)
    targets = np.array(y, np.float64)
    check_embeddings(features, targets)
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
    # A feature that varies by rounding error alone is dropped: scaling would amplify the error.
    factors = np.zeros_like(deviations)
    np.divide(1, deviations, out=factors, where=deviations > 1e-6 * np.abs(means))
    features = np.multiply(centred, factors, out=centred)

    positives, negatives = (np.sum(targets == value, axis=0) for value in (1, 0))
    constant = (positives == 0) | (negatives == 0)
    # Half an image is added to each class so that the log odds are finite.
    bias = np.log((positives + 0.5) / (negatives + 0.5))
    kernel = np.zeros((features.shape[1], len(bias)))
    chosen = np.full(len(bias), DEFAULT_PENALTY)
    fitted = ~constant
    by_validation = np.zeros(len(bias), bool)
    converged = True
    if fitted.any():
        regression = Regression(features, targets[:, fitted], softmax)
        start = None
        has_validation = validation_x is not None and validation_y is not None and len(validation_x)
        if len(penalties) == 1:
            chosen[fitted] = penalties[0]
        elif has_validation:
            held_out = (np.asarray(validation_x, np.float32) - means.astype(np.float32)) * factors
            held_out_y = np.array(validation_y, np.float64)[:, fitted]
            if validation_groups is not None:
                estimable = Cases.from_ids(held_out_y, validation_groups).both_classes()
                held_out_y[:, ~estimable] = np.nan
            chosen[fitted], start, by_validation[fitted] = _choose_penalties(
                regression, held_out, held_out_y, penalties, softmax
            )
        solution = regression.solve(chosen[fitted], start, exact=True)
        kernel[:, fitted], bias[fitted] = solution.kernel, solution.bias
        converged = bool(solution.converged.all())
        if softmax and constant.any():
            bias[constant] = bias[fitted].min() - np.log(len(features) + 1)
    # The bias follows from the rounded kernel: large means would amplify its rounding error.
    rounded = (kernel * factors[:, None]).astype(np.float32)
    bias = bias - means @ rounded
    return LinearProbe(rounded, bias.astype(np.float32), chosen, converged, constant, by_validation)


def _choose_penalties(
    regression: Regression, x: Floats, y: Floats, penalties: Sequence[float], softmax: bool
) -> tuple[Floats, Solution, npt.NDArray[np.bool_]]:
    """Returns the best penalty per label [L] on validation, and approximate solutions for them.

    The third value [L] says whether validation chose it. A label without both classes in `y` does
    not choose; with softmax, the other ones choose for all.
    """
    count = y.shape[1]
    best, chosen = np.full(count, -np.inf), np.full(count, DEFAULT_PENALTY)
    best_solution: Solution | None = None
    solution, without_gain = None, 0
    for penalty in sorted(set(penalties), reverse=True):
        solution = regression.solve(penalty, solution)
        logits = x @ solution.kernel + solution.bias
        area = auroc(y, class_log_odds(logits) if softmax else logits)[0]
        if softmax:
            area = np.full(count, np.nanmean(area) if np.isfinite(area).any() else np.nan)
        better = area > best  # False for NaN: a label without both classes
        best[better], chosen[better] = area[better], penalty
        # A label without a choice gets the default penalty and starts close to its solution.
        near_default = np.isnan(area) & (penalty >= DEFAULT_PENALTY)
        take = better | near_default
        best_solution = (
            solution if best_solution is None else _merged(best_solution, solution, take)
        )
        without_gain = 0 if take.any() else without_gain + 1
        if without_gain == _PATIENCE:
            break
    assert best_solution is not None
    return chosen, best_solution, np.isfinite(best)


def _merged(old: Solution, new: Solution, take: npt.NDArray[np.bool_]) -> Solution:
    """Returns the new solution for the labels in `take` [L], the old one for the others."""
    return Solution(
        np.where(take, new.kernel, old.kernel),
        np.where(take, new.bias, old.bias),
        np.where(take, new.converged, old.converged),
    )


def check_embeddings(x: Floats, y: Floats) -> None:
    """Raises a UserError unless `x` [n, C] is finite and `y` [n, L] is 1, 0 or NaN, n above 0."""
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
