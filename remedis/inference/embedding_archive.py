"""Embeddings of an archive of any size, by Apache Beam: one file of rows per part of the archive.

The folder holds `lists/` (`archive_listing`), `rows/` (files of embeddings), `unreadable/` (images
with their faults, per part) and `archive.json`. A part is finished once its file of rows exists.
"""

import contextlib
import dataclasses
import functools
import logging
import os
import pathlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.parquet
from typing_extensions import TypedDict

from remedis import files, json_records, limits, locks
from remedis.data.checks import scan
from remedis.errors import UserError, check_at_least, counted
from remedis.inference import archive_listing, archive_parts, beam_workers
from remedis.inference.archive_parts import LISTS, Work
from remedis.inference.embedding_file import EmbeddingRecord
from remedis.inference.fastest import WORTH
from remedis.json_records import Line, Name
from remedis.options import spelled
from remedis.progress import Speed, progress
from remedis.zoo.provenance import ProvenanceRecord

_LOG = logging.getLogger(__name__)

RECORD = "archive.json"
# Starts in a row that finish no part: another one would not either.
_FUTILE_STARTS = 3
_SECONDS_BETWEEN_COUNTS = 2.0


class ArchiveRecord(TypedDict):
    """`archive.json`: what an `EmbeddingRecord` says of all files of rows.

    Attributes:
      checkpoint: its base name, as the user named it.
      weights: SHA-256 of the weights of the network.
      provenance: of the weights.
      random_weights: whether they are random.
      embedding: `embedding` or `pre_logits`.
      preprocess: the operations on each image.
      version: of this package.
      data: base name of the directory of the images.
    """

    checkpoint: Line
    weights: Name
    provenance: ProvenanceRecord
    random_weights: bool
    embedding: Name
    preprocess: Line
    version: Name
    data: Line


@dataclasses.dataclass(frozen=True)
class EmbeddedArchive:
    """A folder of embeddings.

    Attributes:
      folder: that was written; `folder/rows` holds files that `pandas.read_parquet` reads at once.
      images: number of images with a row.
      unreadable: number of images without one; `bad_images` lists them.
      new: number of images that earlier commands had not listed.
      channels: length of an embedding.
      bad_images: `path` and `fault` of unreadable images; it exists if there are any.
      record: of the checkpoint and the preprocessing.
    """

    folder: pathlib.Path
    images: int
    unreadable: int
    new: int
    channels: int
    bad_images: pathlib.Path
    record: EmbeddingRecord


def embed(
    work: Work, *, runner: str, options: Sequence[str] = (), images_per_file: int = 1024
) -> EmbeddedArchive:
    """Writes the embeddings of all images below a directory; goes on with what earlier runs left.

    Args:
      work: images, checkpoint, preprocessing, and the folder to write.
      runner: name of a runner of Beam.
      options: of the pipeline.
      images_per_file: images per part. A killed worker loses the parts that it works on.

    Raises:
      UserError: arguments are at fault; the folder has embeddings of other weights, or of another
        directory; there are no images, or none can be read; workers are killed again and again.
    """
    check_at_least(spelled("images_per_file"), images_per_file, 1)
    beam_workers.check(runner, options)
    out = pathlib.Path(work.out)
    with locks.of_output(out), limits.megapixels(work.max_megapixels):
        loaded = archive_parts.network(work)
        work = dataclasses.replace(work, weights=loaded.record["weights"])
        _start(out, loaded.record, os.path.basename(os.path.abspath(work.root)))
        lists = out / LISTS
        new = archive_listing.extend(work.root, lists, images_per_file)
        names = archive_listing.parts(lists)
        if not names:
            raise UserError(f"{work.root} has no images; name another directory.")
        # By the parts in all, so that a run that goes on computes as the one before.
        is_large = (len(names) - 1) * images_per_file >= WORTH
        work = dataclasses.replace(work, is_large=is_large)
        left = _unfinished(out, names)
        _LOG.info(
            f"{counted(new, 'new image')}; {len(names) - len(left):,} of "
            f"{counted(len(names), 'part')} finished before."
        )
        with _shown(work, names):
            _run(work, names, runner, options)
        return _finished(work, names, new, loaded.channels, loaded.record)


