"""The doctor: reads data as training would, before training, and says what it finds."""

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd

from remedis import files
from remedis.data import labels, splits
from remedis.data.checks import leaks, scan
from remedis.data.checks.doctor import appearance, counts
from remedis.data.checks.doctor.diagnosis import (
    ERROR,
    NOTE,
    WARNING,
    Diagnosis,
    Expectation,
    Finding,
    Rows,
    ordered,
)
from remedis.data.manifest import SPLITS, Manifest
from remedis.data.units import UNITS
from remedis.errors import UserError, some, unknown_choice

# As the configs of fine-tuning have it unless told otherwise.
FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
POLICY = "ignore"
MAX_BAD_IMAGES = 0.01


def diagnose(
    manifest: Manifest,
    min_patients: int,
    fractions: Mapping[str, float] | None = None,
    seed: int = 0,
    unit: str = "patient_id",
    allow_missing_patient_ids: bool = False,
    max_bad_images: float = MAX_BAD_IMAGES,
    expected: Expectation | None = None,
    cache: files.Path | None = None,
    uncertain: str | None = None,
    unmentioned: str | None = None,
) -> Diagnosis:
    """Returns the state of a manifest, as its source loads it: before any policy.

    The tables count labels as they are; whether they can be learned is judged as the policies
    leave them.

    Args:
      manifest: the images.
      min_patients: positive, and negative, patients that a result needs.
      fractions: of the splits that are assigned where there are none; 70/10/20 if not given.
      seed: of these splits.
      unit: of these splits, `patient_id` or `slide_id`.
      allow_missing_patient_ids: as for training.
      max_bad_images: share of unreadable images that training would go on with.
      expected: what the images are held against.
      cache: of the scan, as for `scan.scan`.
      uncertain: what uncertain labels count as, in the config's words (see `labels.policies`);
        they are ignored if it is not given.
      unmentioned: the same for unknown ones.

    Raises:
      UserError: unit, fractions or policies are wrong.
    """
    fractions = splits.checked(fractions or FRACTIONS)
    judged = _with_policies(manifest, uncertain, unmentioned)
    if unit not in UNITS:
        raise unknown_choice("unit of splits", unit, UNITS)
    found: list[Finding] = []
    if not allow_missing_patient_ids and manifest.table["patient_id"].isna().any():
        found.append(_missing_patients(manifest))
    manifest = _split(manifest, fractions, seed, unit, found)
    used = manifest.table["split"].isin(SPLITS) | manifest.table["split"].isna()
    manifest = manifest.subset(used.to_numpy(dtype=bool))
    total = len(manifest)
    scanned = scan.scan(manifest, cache)
    bad = scanned["fault"].notna()
    if bad.any():
        found.append(_unreadable(scanned[bad], total, max_bad_images))
    manifest = manifest.without(scanned["path"][bad].tolist())
    scanned = scanned[~bad].reset_index(drop=True)
    counted = counts.of_manifest(manifest) if len(manifest) else {}
    if len(manifest):
        found += _leaks(manifest, scanned)
        judged = _rows_of(judged, manifest)
        undecided = [
            kind
            for kind, policy in (("uncertain", uncertain), ("unmentioned", unmentioned))
            if policy is None
        ]
        after = counts.of_manifest(judged)["labels"]
        found += _learnable(manifest.labels, counted["labels"], after, min_patients, undecided)
        found += _undecided(manifest.labels, counted["labels"])
        found += appearance.findings(manifest.table, scanned, expected)
        counted |= counts.of_images(scanned)
    if expected is not None:
        found += _checkpoint(manifest, expected)
    return Diagnosis(manifest.source, total, ordered(found), counted, expected)


def _missing_patients(manifest: Manifest) -> Finding:
    missing = manifest.table["path"][manifest.table["patient_id"].isna()]
    return Finding.of(
        ERROR,
        "no_patient_id",
        f"{len(missing):,} of {len(manifest):,} images have no patient_id: images of one person "
        "can land in training and test alike. Add the ids, or set allow_missing_patient_ids.",
        missing,
    )


