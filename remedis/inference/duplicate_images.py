"""Near-identical images of a file of embeddings."""

import dataclasses

import numpy as np
import pandas as pd

from remedis.errors import counted
from remedis.evaluation import cosine_duplicates
from remedis.evaluation.cosine_duplicates import SIMILARITY
from remedis.evaluation.cosine_neighbours import directions
from remedis.inference.embedding_file import EmbeddingFile


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DuplicateImages:
    """Groups of images with near-identical embeddings.

    Attributes:
      file: the file that was searched.
      similarity: the least cosine of a pair.
      groups: rows of the file that are connected by such pairs, the largest group first.
      complete: whether all pairs were found; else there are more than a search returns.
    """

    file: EmbeddingFile
    similarity: float
    groups: list[list[int]]
    complete: bool

    def __repr__(self) -> str:
        return f"<DuplicateImages in {self.file.path}: {counted(len(self.groups), 'group')}>"

    @property
    def table(self) -> pd.DataFrame:
        """One row per image of a group.

        Columns are `group` from 1, `row` in the file, `similarity` to the group's first image,
        `same_file` if its bytes are those of an earlier image of the group, and ids and labels.
        """
        parts = []
        for number, rows in enumerate(self.groups, 1):
            unit = directions(self.file.rows[rows])
            part = pd.DataFrame(
                {"group": number, "row": rows, "similarity": np.clip(unit @ unit[0], -1, 1)}
            )
            members = self.file.table.iloc[rows].reset_index(drop=True)
            if "sha256" in members:
                part["same_file"] = members["sha256"].duplicated().to_numpy()
            parts.append(pd.concat([part, members], axis=1))
        if not parts:
            columns = ["group", "row", "similarity", "same_file", *self.file.table]
            return pd.DataFrame(columns=columns)
        return pd.concat(parts, ignore_index=True)

    @property
    def kept(self) -> np.ndarray:
        """[images] bool: the first image of each group, and all images without a duplicate."""
        kept = np.ones(len(self.file.rows), dtype=bool)
        for rows in self.groups:
            kept[rows[1:]] = False
        return kept

    def crossing(self, column: str) -> int:
        """Returns the number of groups with several known values, such as patients or splits."""
        if column not in self.file.table:
            return 0
        values = self.file.table[column]
        return sum(values.iloc[rows].nunique() > 1 for rows in self.groups)

    def same_files(self) -> int:
        """Returns the number of images whose bytes are those of an earlier image of their group."""
        table = self.table
        return int(table["same_file"].sum()) if "same_file" in table else 0


def find_duplicates(file: EmbeddingFile, similarity: float = SIMILARITY) -> DuplicateImages:
    """Returns the groups of images whose embeddings are nearly the same.

    Args:
      file: of embeddings.
      similarity: the least cosine of a pair, above 0 and at most 1.

    Raises:
      UserError: the similarity is out of range.
    """
    pairs = cosine_duplicates.close_pairs(file.rows, similarity)
    groups = cosine_duplicates.groups(pairs, len(file.rows))
    return DuplicateImages(file, similarity, groups, pairs.complete)
