"""The registration of this package's layer with Keras, whichever of the two is imported first.

`keras.saving.load_model` builds registered classes only. Registration usually happens in the module
of a class, which here loads TensorFlow and the networks. A program that only imports `remedis`
registers a stand-in, which loads that module when Keras first needs it.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

NAME = "remedis>BackboneLayer"
_MODULE, _CLASS = "remedis.zoo.backbone_layer", "BackboneLayer"


class _StandIn:
    """The registered object until the module of the layer is imported and takes its place."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the layer of a configuration."""
        return getattr(importlib.import_module(_MODULE), _CLASS).from_config(config)


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Registers once Keras is imported. It finds nothing itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def then_register(module: types.ModuleType) -> None:
                execute(module)
                _register(module)

            spec.loader.exec_module = then_register  # type: ignore[method-assign]
        return spec


def _register(keras: Any) -> None:
    keras.saving.get_custom_objects().setdefault(NAME, _StandIn)


def register() -> None:
    """Registers the layer now if Keras is imported, or else as soon as it is."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "saving"):
        _register(keras)
    else:
        sys.meta_path.insert(0, _AfterKeras())