def _split(
    manifest: Manifest, fractions: dict[str, float], seed: int, unit: str, found: list[Finding]
) -> Manifest:
    """Returns the manifest with the splits training would have, if it can; adds to `found`."""
    given = manifest.table["split"]
    missing = given.isna()
    if missing.any() and not missing.all():
        found.append(
            Finding.of(
                ERROR,
                "incomplete_splits",
                f"{int(missing.sum()):,} of {len(given):,} images have no split while others do; "
                "give every image a split, or none, or set config.complete_splits. Counts below "
                "are as if they were completed.",
                manifest.table["path"][missing],
            )
        )
    try:
        done = splits.ensure(manifest, fractions, seed, unit, allow_missing_ids=True, complete=True)
    except UserError as error:
        found.append(Finding.of(ERROR, "splits", str(error)))
        return manifest
    if missing.all() or not done.table["split"].equals(given):
        shares = ", ".join(f"{name} {share:.0%}" for name, share in fractions.items())
        what = "no splits" if missing.all() else "not all splits"
        found.append(
            Finding.of(
                NOTE,
                "assigned_splits",
                f"The data come with {what}; counts are of those that training would assign by "
                f"{unit} ({shares}; seed {seed}).",
            )
        )
    return done


def _unreadable(bad: pd.DataFrame, total: int, limit: float) -> Finding:
    listed = [f"{path}: {fault}" for path, fault in zip(bad["path"], bad["fault"], strict=True)]
    over = len(bad) > limit * total or len(bad) == total
    verdict = f"more than the {limit:.1%} that" if over else f"less than the {limit:.1%} at which"
    consequence = "training goes on with" if over else "training stops"
    return Finding.of(
        ERROR if over else WARNING,
        "unreadable",
        f"{len(bad):,} of {total:,} images cannot be read, {verdict} {consequence}; mend or "
        "remove them.",
        listed,
    )


def _leaks(manifest: Manifest, scanned: pd.DataFrame) -> list[Finding]:
    if manifest.table["split"].isna().any():
        return []
    by_path = scanned.set_index("path")
    receipt = leaks.check(
        manifest, by_path["sha256"], allow_missing_patient_ids=True, phashes=by_path["phash"]
    )
    found = []
    try:
        receipt.raise_if_leaking()
    except leaks.LeakError as error:
        listed = [name for overlap in receipt.overlaps for name in overlap.ids]
        found.append(Finding.of(ERROR, "leak", str(error), listed))
    if receipt.near_duplicates:
        pairs = [f"{a} ~ {b} ({d} bits)" for n in receipt.near_duplicates for a, b, d in n.pairs]
        sentence = receipt.near_duplicates_sentence()
        found.append(Finding.of(WARNING, "near_duplicates", sentence, pairs))
    again = by_path["sha256"].duplicated(keep="first")
    if repeated := sum(receipt.duplicates.values()):
        found.append(
            Finding.of(
                WARNING,
                "duplicates",
                f"{repeated:,} images repeat another of their split; they count "
                "double. Remove them, unless that is meant.",
                by_path.index[again],
            )
        )
    found += [Finding.of(NOTE, "unchecked", sentence) for sentence in receipt.unchecked]
    return found


def _with_policies(manifest: Manifest, uncertain: str | None, unmentioned: str | None) -> Manifest:
    """Returns the manifest with the labels training would see."""
    named = uncertain is not None or unmentioned is not None
    decided = any(p != "keep" for policy in manifest.policies.values() for p in policy.values())
    if decided and not named:  # prepared with policies: labels are what they shall be
        return manifest
    return labels.apply_policies(
        manifest,
        labels.policies(POLICY if uncertain is None else uncertain, manifest.labels),
        labels.policies(POLICY if unmentioned is None else unmentioned, manifest.labels),
    )


