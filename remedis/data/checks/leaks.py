"""The leak gate: refuses splits that share patients, studies, slides or images."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from annotated_types import Len
from typing_extensions import NotRequired, TypedDict

from remedis import files, json_records
from remedis.data import canonical_ids
from remedis.data.checks.near_duplicates import DISTANCE, pairs
from remedis.data.manifest import SPLITS, Manifest
from remedis.errors import UserError, counted, quoted, some
from remedis.json_records import Count, Line, Name
from remedis.options import spelled

# Columns that are compared, and their nouns in sentences.
_COLUMNS = {
    "patient_id": "patients",
    "study_id": "studies",
    "slide_id": "slides",
    "sha256": "identical images",
}
_LISTED = 20


class LeakError(UserError):
    """Two splits share patients, studies, slides or images."""


@dataclasses.dataclass(frozen=True)
class Overlap:
    """The values that two splits share in one column.

    Attributes:
      column: `patient_id`, `study_id`, `slide_id` or `sha256` (of the encoded image, or of the
        pixels: see `scan.scan`).
      splits: the two splits.
      count: number of distinct shared values.
      ids: the first 20 of them, sorted; for `sha256` the two paths, as `first = second`.
    """

    column: str
    splits: tuple[str, str]
    count: int
    ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class SimilarIds:
    """Ids of one column that differ only in leading zeros, a trailing `.0` or letter case.

    Attributes:
      column: `patient_id`, `study_id` or `slide_id`.
      count: number of pairs. Of patients all pairs count, since one person counted as two also
        makes intervals too narrow; of studies and slides those in two splits.
      pairs: the first 20, sorted.
    """

    column: str
    count: int
    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def from_pairs(cls, column: str, similar: Sequence[tuple[str, str]]) -> "SimilarIds":
        """Returns the result of `canonical_ids.alike` for a column."""
        return cls(column, len(similar), tuple(similar[:_LISTED]))


@dataclasses.dataclass(frozen=True)
class NearDuplicates:
    """Images of two splits that look the same, though they are not identical.

    Attributes:
      splits: the two splits.
      count: number of pairs; the search ends at 100,000 for all splits together.
      pairs: the 20 nearest pairs: the two paths, and the number of bits in which their hashes
        differ.
    """

    splits: tuple[str, str]
    count: int
    pairs: tuple[tuple[str, str, int], ...]


class Shared(TypedDict):
    """Values of one column that two splits share.

    Attributes:
      column: `patient_id`, `study_id`, `slide_id` or `sha256` (of the image).
      splits: the two splits.
      count: number of distinct shared values.
      ids: the first 20 of them; for `sha256` the two paths, as `first = second`.
    """

    column: Name
    splits: Annotated[list[Name], Len(2, 2)]
    count: Count
    ids: NotRequired[list[str]]


class SharedIds(TypedDict):
    """Ids of one column that differ only in leading zeros, a trailing `.0` or letter case.

    Attributes:
      column: `patient_id`, `study_id` or `slide_id`.
      count: number of pairs of such ids.
      pairs: the first 20 pairs.
    """

    column: Name
    count: Count
    pairs: NotRequired[list[list[str]]]


class SharedLooks(TypedDict):
    """Images of two splits that look alike.

    Attributes:
      splits: the two splits.
      count: number of pairs of images.
      pairs: the 20 nearest pairs: the two paths, and the number of bits in which their perceptual
        hashes differ.
    """

    splits: Annotated[list[Name], Len(2, 2)]
    count: Count
    pairs: NotRequired[list[list[str | int]]]


class LeaksRecord(TypedDict):
    """`Receipt.to_json`, of any version.

    Attributes:
      ok: whether no leak was found in what could be checked.
      counts: split -> `images`, `patients`, `studies` and `slides`, as far as known.
    """

    ok: bool
    counts: NotRequired[dict[Name, dict[Name, Count]]]
    overlaps: list[Shared]
    unchecked: list[Line]
    duplicates: NotRequired[dict[Name, Count]]
    near_duplicates: NotRequired[list[SharedLooks]]
    near_distance: NotRequired[Count]
    refuse_near_duplicates: NotRequired[bool]
    near_complete: NotRequired[bool]
    similar_ids: NotRequired[list[SharedIds]]
    allow_similar_ids: NotRequired[bool]


def read_receipt(file: files.Path) -> dict[str, Any]:
    """Returns the content of a `leaks.json`.

    Raises:
      UserError: the file is damaged.
    """
    advice = "remove it and run the same command again"
    return dict(json_records.read(file, LeaksRecord, advice))


@dataclasses.dataclass(frozen=True)
class Receipt:
    """The result of the gate, as written to `leaks.json`.

    Attributes:
      counts: images, patients, studies and slides of each split.
      overlaps: everything that two splits share; empty for splits without a leak.
      duplicates: for each split, the number of images that repeat another of the same split. They
        are allowed and only reported.
      unchecked: one sentence for each check that could not be made.
      near_duplicates: pairs of splits with images that look the same. A person must look at them,
        since images of two patients may look the same.
      near_distance: bits in which the perceptual hashes of near-duplicates may differ.
      refuse_near_duplicates: whether near-duplicates count as a leak.
      near_complete: whether `near_duplicates` has all pairs; if not, `unchecked` says why.
      similar_ids: ids that may be of one patient, study or slide; they count as a leak unless
        `allow_similar_ids`.
      allow_similar_ids: whether such ids are known to be of different patients.
    """

    counts: Mapping[str, Mapping[str, int]]
    overlaps: tuple[Overlap, ...]
    duplicates: Mapping[str, int]
    unchecked: tuple[str, ...]
    near_duplicates: tuple[NearDuplicates, ...] = ()
    near_distance: int = DISTANCE
    refuse_near_duplicates: bool = False
    near_complete: bool = True
    similar_ids: tuple[SimilarIds, ...] = ()
    allow_similar_ids: bool = False

    @property
    def ok(self) -> bool:
        """Whether no leak was found in what could be checked."""
        return not (
            self.overlaps
            or (self.similar_ids and not self.allow_similar_ids)
            or (self.refuse_near_duplicates and self.near_duplicates)
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the receipt as dicts, lists, strings and numbers."""
        return {"ok": self.ok, **dataclasses.asdict(self)}

    def raise_if_leaking(self) -> None:
        """Raises a `LeakError` that names the first shared values, if splits share any."""
        if self.ok:
            return
        if not self.overlaps:
            similar = self.similar_ids and not self.allow_similar_ids
            raise LeakError(
                self.similar_ids_sentence() if similar else self.near_duplicates_sentence()
            )
        overlap, *others = self.overlaps
        first, second = overlap.splits
        further = [f"{o.count:,} {_COLUMNS[o.column]} ({', '.join(o.splits)})" for o in others]
        more = f" Further overlaps: {'; '.join(further)}." if further else ""
        if self.similar_ids and not self.allow_similar_ids:
            more += f" {self.similar_ids_sentence()}"
        advice = {
            "sha256": "Remove one copy of each, or keep both in one split.",
            "study_id": "Move each to one split; if every patient's studies are numbered from 1, "
            "make the ids unique, e.g. patient/study.",
            "patient_id": "Move each patient to one split, or leave the column `split` empty to "
            "have it assigned; if sites number patients alike, make the ids unique, e.g. site/id.",
            "slide_id": "Move each slide to one split, or leave the column `split` empty.",
        }
        raise LeakError(
            f"The splits {first!r} and {second!r} share {overlap.count:,} "
            f"{_COLUMNS[overlap.column]}: {some(overlap.ids, overlap.count)}. "
            f"{advice[overlap.column]}{more}"
        )

    def similar_ids_sentence(self) -> str:
        """Returns a sentence about ids that may be of one patient; empty if there are none."""
        if not self.similar_ids:
            return ""
        kinds = "; ".join(
            f"{counted(similar.count, 'pair')} of {similar.column}: "
            f"{some([f'{a} ~ {b}' for a, b in similar.pairs], similar.count)}"
            for similar in self.similar_ids
        )
        advice = (
            f"they are taken as different, as {spelled('allow_similar_ids')} says"
            if self.allow_similar_ids
            else f"write each id in one way, or set {spelled('allow_similar_ids')} if they are "
            "different patients, studies or slides"
        )
        return f"Some ids differ only in leading zeros, '.0' or letter case ({kinds}); {advice}."

    def near_duplicates_sentence(self) -> str:
        """Returns a sentence about images that look the same; empty if there are none."""
        if not self.near_duplicates:
            return ""
        total = sum(near.count for near in self.near_duplicates)
        listed = [f"{a} ~ {b}" for near in self.near_duplicates for a, b, _ in near.pairs]
        between = "; ".join(f"{', '.join(n.splits)}: {n.count:,}" for n in self.near_duplicates)
        at_least = "" if self.near_complete else "at least "
        return (
            f"{at_least}{counted(total, 'pair of images looks', 'pairs of images look')} the same "
            f"but in different splits ({between}): {some(listed, total, limit=3)}. Look at "
            "them; if they show one exposure, keep one, or give both the same patient_id."
        )


