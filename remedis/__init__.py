"""Foundation models for medical imaging: build, load, fine-tune, evaluate.

`remedis.load_backbone` gives a Keras layer with the weights of a checkpoint. Importing the package
loads neither TensorFlow nor Keras.

Research software. Nothing it makes is a diagnostic device.
"""

import importlib
from typing import Any

from remedis import keras_registration

__version__ = "0.2.0"
__all__ = ["BackboneLayer", "__version__", "load_backbone"]

# The module of each name that is loaded on its first use.
_LAZY = {
    "BackboneLayer": "remedis.zoo.backbone_layer",
    "load_backbone": "remedis.zoo.backbone_layer",
}

keras_registration.register()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
