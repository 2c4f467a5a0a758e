"""The examination of a manifest: splits, leaks, labels and images, as training would read them."""

import os
from collections.abc import Mapping

import pandas as pd

from remedis import csv_text, files
from remedis.data import canonical_ids, splits
from remedis.data.checks import leaks, scan
from remedis.data.checks.doctor import appearance, counts, label_findings
from remedis.data.checks.doctor.diagnosis import (
    ERROR,
    NOTE,
    WARNING,
    Diagnosis,
    Expectation,
    Finding,
    ordered,
)
from remedis.data.manifest import SPLITS, Manifest
from remedis.data.units import UNITS
from remedis.errors import UserError, counted, quoted, some, unknown_choice
from remedis.options import spelled

# The defaults of the configs for fine-tuning.
FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
MAX_BAD_IMAGES = 0.01


# Of fewer patients one may well have most images, as of whole slides.
_PATIENTS = 10


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
    allow_similar_ids: bool = False,
    evaluation: Mapping[str, str] | None = None,
    complete_splits: bool = False,
) -> Diagnosis:
    """Returns the diagnosis of a manifest as its source loads it, before any policy.

    The tables count labels as they are written. Findings about labels are based on the labels after
    the policies.

    Args:
      manifest: the images.
      min_patients: number of positive, and of negative, patients that a result needs.
      fractions: fractions of the splits that are assigned if there are none; 70/10/20 if not given.
      seed: seed of these splits.
      unit: unit of these splits, `patient_id` or `slide_id`.
      allow_missing_patient_ids: as for training.
      max_bad_images: the largest share of unreadable images that training accepts.
      expected: the expectation that the images are compared with.
      cache: cache of the scan, as for `scan.scan`.
      uncertain: policy for uncertain labels, as text of a config (see `labels.policies`); they are
        ignored if it is not given.
      unmentioned: the same for unknown labels.
      allow_similar_ids: as for training.
      evaluation: policies of validation and test by key of the config, such as `eval_unlabelled`.
      complete_splits: as for training.

    Raises:
      UserError: unit, fractions or policies are wrong.
    """
    fractions = splits.checked(fractions or FRACTIONS)
    evaluation = evaluation or {}
    label_findings.with_policies(manifest, uncertain, unmentioned, evaluation)  # or an error
    if unit not in UNITS:
        raise unknown_choice("unit of splits", unit, UNITS)
    findings: list[Finding] = []
    if not allow_missing_patient_ids and manifest.table["patient_id"].isna().any():
        findings.append(_missing_patients(manifest))
    findings += _patient_of_most(manifest)
    findings += _formulas(manifest)
    manifest, about_splits = _split(manifest, fractions, seed, unit, complete_splits)
    findings += about_splits
    used = manifest.table["split"].isin(SPLITS) | manifest.table["split"].isna()
    manifest = manifest.subset(used.to_numpy(dtype=bool))
    total = len(manifest)
    scanned = scan.scan(manifest, cache)
    bad = scanned["fault"].notna()
    if bad.any():
        similar = scan.about_missing_files(manifest.root, scanned[bad])
        findings.append(_unreadable(scanned[bad], total, max_bad_images, similar))
    manifest = manifest.without(scanned["path"][bad].tolist())
    scanned = scanned[~bad].reset_index(drop=True)
    findings += _copies(manifest, scanned.set_index("path")["sha256"])
    tables = counts.of_manifest(manifest) if len(manifest) else {}
    if len(manifest):
        findings += _leaks(manifest, scanned, allow_similar_ids)
        undecided = [
            kind
            for kind, policy in (("uncertain", uncertain), ("unmentioned", unmentioned))
            if policy is None
        ]
        decided = label_findings.with_policies(manifest, uncertain, unmentioned, evaluation)
        findings += label_findings.findings(
            manifest.labels,
            tables["labels"],
            counts.of_manifest(decided)["labels"],
            min_patients,
            undecided,
        )
        findings += label_findings.left_out(decided, unmentioned, evaluation)
        findings += appearance.findings(manifest.table, scanned, expected)
        tables |= counts.of_images(scanned)
    if expected is not None:
        findings += _checkpoint(manifest, expected)
    directory = os.fspath(manifest.root)
    return Diagnosis(manifest.source, total, ordered(findings), tables, expected, directory)


def _missing_patients(manifest: Manifest) -> Finding:
    missing = manifest.table["path"][manifest.table["patient_id"].isna()]
    return Finding.from_names(
        ERROR,
        "no_patient_id",
        f"{len(missing):,} of {len(manifest):,} images have no patient_id: images of one person "
        "can be in both training and test. Add the ids, or set "
        f"{spelled('allow_missing_patient_ids')}.",
        missing,
    )


def _patient_of_most(manifest: Manifest) -> list[Finding]:
    """Returns a finding if one patient has all images, or most images of ten patients or more.

    De-identification may write the same id, such as 0, into every file.
    """
    sizes = manifest.table["patient_id"].value_counts()
    total = len(manifest)
    if not len(sizes) or sizes.iloc[0] < 2 or (sizes.iloc[0] < total and len(sizes) < _PATIENTS):
        return []
    name, count = str(sizes.index[0]), int(sizes.iloc[0])
    if count < total and count <= total / 2:
        return []
    share = f"All {count:,}" if count == total else f"{count:,} of {total:,}"
    return [
        Finding(
            WARNING,
            "patient_of_most",
            f"{share} images are of one patient, {name!r}, and go into one split. If the id was "
            "written in place of real ones, restore these, or leave it empty.",
        )
    ]