def check(
    manifest: Manifest,
    hashes: Mapping[str, str] | pd.Series | None,
    allow_missing_patient_ids: bool = False,
    splits: Sequence[str] = SPLITS,
    phashes: Mapping[str, str] | pd.Series | None = None,
    refuse_near_duplicates: bool = False,
    allow_similar_ids: bool = False,
) -> Receipt:
    """Looks for patients, studies, slides, identical and similar images in more than one split.

    Args:
      manifest: every image has a split.
      hashes: `sha256` of every image by the manifest's `path`, from `scan`; None if there are none,
        which the receipt then states.
      allow_missing_patient_ids: accept images without a patient id, which the receipt then states.
      splits: the splits of the experiment; images of others are ignored.
      phashes: perceptual hash of every image by the manifest's `path`, from `scan`; None if there
        are none, which the receipt then states.
      refuse_near_duplicates: count images of two splits that look the same as a leak.
      allow_similar_ids: accept ids that differ only in leading zeros, a trailing `.0` or letter
        case as those of different patients, which the receipt then states.

    Raises:
      UserError: an image has no split or no hash, or no patient id and missing ones are not
        allowed.
    """
    _refuse_missing(manifest, manifest.table["split"], "split", "assign the splits first")
    table = manifest.table[manifest.table["split"].isin(list(splits))]
    unchecked: list[str] = []
    columns = {name: table[name] for name in canonical_ids.COLUMNS if name in table}
    if not allow_missing_patient_ids:
        advice = "add the ids, or allow missing patient ids, which the receipt will say"
        _refuse_missing(manifest, table["patient_id"], "patient_id", advice)
    for name, ids in columns.items():
        if missing := int(ids.isna().sum()):
            unchecked.append(
                f"Leaks by {name.removesuffix('_id')} could not be checked for {missing:,} of "
                f"{len(ids):,} images, which have no {name}."
            )
    if hashes is None:
        unchecked.append("Identical images could not be checked: the files were not hashed.")
        duplicates = {}
    else:
        columns["sha256"] = table["path"].map(hashes)
        _refuse_missing(manifest, columns["sha256"], "hash", "scan the images first")
        repeated = pd.DataFrame({"split": table["split"], "sha256": columns["sha256"]}).duplicated()
        duplicates = {s: int(repeated[table["split"] == s].sum()) for s in splits}
    near: tuple[NearDuplicates, ...] = ()
    unfinished = ""
    if phashes is None:
        unchecked.append("Similar images could not be checked: there are no perceptual hashes.")
    else:
        phash = table["path"].map(phashes)
        _refuse_missing(manifest, phash, "perceptual hash", "scan the images first")
        near, unfinished = _near_duplicates(table, columns.get("sha256"), phash, splits)
        if unfinished:
            unchecked.append(f"Similar images may not all have been found: {unfinished}.")
    overlaps = [
        overlap
        for name, ids in columns.items()
        for first, second in itertools.combinations(splits, 2)
        if (overlap := _overlap(table, ids, name, first, second)) is not None
    ]
    return Receipt(
        _counts(table, splits),
        tuple(overlaps),
        duplicates,
        tuple(unchecked),
        near,
        refuse_near_duplicates=refuse_near_duplicates,
        near_complete=not unfinished,
        similar_ids=_similar_ids(table),
        allow_similar_ids=allow_similar_ids,
    )


