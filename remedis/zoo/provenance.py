"""Where weights come from: carried by every directory and every result made with them."""

import dataclasses
from typing import Any

RANDOM = "random"
SELF_SUPERVISION = "self_supervision"
FROZEN = "frozen_variables"  # how many of the backbone's a self-supervision left as they were


@dataclasses.dataclass(frozen=True)
class Provenance:
    """The origin of a set of weights.

    Attributes:
      origin: `bit`, `release`, `random`, `self_supervision` for what a run of ours has trained
        without labels, or `training` for what one has trained with them.
      description: one sentence a reader of a report can rely on.
      file: base name of the file or folder the weights were read from.
      sha256: hash of that file (of a SavedModel: of its variables).
      command: the command line that made the directory.
      details: measurements and choices made on the way, e.g. of the input range.
      parent: provenance of what a training started from.
    """

    origin: str
    description: str
    file: str | None = None
    sha256: str | None = None
    command: str | None = None
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    parent: "Provenance | None" = None

    @property
    def random(self) -> bool:
        """Whether these weights, or those a training with labels started from, are random.

        Self-supervision of the whole backbone is what makes random weights pretrained ones; that it
        started from such, its description says. What it left frozen stays as random as it was.
        """
        if self.origin == SELF_SUPERVISION and not self.details.get(FROZEN, 0):
            return False
        return self.origin == RANDOM or (self.parent is not None and self.parent.random)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values; read back by `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Provenance":
        """Returns the provenance `to_json` wrote."""
        parent = values.get("parent")
        return cls(**{**values, "parent": None if parent is None else cls.from_json(parent)})
