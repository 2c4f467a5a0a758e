"""Half precision for activations in training. Variables are float32 in any case.

Micikevicius et al. 2018, "Mixed Precision Training", arXiv 1710.03740.
"""

import contextlib
from collections.abc import Iterator

import keras

from remedis.errors import unknown_choice
from remedis.options import spelled

# Keras' policy for each value of `config.precision`.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Sets the precision in which models constructed inside compute when they are trained.

    Args:
      name: `float32`, `bfloat16` or `float16`. The small range of float16 needs a scaled loss, see
        `remedis.training.optimizers.make`.

    Raises:
      UserError: the name is another one.
    """
    if name not in POLICIES:
        raise unknown_choice(f"value of {spelled('precision')}", name, POLICIES)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
