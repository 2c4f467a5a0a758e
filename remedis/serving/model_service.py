"""What every interface of the server asks of the model: scores, embeddings and heat maps."""

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError, counted, unknown_choice
from remedis.serving import decoded_requests, heat_map_pictures
from remedis.serving.batching import HELD_BYTES, PREDICT, Batcher, Busy, Outputs, Stopped, TooLate
from remedis.serving.engines import CELLS, Engine, explaining
from remedis.serving.neighbour_search import NeighbourSearch
from remedis.serving.refusals import Refusal, busy
from remedis.serving.served_facts import EMBEDDING, SCORES
from remedis.serving.settings import ServingSettings

Floats = npt.NDArray[np.float32]
_Result = TypeVar("_Result")

_NO_SPACE = "The server has reached its limit of images; send this request again later."

UNKNOWN = -1  # a size that the model does not fix, as both interfaces of others write it


@dataclasses.dataclass(frozen=True, eq=False)
class PreparedImage:
    """An image of a request.

    Attributes:
      height: in pixels, of the file.
      width: likewise.
      prepared: the input of the network, [h, w, 3].
      shown: the image at most `heat_map_pictures.LONGEST` long, [H, W, 1 or 3] uint8.
    """

    height: int
    width: int
    prepared: Floats
    shown: npt.NDArray[np.uint8] | None = None