def _similar_ids(table: pd.DataFrame) -> tuple[SimilarIds, ...]:
    found = []
    for name in canonical_ids.COLUMNS:
        if name not in table:
            continue
        pairs_of_ids = canonical_ids.alike(table[name].dropna())
        if name != "patient_id" and pairs_of_ids:
            splits_of = table.groupby(name)["split"].agg(frozenset)
            pairs_of_ids = [(a, b) for a, b in pairs_of_ids if len(splits_of[a] | splits_of[b]) > 1]
        if pairs_of_ids:
            found.append(SimilarIds.from_pairs(name, pairs_of_ids))
    return tuple(found)


def _near_duplicates(
    table: pd.DataFrame,
    hashes: pd.Series | None,
    phashes: pd.Series,
    splits: Sequence[str],
) -> tuple[tuple[NearDuplicates, ...], str]:
    """Returns near-duplicates, and why pairs may be missing; see `near_duplicates.Search`."""
    number = table["split"].map({split: i for i, split in enumerate(splits)}).to_numpy(np.int64)
    similar, unfinished = pairs(phashes, number)
    first, second = similar["first"].to_numpy(), similar["second"].to_numpy()
    if hashes is not None:  # identical images are overlaps, not near-duplicates
        codes = pd.factorize(hashes)[0]
        differ = codes[first] != codes[second]
        similar, first, second = similar[differ], first[differ], second[differ]
    paths = table["path"].to_numpy(object)
    result = []
    for a, b in itertools.combinations(range(len(splits)), 2):
        between = (number[first] == a) & (number[second] == b)
        if count := int(between.sum()):
            nearest = similar[between].head(_LISTED)
            listed = tuple((paths[i], paths[j], int(d)) for i, j, d in nearest.to_numpy())
            result.append(NearDuplicates((splits[a], splits[b]), count, listed))
    return tuple(result), unfinished


