"""Trained models in the formats of other programs."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from remedis import files, limits, locks
from remedis.api import early_checks
from remedis.conversion import formats
from remedis.errors import UserError
from remedis.options import spelled

if TYPE_CHECKING:
    from remedis.conversion.convert import Converted
    from remedis.data.manifest import Manifest  # loads pandas


def export(
    model: files.Path,
    to: str,
    out: files.Path,
    *,
    images: "Manifest | files.Path | None" = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    max_megapixels: float | None = None,
    overwrite: bool = False,
) -> "Converted":
    """Writes a model in the format of another program, as `remedis export` does.

    The export is run and compared with its source, on random pixels and on images; one that
    differs is not written.

    Args:
      model: a run's directory, an exported classifier's folder or a checkpoint folder.
      to: the format, such as `frozen`.
      out: the file or folder to write.
      images: the images to compare on, as `embed` takes them; made-up radiographs by default.
      source: layout of a path of images.
      options: of the source, for a path.
      max_megapixels: larger images are not decoded; 40 by default.
      overwrite: replace what exists.

    Returns:
      The export: `path`, and its `record` with the differences and with what did not travel along.

    Raises:
      UserError: model, format, images or output are at fault, the format needs a package that is
        not installed, or the export differs from its source.
    """
    check(model, to, out, overwrite)
    if images is None and (options or source != "csv"):
        raise UserError(
            f"{spelled('source')} and its options are of {spelled('images')}, which is not given; "
            "name the images, or leave them out."
        )
    if isinstance(images, str | os.PathLike):
        early_checks.check_data(
            images, source, None, options or (), needs_labels=False, any_folder=True
        )

    from remedis.conversion import convert
    from remedis.data import sources

    with limits.megapixels(max_megapixels), locks.of_output(out):
        if isinstance(images, str | os.PathLike):
            images = sources.load_images(source, images, dict(options or {}))
        return convert.convert(model, to, out, images, overwrite)


def check(model: files.Path, to: str, out: files.Path, overwrite: bool) -> None:
    """Raises a UserError for what is certainly wrong, before TensorFlow takes seconds to load."""
    formats.get(to).check_out(out)
    if os.path.lexists(model) and not os.path.isdir(model):
        raise UserError(f"{model} is a file; expected the directory of a run or a model.")
    early_checks.check_model(model)
    files.refuse_existing(out, overwrite)