class ModelService:
    """A model behind its batches; every error of a request is a `Refusal`.

    Attributes:
      engine: of the model.
      settings: the limits.
      search: a file of embeddings to search in; None for none.
      address: the model's name as a part of an address.
      facts: what every answer says about the model, as plain values.
    """

    def __init__(
        self,
        engine: Engine,
        batcher: Batcher,
        settings: ServingSettings,
        search: NeighbourSearch | None = None,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.search = search
        self.facts: Mapping[str, Any] = engine.provenance.to_json()
        self.address = re.sub(r"[^A-Za-z0-9_.-]+", "-", engine.provenance.model) or "model"
        self._batcher = batcher
        # As many images as this are whole in memory. The others wait as files.
        self._decoders = ThreadPoolExecutor(settings.decoders, "decoder")
        self._gathered = 0  # bytes of the prepared images of requests with further files

    @property
    def held(self) -> int:
        """The number of images that wait or are computed."""
        return self._batcher.held

    @property
    def ready(self) -> bool:
        """Whether images are computed."""
        return self._batcher.alive

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of prepared images; `UNKNOWN` where they keep the size of the image."""
        return self.engine.image_size or (UNKNOWN, UNKNOWN)

    def values_per_image(self, output: str) -> int:
        """Returns the length of one image's output; `UNKNOWN` for an embedding."""
        return len(self.engine.labels) if output in SCORES else UNKNOWN

    async def in_thread(self, work: Callable[[], _Result]) -> _Result:
        """Returns the result of work that takes memory or time, done by a decoder thread."""
        waiting = [work]
        running = asyncio.get_running_loop().run_in_executor(
            self._decoders, lambda: waiting.pop()()
        )
        del work
        try:
            return await running
        finally:
            # The queue keeps cancelled work until its turn. Its image must not wait there: the
            # guard counts no bytes of a client that left.
            waiting.clear()

    async def prepared(
        self, contents: bytes, frame: str = "", shown: bool = False
    ) -> PreparedImage:
        """Returns the input of the network for an image file.

        Args:
          contents: of the file.
          frame: of a DICOM file with several.
          shown: whether the image itself is needed, too.
        """

        def prepare() -> PreparedImage:
            image = decoded_requests.decoded(contents, frame, self.settings.max_pixels)
            height, width = image.shape[:2]
            picture = heat_map_pictures.shrunk(image) if shown else None
            return PreparedImage(height, width, self.engine.prepare(image), picture)

        if self._batcher.held >= self.settings.max_queue:
            raise busy("The queue of images is full; send this one again later.", 1)
        return await _refusing(self.in_thread(prepare))

    async def outputs(self, images: Floats) -> Outputs:
        """Returns the outputs of the network for prepared images, [n, h, w, 3]."""
        return await _refusing(self._batcher.outputs(images, PREDICT))

    async def embedding(self, contents: bytes, frame: str = "") -> list[float]:
        """Returns the embedding of an image file."""
        image = await self.prepared(contents, frame)
        found: list[float] = (await self.outputs(image.prepared[None]))[EMBEDDING][0].tolist()
        return found

    async def outputs_of_files(self, files: Sequence[bytes]) -> Outputs:
        """Returns the outputs of the network for image files."""
        self.check_count(len(files))
        return await self.outputs(await self._gather(files))

    async def _gather(self, files: Sequence[bytes]) -> Floats:
        """Returns the inputs of the network for image files, in memory that is counted."""
        first = (await self.prepared(files[0])).prepared
        bytes_of_all = len(files) * first.nbytes
        if bytes_of_all > HELD_BYTES:
            raise Refusal(
                400,
                f"The images of the request take {bytes_of_all >> 20:,} MB; expected at most "
                f"{HELD_BYTES >> 20:,} MB: send fewer or smaller ones.",
            )
        if self._gathered + bytes_of_all > HELD_BYTES:
            raise busy(_NO_SPACE, 1)
        self._gathered += bytes_of_all
        try:
            images: Floats = np.empty((len(files), *first.shape), np.float32)
            images[0] = first
            # One after another: the decoders serve other requests, too.
            for i, contents in enumerate(files[1:], 1):
                image = (await self.prepared(contents)).prepared
                if image.shape != first.shape:
                    raise Refusal(
                        400,
                        "The images have several sizes for this model; send one image per request.",
                    )
                images[i] = image
            return images
        finally:
            self._gathered -= bytes_of_all

    def numbers(self, values: object, shape: Sequence[int] | None = None) -> Floats:
        """Returns prepared images that a client sends as numbers, [n, h, w, 3].

        Args:
          values: numbers in lists within lists, or an array.
          shape: of the images; that of the values if None.

        Raises:
          Refusal: they are no such images.
        """
        try:
            found = _numbers(values)
            if shape is not None:
                found = found.reshape(_bounded(shape))
        except (ValueError, TypeError, OverflowError):
            found = np.empty(0)
        size = self.engine.image_size
        sides = tuple(found.shape[1:3]) if found.ndim == 4 else ()
        if (
            found.dtype.kind not in "iuf"
            or found.shape[3:] != (3,)
            or not found.size
            or (size is not None and sides != size)
        ):
            height, width = size or ("height", "width")
            raise Refusal(
                400,
                f"The images are no list of numbers of the shape [n, {height}, {width}, 3] in "
                "[0, 1]; send those, or image files in base64.",
            )
        self.check_count(len(found))
        decoded_requests.check_pixels(sides[0], sides[1], self.settings.max_pixels)
        with np.errstate(over="ignore"):
            images: Floats = found.astype(np.float32)
        del found
        if not np.isfinite(images).all():
            raise Refusal(400, "The images have values that are not finite; expected [0, 1].")
        return images

    def check_count(self, images: int) -> None:
        """Refuses a request of no image, and of more than may ever wait."""
        most = self.settings.max_queue
        if not 1 <= images <= most:
            raise Refusal(
                400, f"The request has {counted(images, 'image')}; expected 1 to {most:,}."
            )

    def scores(self, outputs: Outputs) -> list[list[dict[str, Any]]]:
        """Returns per image and label the probability, the logit and the thresholds it reaches."""
        provenance = self.engine.provenance
        decisions = provenance.decisions(outputs)
        cuts = provenance.thresholds or {}

        def of_label(row: int, column: int, label: str) -> dict[str, Any]:
            return {
                "label": label,
                "probability": float(outputs["probabilities"][row, column]),
                "logit": float(outputs["logits"][row, column]),
                "thresholds": {
                    kind: {"value": cuts[kind][label], "reached": reached[row][column]}
                    for kind, reached in decisions.items()
                },
            }

        return [
            [of_label(row, column, label) for column, label in enumerate(self.engine.labels)]
            for row in range(len(outputs["logits"]))
        ]

    async def explanation(self, contents: bytes, label: str, frame: str = "") -> dict[str, Any]:
        """Returns the heat map of a label over an image, and the image, as pictures."""
        if not self.engine.explains:
            raise Refusal(
                501,
                f"The engine {self.engine.name} has no heat maps of this model; serve the "
                "SavedModel of a classifier.",
            )
        if label not in self.engine.labels:
            raise Refusal(400, str(unknown_choice("label", label, self.engine.labels)))
        image = await self.prepared(contents, frame, shown=True)
        kind = explaining(label)
        found = await _refusing(self._batcher.outputs(image.prepared[None], kind))
        cells: Floats = found[CELLS][0]

        def drawn() -> dict[str, Any]:
            placed = self.engine.place(cells, image.height, image.width)
            picture = image.shown
            assert picture is not None
            overlay, (low, high) = heat_map_pictures.overlay(placed, picture.shape[:2])
            return {
                "label": label,
                "method": "cam",
                "low": low,
                "high": high,
                "cells": cells.tolist(),
                "overlay": heat_map_pictures.png_base64(overlay),
                "picture": heat_map_pictures.png_base64(picture),
            }

        return {"image": size_of(image), **await _refusing(self.in_thread(drawn))}

    def close(self) -> None:
        """Ends the decoders; what they have begun is finished."""
        self._decoders.shutdown(wait=False, cancel_futures=True)


def _numbers(values: object) -> npt.NDArray[Any]:
    """Returns numbers in lists as an array; raises a ValueError for other values.

    NumPy would make texts of all values beside one text, each as long as the longest: terabytes.
    """
    if isinstance(values, np.ndarray):
        return values
    found = np.asarray(values, object)
    if not set(map(type, found.ravel())) <= {int, float}:
        raise ValueError
    return found.astype(np.float64)


def _bounded(shape: Sequence[int]) -> tuple[int, ...]:
    """Returns a shape; raises a ValueError for one whose product takes long to compute."""
    if len(shape) != 4:
        raise ValueError
    return tuple(shape)


def size_of(image: PreparedImage) -> dict[str, int]:
    """Returns the size of an image of a request for its answer."""
    return {"height": image.height, "width": image.width}


async def _refusing(work: Awaitable[_Result]) -> _Result:
    """Returns a result; turns the errors of batches and engines into answers."""
    try:
        return await work
    except Busy as error:
        raise busy(str(error), error.retry_after) from None
    except (TooLate, Stopped) as error:
        raise busy(str(error), 1) from None
    except UserError as error:
        raise Refusal(400, str(error)) from None
    except MemoryError:
        raise busy("The server has no memory for this image now; send it again later.", 5) from None
