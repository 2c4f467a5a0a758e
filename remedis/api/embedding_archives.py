"""Embeddings of archives of millions of images, by Apache Beam."""

import os
from collections.abc import Sequence

from remedis import files
from remedis.api import early_checks
from remedis.errors import UserError
from remedis.inference import embed as _embed
from remedis.inference import embedding_archive
from remedis.inference.archive_parts import Work
from remedis.inference.embedding_archive import EmbeddedArchive
from remedis.options import spelled
from remedis.specifications import piped

IMAGES_PER_FILE = 1024


def embed_archive(
    checkpoint: str | os.PathLike[str],
    data: files.Path,
    out: files.Path,
    *,
    runner: str = "DirectRunner",
    runner_options: Sequence[str] = (),
    preprocess: str | None = None,
    embedding: str = "embedding",
    batch_size: int = 32,
    images_per_file: int = IMAGES_PER_FILE,
    max_megapixels: float | None = None,
) -> EmbeddedArchive:
    """Writes the embeddings of all images below a directory, on the workers of a runner of Beam.

    The transform is that of `embed`. Neither the list of images nor their embeddings are held in
    memory. A second call goes on with what is left, and takes images that are new. All workers have
    to see `data`, `out` and `checkpoint` under the same paths.

    Args:
      checkpoint: as for `embed`.
      data: directory of JPEG, PNG, TIFF and DICOM files, at any depth.
      out: folder to write: `rows/*.parquet`, each a file as `embed` writes it.
      runner: `DirectRunner` on this machine, or another that Beam has, such as `DataflowRunner`.
      runner_options: of Beam's pipeline, such as `["--direct_num_workers=4",
        "--direct_running_mode=multi_processing"]`.
      preprocess: as for `embed`.
      embedding: as for `embed`.
      batch_size: images per batch.
      images_per_file: images per file of rows, which a killed worker loses at most.
      max_megapixels: as for `embed`.

    Returns:
      The numbers of images with a row, of unreadable and of new ones, and the file that lists
      unreadable images.

    Raises:
      UserError: an argument is at fault, the folder has embeddings of another checkpoint or of
        other images, no image can be read, or workers are killed again and again.
    """
    early_checks.check_weights(str(checkpoint))
    if preprocess is not None:
        piped(preprocess)
    if not os.path.isdir(data):
        raise UserError(
            f"{os.fspath(data)} is no directory; expected the directory of the images, which "
            f"{spelled('runner', runner)} searches at any depth."
        )
    work = Work(
        root=os.path.abspath(data),
        out=os.path.abspath(out),
        checkpoint=str(checkpoint),
        preprocess=preprocess or _embed.own_preprocess(str(checkpoint)),
        embedding=embedding,
        batch_size=batch_size,
        max_megapixels=max_megapixels,
    )
    return embedding_archive.embed(
        work, runner=runner, options=runner_options, images_per_file=images_per_file
    )
