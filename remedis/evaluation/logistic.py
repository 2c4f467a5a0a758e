"""Logistic regression with an L2 penalty, for several labels at once.

For every label, the mean loss over the rows where the label is known plus penalty / 2 * |kernel|^2
is minimised; biases are not penalised. In scikit-learn, C = 1 / (penalty * rows). All labels are
solved together, so that an iteration reads the features, which dominate the cost, once for all
labels.

L-BFGS (Liu and Nocedal, Math. Program. 45:503-528, 1989) converges slowly on ill-conditioned
features, and the variances of embeddings along their principal axes span many orders of magnitude.
Therefore the search uses coordinates in which the leading axes, found by a randomised subspace
iteration (Halko, Martinsson and Tropp, SIAM Rev. 53:217-288, 2011), have equal curvature. This
changes the number of iterations but not the minimum.
"""

import contextlib
import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special

from remedis.evaluation.threads import one_thread

Floats = npt.NDArray[np.floating]

# Largest derivative, in the scaled coordinates, at which a search ends. The first is the smallest
# that the rounding errors of float32 products allow; the second needs float64.
ROUGH, EXACT = 1e-4, 2e-7
ITERATIONS = 500
_AXES = 128  # leading axes that are scaled; scaling more of them costs more time than it saves
_SAMPLE = 4096  # rows from which the axes are estimated; they need not be exact
_THREADED = 1 << 28  # bytes of features above which threads save more time than they cost


@dataclasses.dataclass(frozen=True)
class Solution:
    """A minimum, or the point at which the search for it ended.

    Attributes:
      kernel: [C, L].
      bias: [L].
      converged: [L], whether the derivatives of the label are below the tolerance; with softmax,
        the same for all classes.
    """

    kernel: Floats
    bias: Floats
    converged: npt.NDArray[np.bool_]


