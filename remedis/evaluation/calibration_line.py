"""Calibration slope and intercept: a logistic regression of the labels on the log odds.

With log odds x of the predicted probabilities (Cox, Biometrika 45:562-565, 1958; Van Calster et
al., BMC Medicine 17:230, 2019):

    slope b:      log odds of a positive = a' + b x, both fitted;
    intercept a:  log odds of a positive = a + x, with the slope fixed at 1.

A calibrated model has slope 1 and intercept 0. A slope below 1 means that probabilities are too
extreme, above 1 that they are too moderate; an intercept below 0 that they are too high on the
whole. The intercept is Van Calster's calibration-in-the-large.

The variance is a sandwich clustered by patient (Liang and Zeger, Biometrika 73:13-22, 1986). The
contribution of patient g to the deviation of the estimates is the sum of the scores of its images,
multiplied by the inverse of the information of all other patients,

    c_g = (I - I_g)^-1 sum_{i of g} (y_i - p_i) (x_i, 1),    variance = sum_g c_g^2.

This is one Newton step of the jackknife: with I instead of I - I_g, the variance is too small where
few patients with extreme log odds determine the slope (Mancl and DeRouen, Biometrics 57:126-134,
2001). The interval is that of Student's t, with the effective number of patients of the smaller
class. Coverage of nominal 95 % in 400 draws, of which those with five effective patients per class
count; `benchmarks/calibration_coverage.py line --draws=400` prints it and describes the cells:

    patients  positive  AUROC  true slope  images per patient   slope  intercept
         200      12 %   0.80        1.00              1 to 3    94.8       96.0
         200      12 %   0.95        0.62              1 to 3    96.0       96.3
         100      10 %   0.80        1.00              1 to 3    97.6       98.7
          60      50 %   0.80        1.00              1 to 3    95.8       98.0
        2000      12 %   0.90        0.62              1 to 3    94.8       95.5
         300      30 %   0.80        1.00     1 to 200 (Zipf)    94.0       97.8
         100      50 %   0.80        1.00     1 to 200 (Zipf)    96.5       94.5
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.special

from remedis.evaluation.auroc import Floats, Integers

_ITERATIONS = 100
_TOLERANCE = 1e-10


@dataclasses.dataclass(frozen=True)
class CalibrationLine:
    """Slope and intercept of every label, and what each patient contributes to them.

    Attributes:
      slope: [L]; NaN where the log odds separate the classes or are all equal.
      intercept: [L]; NaN for a label without a positive or without a negative, and where
        probabilities are so close to 0 and 1 that fewer than one error is expected among all
        images: a wide range of intercepts then fits equally well.
      slope_contributions: [G, L], c_g of the slope.
      intercept_contributions: [G, L], c_g of the intercept.
    """

    slope: Floats
    intercept: Floats
    slope_contributions: Floats
    intercept_contributions: Floats


def calibration_line(known: Floats, log_odds: Floats, patients: Integers) -> CalibrationLine:
    """Returns the calibration slope and intercept of every label.

    The formulas and their sources are those of the module.

    Args:
      known: [n, L]; 1 positive, 0 negative, NaN unknown.
      log_odds: [n, L] of the probabilities, finite.
      patients: [n] integers in [0, G).
    """
    groups, columns = int(patients.max()) + 1, known.shape[1]
    values = np.full((2, columns), np.nan)
    contributions = np.zeros((2, groups, columns))
    for column in range(columns):
        use = ~np.isnan(known[:, column])
        y, x, codes = known[use, column], log_odds[use, column], patients[use]
        if not 0 < y.sum() < len(y):
            continue
        ones = np.ones((len(y), 1))
        parameters = fit(ones, y, x)
        probability = scipy.special.expit(parameters[0] + x)
        if np.minimum(probability, 1 - probability).sum() >= 1:
            values[1, column] = parameters[0]
            contributions[1, :, column] = _contributions(ones, y, x, parameters, codes, groups)
        if not separated(y, x):
            # Centred and scaled, so that the two parameters are of similar size.
            centre, deviation = x.mean(), x.std()
            design, zeros = np.column_stack([(x - centre) / deviation, ones]), np.zeros(len(y))
            parameters = fit(design, y, zeros)
            values[0, column] = parameters[0] / deviation
            of_design = _contributions(design, y, zeros, parameters, codes, groups)
            contributions[0, :, column] = of_design / deviation
    return CalibrationLine(*values, *contributions)


def separated(y: Floats, x: Floats) -> bool:
    """Returns whether a cut of `x` [n], with ties at it or not, separates the classes `y` [n]."""
    positive, negative = x[y == 1], x[y == 0]
    return bool(positive.min() >= negative.max() or negative.min() >= positive.max())


def fit(
    design: Floats, y: Floats, offset: Floats, weights: npt.NDArray[np.generic] | None = None
) -> Floats:
    """Returns the parameters [K] of a logistic regression.

    Newton's method; a step that makes the likelihood worse is halved.

    Args:
      design: [n, K], of labels that it does not separate.
      y: [n], 1 or 0.
      offset: [n], added to the log odds.
      weights: [n], how often each row counts; None counts all once.
    """
    weight = np.ones(len(y)) if weights is None else weights.astype(np.float64)
    weight = weight / weight.sum()
    parameters = np.zeros(design.shape[1])

    def loss(of: Floats) -> float:
        odds = design @ of + offset
        return float(weight @ (np.logaddexp(0, odds) - y * odds))

    value = loss(parameters)
    for _ in range(_ITERATIONS):
        probability = scipy.special.expit(design @ parameters + offset)
        gradient = design.T @ (weight * (probability - y))
        information = _information(design, weight * probability * (1 - probability))
        # Where all probabilities are 0 or 1, the information is 0: a bounded step then.
        step = np.linalg.solve(information + 1e-12 * np.eye(len(parameters)), gradient)
        step *= min(1.0, 10.0 / np.abs(step).max(initial=1e-300))
        while (after := loss(parameters - step)) > value and np.abs(step).max() > _TOLERANCE:
            step = step / 2
        if after <= value:
            parameters, value = parameters - step, after
        if np.abs(step).max() <= _TOLERANCE:
            break
    return parameters


def _information(design: Floats, weights: Floats) -> Floats:
    return np.asarray(design.T @ (design * weights[:, None]))


def _contributions(
    design: Floats, y: Floats, offset: Floats, parameters: Floats, codes: Integers, groups: int
) -> Floats:
    """Returns the contributions [G] of the patients to the first parameter; see the module."""
    probability = scipy.special.expit(design @ parameters + offset)
    curvature = probability * (1 - probability)
    width = design.shape[1]
    scores = np.stack(
        [np.bincount(codes, (y - probability) * of, groups) for of in design.T], axis=-1
    )
    products = [
        np.bincount(codes, curvature * design[:, i] * design[:, j], groups)
        for i in range(width)
        for j in range(width)
    ]
    of_patients = np.stack(products, axis=-1).reshape(groups, width, width)
    whole = of_patients.sum(axis=0)
    # The ridge keeps finite what one patient determines alone; such a label is not estimable.
    of_others = whole - of_patients + 1e-12 * np.trace(whole) * np.eye(width)
    return np.asarray(np.linalg.solve(of_others, scores[:, :, None])[:, 0, 0])
