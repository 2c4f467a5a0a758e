"""A sanity check of heat maps: they must change when the network's weights become random.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", arXiv 1810.03292, section 3: weights are
randomised cascading from the head down to the first layer. A method whose maps stay the same shows
edges of the image, not what the network has learnt. Here the values of every tensor are shuffled
within the tensor, where the paper draws them again: their distribution stays that of training, in
every kind of network.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.stats import rankdata

from remedis.models.classifier import HEAD, Classifier

Floats = npt.NDArray[np.float32]
TRAINED = "trained"
_SIDE = 64  # pixels that maps are compared at by SSIM


@dataclasses.dataclass(frozen=True)
class Step:
    """The similarity of maps to those of the trained network, mean over maps.

    Attributes:
      randomised: the last part that was randomised; those above it are random, too.
      rank_correlation: Spearman's, of the cells; a constant map has 0.
      ssim: structural similarity of the maps, each scaled to [0, 1].
    """

    randomised: str
    rank_correlation: float
    ssim: float


def parts(classifier: Classifier) -> list[tuple[str, list[str]]]:
    """Returns the parts of a network from the head down, with the names of their variables."""
    names = list(classifier.named_variables())
    grouped: dict[str, list[str]] = {"head": []}
    for block in ("block4", "block3", "block2", "block1", "root"):
        grouped[block] = [name for name in names if name.startswith((f"{block}/", f"{block}_"))]
    in_blocks = {name for group in grouped.values() for name in group}
    if not in_blocks:  # another network than BiT
        grouped = {"head": [], "backbone": [n for n in names if not n.startswith(HEAD)]}
        in_blocks = set(grouped["backbone"])
    grouped["head"] = [name for name in names if name not in in_blocks]
    return [(name, group) for name, group in grouped.items() if group]


def cascade(classifier: Classifier, seed: int) -> Iterator[str]:
    """Randomises a classifier in place, from the head down; yields each part once it is done.

    Args:
      classifier: its weights are lost.
      seed: of the shuffles.
    """
    variables = classifier.named_variables()
    rng = np.random.default_rng([seed, *b"shuffle"])
    for part, names in parts(classifier):
        for name in names:
            values = variables[name].numpy()
            variables[name].assign(rng.permutation(values.ravel()).reshape(values.shape))
        yield part


def similarity(randomised: str, maps: Sequence[Floats], others: Sequence[Floats]) -> Step:
    """Returns how alike maps [h, w] are to others, in pairs.

    Args:
      randomised: see `Step`.
      maps: of the trained network.
      others: of the randomised one.
    """
    correlations = [_rank_correlation(a, b) for a, b in zip(maps, others, strict=True)]
    ssims = [_ssim(a, b) for a, b in zip(maps, others, strict=True)]
    return Step(randomised, float(np.mean(correlations)), float(np.mean(ssims)))


def _rank_correlation(a: Floats, b: Floats) -> float:
    ranks = [rankdata(values.ravel()) for values in (a, b)]
    centred = [r - r.mean() for r in ranks]
    norm = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    return float((centred[0] * centred[1]).sum() / norm) if norm else 0.0


def _ssim(a: Floats, b: Floats) -> float:
    scaled = []
    for values in (a, b):
        low, high = float(values.min()), float(values.max())
        unit = (values - low) / (high - low) if high > low else np.zeros_like(values)
        scaled.append(tf.image.resize(unit[None, ..., None], [_SIDE, _SIDE]))
    return float(tf.image.ssim(*scaled, max_val=1.0)[0])
