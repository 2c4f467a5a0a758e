"""Predictions of a trained classifier for images without labels."""

import contextlib
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from remedis import files, limits, locks
from remedis.api import early_checks, image_data, labelled_data
from remedis.api.image_data import Images
from remedis.data.checks import scan
from remedis.inference import exported as exported_classifier
from remedis.inference import predictions
from remedis.inference.predictions import Predictions


def predict(
    model: files.Path,
    data: Images,
    *,
    labels: Sequence[str] | None = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    batch_size: int = 32,
    max_bad_images: float | None = None,
    max_megapixels: float | None = None,
    out: files.Path | None = None,
) -> Predictions:
    """Returns the probabilities of images without labels, as `remedis predict` computes them.

    Args:
      model: a run's directory, or an exported classifier's.
      data: a manifest; or folders, files and globs, one or several, or a directory of the source.
        Neither labels nor patients are needed.
      labels: some of the classifier's, in the order wanted; all by default.
      source: layout of a path, see `load_manifest`.
      options: of the source, for a path.
      batch_size: images per batch.
      max_bad_images: the largest share of unreadable images that is accepted, in [0, 1]; by
        default any share below all.
      max_megapixels: larger images are unreadable; 40 by default.
      out: a `.parquet` or `.csv` file to write. `OUT.bad_images.csv` beside it lists the images
        that cannot be read.

    Returns:
      The result: `table` is a DataFrame with ids, probabilities, logits and decisions per image,
      `bad` lists the images that cannot be read, and `random` says whether the weights are random.

    Raises:
      UserError: model, data or labels are at fault, no image can be read, or too many cannot.
    """
    labelled_data.check_labels(labels)
    if out is not None:
        predictions.check_out(out)
    early_checks.check_model(model)
    image_data.check(data, source, options)
    with contextlib.ExitStack() as stack:
        stack.enter_context(limits.megapixels(max_megapixels))
        if out is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            report = pathlib.Path(folder, "bad_images.csv")
        else:
            stack.enter_context(locks.of_output(out))
            report = scan.bad_images_file(out)
        exported = exported_classifier.load(model)
        chosen = None if labels is None else tuple(labels)
        if chosen is not None:  # before the data are read
            exported.check_labels(chosen)
        predicted = predictions.predict(
            exported,
            image_data.load(data, source, options),
            report,
            labels=chosen,
            batch_size=batch_size,
            max_bad_images=max_bad_images,
        )
        if out is not None:
            predictions.write(predicted, out)
    return predicted
