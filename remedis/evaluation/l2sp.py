"""A linear probe of one hospital, moved to another one with few labels.

The probe of the in-distribution data, w and b, is where the adapted one starts and what it is held
to. With standardised embeddings z (deviations of the in-distribution images) the logits are

    z (w + d) + b + c,

and the mean loss on the budget's images plus half a penalty times the squared length of d is
minimised over d and c (Li, Grandvalet and Davoine 2018, "Explicit inductive bias for transfer
learning", arXiv 1802.01483: L2-SP). d lies along the leading principal axes of the in-distribution
images. An infinite penalty leaves the probe as it was.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from remedis.evaluation.auroc import auroc
from remedis.evaluation.logistic import Floats, Regression
from remedis.evaluation.probes import LinearProbe
from remedis.evaluation.threads import one_thread

# Of the mean loss: from hardly a move to a probe of its own.
PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)
AXES = 256  # that d lies in; a study solves hundreds of cells, each in time proportional to them


@dataclasses.dataclass(frozen=True)
class Prior:
    """A probe to start from.

    Attributes:
      kernel: [C, L], for embeddings as they are.
      bias: [L].
      axes: [C, k] float32, from embeddings to standardised ones along their k leading axes.
    """

    kernel: Floats
    bias: Floats
    axes: npt.NDArray[np.float32]

    @classmethod
    @one_thread()
    def of(cls, probe: LinearProbe, x: Floats) -> "Prior":
        """Returns the prior of a probe and the embeddings [n, C] it was fitted on."""
        deviations = x.std(axis=0, dtype=np.float64)
        factors = np.zeros_like(deviations)
        # What differs by rounding alone says nothing, and would be blown up; as in `linear_probe`.
        varies = deviations > 1e-6 * np.abs(x.mean(axis=0, dtype=np.float64))
        np.divide(1, deviations, out=factors, where=varies)
        standardised = np.asarray(x * factors, np.float32)
        analysis = PCA(min(AXES, *x.shape), svd_solver="randomized", random_state=0)
        found = analysis.fit(standardised).components_
        return cls(probe.kernel, probe.bias, (factors[:, None] * found.T).astype(np.float32))

    def logits(self, x: Floats) -> Floats:
        """Returns the logits [n, L] of embeddings [n, C]."""
        return np.asarray(x @ self.kernel + self.bias)


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Images as an adaptation sees them.

    Attributes:
      z: [n, k] float32, along the prior's axes.
      prior: [n, L], logits of the prior.
    """

    z: npt.NDArray[np.float32]
    prior: Floats

    @classmethod
    def of(cls, x: Floats, prior: Prior) -> "Embedded":
        """Returns embeddings [n, C], prepared."""
        return cls(np.asarray(x @ prior.axes, np.float32), prior.logits(x))


@one_thread()
def adapted(
    pool: Embedded,
    targets: Floats,
    train: npt.NDArray[np.bool_],
    validation: npt.NDArray[np.bool_],
    test: Embedded,
) -> Floats:
    """Returns the logits [m, L] of the test images by the prior, adapted to some of the pool.

    One penalty for all labels is chosen by the mean AUROC on validation, over the labels that have
    both classes there: few patients choose one number better than several. Of equals the largest
    is taken; where no label has both classes, the prior stays as it is.

    Args:
      pool: [n] images.
      targets: [n, L]; 1, 0, NaN unknown. Each label has both of the former in `train`.
      train: [n], which to learn from.
      validation: [n], which to choose by.
      test: [m] images.
    """
    best = _mean_area(targets[validation], pool.prior[validation])
    chosen = np.asarray(test.prior)
    if np.isnan(best):
        return chosen
    features = pool.z[train]
    # The bias takes up what centring changes.
    means = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    regression = Regression(features - means, targets[train], offset=pool.prior[train])
    looked = pool.z[validation] - means
    solution = None
    for penalty in PENALTIES:
        solution = regression.solve(penalty, solution)
        moved = pool.prior[validation] + looked @ solution.kernel + solution.bias
        area = _mean_area(targets[validation], moved)
        if area > best:
            best = area
            shift = solution.bias - means @ solution.kernel
            kernel = solution.kernel.astype(np.float32)
            chosen = test.prior + test.z @ kernel + shift
    return chosen


def _mean_area(targets: Floats, logits: Floats) -> float:
    """Returns the mean AUROC over the labels that have one; NaN without any."""
    if not len(targets):
        return np.nan
    areas = auroc(targets, logits)[0]
    known = np.isfinite(areas)
    return float(areas[known].mean()) if known.any() else np.nan