def _run(work: Work, names: Sequence[str], runner: str, options: Sequence[str]) -> None:
    function = functools.partial(archive_parts.embed_part, work=work)
    out, futile = pathlib.Path(work.out), 0
    while left := _unfinished(out, names):
        try:
            beam_workers.apply(function, left, runner, options)
        except beam_workers.WorkerDied as error:
            futile = futile + 1 if len(_unfinished(out, names)) == len(left) else 0
            if futile == _FUTILE_STARTS:
                raise UserError(
                    f"{runner}: workers end before their work ({error}); expected them to stay "
                    "alive: take fewer workers or a smaller --batch-size if memory runs out, and "
                    "start again, with what is left."
                ) from error
            _LOG.warning(f"{runner}: {error}; going on with what is left.")


def _unfinished(out: pathlib.Path, names: Sequence[str]) -> list[str]:
    return [name for name in names if not archive_parts.rows_file(out, name).exists()]


def _start(out: pathlib.Path, record: EmbeddingRecord, data: str) -> None:
    """Writes what the archive is of, or compares it with what an earlier run wrote.

    Raises:
      UserError: they differ, or the folder holds something else.
    """
    path = out / RECORD
    values: dict[str, Any] = {**record, "data": data}
    values = {key: values[key] for key in ArchiveRecord.__annotations__}
    if not path.exists():
        if out.exists() and any(out.iterdir()):
            raise UserError(
                f"{spelled('out', out)} is not empty, and has no {RECORD}; name a new directory."
            )
        files.write_json(path, values)
        return
    before = dict(json_records.read(path, ArchiveRecord, "name a new directory"))
    for key in ("weights", "embedding", "preprocess", "version", "data"):
        if before[key] != values[key]:
            raise UserError(
                f"{out} was made with {key} {before[key]}, and not {values[key]}; name another "
                "directory."
            )


@contextlib.contextmanager
def _shown(work: Work, names: Sequence[str]) -> Iterator[None]:
    """Shows how many images are finished, counted by parts, which any machine may write."""
    out, lists = pathlib.Path(work.out), pathlib.Path(work.out) / LISTS
    sizes = {name: len(archive_listing.read(lists, name)) for name in names}
    left = set(_unfinished(out, names))
    total = sum(sizes.values())
    done = total - sum(sizes[name] for name in left)
    ended = threading.Event()
    if not left:
        yield
        return
    with progress("Embedding", total, done, even=True) as report:
        speed = Speed("images")
        report(done, speed.words(done))

        def count() -> None:
            nonlocal done
            last = False
            while not last:
                last = ended.wait(_SECONDS_BETWEEN_COUNTS)
                if new := left.difference(_unfinished(out, sorted(left))):
                    left.difference_update(new)
                    done += sum(sizes[name] for name in new)
                    report(done, speed.words(done))

        counter = threading.Thread(target=count, daemon=True)
        counter.start()
        try:
            yield
        finally:
            ended.set()
            counter.join()


def _finished(
    work: Work, names: Sequence[str], new: int, channels: int, record: EmbeddingRecord
) -> EmbeddedArchive:
    """Returns the summary; writes the list of all unreadable images.

    Raises:
      UserError: no image can be read.
    """
    out = pathlib.Path(work.out)
    rows = sum(
        pyarrow.parquet.read_metadata(archive_parts.rows_file(out, name)).num_rows for name in names
    )
    listed = sum(len(archive_listing.read(out / LISTS, name)) for name in names)
    bad_images = scan.bad_images_file(out)
    faults = [archive_parts.faults_file(out, name) for name in names]
    if not any(path.exists() for path in faults):
        bad_images.unlink(missing_ok=True)
    else:
        with files.whole_file(bad_images) as temporary, temporary.open("w", encoding="utf-8") as to:
            to.write("path,fault\n")
            for path in filter(os.path.exists, faults):
                to.write(path.read_text(encoding="utf-8").partition("\n")[2])
    if not rows:
        raise UserError(
            f"None of the {counted(listed, 'image')} of {work.root} can be read; {bad_images} "
            "lists them: repair or replace them."
        )
    return EmbeddedArchive(out, rows, listed - rows, new, channels, bad_images, record)