class Regression:
    """Features and labels, prepared for solutions with several penalties."""

    def __init__(
        self,
        features: Floats,
        targets: Floats,
        softmax: bool = False,
        offset: Floats | None = None,
    ) -> None:
        """Prepares features and labels.

        Args:
          features: [n, C] float32, with means close to 0.
          targets: [n, L]; 1, 0, or NaN where unknown; each label has both 1 and 0. With `softmax`,
            exactly one label of each row is 1, and none is unknown.
          softmax: whether the labels are classes, exactly one of which is true.
          offset: [n, L], added to the logits, such as the logits of another classifier. Kernel and
            bias are then the change from that classifier, and the penalty keeps it small. None
            adds nothing.
        """
        # A penalised kernel lies in the span of the rows. With few rows, solving in coordinates of
        # the span saves more time than the change of coordinates costs.
        self._span: Floats | None = None
        if 4 * len(features) <= features.shape[1]:
            self._span, triangle = np.linalg.qr(features.T)
            features = triangle.T
        self._features = np.ascontiguousarray(features, np.float32)
        known = np.isfinite(targets)
        self._targets = np.where(known, targets, 0).astype(np.float32)
        self._weights = (known / known.sum(axis=0)).astype(np.float32)
        self._softmax = softmax
        shares = self._targets.sum(axis=0, dtype=np.float64) / known.sum(axis=0)
        self._first_bias = np.log(shares) if softmax else scipy.special.logit(shares)
        self._offset = None if offset is None else np.asarray(offset, np.float32)
        if offset is not None:
            self._first_bias = np.zeros_like(shares)
        # Second derivative of the loss by the logit at the start of the search; the one at the
        # minimum is not known yet.
        self._curvature = shares * (1 - shares)
        self._axes, self._variances = _leading_axes(self._features)

    def solve(
        self, penalties: npt.ArrayLike, start: Solution | None = None, exact: bool = False
    ) -> Solution:
        """Returns the minimum for a penalty per label.

        Args:
          penalties: above 0; one for all labels, or [L]. With `softmax`, all are the same.
          start: a minimum for similar penalties, at which the search starts; None starts from the
            bias alone.
          exact: whether products are computed in float64 and the search continues until derivatives
            are below `EXACT` instead of `ROUGH`.
        """
        count = self._targets.shape[1]
        penalty = np.broadcast_to(np.asarray(penalties, np.float64), (count,))
        curvatures = np.sqrt(self._variances[:, None] * self._curvature + penalty)
        to_kernel = _Scaling(self._axes, 1 / curvatures)
        to_scaled = _Scaling(self._axes, curvatures)
        features = self._features.astype(np.float64) if exact else self._features

        # The last row of the coordinates is the bias, scaled by its largest curvature, 1/4.
        def objective(flat: Floats) -> tuple[float, Floats]:
            scaled = flat.reshape(-1, count)
            kernel = to_kernel(scaled[:-1])
            loss, by_kernel, by_bias = self._loss(features, kernel, 2 * scaled[-1])
            loss += float((penalty * kernel**2).sum()) / 2
            by_scaled = to_kernel(by_kernel + penalty * kernel)
            return loss, np.vstack([by_scaled, 2 * by_bias]).ravel()

        first = np.zeros((features.shape[1] + 1, count))
        first[-1] = self._first_bias / 2
        if start is not None:
            in_span = start.kernel if self._span is None else self._span.T @ start.kernel
            first = np.vstack([to_scaled(in_span), start.bias / 2])
        tolerance = EXACT if exact else ROUGH
        small = features.nbytes < _THREADED
        with one_thread() if small else contextlib.nullcontext():
            minimum = scipy.optimize.minimize(
                objective,
                first.ravel(),
                jac=True,
                method="L-BFGS-B",
                options={"gtol": tolerance, "ftol": 0.0, "maxiter": ITERATIONS, "maxcor": 20},
            )
        scaled = minimum.x.reshape(-1, count)
        kernel = to_kernel(scaled[:-1])
        # Rounding errors may end a search slightly above the tolerance: ten times is accepted.
        steepest = np.abs(minimum.jac.reshape(-1, count)).max(axis=0)
        steepest = np.full(count, steepest.max()) if self._softmax else steepest
        return Solution(
            kernel=kernel if self._span is None else self._span @ kernel,
            bias=2 * scaled[-1],
            converged=steepest <= 10 * tolerance,
        )

    def _loss(self, features: Floats, kernel: Floats, bias: Floats) -> tuple[float, Floats, Floats]:
        """Returns the loss without the penalty, and its derivatives by kernel and bias."""
        logits = features @ kernel.astype(features.dtype) + bias.astype(features.dtype)
        if self._offset is not None:
            logits += self._offset
        if self._softmax:
            shifted = logits - logits.max(axis=1, keepdims=True)
            exponentials = np.exp(shifted)
            sums = exponentials.sum(axis=1, keepdims=True)
            losses = self._targets * (np.log(sums) - shifted)
            probabilities = exponentials / sums
        else:
            losses = np.logaddexp(0, logits) - self._targets * logits
            probabilities = scipy.special.expit(logits)
        residuals = (probabilities - self._targets) * self._weights
        loss = float((losses * self._weights).sum(dtype=np.float64))
        return loss, features.T @ residuals, residuals.sum(axis=0, dtype=np.float64)


@dataclasses.dataclass(frozen=True)
class _Scaling:
    """Multiplies by one factor along each axis, and by the last factor orthogonally to all axes.

    Attributes:
      axes: [C, k], orthonormal.
      factors: [k, L].
    """

    axes: Floats
    factors: Floats

    def __call__(self, vectors: Floats) -> Floats:
        """Returns the scaled vectors [C, L]."""
        rest = self.factors[-1]
        return vectors * rest + self.axes @ ((self.factors - rest) * (self.axes.T @ vectors))


def _leading_axes(features: Floats) -> tuple[Floats, Floats]:
    """Returns directions [C, k] of large variance, and the variances along them, descending."""
    rows = features[:: -(-len(features) // _SAMPLE)]
    count = min(_AXES, *rows.shape)
    draws = np.random.default_rng(0).standard_normal((rows.shape[1], count), np.float32)
    # Float64 from here on: the derivatives are correct only if the scaling is symmetric.
    axes = np.linalg.qr((rows.T @ (rows @ draws)).astype(np.float64))[0]
    along = (rows @ axes.astype(np.float32)).astype(np.float64)
    variances, turn = np.linalg.eigh(along.T @ along / len(rows))
    return axes @ turn[:, ::-1], np.maximum(variances[::-1], 0)
