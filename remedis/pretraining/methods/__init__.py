"""Methods of self-supervision by name; keyword arguments of a class are the method's settings."""

import inspect
from collections.abc import Mapping
from typing import Any

from remedis.errors import registered_twice, unknown_choice
from remedis.pretraining.methods.barlow_twins import BarlowTwins
from remedis.pretraining.methods.method import Method
from remedis.pretraining.methods.micle import MICLe
from remedis.pretraining.methods.moco import MoCo
from remedis.pretraining.methods.relic import RELIC
from remedis.pretraining.methods.simclr import SimCLR

METHODS: dict[str, Any] = {}


def register(kind: Any) -> Any:
    """Adds a class that implements `Method` to `METHODS`, under its `name`; returns it.

    Raises:
      ValueError: another method has this name.
    """
    if kind.name in METHODS:
        raise registered_twice("method", kind.name, METHODS[kind.name], kind)
    METHODS[kind.name] = kind
    return kind


for _kind in (SimCLR, MICLe, MoCo, RELIC, BarlowTwins):
    register(_kind)


def make(name: str, options: Mapping[str, object], channels: int, seed: int) -> Method:
    """Returns a method with a new projection head.

    Args:
      name: one of `METHODS`, as in `config.method`.
      options: settings by name that replace the method's defaults, as in `config.method_options`.
      channels: number of channels of the backbone's pooled features.
      seed: of the head's initial weights and all other random numbers, 0 or more; the same seed
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
