import importlib.util
import logging
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from made_once import Once

    from remedis.models.architectures import Architecture

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent / "helpers"))
# The configs import what they share as `configs.common`, as the jobs let them.
sys.path.append(str(pathlib.Path(__file__).parents[1]))

pytest_plugins = ("made_once", "small_export", "small_run")

# The level that jobs and commands show, so that `caplog` sees what a user sees.
logging.getLogger("remedis").setLevel(logging.INFO)

# A shell ignores some signals for programs in the background; those of tests would inherit that.
for _number, _usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGTERM, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _usual)

# The files that take longest, first: the last worker to finish should not have one to itself.
LONG = (
    "test_saved_model_contract",
    "test_resume",
    "test_finetune",
    "test_distribution",
    "test_configs",
    "test_notebooks",
)


# Minutes after which no further test of a guarantee begins, for a machine that has not the time for
# all; and the second at which they are over, which the processes of pytest-xdist share.
MINUTES, _END = "REMEDIS_GUARANTEE_MINUTES", "_REMEDIS_GUARANTEE_END"


def pytest_configure() -> None:
    if MINUTES in os.environ:
        os.environ.setdefault(_END, str(time.time() + 60 * float(os.environ[MINUTES])))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    bounded = _END in os.environ and item.get_closest_marker("guarantee") is not None
    if bounded and time.time() > float(os.environ[_END]):
        pytest.skip(f"{MINUTES} are over")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _END in os.environ:  # every commit tests others
        git = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "HEAD"]
        commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout
        paths = sorted({item.path for item in items})
        random.Random(commit).shuffle(paths)
        items.sort(key=lambda item: paths.index(item.path))
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session")
def load_benchmark() -> Callable[[str], types.ModuleType]:
    """Returns a function from the name of a file in `benchmarks/` to its module."""
    folder = pathlib.Path(__file__).parents[1] / "benchmarks"

    def load(name: str) -> types.ModuleType:
        with pytest.MonkeyPatch.context() as patched:
            patched.syspath_prepend(folder)  # as Python itself does for a script
            spec = importlib.util.spec_from_file_location(
                f"{name}_benchmark", folder / f"{name}.py"
            )
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module  # where its dataclasses look for themselves
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def random_checkpoint(once: "Once") -> Callable[["Architecture"], pathlib.Path]:
    """Returns a function that makes a checkpoint folder with random weights."""
    from remedis.zoo import checkpoint, export, random_weights
    from remedis.zoo.export import BACKBONE_KIND
    from remedis.zoo.serving import ServedModel

    def make(architecture: "Architecture") -> pathlib.Path:
        weights = random_weights.draw(0, architecture)
        description = export.Description(
            kind=BACKBONE_KIND,
            name="random",
            units=architecture.units,
            width=architecture.width,
            final_norm=weights.final_norm,
            value_range=(0.0, 1.0),
            backbone_range=weights.backbone_range,
            parameters=architecture.parameters(weights.final_norm),
            tensors=len(architecture.shapes(weights.final_norm)),
            signatures=(),
            provenance=weights.provenance,
        )
        # What a training reads of a checkpoint; tracing functions to serve would take seconds.
        variables = [v.value for v in checkpoint.build_backbone(weights).named_variables().values()]
        model = ServedModel(variables, variables)

        def write(folder: pathlib.Path) -> None:
            export.save(model, description, folder / "random")

        return once(f"random-{architecture.name}", write) / "random"

    return make


@pytest.fixture(scope="session")
def tiny_checkpoint(random_checkpoint: Callable[..., pathlib.Path]) -> pathlib.Path:
    """A checkpoint folder with random weights, of a backbone small enough to train in seconds."""
    from remedis.models.architectures import Architecture

    return random_checkpoint(Architecture((1, 1, 1, 1), 0.5))
