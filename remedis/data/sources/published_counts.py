"""Published counts of data sets, and by how much the data at hand differ from them.

A source registers its counts with `remedis.data.sources`; a difference is logged at every load. It
is no error: a part of a data set, or a later version of it, is a data set too.
"""

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remedis.data.manifest import UNASSIGNED, Manifest
from remedis.errors import counted, some

_LOG = logging.getLogger(__name__)

# What is counted: the column of a manifest whose distinct values are counted, and the nouns.
_COUNTED = {
    "images": ("path", "image", "images"),
    "patients": ("patient_id", "patient", "patients"),
    "studies": ("study_id", "study", "studies"),
    "slides": ("slide_id", "slide", "slides"),
}
_LISTED = 8  # differences in one message


@dataclasses.dataclass(frozen=True)
class Published:
    """The counts of a data set in one division into splits, by its paper or documentation.

    Attributes:
      splits: by split, or `unassigned` for data without splits, the number of `images`, `patients`,
        `studies` or `slides`; none for a split of which no count is known.
      options: of the source, for which the counts hold; any values of those that are not named.
      prefix: beginning of the path of the first image, of a source of several data sets whose files
        have their names; any if empty.
    """

    splits: Mapping[str, Mapping[str, int]]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prefix: str = ""

    def differences(self, manifest: Manifest) -> list[tuple[str, str, int, int]]:
        """Returns the split, the kind, the number found and the published one where they differ."""
        found = _counts(manifest)
        return [
            (split, kind, found.get(split, {}).get(kind, 0), number)
            for split, numbers in self.splits.items()
            for kind, number in numbers.items()
            if found.get(split, {}).get(kind, 0) != number
        ]


def whole(**numbers: int) -> Published:
    """Returns the counts of a data set that is published without splits, such as `images=7`."""
    return Published({UNASSIGNED: numbers})


def differences(
    manifest: Manifest, published: Iterable[Published], options: Mapping[str, Any]
) -> list[str]:
    """Returns in words how a manifest differs from the published counts of its data set.

    The counts with the fewest splits that has all of the manifest's are taken, and among those with
    equally many, such as those of two versions, the nearest.

    Args:
      manifest: as its source loads it.
      published: the counts of the data set, of several divisions, versions and options.
      options: all options of the source, with those that the user did not set.
    """
    splits = set(manifest.table["split"].fillna(UNASSIGNED))
    first = str(manifest.table["path"].iloc[0]) if len(manifest) else ""
    candidates = [
        counts
        for counts in published
        if splits <= set(counts.splits)
        and first.startswith(counts.prefix)
        and all(options.get(name) == value for name, value in counts.options.items())
    ]
    if not candidates:
        return []
    rows = [(len(counts.splits), counts.differences(manifest)) for counts in candidates]
    nearest = min(
        rows, key=lambda row: (row[0], sum(abs(got - wanted) for *_, got, wanted in row[1]))
    )
    return _words(nearest[1])


def report(
    name: str, manifest: Manifest, published: Sequence[Published], options: Mapping[str, Any]
) -> None:
    """Logs a warning if a manifest differs from the published counts, with the differences.

    Nothing is said of made-up data, which have the file `REHEARSAL.txt`.

    Args:
      name: of the source.
      manifest: as for `differences`.
      published: as for `differences`.
      options: as for `differences`.
    """
    if not published or (manifest.root / "REHEARSAL.txt").is_file():
        return
    if found := differences(manifest, published, options):
        _LOG.warning(
            f"{name}: {manifest.root} is not all of the published data, or another version: "
            f"{some(found, limit=_LISTED)}."
        )


def _counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    splits = manifest.table["split"].fillna(UNASSIGNED)
    return {
        str(split): {
            kind: int(rows[column].nunique())
            for kind, (column, *_) in _COUNTED.items()
            if column in rows
        }
        for split, rows in manifest.table.groupby(splits.astype(object))
    }


def _words(rows: Iterable[tuple[str, str, int, int]]) -> list[str]:
    """Returns texts such as `train has 3 images, published 4 (1 fewer)`."""
    words = []
    for split, kind, got, wanted in rows:
        where = f"{split} has " if split != UNASSIGNED else ""
        nouns = _COUNTED[kind][1:]
        size = f"{abs(got - wanted):,} {'fewer' if got < wanted else 'more'}"
        words.append(f"{where}{counted(got, *nouns)}, published {wanted:,} ({size})")
    return words
