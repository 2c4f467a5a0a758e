"""Images of a file of embeddings that are like a given one."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from remedis import files
from remedis.errors import UserError, counted, quoted, some
from remedis.evaluation import cosine_neighbours
from remedis.evaluation.cosine_neighbours import NONE, Neighbours
from remedis.evaluation.intervals import patient_codes
from remedis.inference import same_embeddings
from remedis.inference.embedding_file import EmbeddingFile
from remedis.options import spelled

NEIGHBOURS = 10


@dataclasses.dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
      name: path of the image.
      row: of the file, counted from 0; None for an image that is not in it.
    """

    name: str
    row: int | None


@dataclasses.dataclass(frozen=True)
class LabelShare:
    """How often a label is positive among neighbours, beside the whole file.

    Attributes:
      label: its name.
      positive: neighbours with the label.
      known: neighbours for which it is known.
      file_positive: images of the file with the label.
      file_known: images of the file for which it is known.
    """

    label: str
    positive: int
    known: int
    file_positive: int
    file_known: int


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SimilarImages:
    """The images that are the most similar to each query.

    Attributes:
      file: the file that was searched.
      queries: what was looked for.
      neighbours: of each query.
      other_patients: whether images of the query's patient were left out.
    """

    file: EmbeddingFile
    queries: Sequence[Query]
    neighbours: Neighbours
    other_patients: bool

    def __repr__(self) -> str:
        looked_for = counted(len(self.queries), "query", "queries")
        return f"<SimilarImages in {self.file.path} to {looked_for}>"

    @property
    def table(self) -> pd.DataFrame:
        """One row per neighbour: query, rank from 1, similarity, row in the file, ids, labels."""
        number, rank = np.nonzero(self.neighbours.rows != NONE)
        rows = self.neighbours.rows[number, rank]
        found = pd.DataFrame(
            {
                "query": [self.queries[int(i)].name for i in number],
                "rank": rank + 1,
                "similarity": self.neighbours.similarities[number, rank],
                "row": rows,
            }
        )
        return pd.concat([found, self.file.table.iloc[rows].reset_index(drop=True)], axis=1)

    def label_shares(self, number: int) -> list[LabelShare]:
        """Returns the shares among the neighbours of a query, one per label of the file.

        Only 1 and 0 are known; an uncertain label (-1) is not.
        """
        rows = self.neighbours.rows[number]
        rows = rows[rows != NONE]
        shares = []
        for label in self.file.record["labels"]:
            values = self.file.table[label].to_numpy(dtype=float, na_value=np.nan)
            known = np.isin(values, (0, 1))
            near = rows[known[rows]]
            shares.append(
                LabelShare(
                    label,
                    int((values[near] == 1).sum()),
                    len(near),
                    int((values == 1).sum()),
                    int(known.sum()),
                )
            )
        return shares


def search(
    file: EmbeddingFile,
    queries: Sequence[str | int],
    k: int = NEIGHBOURS,
    *,
    checkpoint: str | None = None,
    other_patients: bool = False,
    engine: str = "exact",
) -> SimilarImages:
    """Returns the images of a file that are the most similar to each query, by cosine.

    An image is no neighbour of itself.

    Args:
      file: of embeddings.
      queries: rows of the file, paths in it or ends of them, or image files. The last need the
        checkpoint unless the file has an image with the same bytes.
      k: neighbours per query.
      checkpoint: that made the file; it embeds image files.
      other_patients: whether images of the query's own patient are left out. The patient of an
        image file is unknown, and leaves out none.
      engine: as for `cosine_neighbours.nearest`.

    Raises:
      UserError: a query is not found or cannot be read, the checkpoint is another one, or k is out
        of range.
    """
    if not queries:
        raise UserError(f"There is no query; name one or more with {spelled('query')}.")
    found = [_find(file, query, checkpoint) for query in queries]
    new = [query.name for query in found if query.row is None]
    embedded = iter(_embed(file, str(checkpoint), new) if new else ())
    rows = np.stack([next(embedded) if q.row is None else file.rows[q.row] for q in found])
    groups = np.arange(len(file.rows))
    if other_patients:
        patients = patient_ids(file)
        if patients.isna().all():
            raise UserError(
                f"{file.path} names no patient, so that those of a query are unknown; leave out "
                f"{spelled('other_patients')}."
            )
        groups = patient_codes(patients)
    own = [-1 if query.row is None else groups[query.row] for query in found]
    neighbours = cosine_neighbours.nearest(
        file.rows, rows, k, groups=groups, query_groups=own, engine=engine
    )
    return SimilarImages(file, found, neighbours, other_patients)


def patient_ids(file: EmbeddingFile) -> pd.Series:
    """Returns the patient of every image of a file; missing where unknown."""
    if "patient_id" in file.table:
        return file.table["patient_id"]
    return pd.Series([None] * len(file.table), dtype=object)


def _find(file: EmbeddingFile, query: str | int, checkpoint: str | None) -> Query:
    """Returns the row or the image file that a query names."""
    paths = file.table["path"].astype(str)
    written = str(query)
    rows = np.flatnonzero(paths == written)
    if not len(rows) and (isinstance(query, int) or written.isdecimal()):
        if not 0 <= int(query) < len(paths):
            raise UserError(
                f"{file.path} has no row {written}; expected 0 to {len(paths) - 1:,}, or a path."
            )
        rows = np.array([int(query)])
    if not len(rows):
        rows = np.flatnonzero(paths.str.endswith(f"/{written}"))
    if len(rows) > 1:
        raise UserError(
            f"The query {quoted(written)} is the end of {len(rows):,} paths in {file.path}, "
            f"{some(paths.iloc[rows].tolist())}; write more of it."
        )
    if not len(rows) and os.path.isfile(written) and "sha256" in file.table:
        rows = np.flatnonzero(file.table["sha256"] == files.sha256(written))[:1]
    if len(rows):
        return Query(str(paths.iloc[rows[0]]), int(rows[0]))
    # An item of a container, such as `train.h5#17`, is no file by itself.
    if not os.path.isfile(written) and not os.path.isfile(written.rpartition("#")[0]):
        raise UserError(
            f"The query {quoted(written)} is neither in {file.path} nor a file; expected a "
            f"path such as {quoted(paths.iloc[0])}, a row from 0 to {len(paths) - 1:,}, or an "
            "image file."
        )
    if checkpoint is None:
        raise UserError(
            f"The image {written} is not in {file.path}; to embed it, set {spelled('checkpoint')} "
            f"to {file.record['checkpoint']}, which made the file."
        )
    return Query(written, None)


def _embed(file: EmbeddingFile, checkpoint: str, paths: Sequence[str]) -> np.ndarray:
    """Returns the embeddings of image files, [paths, C], computed as those of the file were."""
    # TensorFlow takes seconds to load, and a query by row needs none.
    import tensorflow as tf

    from remedis.data import image_pixels
    from remedis.inference import embed
    from remedis.models import backbone as backbones
    from remedis.preprocess import parse
    from remedis.zoo import resolve

    loaded = resolve.load_backbone(checkpoint, embed.SEED, option="")
    same_embeddings.check_weights(file, backbones.digest(loaded.backbone), checkpoint)
    compute = embed.pooled(loaded.backbone, file.record["embedding"])
    operations = parse(file.record["preprocess"], deterministic=True)
    images = (operations(tf.constant(image_pixels.read(path))) for path in paths)
    return np.concatenate([compute(image[None]).numpy() for image in images])
