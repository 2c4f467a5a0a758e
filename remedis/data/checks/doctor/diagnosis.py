"""Findings, expectations and the diagnosis, as plain values."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
LISTED = 20

Rows = tuple[Mapping[str, Any], ...]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One property of the data that a user should know.

    Attributes:
      severity: `error` if training would stop or give wrong results, `warning` if its results may
        be wrong, `note` for information.
      code: a fixed name for scripts, such as `unreadable`.
      sentence: the finding and the advice.
      listed: the first 20 images concerned, for findings about images.
    """

    severity: str
    code: str
    sentence: str
    listed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.severity in SEVERITIES

    @classmethod
    def from_names(
        cls, severity: str, code: str, sentence: str, names: Iterable[object]
    ) -> "Finding":
        """Returns a finding that lists the first of the names."""
        listed = tuple(str(name) for name in itertools.islice(names, LISTED))
        return cls(severity, code, sentence, listed)


@dataclasses.dataclass(frozen=True)
class Expectation:
    """The images and labels that a checkpoint expects.

    Attributes:
      name: name of the checkpoint or of its folder.
      data_type: `cxr` or `path`, the images of its pretraining; None if unknown.
      input_size: height and width in the released notebook, in pixels; None if unknown.
      value_range: range of the pixel values that a caller passes; training passes 0 to 1.
      labels: labels that its classifier scores; empty for a backbone.
      random: whether its weights are random, not trained.
    """

    name: str
    data_type: str | None = None
    input_size: int | None = None
    value_range: tuple[float, float] = (0.0, 1.0)
    labels: tuple[str, ...] = ()
    random: bool = False


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """The state of a manifest before training.

    Attributes:
      source: source of the manifest.
      images: number of examined images, unreadable ones included.
      findings: errors first, then warnings, then notes.
      tables: rows of plain values by name: `splits`, `labels`, `sex`, `view`, `site`, `age`,
        `sizes`, `channels`, `bits`, `histogram`; those that the data have.
      checkpoint: the expectation that the images were compared with, if any.
      directory: of the data.
    """

    source: str
    images: int
    findings: tuple[Finding, ...]
    tables: Mapping[str, Rows]
    checkpoint: Expectation | None = None
    directory: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return all(finding.severity != ERROR for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Returns the diagnosis as dicts, lists, strings and numbers."""
        return {
            "ok": self.ok,
            "source": self.source,
            "images": self.images,
            "checkpoint": None if self.checkpoint is None else dataclasses.asdict(self.checkpoint),
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "tables": {name: [dict(row) for row in rows] for name, rows in self.tables.items()},
        }


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Returns findings by severity; findings of one severity keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
