"""Images with their heat maps in the pixels of the image, one after another."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.data.batches.image_loader import image_loader
from remedis.data.manifest import Manifest
from remedis.inference.exported import ExportedClassifier
from remedis.inference.heat_maps import Compute, HeatMap
from remedis.preprocess import parse
from remedis.preprocess.placement import Placement, placement
from remedis.preprocess.registry import three_channels
from remedis.progress import progress

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class ExplainedImage:
    """One image and what the classifier sees in it.

    Attributes:
      row: of the image in its manifest.
      pixels: [H, W, 3] float32 in [0, 1].
      place: of the network's input in the image.
      cells: by label the heat map [h, w] of the network.
      logits: raw, by label.
      kind: of the maps.
    """

    row: int
    pixels: Floats
    place: Placement
    cells: dict[str, Floats]
    logits: dict[str, float]
    kind: HeatMap

    def placed(self, label: str) -> Floats:
        """Returns the map of a label in the image's pixels, [H, W]; NaN where it was cropped."""
        return self.place.to_image(self.cells[label], self.kind.stride)


def explained(
    exported: ExportedClassifier,
    compute: Compute,
    kind: HeatMap,
    images: Manifest,
    labels: Sequence[str],
    batch_size: int,
    title: str | None = "Explaining",
) -> Iterator[ExplainedImage]:
    """Yields every image with its maps, in order.

    Args:
      exported: the classifier, for its preprocessing and the order of its labels.
      compute: of `heat_maps.of_export`, or of other weights.
      kind: of the maps.
      images: that can be read.
      labels: to explain, of the classifier's.
      batch_size: images per batch.
      title: of the progress bar; None for no bar.

    Raises:
      UserError: the preprocessing cannot be followed back to the image.
    """
    preprocess = parse(str(exported.description.preprocess), deterministic=True)
    placement(preprocess, 64, 64)  # refuses what cannot be followed before any work
    load, prepare = image_loader(images), exported.preprocess
    positions = [exported.labels.index(label) for label in labels]

    def batch(rows: Sequence[int]) -> Iterator[ExplainedImage]:
        pixels = [three_channels(load(tf.constant(row))) for row in rows]
        prepared = tf.stack([prepare(image) for image in pixels])
        found = [compute(prepared, tf.constant(position)) for position in positions]
        maps = [outputs[kind.output].numpy() for outputs in found]
        logits = [outputs["logit"].numpy() for outputs in found]
        for i, (row, image) in enumerate(zip(rows, pixels, strict=True)):
            height, width = image.shape[:2]
            yield ExplainedImage(
                row=row,
                pixels=image.numpy(),
                place=placement(preprocess, height, width),
                cells={label: of[i] for label, of in zip(labels, maps, strict=True)},
                logits={label: float(of[i]) for label, of in zip(labels, logits, strict=True)},
                kind=kind,
            )

    starts = range(0, len(images), batch_size)
    if title is None:
        for start in starts:
            yield from batch(range(start, min(start + batch_size, len(images))))
        return
    with progress(title, len(images)) as report:
        for start in starts:
            rows = range(start, min(start + batch_size, len(images)))
            yield from batch(rows)
            report(rows.stop, "images")
