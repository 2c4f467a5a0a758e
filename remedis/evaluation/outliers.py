"""An outlier score of embeddings: the distance to the k-th nearest neighbour.

An image is an outlier if even its k-th nearest neighbour among reference images is far away
(Ramaswamy, Rastogi and Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets",
SIGMOD 2000). On embeddings of length 1 the score finds images of another distribution (Sun, Ming,
Zhu and Li, "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022). The distance
here is 1 - cosine, which has the order of the Euclidean distance of embeddings of length 1.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError, counted
from remedis.evaluation import estimates
from remedis.evaluation.cosine_neighbours import Floats, nearest
from remedis.evaluation.intervals import Estimate, patient_codes


def scores(
    reference: npt.ArrayLike,
    queries: npt.ArrayLike,
    k: int,
    *,
    groups: npt.ArrayLike | None = None,
    query_groups: npt.ArrayLike | None = None,
    engine: str = "exact",
) -> Floats:
    """Returns [M]: the distance of each query to its k-th nearest reference image, in [0, 2].

    Args:
      reference: [N, C] embeddings.
      queries: [M, C] embeddings.
      k: which neighbour.
      groups: [N] patients of the reference images; see `cosine_neighbours.nearest`.
      query_groups: [M] patients of the queries, whose images are no neighbours.
      engine: as for `cosine_neighbours.nearest`.

    Raises:
      UserError: a query has fewer than k neighbours, or the arrays are at fault.
    """
    found = nearest(
        reference, queries, k, groups=groups, query_groups=query_groups, engine=engine
    ).similarities[:, -1]
    if (short := np.isnan(found)).any():
        raise UserError(
            f"{counted(int(short.sum()), 'image has', 'images have')} fewer than {k:,} images of "
            "other patients to compare with; take a smaller k or more images."
        )
    return 1 - found


def own_scores(
    reference: npt.ArrayLike, patient_ids: Iterable[object], k: int, engine: str = "exact"
) -> Floats:
    """Returns [N]: the scores of the reference images themselves.

    Images of the same patient are left out: they are nearer than those of any new patient, and a
    comparison with new patients would be unfair. An image without a patient leaves out itself.

    Args:
      reference: [N, C] embeddings.
      patient_ids: [N].
      k: which neighbour.
      engine: as for `cosine_neighbours.nearest`.

    Raises:
      UserError: as for `scores`.
    """
    patients = patient_codes(patient_ids)
    return scores(reference, reference, k, groups=patients, query_groups=patients, engine=engine)


def told_apart(
    own: Floats, own_ids: Iterable[object], other: Floats, other_ids: Iterable[object]
) -> Estimate:
    """Returns the AUROC by which scores tell other images from the reference's own.

    It is the probability that an image of the others has the higher score; 0.5 if the two come
    from one distribution. The interval is DeLong's by patient (`estimates.auroc`). It holds for
    these reference images: it does not include that others could have been drawn.

    Args:
      own: [N], of `own_scores`.
      own_ids: [N], patients.
      other: [M], of `scores` against the same reference.
      other_ids: [M], patients; other people than those of `own_ids`, even if the ids are the same.
    """
    mine, others = patient_codes(own_ids), patient_codes(other_ids)
    patients = np.concatenate([mine, others + mine.max() + 1])
    known = np.concatenate([np.zeros(len(own)), np.ones(len(other))])[:, None]
    cases = estimates.Cases(known, patients)
    return estimates.auroc(cases, np.concatenate([own, other])[:, None]).estimate([0])
