"""Images that are far from those of a file of embeddings: in it, or in another file."""

import dataclasses

import numpy as np
import pandas as pd

from remedis.data import canonical_ids
from remedis.errors import counted
from remedis.evaluation import outliers
from remedis.evaluation.intervals import Estimate
from remedis.inference import same_embeddings
from remedis.inference.embedding_file import EmbeddingFile
from remedis.inference.similar_images import patient_ids

NEIGHBOUR = 10


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OutlyingImages:
    """Outlier scores: distances to the k-th nearest neighbour among images of other patients.

    Attributes:
      file: the reference.
      k: which neighbour.
      own: [images of the file], their scores.
      other: a file that is compared with it, or None.
      others: [images of the other file], their scores; None without one.
      auroc: of telling the other file's images from the reference's by the score; None without one.
    """

    file: EmbeddingFile
    k: int
    own: np.ndarray
    other: EmbeddingFile | None = None
    others: np.ndarray | None = None
    auroc: Estimate | None = None

    def __repr__(self) -> str:
        area = "" if self.auroc is None else f", AUROC {self.auroc}"
        return f"<OutlyingImages of {(self.other or self.file).path}{area}>"

    @property
    def table(self) -> pd.DataFrame:
        """One row per image, the largest score first.

        It has the images of the other file, or else of the reference: `score`, `row` in the file,
        ids and labels.
        """
        file, scores = self.file, self.own
        if self.other is not None and self.others is not None:
            file, scores = self.other, self.others
        order = np.argsort(-scores, kind="stable")
        ranked = pd.DataFrame({"score": scores[order], "row": order})
        return pd.concat([ranked, file.table.iloc[order].reset_index(drop=True)], axis=1)

    def notes(self) -> list[str]:
        """Returns sentences on unknown patients, and on what the two files have in common."""
        found = []
        if images := int(patient_ids(self.file).isna().sum()):
            found.append(
                f"{counted(images, 'image')} of {self.file.path} without a patient id: each counts "
                "as a patient of its own, so that several of one patient are each other's nearest "
                "neighbours and their scores too low."
            )
        if self.other is None:
            return found
        if found:
            found[0] += (
                " The AUROC is then too high and its interval too narrow, even for another file "
                "of the same hospital."
            )
        elif images := int(patient_ids(self.other).isna().sum()):
            found.append(
                f"{counted(images, 'image')} of {self.other.path} without a patient id: each "
                "counts as a patient of its own, so that the interval of the AUROC may be too "
                "narrow."
            )
        tables = self.file.table, self.other.table
        pair = f"of {self.other.path} are in {self.file.path}, too"
        if all("sha256" in table for table in tables):
            hashes = [set(table["sha256"].dropna()) for table in tables]
            if copies := len(hashes[0] & hashes[1]):
                found.append(
                    f"{counted(copies, 'image')} {pair}: their distances say nothing about another "
                    "hospital."
                )
        ids = [
            set(canonical_ids.column(patient_ids(of)).dropna()) for of in (self.file, self.other)
        ]
        if both := len(ids[0] & ids[1]):
            found.append(f"{counted(both, 'patient id')} {pair}; they count as other patients.")
        return found


def find_outliers(
    file: EmbeddingFile,
    other: EmbeddingFile | None = None,
    k: int = NEIGHBOUR,
    engine: str = "exact",
) -> OutlyingImages:
    """Returns the outlier scores of a file's images, and of another file's against it.

    Args:
      file: the reference.
      other: another file, such as of another hospital; None to score the reference alone.
      k: which neighbour.
      engine: as for `cosine_neighbours.nearest`.

    Raises:
      UserError: the files are of different checkpoints, or an image has fewer than k images of
        other patients to compare with.
    """
    if other is not None:
        same_embeddings.check_same(file, other)
    ids = patient_ids(file)
    own = outliers.own_scores(file.rows, ids, k, engine)
    if other is None:
        return OutlyingImages(file, k, own)
    others = outliers.scores(file.rows, other.rows, k, engine=engine)
    auroc = outliers.told_apart(own, ids, others, patient_ids(other))
    return OutlyingImages(file, k, own, other, others, auroc)
