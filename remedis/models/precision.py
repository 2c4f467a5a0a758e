"""Half precision for the activations of a training; variables are float32 in any case.

Micikevicius et al. 2018, "Mixed Precision Training", arXiv 1710.03740.
"""

import contextlib
from collections.abc import Iterator

import keras

from remedis.errors import unknown_choice

# Keras' policy for each value of `config.precision`.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Lets the models constructed inside compute in a precision when they are trained.

    Args:
      name: `float32`, `bfloat16`, or `float16`, whose small range needs the loss to be scaled (see
        `remedis.training.optimizers.make`).

    Raises:
      UserError: another name.
    """
    if name not in POLICIES:
        raise unknown_choice("value of config.precision", name, POLICIES)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
