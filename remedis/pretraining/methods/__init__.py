"""Methods of self-supervision, by name; their settings are keyword arguments of their classes."""

import inspect
from collections.abc import Mapping
from typing import Any

from remedis.errors import unknown_choice
from remedis.pretraining.methods.barlow_twins import BarlowTwins
from remedis.pretraining.methods.method import Method
from remedis.pretraining.methods.micle import MICLe
from remedis.pretraining.methods.moco import MoCo
from remedis.pretraining.methods.relic import RELIC
from remedis.pretraining.methods.simclr import SimCLR

METHODS: Mapping[str, Any] = {kind.name: kind for kind in (SimCLR, MICLe, MoCo, RELIC, BarlowTwins)}


def make(name: str, options: Mapping[str, object], channels: int, seed: int) -> Method:
    """Returns a method with its projection head, newly drawn.

    Args:
      name: one of `METHODS`, as `config.method` names it.
      options: settings by name that are not to be the method's own, `config.method_options`.
      channels: of the pooled features of the backbone.
      seed: of the head's weights and whatever else is drawn at random, 0 or more; the same seed
        gives the same numbers in every process.

    Raises:
      UserError: there is no such method or setting, or a value is out of its range.
    """
    if name not in METHODS:
        raise unknown_choice("value of config.method", name, METHODS)
    parameters = inspect.signature(METHODS[name]).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind == parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise unknown_choice(f"key of config.method_options for {name}", option, known)
    method: Method = METHODS[name](channels, seed, **options)
    return method
