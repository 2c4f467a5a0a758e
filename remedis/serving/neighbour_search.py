"""The images of a file of embeddings that are the most similar to the image of a request."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis import files
from remedis.errors import UserError, counted
from remedis.evaluation import cosine_neighbours
from remedis.evaluation.cosine_neighbours import NONE
from remedis.inference import embedding_file, same_embeddings
from remedis.inference.embedding_file import EmbeddingFile
from remedis.inference.similar_images import Query, SimilarImages
from remedis.options import spelled
from remedis.serving.engine_names import SAVED_MODEL
from remedis.serving.served_facts import EMBEDDING, ServedFacts

_NAMES = {0.0: "negative", 1.0: "positive"}


@dataclasses.dataclass(frozen=True, eq=False)
class NeighbourSearch:
    """A file of embeddings to search in.

    Answers name rows of the file and its labels. Paths and patients stay on the server: who has the
    file finds them by the row.

    Attributes:
      file: of embeddings by the weights that are served.
      count: neighbours per image.
    """

    file: EmbeddingFile
    count: int

    def nearest(self, embedding: Sequence[float] | npt.NDArray[np.float32]) -> dict[str, Any]:
        """Returns the neighbours of an embedding [C] by cosine, the nearest first.

        Returns:
          `images`, the number of images in the file; `neighbours`, each with `rank`, `similarity`,
          `row` and `labels`; and `labels`, how often each is positive among the neighbours and in
          the file.
        """
        query = np.asarray(embedding, np.float32)[None]
        found = cosine_neighbours.nearest(self.file.rows, query, self.count)
        labels = self.file.record["labels"]
        values = self.file.table[labels].to_numpy(dtype=float, na_value=np.nan)
        similar = SimilarImages(self.file, [Query("the image", None)], found, False)
        return {
            "images": len(self.file.rows),
            "neighbours": [
                {
                    "rank": rank,
                    "similarity": round(float(similarity), 6),
                    "row": int(row),
                    "labels": {
                        label: _NAMES.get(value, "unknown")
                        for label, value in zip(labels, values[row].tolist(), strict=True)
                    },
                }
                for rank, (row, similarity) in enumerate(
                    zip(found.rows[0], found.similarities[0], strict=True), 1
                )
                if row != NONE
            ],
            "labels": [dataclasses.asdict(share) for share in similar.label_shares(0)],
        }


def open_search(path: files.Path, model: files.Path, facts: ServedFacts, k: int) -> NeighbourSearch:
    """Returns a file of embeddings to search in.

    Args:
      path: of a file that `remedis embed` wrote.
      model: that is served, as the user named it.
      facts: of that model.
      k: neighbours per image.

    Raises:
      UserError: the file cannot be read, or its embeddings are of other weights or of another
        preprocessing, or are not those that the model gives.
    """
    file = embedding_file.read(path)
    if facts.preprocess is None:
        raise UserError(
            f"{facts.model} records no preprocessing, so that its embeddings cannot be compared "
            f"with those of {path}; leave out {spelled('embeddings', path)}."
        )
    for key, mine in (("embedding", EMBEDDING), ("preprocess", facts.preprocess)):
        if (theirs := dict(file.record)[key]) != mine:
            raise UserError(
                f"{path} has embeddings with the {key} {theirs}, but {facts.model} is served with "
                f"{mine}; embed the images again with the model that is served."
            )
    same_embeddings.check_weights(file, _weights(model, facts.engine), str(model))
    if k > len(file.rows):
        raise UserError(
            f"{spelled('neighbours', k)} is more than the {counted(len(file.rows), 'image')} of "
            f"{path}; lower it."
        )
    return NeighbourSearch(file, k)


def _weights(model: files.Path, engine: str) -> str:
    """Returns the digest of the network's weights, as files of embeddings have it."""
    # TensorFlow takes seconds to load.
    from remedis.conversion import convert
    from remedis.inference import embed
    from remedis.models import backbone as backbones
    from remedis.zoo import resolve

    if engine != SAVED_MODEL:
        return convert.read(model)["weights"]
    return backbones.digest(resolve.load_backbone(str(model), embed.SEED, option="").backbone)
