"""Optional packages, imported where they are used."""

import importlib
import os
from types import ModuleType

from remedis.errors import UserError


def load(module: str, extra: str) -> ModuleType:
    """Returns a module of an optional package.

    Args:
      module: its full name, such as `pydicom.pixels`.
      extra: the extra of `setup.py` that installs it.

    Raises:
      UserError: the package is not installed; says how to install it.
    """
    if module.partition(".")[0] == "mlflow":  # it would report its use to its makers
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UserError(
            f"This needs the package {package}, which is not installed ({error}); install it with "
            f"`pip install 'remedis[{extra}]'`."
        ) from error
