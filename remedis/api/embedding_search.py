"""Search in files of embeddings: similar images, duplicates, outliers."""

import contextlib
import os
import pathlib
from collections.abc import Sequence

from remedis import files, limits, locks
from remedis.api import early_checks
from remedis.errors import UserError
from remedis.evaluation.cosine_duplicates import SIMILARITY
from remedis.inference import duplicate_images, embedding_file, outlying_images, similar_images
from remedis.inference.duplicate_images import DuplicateImages
from remedis.inference.outlying_images import OutlyingImages
from remedis.inference.similar_images import SimilarImages
from remedis.options import spelled
from remedis.reporting import search_report
from remedis.reporting.search_report import SearchReport


def search(
    embeddings: files.Path,
    query: str | int | os.PathLike[str] | Sequence[str | int],
    *,
    k: int = similar_images.NEIGHBOURS,
    checkpoint: str | os.PathLike[str] | None = None,
    other_patients: bool = False,
    engine: str = "exact",
    images: files.Path | None = None,
    max_megapixels: float | None = None,
    out: files.Path | None = None,
) -> SimilarImages:
    """Returns the images that are the most similar to each query, as `remedis search` finds them.

    Similarity is the cosine of embeddings. An image is no neighbour of itself.

    Args:
      embeddings: a file that `embed` wrote.
      query: one or several: the number of a row from 0, a path in the file or its end, or an image
        file, which needs `checkpoint` unless the file has an image with the same bytes.
      k: neighbours per query, 1 to 10,000.
      checkpoint: that made the file. A checkpoint with other weights is refused.
      other_patients: leave out images of the query's own patient.
      engine: `exact`, or `faiss` with the extra `faiss`; the answer is the same.
      images: folder at which relative paths of the file start, for the pictures of the page; the
        working directory by default.
      max_megapixels: larger images are unreadable; 40 by default.
      out: an `.html` page to write, with pictures.

    Returns:
      The result: `table` has one row per neighbour, `neighbours` the arrays.

    Raises:
      UserError: file, query or checkpoint is at fault, or k is out of range.
    """
    check_out(out)
    queries = [query] if isinstance(query, str | int | os.PathLike) else list(query)
    if checkpoint is not None:
        early_checks.check_weights(str(checkpoint))
    with limits.megapixels(max_megapixels), _locked(out):
        found = similar_images.search(
            embedding_file.read(embeddings),
            [one if isinstance(one, int) else os.fspath(one) for one in queries],
            k,
            checkpoint=None if checkpoint is None else str(checkpoint),
            other_patients=other_patients,
            engine=engine,
        )
        if out is not None:
            search_report.write_page(search_report.of_similar(found), out, images)
    return found


def find_duplicates(
    embeddings: files.Path,
    *,
    similarity: float = SIMILARITY,
    images: files.Path | None = None,
    max_megapixels: float | None = None,
    out: files.Path | None = None,
) -> DuplicateImages:
    """Returns groups of near-identical images, as `remedis search --duplicates` finds them.

    Args:
      embeddings: a file that `embed` wrote.
      similarity: the least cosine of a pair, above 0 and at most 1.
      images: as for `search`.
      max_megapixels: as for `search`.
      out: an `.html` page to write, with pictures.

    Returns:
      The result: `table` has one row per image of a group; `kept` is a mask of all images without
      all but the first of each group.

    Raises:
      UserError: the file is at fault, or the similarity is out of range.
    """
    check_out(out)
    with limits.megapixels(max_megapixels), _locked(out):
        found = duplicate_images.find_duplicates(embedding_file.read(embeddings), similarity)
        if out is not None:
            search_report.write_page(search_report.of_duplicates(found), out, images)
    return found


def find_outliers(
    embeddings: files.Path,
    other: files.Path | None = None,
    *,
    k: int = outlying_images.NEIGHBOUR,
    engine: str = "exact",
    images: files.Path | None = None,
    max_megapixels: float | None = None,
    out: files.Path | None = None,
) -> OutlyingImages:
    """Returns distances to the k-th nearest neighbour, as `remedis search --outliers` does.

    Args:
      embeddings: a file that `embed` wrote: the reference.
      other: a file of the same checkpoint, such as of another hospital; its images are scored
        against the reference.
      k: which neighbour. Images of the own patient are no neighbours.
      engine: as for `search`.
      images: as for `search`; of the other file if there is one.
      max_megapixels: as for `search`.
      out: an `.html` page to write, with pictures of the farthest images.

    Returns:
      The result: `table` has one row per image, the farthest first; `auroc` says how well the
      score tells the two files apart, with an interval by patient.

    Raises:
      UserError: a file is at fault, the files are of different checkpoints, or an image has fewer
        than k images of other patients to compare with.
    """
    check_out(out)
    with limits.megapixels(max_megapixels), _locked(out):
        file = embedding_file.read(embeddings)
        compared = None if other is None else embedding_file.read(other)
        found = outlying_images.find_outliers(file, compared, k, engine)
        if out is not None:
            search_report.write_page(search_report.of_outliers(found), out, images)
    return found


def report_of(found: SimilarImages | DuplicateImages | OutlyingImages) -> SearchReport:
    """Returns the report of a result of any of these functions."""
    if isinstance(found, SimilarImages):
        return search_report.of_similar(found)
    if isinstance(found, DuplicateImages):
        return search_report.of_duplicates(found)
    return search_report.of_outliers(found)


def check_out(out: files.Path | None) -> None:
    """Raises a UserError unless the name of the page ends with .html."""
    if out is not None and pathlib.Path(out).suffix != ".html":
        raise UserError(f"{spelled('out', out)}: expected a page to write, such as similar.html.")


def _locked(out: files.Path | None) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext() if out is None else locks.of_output(out)