def _formulas(manifest: Manifest) -> list[Finding]:
    """Returns a finding if values would be formulas in a spreadsheet program.

    A manifest keeps them, since the program reads it again.
    """
    texts = ("path", *canonical_ids.COLUMNS)
    found = [
        f"{column} {quoted(value)}"
        for column in texts
        if column in manifest.table
        for value in manifest.table[column].dropna().unique()
        if csv_text.is_formula(str(value))
    ]
    if not found:
        return []
    return [
        Finding.from_names(
            WARNING,
            "formulas",
            f"A spreadsheet program takes {counted(len(found), 'value')} of the table for "
            f"{'a formula' if len(found) == 1 else 'formulas'}, such as {found[0]}, and runs what "
            "it says: do not open the table with one, or rename them.",
            found,
        )
    ]


def _split(
    manifest: Manifest, fractions: dict[str, float], seed: int, unit: str, complete: bool
) -> tuple[Manifest, list[Finding]]:
    """Returns the manifest with the splits of a training, if it can have any, and findings."""
    findings = []
    given = manifest.table["split"]
    missing = given.isna()
    if missing.any() and not missing.all() and not complete:
        findings.append(
            Finding.from_names(
                ERROR,
                "incomplete_splits",
                f"{int(missing.sum()):,} of {len(given):,} images have no split while others do; "
                f"give every image a split, or none, or set {spelled('complete_splits')}. Counts "
                "below are as if they were completed.",
                manifest.table["path"][missing],
            )
        )
    try:
        assigned = splits.ensure(
            manifest, fractions, seed, unit, allow_missing_ids=True, complete=True
        )
    except UserError as error:
        return manifest, [*findings, Finding(ERROR, "splits", str(error))]
    if missing.all() or not assigned.table["split"].equals(given):
        shares = ", ".join(f"{name} {share:.0%}" for name, share in fractions.items())
        lack = "no splits" if missing.all() else "not all splits"
        findings.append(
            Finding(
                NOTE,
                "assigned_splits",
                f"The data come with {lack}; counts are of those that training would assign by "
                f"{unit} ({shares}; seed {seed}).",
            )
        )
    return assigned, findings


def _unreadable(bad: pd.DataFrame, total: int, limit: float, similar: str = "") -> Finding:
    listed = [f"{path}: {fault}" for path, fault in zip(bad["path"], bad["fault"], strict=True)]
    over = len(bad) > limit * total
    if len(bad) == total:
        comparison = "which leaves nothing to train on"
    else:
        comparison = f"{'more' if over else 'not more'} than the {limit:.1%} that training accepts"
    return Finding.from_names(
        ERROR if over or len(bad) == total else WARNING,
        "unreadable",
        f"{len(bad):,} of {total:,} images cannot be read, {comparison}; repair or remove them."
        + (similar and f" {similar}"),
        listed,
    )


def _leaks(manifest: Manifest, scanned: pd.DataFrame, allow_similar_ids: bool) -> list[Finding]:
    if manifest.table["split"].isna().any():
        return []
    by_path = scanned.set_index("path")
    receipt = leaks.check(
        manifest,
        by_path["sha256"],
        allow_missing_patient_ids=True,
        phashes=by_path["phash"],
        allow_similar_ids=allow_similar_ids,
    )
    findings = []
    try:
        receipt.raise_if_leaking()
    except leaks.LeakError as error:
        listed = [name for overlap in receipt.overlaps for name in overlap.ids]
        listed += [f"{a} ~ {b}" for similar in receipt.similar_ids for a, b in similar.pairs]
        findings.append(Finding.from_names(ERROR, "leak", str(error), listed))
    if receipt.similar_ids and allow_similar_ids:
        findings.append(Finding(NOTE, "similar_ids", receipt.similar_ids_sentence()))
    if receipt.near_duplicates:
        pairs = [f"{a} ~ {b} ({d} bits)" for n in receipt.near_duplicates for a, b, d in n.pairs]
        sentence = receipt.near_duplicates_sentence()
        findings.append(Finding.from_names(WARNING, "near_duplicates", sentence, pairs))
    return findings + [Finding(NOTE, "unchecked", sentence) for sentence in receipt.unchecked]


def _copies(manifest: Manifest, hashes: "pd.Series[str]") -> list[Finding]:
    """Returns a finding if images repeat an earlier one of the same split, or both have none."""
    content = manifest.table["path"].map(hashes)
    table = manifest.table[["path", "split"]].assign(sha256=content)[content.notna()]
    repeated = table.duplicated(["split", "sha256"])
    if not repeated.any():
        return []
    first = table.groupby(["split", "sha256"], dropna=False)["path"].transform("first")
    repeats = table["path"][repeated].tolist()
    pairs = [f"{a} = {b}" for a, b in zip(repeats, first[repeated], strict=True)]
    counts_double = (
        "It counts double: remove it" if len(repeats) == 1 else ("They count double: remove them")
    )
    return [
        Finding.from_names(
            WARNING,
            "duplicates",
            f"{counted(len(repeats), 'image repeats', 'images repeat')} another of the same split: "
            f"{some(pairs)}. {counts_double}, unless that is meant.",
            repeats,
        )
    ]


def _checkpoint(manifest: Manifest, expected: Expectation) -> list[Finding]:
    findings = []
    if expected.random:
        findings.append(
            Finding(
                WARNING,
                "random_weights",
                f"{expected.name} has random weights: nothing in it was pretrained.",
            )
        )
    if absent := [label for label in expected.labels if label not in manifest.labels]:
        findings.append(
            Finding(
                NOTE,
                "other_labels",
                f"{expected.name} scores {some(absent)}, which the manifest does not have or was "
                "not asked for; its scores of them cannot be compared with labels.",
            )
        )
    return findings
