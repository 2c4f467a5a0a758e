"""Random weights of BiT backbones, for rehearsals and as the baseline "from scratch"."""

import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from remedis.errors import UserError
from remedis.models.architectures import Architecture, Shape
from remedis.zoo.provenance import RANDOM, Provenance
from remedis.zoo.weights import BIT_RANGE, Weights


def kernel(seed: int, name: str, shape: Shape) -> np.ndarray:
    """Returns a kernel [..., inputs, outputs] float32 that depends on seed and name only.

    He et al. 2015, arXiv 1502.01852. Weight standardisation removes the scale in the forward pass,
    but the scale sets the relative size of an optimizer's step.
    """
    deviation = np.sqrt(2 / np.prod(shape[:-1]))
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return generator.standard_normal(shape, np.float32) * np.float32(deviation)


class _Arrays(Mapping[str, np.ndarray]):
    """Arrays that are drawn on access, each from the seed and its name only."""

    def __init__(self, shapes: dict[str, Shape], seed: int) -> None:
        self._shapes, self._seed = shapes, seed

    def __getitem__(self, name: str) -> np.ndarray:
        shape = self._shapes[name]
        if name.endswith("gamma"):
            return np.ones(shape, np.float32)
        if name.endswith("beta"):
            return np.zeros(shape, np.float32)
        return kernel(self._seed, name, shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def draw(seed: int, architecture: Architecture) -> Weights:
    """Returns weights drawn from a seed.

    Raises:
      UserError: the seed is negative.
    """
    if seed < 0:
        raise UserError(f"The seed of random weights is {seed}; expected a whole number >= 0.")
    return Weights(
        arrays=_Arrays(architecture.shapes(final_norm=True), seed),
        architecture=architecture,
        final_norm=True,
        backbone_range=BIT_RANGE,
        provenance=Provenance(
            origin=RANDOM,
            description=f"RANDOM WEIGHTS (seed {seed}): never trained on anything.",
            details={"seed": seed},
        ),
    )
