"""L2-SP: adaptation of a linear probe to another hospital, penalised towards its starting point.

L2-SP penalises the squared distance of the parameters from the pretrained ones, the starting point
(SP), instead of their distance from 0 (Li, Grandvalet and Davoine 2018, "Explicit inductive bias
for transfer learning", arXiv 1802.01483). Here the starting point is a linear probe with kernel w
and bias b, fitted to the in-distribution data. Labels stay the same, so there are no new parameters
and the second penalty of the paper, on new layers, does not occur.

With embeddings z, divided by the standard deviations of the in-distribution images, the logits are

    z (w + d) + b + c,

and the mean loss on the images of the budget plus penalty / 2 * |d|^2 is minimised over d and c.
The change of the bias, c, is not penalised. The change of the kernel, d, lies in the span of the
leading principal axes of the in-distribution images. An infinite penalty gives the probe itself.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.linear_probe import LinearProbe
from remedis.evaluation.logistic import Floats, Regression
from remedis.evaluation.threads import one_thread

# In units of the mean loss. The largest hardly moves the probe; the smallest hardly holds it.
PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)
# (targets [m, L], logits [m, L]) -> a number that is higher for a better classifier, or None.
Score = Callable[[Floats, Floats], float | None]
AXES = 256  # dimensions of d; a study solves hundreds of cells, in time proportional to them


@dataclasses.dataclass(frozen=True)
class ProjectedImages:
    """Images in the form that an adaptation needs.

    Attributes:
      z: [n, k] float32, standardised embeddings along the axes of the starting point.
      logits: [n, L], logits of the starting point.
    """

    z: npt.NDArray[np.float32]
    logits: Floats


@dataclasses.dataclass(frozen=True)
class StartingPoint:
    """The in-distribution probe that an adaptation starts from and is penalised towards.

    Attributes:
      kernel: [C, L], for embeddings that are not standardised.
      bias: [L].
      axes: [C, k] float32; embeddings times `axes` are standardised embeddings along their k
        leading principal axes.
    """

    kernel: Floats
    bias: Floats
    axes: npt.NDArray[np.float32]

    @classmethod
    @one_thread()
    def from_probe(cls, probe: LinearProbe, x: Floats) -> "StartingPoint":
        """Returns the starting point of a probe.

        Args:
          probe: the in-distribution probe.
          x: [n, C], the embeddings that the probe was fitted to.
        """
        deviations = x.std(axis=0, dtype=np.float64)
        factors = np.zeros_like(deviations)
        # A feature that varies by rounding error alone is dropped, as in `linear_probe`.
        varies = deviations > 1e-6 * np.abs(x.mean(axis=0, dtype=np.float64))
        np.divide(1, deviations, out=factors, where=varies)
        standardised = np.asarray(x * factors, np.float32)
        analysis = PCA(min(AXES, *x.shape), svd_solver="randomized", random_state=0)
        components = analysis.fit(standardised).components_
        return cls(probe.kernel, probe.bias, (factors[:, None] * components.T).astype(np.float32))

    def logits(self, x: Floats) -> Floats:
        """Returns the logits [n, L] of embeddings [n, C]."""
        return np.asarray(x @ self.kernel + self.bias)

    def project(self, x: Floats) -> ProjectedImages:
        """Returns embeddings [n, C] along the axes, with their logits."""
        return ProjectedImages(np.asarray(x @ self.axes, np.float32), self.logits(x))


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """A probe adapted with L2-SP, and the choice of its penalty.

    Attributes:
      logits: [m, L], of the test images.
      scores: on validation by penalty, descending; the first is that of the infinite penalty, the
        starting point. All are None if validation cannot rank.
      penalty: the chosen one.
    """

    logits: Floats
    scores: dict[float, float | None]
    penalty: float


@one_thread()
def adapt(
    pool: ProjectedImages,
    targets: Floats,
    train: npt.NDArray[np.bool_],
    validation: npt.NDArray[np.bool_],
    test: ProjectedImages,
    softmax: bool = False,
    score: Score | None = None,
) -> Adaptation:
    """Returns the logits of the test images by the probe, adapted with L2-SP.

    One penalty for all labels is chosen by a score on validation: with few patients, one number can
    be chosen more reliably than several. Among equally good penalties the largest is taken. The
    starting point stays as it is if no penalty is better, or if validation has no score.

    Args:
      pool: [n] images.
      targets: [n, L]; 1, 0, NaN unknown. Each label has both classes in `train`. With `softmax`,
        rows with an unknown label do not train.
      train: [n], the images to fit.
      validation: [n], the images to choose the penalty by.
      test: [m] images.
      softmax: whether the labels are classes, exactly one of which is true.
      score: (targets, logits) of validation -> a number that is higher for a better classifier, or
        None; None is the mean AUROC over the labels that have both classes there.
    """
    scored = score or _mean_auroc
    best_penalty, best_score = np.inf, scored(targets[validation], pool.logits[validation])
    best_logits = np.asarray(test.logits)
    scores: dict[float, float | None] = {best_penalty: best_score}
    if best_score is None:
        return Adaptation(best_logits, scores | dict.fromkeys(PENALTIES), best_penalty)
    if softmax:
        train = train & np.isfinite(targets).all(axis=1)
    features = pool.z[train]
    # The bias compensates for the centring.
    means = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    regression = Regression(features - means, targets[train], softmax, pool.logits[train])
    validation_features = pool.z[validation] - means
    solution = None
    for penalty in PENALTIES:
        solution = regression.solve(penalty, solution)
        logits = pool.logits[validation] + validation_features @ solution.kernel + solution.bias
        found = scores[penalty] = scored(targets[validation], logits)
        assert found is not None  # what makes a score undefined is the same for all
        if found > best_score:
            best_penalty, best_score = penalty, found
            shift = solution.bias - means @ solution.kernel
            kernel = solution.kernel.astype(np.float32)
            best_logits = test.logits + test.z @ kernel + shift
    return Adaptation(best_logits, scores, best_penalty)


def _mean_auroc(targets: Floats, logits: Floats) -> float | None:
    """Returns the mean AUROC over the labels that have one; None if none has."""
    return mean_auroc(targets, logits) if len(targets) else None
