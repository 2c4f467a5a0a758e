"""Engines that compute a model's outputs: the SavedModel itself, or one of its exports."""

import os
import pathlib
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol

from remedis import files
from remedis.errors import UserError, unknown_choice
from remedis.options import spelled
from remedis.serving.batching import PREDICT
from remedis.serving.engine_names import AUTO, ENGINES, SAVED_MODEL
from remedis.serving.served_facts import ServedFacts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

CELLS = "cells"  # the output of heat maps


class Engine(Protocol):
    """A model that is loaded. `predict` and `explain` are called by one thread at a time."""

    @property
    def name(self) -> str:
        """One of `ENGINES`."""

    @property
    def provenance(self) -> ServedFacts:
        """What every answer says about the model."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names in the order of the scores; none for a model without a head: it only embeds."""

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width of prepared images; None if these keep the size of the image."""

    @property
    def explains(self) -> bool:
        """Whether `explain` works."""

    def prepare(self, image: "Floats") -> "Floats":
        """Returns the input of the network for one image. Any thread may call it.

        Args:
          image: [H, W, 3] or [H, W, 1] float32 in [0, 1], as the readers give it.

        Returns:
          [h, w, 3] float32 in [0, 1].

        Raises:
          UserError: no preprocessing is recorded, or it refuses the image.
        """

    def predict(self, images: "Floats") -> "dict[str, np.ndarray]":
        """Returns the outputs, each [n, ...] float32, finite: those of `ServedFacts.outputs`.

        Args:
          images: [n, h, w, 3] float32 in [0, 1].

        Raises:
          UserError: the values of the images cannot be in [0, 1], or the network gives no numbers
            for them.
        """

    def explain(self, images: "Floats", label: str) -> "Floats":
        """Returns where the network looks for a label: its CAM, [n, rows, columns], signed.

        Args:
          images: [n, h, w, 3] float32 in [0, 1].
          label: one of the labels.

        Raises:
          UserError: there is no such label, or this engine has no heat maps.
        """

    def place(self, cells: "Floats", height: int, width: int) -> "Floats":
        """Returns a heat map in the pixels of the image, [H, W]; NaN where it was cropped.

        Args:
          cells: [rows, columns], of `explain`.
          height: of the image before `prepare`.
          width: of it.
        """


def check(path: files.Path, engine: str) -> None:
    """Refuses what cannot be opened, before TensorFlow is loaded.

    Args:
      path: as for `open_engine`.
      engine: as for `open_engine`.

    Raises:
      UserError: there is no such engine or path, or the engine needs a folder and path is a file.
    """
    if engine not in (names := (AUTO, *ENGINES)):
        raise unknown_choice(spelled("engine"), engine, names)
    path = pathlib.Path(path)
    if not os.path.lexists(path):
        raise UserError(f"{path} does not exist; expected a run, a model's folder or an export.")
    if engine == SAVED_MODEL and not path.is_dir():
        raise UserError(
            f"{path} is a file; expected the folder of a run or a model: name the engine of an "
            f"export, such as {spelled('engine', 'onnx')}."
        )


def open_engine(path: files.Path, engine: str = SAVED_MODEL) -> Engine:
    """Returns a model that is loaded.

    Args:
      path: of `savedmodel` a run, an export or a checkpoint folder; of the others the file or
        folder that `remedis export` wrote; of `auto` any of these.
      engine: one of `ENGINES`; or `auto`: that of an export's format, and for a SavedModel on a
        computer without GPU OpenVINO, if it is installed and gives the same outputs.

    Raises:
      UserError: there is no such engine, or path holds no model for it.
    """
    check(path, engine)
    # TensorFlow takes seconds to load.
    from remedis.serving import loaded_engine

    return loaded_engine.load(pathlib.Path(path), engine)


def compute(engine: Engine) -> "Callable[[Hashable, Floats], dict[str, np.ndarray]]":
    """Returns the function that a `Batcher` calls: of the kinds `PREDICT` and `explaining`."""

    def computed(kind: Hashable, images: "Floats") -> "dict[str, np.ndarray]":
        if kind == PREDICT:
            return engine.predict(images)
        assert isinstance(kind, tuple)
        return {CELLS: engine.explain(images, kind[1])}

    return computed


def explaining(label: str) -> tuple[str, str]:
    """Returns the kind of requests for the heat maps of a label; their output is `CELLS`."""
    return ("explain", label)
