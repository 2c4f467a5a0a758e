"""The origin of weights, stored in every folder and every result made with them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from typing_extensions import NotRequired, TypedDict

from remedis.json_records import Line, Object
from remedis.zoo import shared_names

RANDOM = "random"
SELF_SUPERVISION = "self_supervision"
FROZEN = "frozen_variables"  # number of backbone variables that self-supervision did not change


class ProvenanceRecord(TypedDict):
    """`Provenance.to_json`.

    Attributes:
      details: measurements and choices; the keys depend on `origin`. `random`: `seed`. `bit`:
        `head_classes`. `release`: `range_measured` and `relative_error_by_range`. `keras`:
        `application`. `self_supervision`: `method`, `images`, `patients`, and `frozen_variables`,
        the number of variables that did not change. `training`: `labels` and `method`. Both of
        these: `data`, the `source` and stated `terms` of each data set.
    """

    origin: Line
    description: Line
    file: NotRequired[Line | None]
    sha256: NotRequired[Line | None]
    command: NotRequired[str | None]
    details: NotRequired[Object]
    parent: NotRequired["ProvenanceRecord | None"]


@dataclasses.dataclass(frozen=True)
class Provenance:
    """The origin of a set of weights.

    Attributes:
      origin: `bit`, `release`, `keras` for a user's file, `random`, `self_supervision` for a run
        of ours without labels, `training` for one with labels, or `floor` for an arm of a study
        that has no weights.
      description: one sentence for reports.
      file: base name of the file or folder that held the weights.
      sha256: hash of that file; of a SavedModel, of its variables.
      command: the command line that made the folder; in a folder, with base names for paths.
      details: measurements and choices, such as the measured input range.
      parent: provenance of the weights that a training started from.
    """

    origin: str
    description: str
    file: str | None = None
    sha256: str | None = None
    command: str | None = None
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    parent: "Provenance | None" = None

    def shared(self) -> "Provenance":
        """Returns the provenance for a file that leaves the machine (`shared_names`)."""
        command = self.command and shared_names.command(self.command)
        parent = self.parent and self.parent.shared()
        return dataclasses.replace(self, command=command, parent=parent)

    @property
    def random(self) -> bool:
        """Whether these weights, or those that a training with labels started from, are random.

        Weights are no longer random after self-supervision of the whole backbone. Its description
        says that it started from random ones. Variables that it left frozen stay random.
        """
        if self.origin == SELF_SUPERVISION and not self.details.get(FROZEN, 0):
            return False
        return self.origin == RANDOM or (self.parent is not None and self.parent.random)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Provenance":
        """Returns the provenance from the values of `to_json`, which may have further keys."""
        known = {f.name: values[f.name] for f in dataclasses.fields(cls) if f.name in values}
        parent = values.get("parent")
        return cls(**{**known, "parent": None if parent is None else cls.from_json(parent)})