def _overlap(
    table: pd.DataFrame, ids: pd.Series, column: str, first: str, second: str
) -> Overlap | None:
    """Returns the values of a column that two splits share; None if there are none."""
    first_ids, second_ids = (ids[table["split"] == s].dropna() for s in (first, second))
    shared = sorted(set(first_ids.unique()).intersection(second_ids.unique()))
    if not shared:
        return None
    listed = shared[:_LISTED]
    if column == "sha256":
        listed = [
            " = ".join(
                table["path"][hashes.index[hashes == value][0]]
                for hashes in (first_ids, second_ids)
            )
            for value in listed
        ]
    return Overlap(column, (first, second), len(shared), tuple(str(name) for name in listed))


def _counts(table: pd.DataFrame, splits: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = {}
    for split in splits:
        rows = table[table["split"] == split]
        counts[split] = {"images": len(rows)} | {
            noun: int(rows[name].nunique())
            for name, noun in _COLUMNS.items()
            if name in rows and name != "sha256"
        }
    return counts


def _refuse_missing(manifest: Manifest, values: pd.Series, noun: str, advice: str) -> None:
    missing = values[values.isna()]
    if len(missing):
        raise UserError(
            f"{len(missing):,} of {len(values):,} images have no {noun}, the first "
            f"{quoted(manifest.table['path'][missing.index[0]])}; {advice}."
        )
