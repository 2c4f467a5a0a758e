"""Labels of several readers made into one label per image, by a named policy."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

# From the share of the readers who see the finding: 1, 0, or -1 for uncertain.
_POLICIES: Mapping[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "majority": lambda share: np.select([share > 0.5, share < 0.5], [1.0, 0.0], -1.0),
    "any": lambda share: np.where(share > 0, 1.0, 0.0),
    "all": lambda share: np.where(share == 1, 1.0, 0.0),
    "uncertain": lambda share: np.where((share > 0) & (share < 1), -1.0, share),
}
POLICIES = tuple(_POLICIES)
# A label for the absence of findings is the opposite of one: nobody, or somebody, sees anything.
_OPPOSITE = {"any": "all", "all": "any"}


def decide(
    images: pd.Series, readings: pd.DataFrame, policy: str, absence: str = ""
) -> pd.DataFrame:
    """Returns one label per image from those of its readers.

    Args:
      images: [readings], the image of each reading.
      readings: [readings, labels] float, 1, 0, or NaN for a reader without an answer, who does not
        count.
      policy: `majority` (a tie is uncertain), `any` reader, `all` readers, or `uncertain` wherever
        readers disagree.
      absence: name of the label that says that there are no findings; `any` and `all` change places
        for it.

    Returns:
      [images, labels] float32, 1, 0, -1 for uncertain, or NaN where no reader has an answer; one
      row per image, in the order of the first reading.
    """
    shares = readings.groupby(images.to_numpy(), sort=False).mean()
    decided = {}
    for label, share in shares.items():
        chosen = _OPPOSITE.get(policy, policy) if label == absence else policy
        values = share.to_numpy(dtype=np.float64)
        decided[label] = np.where(np.isnan(values), np.nan, _POLICIES[chosen](values))
    return pd.DataFrame(decided, shares.index).astype(np.float32)
