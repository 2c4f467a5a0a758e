"""Optional packages, imported where they are used."""

import importlib
import os
from types import ModuleType

from remedis.errors import UserError

# Variables of the environment to be set before an import, unless the user has set them.
_BEFORE = {"mlflow": {"MLFLOW_DISABLE_TELEMETRY": "true"}}  # or it reports its use to its makers


def load(module: str, extra: str) -> ModuleType:
    """Returns a module of an optional package.

    Args:
      module: its full name, such as `pydicom.pixels`.
      extra: the extra of `setup.py` that installs it.

    Raises:
      UserError: the package is not installed; says how to install it.
    """
    for name, value in _BEFORE.get(module.partition(".")[0], {}).items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UserError(
            f"This needs the package {package}, which is not installed ({error}); install it with "
            f"`pip install 'remedis[{extra}]'`."
        ) from error
