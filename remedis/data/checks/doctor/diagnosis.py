"""What the doctor finds, as plain values."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
LISTED = 20

Rows = tuple[Mapping[str, Any], ...]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing a user should know.

    Attributes:
      severity: `error` if training would stop at it or its results would be wrong, `warning` if
        they may be, `note` if it is worth knowing.
      code: a fixed name for scripts, such as `unreadable`.
      sentence: what is the matter and what to do.
      listed: the first 20 images concerned, where it is about images.
    """

    severity: str
    code: str
    sentence: str
    listed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.severity in SEVERITIES

    @classmethod
    def of(
        cls, severity: str, code: str, sentence: str, listed: Iterable[object] = ()
    ) -> "Finding":
        """Returns a finding with the first few of `listed`."""
        names = [str(name) for name in listed]
        return cls(severity, code, sentence, tuple(names[:LISTED]))


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What a checkpoint expects of images and labels.

    Attributes:
      name: of the checkpoint or its folder.
      data_type: `cxr` or `path`, what it was pretrained on; None if that is not known.
      input_size: height and width of the documented recipes, pixels; None if not known.
      value_range: of the pixel values a caller feeds; training feeds 0 to 1.
      labels: that its classifier scores; empty for a backbone.
      random: whether its weights were never trained.
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
      source: of the manifest.
      images: rows looked at, unreadable ones included.
      findings: errors first, then warnings, then notes.
      tables: by name, rows of plain values: `splits`, `labels`, `sex`, `view`, `site`, `age`,
        `sizes`, `channels`, `bits`, `histogram`; those that the data have.
      checkpoint: what the images were held against, if anything.
    """

    source: str
    images: int
    findings: tuple[Finding, ...]
    tables: Mapping[str, Rows]
    checkpoint: Expectation | None = None

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
    """Returns findings by severity, else in the order they were made."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