def _rows_of(judged: Manifest, manifest: Manifest) -> Manifest:
    """Returns the images of `manifest` in its splits, with the labels of `judged`."""
    targets = judged.table.set_index("path")[list(judged.labels)].loc[manifest.table["path"]]
    values = {label: targets[label].to_numpy() for label in judged.labels}
    return dataclasses.replace(manifest, table=manifest.table.assign(**values))


def _learnable(
    names: Sequence[str],
    before: Rows,
    after: Rows,
    min_patients: int,
    undecided: Sequence[str],
) -> list[Finding]:
    """Returns what is wrong with labels, from their counts before and after the policies.

    Args:
      names: of the labels.
      before: counts by label and split.
      after: the same, as the policies leave them.
      min_patients: that each kind needs.
      undecided: `uncertain`, `unmentioned`: those for which no policy was named.
    """
    found = []
    for label in names:
        rows = [row for row in after if row["label"] == label]
        train = [row for row in before if row["label"] == label and row["split"] == "train"]
        # What a policy may still turn into what is missing.
        flags = [
            f"{sum(row[value] for row in train):,} {value} (--{kind}, config.{kind})"
            for value, kind in (("uncertain", "uncertain"), ("unknown", "unmentioned"))
            if kind in undecided and any(row[value] for row in train)
        ]
        if kept := sum(row["uncertain"] for row in rows if row["split"] == "train"):
            found.append(
                Finding.of(
                    ERROR,
                    "kept_uncertain",
                    f"Label {label!r} still has {kept:,} uncertain values (-1) in train, which "
                    "cannot be trained on; set config.uncertain to ignore, zeros or ones.",
                )
            )
        for kind, policy in (("positive", "ones"), ("negative", "zeros")):
            if any(row[kind] == 0 and row["split"] == "train" for row in rows):
                sentence = f"Label {label!r} has no {kind} image in train"
                if flags:
                    sentence += (
                        f", as long as others are ignored: {' and '.join(flags)}. If these are "
                        f"{kind}, name the policy {policy!r}; else leave the label out."
                    )
                else:
                    sentence += (
                        "; leave it out, or check the data and the policy for unmentioned labels."
                    )
                found.append(Finding.of(WARNING if flags else ERROR, "unlearnable", sentence))
                continue
            patients = {row["split"]: row[f"{kind}_patients"] for row in rows}
            if few := [f"{s} {n}" for s, n in patients.items() if n < min_patients]:
                found.append(
                    Finding.of(
                        WARNING,
                        "few_patients",
                        f"Label {label!r} has too few {kind} patients ({', '.join(few)}; "
                        f"{min_patients} are needed to estimate anything): use more data, give "
                        "that split a larger share, or leave the label out.",
                    )
                )
    return found


def _undecided(names: Sequence[str], counted: Rows) -> list[Finding]:
    """Returns notes on labels that are not known."""
    found = []
    for value, name in (("uncertain", "uncertain (-1)"), ("unknown", "unknown")):
        totals = dict.fromkeys(names, 0)
        for row in counted:
            totals[row["label"]] += row[value]
        with_any = [f"{label}: {count:,}" for label, count in totals.items() if count]
        if with_any:
            key = "uncertain" if value == "uncertain" else "unmentioned"
            found.append(
                Finding.of(
                    NOTE,
                    value,
                    f"Labels are {name} for {some(with_any)} images; config.{key} decides what "
                    "becomes of them.",
                )
            )
    return found


def _checkpoint(manifest: Manifest, expected: Expectation) -> list[Finding]:
    found = []
    if expected.random:
        found.append(
            Finding.of(
                WARNING,
                "random_weights",
                f"{expected.name} has random weights: nothing in it was pretrained.",
            )
        )
    if absent := [label for label in expected.labels if label not in manifest.labels]:
        found.append(
            Finding.of(
                NOTE,
                "other_labels",
                f"{expected.name} scores {some(absent)}, which the manifest does not have or was "
                "not asked for; its scores of them cannot be compared with anything.",
            )
        )
    return found
