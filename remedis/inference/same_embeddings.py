"""Whether embeddings were computed alike, so that their distances mean something."""

from remedis.errors import UserError
from remedis.inference.embedding_file import EmbeddingFile

# Keys of a record that the numbers depend on, in words.
_FACTS = {
    "weights": "the weights",
    "embedding": "the kind of embedding",
    "preprocess": "the preprocessing",
}


def check_same(file: EmbeddingFile, other: EmbeddingFile) -> None:
    """Raises a UserError unless two files are of one checkpoint, embedding and preprocessing."""
    for key, words in _FACTS.items():
        # mypy knows literal keys of a TypedDict alone.
        mine, theirs = dict(file.record)[key], dict(other.record)[key]
        if mine != theirs:
            ours, others = (
                (of.record["checkpoint"] if key == "weights" else value)
                for of, value in ((file, mine), (other, theirs))
            )
            raise UserError(
                f"{other.path} and {file.path} differ in {words} ({others} and {ours}), so that "
                f"their embeddings cannot be compared; embed the images of {other.path} as those "
                f"of {file.path}."
            )


def check_weights(file: EmbeddingFile, weights: str, checkpoint: str) -> None:
    """Raises a UserError unless a checkpoint has the weights that made a file.

    Args:
      file: of embeddings.
      weights: `backbone.digest` of the checkpoint.
      checkpoint: as the user named it.
    """
    if weights != file.record["weights"]:
        raise UserError(
            f"{checkpoint} has other weights than {file.record['checkpoint']}, which made "
            f"{file.path}; name that checkpoint, or embed the images of {file.path} with this one."
        )
