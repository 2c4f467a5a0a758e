"""Checkpoints: the published ones by name, the building of folders, facts on any of them."""

import os
import pathlib
from typing import Any

from remedis import files, invocation
from remedis.api import early_checks
from remedis.errors import unknown_choice
from remedis.reporting import checkpoint_info
from remedis.zoo import names

_GRAPHS = ("ours", "release")


def list_models() -> list[str]:
    """Returns the names of the eight published checkpoints, as `remedis list` shows them.

    `describe` has the facts on each. No weights come with the package: `build` makes a folder of
    weights that you have.
    """
    return list(names.NAMES)


def describe(name_or_folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns what is known about a checkpoint or a run, as `remedis info` prints it.

    Args:
      name_or_folder: a name of `list_models`; a checkpoint folder, built or as downloaded; an
        export; or the directory of a run, a study or an evaluation, finished or not.

    Returns:
      Texts by property, such as `weights`, `input` and `terms`, and what programs need:
      `random_weights`, and of a run `finished` and `performance`.

    Raises:
      UserError: there is no such name or folder, or the folder holds no SavedModel and no run.
    """
    return checkpoint_info.info(str(name_or_folder))[1]


def build(
    model: str,
    weights: str | os.PathLike[str],
    out: files.Path = "saved_models",
    *,
    graph: str = "ours",
    any_pixel_range: bool = False,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a checkpoint folder that `hub.load`, TensorFlow and this package load.

    The folder has a model card with the origin of the weights. Random weights are said to be
    random, in the card and by every later command.

    Args:
      model: a name of `list_models`.
      weights: `bit:FILE.npz`, `release:FOLDER` as downloaded, `random:SEED`, or the folder of a run
        or of a checkpoint.
      out: the folder that receives the checkpoint's folder, `out/model`.
      graph: whose program the folder holds: `ours`, or with `release:FOLDER` that of the `release`.
      any_pixel_range: whether images are taken whose values cannot be in [0, 1]; recorded in the
        folder. By default they are refused.
      overwrite: whether a folder that exists is replaced.

    Returns:
      The folder.

    Raises:
      UserError: name or weights are unknown, the weights do not fit the name, or the folder exists
        or is being made by another process.
    """
    names.parse(model)
    if graph not in _GRAPHS:
        raise unknown_choice("graph", graph, _GRAPHS)
    early_checks.check_weights(str(weights))
    # They load TensorFlow, which takes seconds; names and facts need none.
    from remedis.zoo import builder
    from remedis.zoo.pixel_range import ANY, CHECKED

    with invocation.called("build", model, weights):
        return builder.build(
            model,
            str(weights),
            out,
            command=invocation.command(),
            keep_graph=graph == "release",
            pixel_range=ANY if any_pixel_range else CHECKED,
            overwrite=overwrite,
        )
